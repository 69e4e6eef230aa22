"""What is wrong with a spec: the code, the exact place, the arithmetic, the help, and the trail through blocks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import archdsl
from archdsl import limits
from archdsl.diagnostics.text import render
from archdsl.elaborate.functions import FUNCTIONS
from tests.diagnostics.findings import DESIGN, RESNET
from tests.language.specs import codes, findings, one, place, places

# Lines of a network on `image`, 3x8x8, from line 3 on; the place; and words that the message, the notes and the help
# must have.
MISTAKES = [
    # names
    ("convv 8", "unknown-layer 3:3 convv", ["`convv`", "did you mean `conv`?"]),
    ("relu -> flaten", "unknown-layer 3:11 flaten", ["did you mean `flatten`?"]),
    ("nothing_like_it", "unknown-layer 3:3 nothing_like_it", ["docs/layers.md"]),
    ("conv 4 as low\n  lwo -> relu", "unknown-layer 4:3 lwo", ["did you mean `low`?"]),
    ("in -> relu", "unknown-layer 3:3 in", ["input of a block without `takes`"]),
    ("conv in.c", "unknown-name 3:8 in", ["input of a block without `takes`"]),
    ("let width = 3\n  conv widht", "unknown-name 4:8 widht", ["did you mean `width`?"]),
    ("conv minn(1)", "unknown-name 3:8 minn", ["did you mean `min`?"]),
    ("conv true", "unknown-name 3:8 true", ["write `yes`"]),
    ("add nobody", "unknown-name 3:7 nobody", []),
    ("conv 4 as low\n  output lov", "unknown-name 4:10 lov", ["did you mean `low`?"]),
    ("relu\n  output other", "unknown-name 4:10 other", ["name a value with `as`"]),
    ("let n = 3\n  relu\n  output n", "unknown-name 5:10 n", ["the number 3"]),
    ("default cnov k3\n  relu", "unknown-layer 3:11 cnov", ["did you mean `conv`?"]),
    ("default nothing_like_it k3\n  relu", "unknown-layer 3:11 nothing_like_it", ["a layer's word"]),
    ("let n = 3\n  n -> relu", "unknown-layer 4:3 n", ["the number 3"]),
    ('let t = "x"\n  t -> relu', "unknown-layer 4:3 t", ['the text "x"']),
    ("let t = [1]\n  t -> relu", "unknown-layer 4:3 t", ["a list"]),
    ("a -> relu", "recursion 3:3 a", ["a contains itself", "fixed depth"]),
    # arguments
    ("conv 8 kernal=3", "unknown-option 3:10 kernal", ["did you mean `kernel`?"]),
    ("conv 8 z=3", "unknown-option 3:10 z", ["kernel (k)", "stride (s)", "padding (p)"]),
    ("relu n=3", "unknown-option 3:8 n", ["no arguments at all"]),
    ("default conv kk=3\n  relu", "unknown-option 3:16 kk", []),
    ("conv 8 9 10 11", "extra-argument 3:10 9", ["1 argument by place (channels)"]),
    ("gap 9", "extra-argument 3:7 9", []),
    ("relu image", "extra-argument 3:8 image", ["cannot merge", "add, cat or mul"]),
    ("conv 8 k3 kernel=3", "extra-argument 3:13 kernel=3", ["kernel twice", "keep one"]),
    ("conv", "missing-argument 3:3 conv", ["channels", "write `conv 64`"]),
    ("conv 8 k 3", "bad-argument 3:10 k", ["given no number", "`k3`"]),
    ("conv 0", "bad-argument 3:8 0", ["at least 1, got 0"]),
    ("conv 2.5", "bad-argument 3:8 2.5", ["whole number, got 2.5"]),
    ("conv yes", "bad-argument 3:8 yes", ["whole number, got yes"]),
    ("conv 8 k=0", "bad-argument 3:10 k=0", ["kernel must be at least 1, got 0"]),
    ("conv 8 p=-1", "bad-argument 3:10 p=-1", ["at least 0, got -1"]),
    ("conv 8 bias=3", "bad-argument 3:10 bias=3", ["yes or no, got 3"]),
    ("conv 300000000000000", "bad-argument 3:8 300000000000000", [f"at most {limits.SIZE}"]),
    ("dropout 2", "bad-argument 3:11 2", ["between 0 and 1, got 2"]),
    ("upsample 2 mode=bilinaer", "bad-argument 3:19 bilinaer", ["did you mean `bilinear`?"]),
    ("upsample 2 mode=zzz", "bad-argument 3:19 zzz", ["it takes nearest, linear, bilinear"]),
    ('upsample 2 mode="bilinaer"', 'bad-argument 3:14 mode="bilinaer"', ["did you mean `bilinear`?"]),
    ("conv image", "bad-argument 3:8 image", ["value that flows", "`.c`"]),
    ("upsample like=3", "bad-argument 3:12 like=3", ["the name of a value"]),
    ("upsample like=nobody", "unknown-name 3:17 nobody", []),
    ("upsample 2 size=3", "one-of 3:14 size=3", ["got factor and size"]),
    # merging
    ("( conv 4 | conv 5 ) -> add", "merge-shapes 3:26 add",
     ["got 4x8x8 and 5x8x8", "4 comes from conv at 3:5", "5 comes from conv at 3:14", "branch `conv"]),
    ("( conv 4 k3 | conv 4 k3 s2 p1 ) -> cat", "merge-shapes 3:38 cat",
     ["4x6x6 and 4x4x4", "6 comes from conv at 3:5: (8 - 3) + 1 = 6", "floor((8 + 2*1 - 3) / 2) + 1 = 4"]),
    ("add", "wrong-inputs 3:3 add", ["at least 2 values, got 1", "`add image`"]),
    ("( id | relu | tanh ) -> sub", "wrong-inputs 3:27 sub", ["takes 2 values, got 3"]),
    ("( id | relu ) -> conv 4", "wrong-inputs 3:20 conv 4", ["one input, got 2", "merge the branches first"]),
    ("( id | relu | tanh ) -> ( relu | tanh )", "wrong-inputs 3:29 relu", ["3 values flow into 2 branches"]),
    # kinds
    ("flatten -> conv 4", "wrong-kind 3:14 conv 4", ["got 192, a vector", "`reshape CxHxW`"]),
    ("fc 4", "wrong-kind 3:3 fc 4", ["got 3x8x8, a map", "put `flatten` before it"]),
    ("to_tokens -> conv 4", "wrong-kind 3:16 conv 4", ["got 64x3, a token sequence", "put `to_map` before it"]),
    ("upsample 2 mode=trilinear", "wrong-rank 3:14 mode=trilinear", ["3 axes, but the map has 2"]),
    ("conv 4 k1x2x3", "wrong-axes 3:10 k1x2x3", ["1x2x3", "the map has 2"]),
    # the layers' own
    ("conv 4 k9", "window-too-large 3:10 k9", ["height of at least 9, got 8", "(8 - 9) + 1 = 0", "pad by 1"]),
    ("pool 3 p2", "pool-padding 3:10 p2", ["more than half", "`pad 2`"]),
    ("conv 4 g2", "groups 3:10 g2", ["2 groups do not divide 3", "3 = 1*2 + 1"]),
    ("conv 3 k3 s2 p=same", "same-with-stride 3:16 p=same", ["k//2"]),
    ("glu", "odd-channels 3:3 glu", ["there are 3"]),
    ("split 2", "split-sizes 3:9 2", ["3 channels", "[1, 2]"]),
    ("reshape 5x5", "reshape-size 3:11 5x5", ["25 values, got 192", "3 * 8 * 8 = 192"]),
    ("crop 4", "empty-output 3:8 4", ["leaves 0 of a size of 8"]),
    ("pixel_shuffle 2", "channels-mismatch 3:17 2", ["multiples of 4, got 3"]),
    ("upconv 4 k2 s2 output_padding=2", "output-padding 3:18 output_padding=2", ["at most 1"]),
    ("conv 1000000000 -> upsample 9000000", "huge-tensor 3:22 upsample 9000000", ["values, more than any machine"]),
    # shapes
    ("conv 4 k3 : 4x8x8", "shape-mismatch 3:15 4x8x8", ["got 4x6x6", "6 comes from conv at 3:3: (8 - 3) + 1 = 6"]),
    ("conv 4 k3 : 5x6x6", "shape-mismatch 3:15 5x6x6", ["4 comes from conv at 3:3"]),
    ("relu : 3x9x8", "shape-mismatch 3:10 3x9x8", ["8 is the input's"]),
    ("conv 4 k3 : 4x6", "shape-mismatch 3:15 4x6", ["got 4x6x6"]),
    ("flatten -> relu : 191", "shape-mismatch 3:21 191", ["192 comes from flatten at 3:3"]),
    ("( id | relu ) : 3x8x8", "shape-mismatch 3:19 3x8x8", ["2 values flow here"]),
    # expressions
    ("conv 1 / 0", "bad-expression 3:8 1 / 0", ["divides by zero"]),
    ("conv 5 % 0", "bad-expression 3:8 5 % 0", ["divides by zero"]),
    ("conv -image", "bad-expression 3:8 -image", ["needs a number, got a value that flows"]),
    ("conv 2 * relu", "bad-expression 3:8 2 * relu", ["the layer relu"]),
    ("conv [1, 2][2]", "bad-expression 3:8 [1, 2][2]", ["2 elements, and number 2", "from 0 to 1"]),
    ("conv [1][0.5]", "bad-expression 3:8 [1][0.5]", ["whole, got 0.5"]),
    ("conv 3[0]", "bad-expression 3:8 3[0]", ["only a list"]),
    ("conv 3.c", "bad-expression 3:8 3.c", ["only a value has `.c`"]),
    ("conv image.q", "bad-expression 3:8 image.q", [".c (channels)", ".shape (all sizes)"]),
    ("conv image.d", "bad-expression 3:8 image.d", ["3x8x8 has no `.d`"]),
    ("flatten -> relu as v\n  fc v.h", "bad-expression 4:6 v.h", ["192, a vector, has no height"]),
    ("conv len(3)", "bad-expression 3:8 len(3)", ["len needs a list"]),
    ("conv round_to(8, 0)", "bad-expression 3:8 round_to(8, 0)", ["at least 1, got 0"]),
    ("conv round_to(8)", "bad-expression 3:8 round_to(8)", ["takes 2 arguments"]),
    ("conv min(n=1)", "bad-expression 3:8 min(n=1)", ["no named arguments"]),
    ("conv max(relu)", "bad-expression 3:8 max(relu)", ["needs numbers"]),
    ("conv 1 < yes", "bad-expression 3:8 1 < yes", ["`<` needs numbers, got yes"]),
    ("conv 1 and yes", "bad-expression 3:8 1 and yes", ["`and` needs yes or no"]),
    ("if not 3 { relu }", "bad-expression 3:6 not 3", ["`not` needs yes or no, got the number 3"]),
    ("let e = image(3)\n  relu", "bad-expression 3:11 image(3)", ["cannot be called"]),
    ("conv 1T * 1T * 1T", "bad-expression 3:8 1T * 1T", ["too large"]),
    # repeats, loops, conditions
    ("relu x(yes)", "bad-argument 3:10 yes", ["from 0 up, got yes"]),
    ("relu x(1.5)", "bad-argument 3:10 1.5", ["from 0 up, got the number 1.5"]),
    ("relu x(0 - 1)", "bad-argument 3:10 0 - 1", ["got the number -1"]),
    ("if 3 { relu }", "bad-expression 3:6 3", ["`if` needs yes or no", "`3 > 0`"]),
    ("for i in 3 { relu }", "bad-expression 3:12 3", ["runs over a list, got the number 3"]),
    ("for i in 0..1.5 { relu }", "bad-expression 3:15 1.5", ["whole numbers, got the number 1.5"]),
    ("for a, b in [[1, 2], [3]] { conv a }", "bad-expression 3:24 [3]", ["row 2 has 1", "2 names (a, b)"]),
    # names given
    ("relu as train", "reserved-name 3:11 train", ["every torch module", "`train1`"]),
    ("relu as _x", "reserved-name 3:11 _x", ["belong to torch"]),
    ("relu as class", "reserved-name 3:11 class", ["a word of Python"]),
    ("relu as a1\n  tanh as a1", "duplicate-name 4:3 tanh", ["already the name of an element", "`share`"]),
    ("relu as r as q", "duplicate-name 3:16 q", ["keep one `as`"]),
    ("(relu as b) x2", "duplicate-name 3:4 relu", ["each turn of a repeat", "as name{i}"]),
    ("for i in 0..2 { relu as r }", "duplicate-name 3:19 relu", ["each turn"]),
    ("relu as r{1.5}", "bad-argument 3:13 1.5", ["whole number or text"]),
    ('relu as r{"a b"}', 'bad-argument 3:11 r{"a b"}', ["`ra b` cannot be a name"]),
    ("relu as r[]", "misplaced 3:3 relu", ["no children", "leave the [] out"]),
    ("let n = 1\n  relu as n", "duplicate-name 4:11 n", ["the number 1"]),
    ("let n = 1\n  let n = 2\n  relu", "duplicate-name 4:7 n", ["a let does not change"]),
    ("conv 3 as relu\n  relu", "ambiguous-name 4:3 relu", ["relu_out"]),
    ("conv 4 as e\n  relu -> e", "misplaced 4:11 e", ["cannot stand after `->`", "( id | e ) -> add"]),
    ("conv 4 as e\n  e 3", "extra-argument 4:3 e 3", ["takes no arguments"]),
    # shared modules
    ("share s = relu\n  share s = tanh\n  s", "duplicate-name 4:9 s", ["already taken"]),
    ("share train = relu\n  relu", "reserved-name 3:9 train", []),
    ("share s = relu as t\n  relu", "duplicate-name 3:21 t", ["leave the `as` out"]),
    ("share s = conv 4\n  s -> s", "share-mismatch 4:8 s",
     ["weight 4x3x1x1, bias 4 before", "weight 4x4x1x1, bias 4 here"]),
    ("share s = conv 3\n  s 4", "extra-argument 4:3 s 4", ["stand where it is defined"]),
    ("share s = conv 3\n  (s) as g -> s", "misplaced 4:4 s", ["another module", "inside the named group"]),
    # inputs and outputs
    ("input image : 3x8x8\n  relu", "duplicate-name 3:9 image", ["two inputs called `image`"]),
    ("relu as e\n  output e, e", "duplicate-name 4:13 e", ["already an output"]),
    ("relu as e\n  output e when training", "no-output 1:5 a", ["`output logits`"]),
    ("", "empty-net 1:5 a", ["has no layers"]),
    # contracts
    ("relu\n  expect params", "bad-expression 4:10 params", ["needs yes or no, got the number 0"]),
    ("conv 4\n  expect params < 9 and macs == 0", "expectation 4:10 params < 9 and macs == 0",
     ["params = 16", "macs = 768"]),
    # warnings
    ("conv 3 as e\n  image -> relu", "unused-value 3:3 conv 3", ["name it in `output`"]),
    # too much
    ("relu x300000", "too-many-layers 3:3 relu x300000", [f"more than {limits.LAYERS:,}"]),
    ("relu x100 x100 x100", "too-many-layers 3:3 relu x100 x100 x100", ["1,000,001"]),
    ("for i in 0..9000000 { relu }", "too-many-layers 3:3 for i in 0..9000000 { relu }", [f"{limits.STEPS:,}"]),
]  # fmt: skip


def around(lines: str) -> str:
    return f"net a {{\n  input image : 3x8x8\n  {lines}\n}}"


@pytest.mark.parametrize(("lines", "at", "words"), MISTAKES, ids=[lines for lines, _, _ in MISTAKES])
def test_each_mistake_is_found_once_at_its_place(lines: str, at: str, words: list[str]) -> None:
    finding = one(around(lines))
    assert place(finding) == at
    said = "\n".join(
        [finding.message, *[label.text for label in finding.labels], *finding.notes, f"help: {finding.help}"]
    )
    for word in words:
        assert word in said
    assert finding.message[0].islower() or not finding.message[0].isalpha()
    assert not finding.message.endswith(".")


# After these the shapes are known nevertheless, or the network is without mistakes until its end.
KNOWN_AFTER = {"shape-mismatch", "empty-net", "no-output", "expectation", "unused-value"}
LOST = [
    (lines, at)
    for lines, at, _ in MISTAKES
    if at.split()[0] not in KNOWN_AFTER
    and " as " not in lines
    and not lines.startswith(("let ", "default ", "share "))
    and not {"expect", "output"} & set(lines.split())
]


@pytest.mark.parametrize(("lines", "at"), LOST)
def test_nothing_follows_from_a_mistake(lines: str, at: str) -> None:
    behind = "conv 4 as behind -> bn -> pool 2 -> flatten -> fc 10\n  cat behind : 3x3\n  expect params < 0"
    assert places(around(f"{lines}\n  {behind}")) == [at]


def test_the_shape_that_is_there_flows_on_behind_a_wrong_one_written() -> None:
    assert places(around("relu : 4x8x8\n  conv 4 : 5x8x8\n  fc 3")) == [
        "shape-mismatch 3:10 4x8x8",
        "shape-mismatch 4:12 5x8x8",
        "wrong-kind 5:3 fc 3",
    ]


# ---------------------------------------------------------------- definitions, blocks, other files

TEXTS = [
    ("block b { b }\nnet a { input 8\n b }", "recursion 1:11 b", ["b contains itself: b -> b", "x3"]),
    ("block b { c }\nblock c { b }\nnet a { input 8\n b }", "recursion 2:11 b", ["b -> c -> b"]),
    ("net a = a()", "recursion 1:5 a", ["variant of itself"]),
    ("net a = b()\nnet b = a()", "recursion 1:5 a", ["a is a variant of itself"]),
    ("block b(c) { fc c }\nnet a { input 8\n b }", "missing-argument 3:2 b", ["b needs c", "it takes c"]),
    ("block b(c) { fc c }\nnet a { input 8\n b 1 2 }", "extra-argument 3:6 2", ["takes 1 argument"]),
    ("block b { relu }\nnet a { input 8\n b 1 }", "extra-argument 3:4 1", ["no arguments"]),
    ("block b(c) { fc c }\nnet a { input 8\n b 1 c=2 }", "extra-argument 3:6 c=2", ["c twice"]),
    ("block b(width) { fc width }\nnet a { input 8\n b widht=3 }", "unknown-option 3:4 widht", ["`width`?"]),
    ("block b takes p, q { p -> add q }\nnet a { input 8\n b }", "wrong-inputs 3:2 b",
     ["takes 2 values (p, q), got 1"]),
    ("block b { relu }\nnet a { input 8\n ( id | relu ) -> b }", "wrong-inputs 3:19 b", ["takes one value, got 2"]),
    ("block b takes p, q { relu }\nnet a { input 8\n ( id | id ) -> b }", "no-value 1:22 relu", ["relu"]),
    ("block b takes p { let c = 3 }\nnet a { input 8\n b }", "no-value 3:2 b", ["b gives nothing"]),
    ("block b { input 8\n relu }\nnet a { input 8\n b }", "misplaced 1:11 input 8", ["`takes`"]),
    ("block b { relu as e\n output e }\nnet a { input 8\n b }", "misplaced 2:2 output e", []),
    ("net a { relu }", "no-input 1:9 relu", ["input 3x224x224"]),
    ("net a { }", "empty-net 1:5 a", ["begin with `input 3x224x224`"]),
    ("net b { input 8\n relu }\nnet a = bb(3)", "unknown-name 3:9 bb", ["did you mean `b`?"]),
    ("block b { relu }\nnet a = b(3)", "unknown-name 2:9 b", ["is a block, not a network"]),
    ("net b(n=1) { input 8\n fc n }\nnet a = b(m=3)", "unknown-option 3:11 m", ["it takes n"]),
    ("net b(n) { input 8\n fc n }\nnet a = b()", "missing-argument 3:5 a", ["needs n"]),
    (
        "net b { input 8\n relu }\nnet a = b() { relu }",
        "misplaced 3:15 relu",
        ["`expect`, `recipe` and `preprocess` only"],
    ),
    ("let n = 1\nlet n = 2\nnet a { input 8\n fc n }", "duplicate-name 2:5 n", ["defined twice", "first defined here"]),
    ("block relu2 { relu }\nblock relu2 { tanh }\nnet a { input 8\n relu2 }", "duplicate-name 2:7 relu2", []),
    ("let n = m\nlet m = 1\nnet a { input 8\n fc n }", "unknown-name 1:9 m", []),
    ("default conv k=q\nnet a { input 3x8x8\n conv 3 }", "unknown-name 1:16 q", []),
    ("block b { expect in.c == 4\n relu }\nnet a { input 8\n b }", "expectation 1:18 in.c == 4", ["in.c = 8"]),
    ("block b { expect in.c\n relu }\nnet a { input 8\n b }", "bad-expression 1:18 in.c", ["got the number 8"]),
    ("net a { input 3xHxW\n conv image.h }", "unknown-name 2:7 image", []),
    ("net a { input i : 3xHxW\n conv i.h }", "unknown-size 2:7 i.h", ["--input"]),
    ("net a { input i : 3xHxW\n if i.h > 3 { relu } }", "unknown-size 2:5 i.h > 3", []),
    ("net a { input i : 3xHxW\n conv 3\n expect i.h == 3 }", "undecided 3:9 i.h == 3", ["--input"]),
    ("net a { input i : 3xHxW\n flatten -> fc 3 }", "unknown-size 2:13 fc 3", []),
    ("net a { input 0x3x3\n relu }", "bad-argument 1:15 0x3x3", ["whole numbers from 1 up, got 0"]),
    ("net a { input [3, 2.5]\n relu }", "bad-argument 1:15 [3, 2.5]", ["the number 2.5"]),
    ("net a { input 3x1x1x1x1\n relu }", "bad-argument 1:15 3x1x1x1x1", ["got 5 sizes"]),
    ("net a { input HxW\n relu }", "bad-argument 1:15 HxW", ["channels must be known"]),
    ("net a { input tokens 5\n relu }", "bad-argument 1:22 5", ["2 sizes, got 1", "tokens 197x768"]),
    ("net a { input token 5x5\n relu }", "bad-argument 1:15 token", ["did you mean `tokens`?"]),
    ("net a { input zzz 5x5\n relu }", "bad-argument 1:15 zzz", ["`tokens 197x768`"]),
    ("net a { input ids 5\n embedding 3 }", "bad-argument 1:9 input ids 5", ["vocabulary", "ids 128 of 30000"]),
    ("net a { input ids 5 of 0\n embedding 3 }", "bad-argument 1:9 input ids 5 of 0", ["vocabulary"]),
    ("net a { input map 5 of 7\n relu }", "bad-argument 1:24 7", ["only ids"]),
    ("net a { input ids 5 of 7\n relu }", "wrong-kind 2:2 relu", ["put `embedding D` before it"]),
    ("net a { input forward : 8\n relu }", "reserved-name 1:15 forward", ["torch module"]),
    # what is open, or unknown after a mistake
    ("net a { input i : 3xHxW\n relu x(i.h) }", "unknown-size 2:9 i.h", ["--input"]),
    ("net a { input i : 3xHxW\n let l = [1, 2]\n conv l[i.h] }", "unknown-size 3:7 l[i.h]", []),
    ("net a { input i : 3xHxW\n conv max(i.h, 3) }", "unknown-size 2:7 max(i.h, 3)", []),
    ("net a { input i : 3xHxW\n conv 3\n expect not i.h == 3 or -i.w < 3 }",
     "undecided 3:9 not i.h == 3 or -i.w < 3", []),
    ("net a { input i : 3xHxW\n relu as r{i.h} }", "unknown-size 2:12 i.h", []),
    ("net a { input i : 3xHxW\n for j in 0..i.h { relu } }", "unknown-size 2:14 i.h", []),
    ("let n = 1 / 0\nnet a { input 8\n fc max(n, 3) -> fc [n, 1][0] -> fc -n -> relu x(n)\n fc n[0] }",
     "bad-expression 1:9 1 / 0", []),
    ("let n = nobody(3)\nnet a { input 8\n let m = n(4)\n m -> relu as r{n} -> for i in 0..n { relu } }",
     "unknown-name 1:9 nobody", []),
    ("let n = 1 / 0\nnet a { input [n, 3]\n relu }", "bad-expression 1:9 1 / 0", []),
    ("let n = 1 / 0\nnet a { input ids 3 of n\n embedding 4 }", "bad-expression 1:9 1 / 0", []),
    # what is not what it should be
    ("block b { relu }\nnet a { input 8\n fc 2 * b }", "bad-expression 3:5 2 * b", ["the block b"]),
    ("net a { input 8\n fc 2 * elu(1) }", "bad-expression 2:5 2 * elu(1)", ["the element elu(1)"]),
    ("net b { input 8\n relu }\nnet a { input 8\n fc 2 * b }", "bad-expression 4:5 2 * b", ["the network b"]),
    ("net a { input 8\n share s = fc 8\n fc 2 * s }", "bad-expression 3:5 2 * s", ["a shared module"]),
    ("net a { input 3x8x8x8\n lrn 3 -> pixel_shuffle 2 }", "wrong-rank 2:11 pixel_shuffle 2", ["with 3"]),
    ("net a { input i : 8x4\n share s = (fit)\n s -> conv 8 k3 -> s }\nblock fit { if in.l == 4 { bn } else { elu } }",
     "share-mismatch 3:20 s", ["bn", "elu"]),
    ("use x from \"nowhere.arch\"\nnet a { input 8\n relu }", 'missing-file 1:12 "nowhere.arch"', ["nowhere.arch"]),
    ("use x from \"resnet.arhc\"\nnet a { input 8\n x }", 'missing-file 1:12 "resnet.arhc"',
     ['did you mean "resnet.arch"?']),
    ("use basc from \"resnet.arch\"\nnet a { input 8\n basc }", "unknown-name 1:5 basc", ["did you mean `basic`?"]),
    ("use x from \"/etc/passwd\"\nnet a { input 8\n x }", 'outside-project 1:12 "/etc/passwd"', ["own folder"]),
    ("use b from \"../a.arch\"\nnet a = b()", 'outside-project 1:12 "../a.arch"', ["not a path inside"]),
    ("use x from \"a\\b.arch\"\nnet a { input 8\n x -> relu }", 'outside-project 1:12 "a\\b.arch"', []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "words"), TEXTS, ids=[text for text, _, _ in TEXTS])
def test_each_mistake_in_definitions_is_found_once_at_its_place(text: str, at: str, words: list[str]) -> None:
    finding = one(text, "a")
    assert place(finding) == at
    said = "\n".join([finding.message, *[label.text for label in finding.labels], *finding.notes, str(finding.help)])
    for word in words:
        assert word in said


def test_files_that_use_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.arch").write_text('use q from "q.arch"\nblock p { relu }\n')
    (tmp_path / "q.arch").write_text('use r from "r.arch"\nblock q { relu }\n')
    (tmp_path / "r.arch").write_text('use p from "p.arch"\nblock r { p }\n')
    (tmp_path / "main.arch").write_text('use p from "p.arch"\nnet a { input 8\n p }')
    found = [d for d in archdsl.load(tmp_path / "main.arch").diagnostics if d.code == "circular-use"]
    assert len(found) == 1
    assert "p.arch -> q.arch -> r.arch -> p.arch" in found[0].message
    assert found[0].span.source.name.endswith("r.arch")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.arch").write_text("block b { relu }\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.arch").symlink_to(tmp_path / "outside.arch")
    (tmp_path / "in" / "main.arch").write_text('use b from "link.arch"\nnet a { input 8\n b }')
    (found,) = archdsl.load(tmp_path / "in" / "main.arch").diagnostics
    assert place(found) == 'outside-project 1:12 "link.arch"'


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder.arch").mkdir()
    (tmp_path / "binary.arch").write_bytes(b"block b { \xff }")
    for name, reason in (("folder", "it is a folder"), ("binary", "not UTF-8 text (byte 10)")):
        (tmp_path / "main.arch").write_text(f'use b from "{name}.arch"\nnet a {{ input 8\n b }}')
        (found,) = archdsl.load(tmp_path / "main.arch").diagnostics
        assert found.code == "missing-file"
        assert reason in found.message


def test_a_mistake_in_a_used_file_is_shown_there_once(tmp_path: Path) -> None:
    (tmp_path / "blocks.arch").write_text("block b(c) {\n  conv c k3\n  relu -> -> relu\n}\nblock c { relu }\n")
    (tmp_path / "main.arch").write_text(
        'use b from "blocks.arch"\nuse c from "blocks.arch"\nnet a {\n input 3x8x8\n b(4) -> b(8)\n convv 4\n}'
    )
    found = archdsl.load(tmp_path / "main.arch").diagnostics
    assert [(Path(d.span.source.name).name, d.code, d.span.line) for d in found] == [
        ("blocks.arch", "syntax", 3),
        ("main.arch", "unknown-layer", 6),
    ]


# ---------------------------------------------------------------- the design's own example


def test_the_example_of_the_design() -> None:
    assert render(archdsl.parse(RESNET.text, name=RESNET.name).diagnostics) == DESIGN


def test_labels_stand_at_the_ends_of_branches() -> None:
    found = one(around("( conv 4 k3 -> relu -> tanh\n  | bn -> (gelu) x2\n  ) -> add"))
    ends = [(label.span.text, label.text) for label in found.labels]
    assert ends == [("tanh", "this branch gives 4x6x6"), ("(gelu) x2", "this branch gives 3x8x8")]


# ---------------------------------------------------------------- the trail


def test_the_trail_names_each_block_from_the_inside_out() -> None:
    text = """block inner(k) { conv 4 k=k }
block middle(k) { relu -> inner(k) as deep }
net a {
  input 3x8x8
  middle(3) -> (middle(k=9)) as stage
}"""
    found = one(text)
    assert place(found) == "window-too-large 1:25 k=k"
    assert found.notes[-2:] == (
        "in inner(9), written at <text>:2:27, as stage.middle1.deep",
        "in middle(k=9), written at <text>:5:17, as stage.middle1",
    )


def test_a_mistake_in_a_repeated_block_is_reported_once_with_its_first_trail() -> None:
    found = one("block b { conv 4 k3 s2 }\nnet a { input 3x20x20\n b x9 as body[] }")
    assert place(found).startswith("window-too-large 1:18 k3")
    assert any("written at <text>:3:2, as body.3" in note for note in found.notes)


def test_a_long_trail_is_cut_in_its_middle() -> None:
    blocks = "".join(f"block b{i} {{ relu -> b{i + 1} }}\n" for i in range(12))
    found = one(f"{blocks}block b12 {{ convv }}\nnet a {{ input 8\n b0 }}")
    assert found.code == "unknown-layer"
    trail = [note.partition(",")[0] for note in found.notes]
    assert trail[:4] == ["in b12", "in b11", "in b10", "in b9"]
    assert trail[4] == "... and 5 more blocks around"
    assert trail[5:] == ["in b3", "in b2", "in b1", "in b0"]


def test_blocks_too_deep_are_refused() -> None:
    blocks = "".join(f"block b{i} {{ relu -> b{i + 1} }}\n" for i in range(limits.NESTING))
    found = findings(f"{blocks}block b{limits.NESTING} {{ relu }}\nnet a {{ input 8\n b0 }}")
    assert [finding.code for finding in found] == ["too-deep"]


# ---------------------------------------------------------------- many at once

MANY = """net a {
  input image : 3x32x32
  conv 8 kernal=3 -> bn
  image -> conv 0
  image -> fc 10
  image -> ( conv 4 | conv 5 ) -> add -> relu
  image -> conv 8 k99 -> bn -> flatten -> fc 10
  image -> nobody -> relu
  image -> conv widht
  image -> relu as train
}
block unused { convv }
net other { input 8
  fc }
"""


def test_all_mistakes_of_a_network_are_reported_in_source_order() -> None:
    assert [at.rpartition(" ")[0] if at.count(" ") > 2 else at for at in places(MANY, "a")] == [
        "unknown-option 3:10 kernal",
        "bad-argument 4:17 0",
        "wrong-kind 5:12 fc",
        "merge-shapes 6:35 add",
        "window-too-large 7:19 k99",
        "unknown-layer 8:12 nobody",
        "unknown-name 9:17 widht",
        "reserved-name 10:20 train",
    ]


def test_a_share_must_be_the_same_module_each_time() -> None:
    other = one("net a { input i : 8x4x4\n share s = bn\n s -> flatten -> reshape 8x16 -> s }")
    assert place(other) == "share-mismatch 3:34 s"
    assert other.notes == ("s: nn.BatchNorm2d(8) before, nn.BatchNorm1d(8) here",)
    twice = (
        "block j takes p, q { p -> fc 8 -> sub q }\n"
        "net a { input i : 8\n share s = j\n ( id | relu ) -> s\n ( id | id ) -> s }"
    )
    assert findings(twice) == ()  # one value for both inputs is no other module


def test_a_network_of_copied_blocks_is_limited_too() -> None:
    big = "block b { (relu x100) x100 }\nnet a { input 8\n b x30 }"
    assert codes(big) == ["too-many-layers"]


def test_brackets_too_deep_are_refused() -> None:
    with pytest.raises(archdsl.SpecError) as raised:
        archdsl.parse(around("(" * 150 + "relu" + ")" * 150))
    assert [finding.code for finding in raised.value.diagnostics] == ["too-deep"]


def test_findings_are_sorted_by_place() -> None:
    found = findings("let n = m\ndefault cnov k3\nnet a {\n input 8\n ( fc n | fc 3 4 ) -> add\n fcc\n}")
    spans = [finding.span.start for finding in found]
    assert all(a <= b for a, b in pairwise(spans))
    assert [finding.span.line for finding in found] == [1, 2, 5, 6]


MIDDLES = ["convv 8", "conv 8 kernal=3", "conv", "conv 0", "conv 8 k99", "fc 3", "conv nobody", "add", "conv 8 k3 k5"]


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize(
    "lines",
    [
        "conv 8 k3 -> {} -> bn -> relu\nflatten -> fc 10 as end\noutput end",
        "conv 8 as e -> {} as f -> pool 2\nadd e f as s : 9x9x9\n( s | f ) -> cat -> fc 2\nconv f.c k=s.h\noutput s",
        "( conv 8 | {} ) -> add as g\nexpect g.c == 3\nif g.h > 3 {{ relu }}\nfor i in 0..g.c {{ tanh }}",
        "share m = ({})\nm -> m -> fc 3",
        "({} -> relu) x3 as body[]\nup(9)\nup(8) x2\nupsample like=body",
        "( {} | id ) -> join(3) -> bn",
    ],
)
def test_a_mistake_in_the_middle_is_one_finding(middle: str, lines: str) -> None:
    blocks = "block up(c) { conv c k=in.h -> fc in.c }\nblock join(c) takes p, q { p -> sub q -> fc p.c }\n"
    found = findings(f"{blocks}net a {{\ninput image : 3x32x32\n{lines.format(middle)}\n}}")
    assert len(found) == 1, [place(finding) for finding in found]


@pytest.mark.parametrize("word", ["conv", "relu", "flatten", "upsample", "dropout", "maxpool", "sigmoid", "embedding"])
def test_the_nearest_word_is_named(word: str) -> None:
    for misspelt in (word[:-1] + "q", word + "s", word[0] + word[2] + word[1] + word[3:]):
        assert one(around(misspelt)).help == f"did you mean `{word}`?", misspelt


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_are_asked_for_numbers(name: str) -> None:
    arguments = "[], 8" if name == "round_to" else "[yes]" if name != "len" else "yes"
    found = one(around(f"conv {name}({arguments})"))
    assert found.code == "bad-expression"
    assert found.message.startswith(f"{name} needs")


# ---------------------------------------------------------------- what is asked from outside


def test_arguments_from_outside_are_checked() -> None:
    text = "net a(classes=3) { input 8\n fc classes }"
    found = one(text, clases=4)
    assert (found.code, found.help) == ("unknown-option", "did you mean `classes`?")
    assert one(text, classes="many").code == "bad-argument"


def test_shapes_from_outside_are_checked() -> None:
    text = "net a { input image : 3x8x8\n conv 4 }"
    found = one(text, input="3x8")
    assert place(found) == "bad-argument 1:9 input image : 3x8x8"
    assert "3x8" in found.message
    with pytest.raises(archdsl.NotFoundError, match="did you mean image"):
        archdsl.parse(text, input={"imag": "3x8x8"})
    with pytest.raises(archdsl.ArchError, match="not a shape"):
        archdsl.parse(text, input="3xHxW")
    with pytest.raises(archdsl.ArchError, match="from 1 up"):
        archdsl.parse(text, input=(3, 0, 8))
    two = "net a { input l : 8\n input r : 8\n add }"
    with pytest.raises(archdsl.NotFoundError, match="several inputs"):
        archdsl.parse(two, input=9)
