"""Words of other libraries: the help names what exists, and following it works."""

from __future__ import annotations

import re

import pytest

import archdsl
from archdsl.layers import STANDARD
from archdsl.syntax import foreign

OF_OTHERS = """
ZeroPadding2D GlobalAveragePooling2D GlobalMaxPool2d GlobalMaxPooling1D Dense Conv2D Conv1d Conv3d Conv2DTranspose
ConvTranspose2d MaxPooling2D MaxPool1d BatchNormalization BatchNorm2d SyncBatchNorm LayerNorm GroupNorm InstanceNorm2d
RMSNorm LocalResponseNorm LeakyReLU AveragePooling2D AvgPool3d UpSampling2D Upsample Flatten Reshape Dropout Dropout1d
Dropout2d Dropout3d SpatialDropout2D AlphaDropout FeatureAlphaDropout AdaptiveAvgPool2d AdaptiveMaxPool1d Linear ReLU
ReLU6 PReLU ELU SELU CELU GELU GLU SiLU Mish Hardswish Hardsigmoid Hardtanh Tanh Sigmoid Softplus Softmax Softmax2d
LogSoftmax LogSigmoid Concatenate Add Subtract Multiply Average Maximum Minimum Identity Embedding MultiheadAttention
MultiHeadAttention PixelShuffle PixelUnshuffle ChannelShuffle ZeroPad2d ConstantPad1d Cropping2D Input Permute
SeparableConv2D DepthwiseConv2D UpsamplingBilinear2d UpsamplingNearest2d ReflectionPad2d ReplicationPad1d LSTM GRU RNN
SimpleRNN Bidirectional Activation Sequential
""".split()
NO_LAYER = {"Input", "FeatureAlphaDropout"}
"""A word of the language, and a layer that has none like it here."""


def helps(line: str, port: str = "3x32x32") -> list[str]:
    """The helps of what is found in a network of one line."""
    return [each.help or "" for each in archdsl.parse(f"net n {{\n  input {port}\n  {line}\n}}").diagnostics]


def works(code: str) -> bool:
    """Whether a code in a help is a layer's word or a line that a map or a volume of 32 channels can go through."""
    if re.fullmatch(r"[a-z_0-9]+", code):
        return STANDARD.find(code) is not None
    return [] in [helps(code, port) for port in ("32x16x16", "32x8x8x8")]


def test_every_word_stands_for_a_layer_that_exists() -> None:
    assert {meant for meant in foreign.LAYERS.values() if STANDARD.find(meant) is None} == set()
    assert {word for word in (*foreign.LAYERS, *foreign.FORMS) if foreign.plain(word) != word} == set()
    assert foreign.LAYERS.keys() & foreign.FORMS.keys() == set()
    assert {word for word in (*foreign.LAYERS, *foreign.FORMS) if STANDARD.find(word) is not None} == set()


@pytest.mark.parametrize("word", sorted(set(OF_OTHERS) - NO_LAYER))
def test_a_layer_of_another_library_is_led_to_one_in_one_step(word: str) -> None:
    (help,) = helps(word)
    codes = set(re.findall(r"`([^`]+)`", help)) - {"->"}
    assert [code for code in codes if not works(code)] == []
    assert codes or "`->`" in help


@pytest.mark.parametrize("word", STANDARD.words())
def test_each_layer_is_found_by_its_word_with_capitals_and_without_the_strokes(word: str) -> None:
    capital = "".join(part.capitalize() for part in word.split("_"))
    (help,) = helps(capital)
    (code,) = re.findall(r"`([^`]+)`", help)
    assert STANDARD.find(code) is STANDARD.find(word)


@pytest.mark.parametrize("word", sorted(foreign.LAYERS))
def test_a_small_word_of_another_library_is_led_to_the_same_layer(word: str) -> None:
    assert helps(word) == [f"did you mean `{foreign.LAYERS[word]}`?"]


@pytest.mark.parametrize("word", sorted(foreign.FORMS))
def test_what_stands_for_a_word_can_be_written(word: str) -> None:
    (help,) = helps(word)
    codes = [code for code in re.findall(r"`([^`]+)`", help) if code not in ("->", "x3")]
    assert [code for code in codes if not works(code) and not code.startswith("archdsl ")] == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("activation gelu", "gelu"),
        ("activation(elu)", "elu"),
        ("activation foo", "relu"),
        ("conv 8 -> repeat 5", "x5"),
        ("se 4", 'use se from "blocks.arch"'),
        ("pool max 2", "pool"),
        ("pool(avg, 2)", "avgpool"),
        ("flatten -> fc classes", "net n(classes=10)"),
        ("flatten -> fc hidden", "net n(hidden=64)"),
        ("conv 3 16 k3", "16"),
        ("conv 16 k3 same", "p=same"),
        ("conv 16 k3 reflect", "padding_mode=reflect"),
        ("upsample 2 bilinear", "mode=bilinear"),
        ("conv 16 k3 bias", "bias=yes"),
        ("conv 16 k3p1", "k3 p1"),
        ("conv 16 k3x1s2", "k3x1 s2"),
        ("conv 16 K3", "k3"),
        ("conv 16 k3 S2", "s2"),
        ("conv16 k3", "conv 16"),
        ("conv3 16", "conv ... k3"),
        ("conv3x3 16", "conv ... k3x3"),
        ("fc10", "fc 10"),
        ("bn 0.9", "momentum=0.1"),
        ("bn 0.1", "momentum=0.1"),
        ("flatten -> fc 10 activation=softmax", "-> softmax"),
        ('flatten -> fc 10 activation="softmax"', "-> softmax"),
        ("flatten -> fc 10 activation=linea", "-> relu"),
        ("conv 3 as a -> conv 3 as b -> concat [a, b]", "cat(a, b)"),
        ("add a", "as a"),
        ("lrn", "lrn 5"),
        ("upsample like", "like=name"),
        ("nn.Conv2d(3, 16, 3)", "conv"),
        ("nn.ReLU", "nn."),
        ("torch.relu", "torch."),
        ("F.relu", "F."),
        ("maxpool 2 2", "s2"),
        ("pool 3 2 1", "s2 p1"),
        ("conv 16 k3 > relu", "->"),
        ("conv 16 k3 > relu > relu", "->"),
        ("relu > conv 16", "->"),
        ("conv 16 k3 - > relu", "->"),
        ("conv 3 as a\n  conv 3 as b\n  a + b", "a -> add b"),
        ("conv 3 as a\n  conv 3 as b\n  a * b", "a -> mul b"),
        ("conv 3 as a\n  conv 3 as b\n  add(a b)", "a, b"),
        ("dropout 50%", "0.5"),
        ("dropout 5% -> relu", "0.05"),
        ("conv 3 as a\n  recipe { s { a 1e-3 } }", "lr=1e-3"),
        ("conv 3 as a\n  recipe { s { a rate=1e-3 } }", "lr"),
        ("conv 3 as a\n  recipe { s learning_rate=1e-3 { a } }", "lr"),
        ("conv 3 as a\n  recipe { s { a lr=1e-3 wd=1e-4 } }", "weight_decay"),
    ],
)
def test_the_help_has_the_code_that_is_meant(line: str, code: str) -> None:
    (help,) = helps(line)
    assert code in re.findall(r"`([^`]+)`", help)


@pytest.mark.parametrize("line", ["a lr=1e-3, b lr=1e-4", "a lr=1e-3 b lr=1e-4"])
def test_the_parts_of_a_recipe_are_told_to_stand_apart(line: str) -> None:
    given = f"conv 3 as a -> conv 3 as b\n  recipe {{ s {{ {line} }} }}"
    assert helps(given) == ["each part stands on a line of its own"]
    broken = line.replace(", ", "\n").replace(" b ", "\nb ")
    assert helps(given.replace(line, broken)) == []


@pytest.mark.parametrize(
    ("port", "code"),
    [("3x32x32 as x", "input x : 3x32x32"), ("3xhxw", "3xHxW"), ("3xHxw", "3xHxW"), ("3x32xw", "3x32xW")],
)
def test_how_an_input_is_written(port: str, code: str) -> None:
    (help,) = helps("relu", port)
    assert re.findall(r"`([^`]+)`", help) == [code]
    assert helps("relu" if ":" not in code else "x -> relu", code.removeprefix("input ")) == []


def test_padding_that_is_the_default_is_left_out() -> None:
    assert helps("conv 16 k3 valid") == ["leave it out: without padding is the default"]


def test_a_share_above_one_hundred_percent_is_no_share() -> None:
    assert "part" not in helps("dropout 900%")[0]


def test_what_divides_a_prime_is_said_as_it_is() -> None:
    assert helps("gn 8") == ["only 1 and 3 divide 3"]
    assert helps("gn 8", "30x8x8") == ["6 divides 30"]


@pytest.mark.parametrize(
    ("share", "help"), [("1.5", ""), ("2", "as a part of 1: `0.02`"), ("25", "as a part of 1: `0.25`")]
)
def test_a_share_is_taken_for_percent_only_where_it_can_be(share: str, help: str) -> None:
    assert helps(f"dropout {share}") == [help]


def test_the_place_of_a_percent_is_the_sign() -> None:
    (found,) = archdsl.parse("net n {\n  input 8\n  dropout 50%\n}").diagnostics
    assert (found.span.line, found.span.source.text[found.span.start : found.span.end]) == (3, "%")


def test_a_name_of_ones_own_comes_before_a_word_of_others() -> None:
    text = "block dw_conv { relu }\nnet n {\n  input 8x4x4\n  dwconv\n}"
    (found,) = archdsl.parse(text).diagnostics
    assert found.help == "did you mean `dw_conv`?"
