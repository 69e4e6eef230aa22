"""What a writer meant, for the help of an error: words of other languages and libraries, and names nearly right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from archdsl import project
from archdsl.diagnostics.model import nearest
from archdsl.elaborate.values import MISSING, Env
from archdsl.syntax import foreign, tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from archdsl.layers.base import Signature
    from archdsl.layers.catalog import Catalog

Spend = Callable[[int], None]
"""Counts steps of work: to look through every name takes some."""

# ---------------------------------------------------------------- elements

_STATEMENTS = ("input", "output", "let", "default", "share", "expect")

_FOREIGN_ELEMENTS = {
    "in": "`in` is the input of a block without `takes`",
    "return": "a block gives what flows at its end; a network names its results: `output a, b`",
    **dict.fromkeys(("var", "const"), "a name for a value is written `let name = value`"),
    **dict.fromkeys(("none", "skip"), "the element that changes nothing is `id`"),
}
"""Words of other languages where an element stands, and what stands for them here."""

_WITH_SIZE = re.compile(r"([a-z_]+)([0-9]+(?:x[0-9]+)*)")
_FIRST_ARGUMENT = re.compile(r"[ \t]*\(?[ \t]*(\w+)")
_BLOCKS = "blocks.arch"
"""The shipped file of blocks that any network may use."""


def element(name: tree.Name, env: Env, catalog: Catalog, spend: Spend) -> str:
    """The help for a word that is no layer, block or value."""
    text = name.text
    if text in _FOREIGN_ELEMENTS:
        return _FOREIGN_ELEMENTS[text]
    visible = env.visible()
    spend(len(visible))
    usable = {n for n in visible if not isinstance(env.find(n), int | float | str)}
    plain = foreign.plain(text)
    if same := _spelt(plain, usable) or foreign.LAYERS.get(plain) or _spelt(plain, catalog.words()):
        return f"did you mean `{same}`?"
    if (form := foreign.FORMS.get(plain)) is not None:
        return _with_its_argument(form, name, env, catalog)
    if (sized := _WITH_SIZE.fullmatch(text)) and (layer := catalog.find(sized[1])):
        return _number_apart(sized[1], sized[2], layer.signature(), _first_argument(name, env))
    if dashed := _dashed(name, env):
        return dashed
    if (file := project.shipped().get(text)) is not None:
        return f'it ships: put `use {text} from "{file.name}"` in line 1'
    if text in project.shipped_blocks(_BLOCKS):
        return f'it is a block that ships: put `use {text} from "{_BLOCKS}"` in line 1'
    if near := nearest(text, usable | set(catalog.words()) | set(_STATEMENTS)):
        return f"did you mean `{near}`?"
    if line := named_below(name, env):
        return f"it gets its name only in line {line}"
    return "docs/layers.md lists all layers, `archdsl explain conv` shows one"


def _spelt(plain: str, known: Iterable[str]) -> str | None:
    """The known word that differs from another in its strokes and its number of axes only."""
    return next((word for word in sorted(known) if foreign.plain(word) == plain), None)


def _first_argument(name: tree.Name, env: Env) -> str:
    """The word or the number that follows an element's word."""
    found = _FIRST_ARGUMENT.match(env.source.text, name.end)
    return found[1] if found else ""


def _with_its_argument(form: str, name: tree.Name, env: Env, catalog: Catalog) -> str:
    """How something is written, with what was given to it in the place of the sample."""
    given = _first_argument(name, env)
    sample = {"repeat": "x3", "activation": "relu", "nonlinearity": "relu"}.get(name.text)
    if sample == "x3" and given.isdigit():
        return form.replace("`x3`", f"`x{given}`")
    if sample == "relu" and catalog.find(given):
        return form.replace("`relu`", f"`{given}`")
    return form


def _number_apart(word: str, number: str, signature: Signature, following: str) -> str:
    """How a number that is joined to a layer's word is written: it is a kernel where the channels stand behind it."""
    first = signature.positional[0].name if signature.positional else ""
    if first == "channels" and ("x" in number or following.isdigit() or not following):
        return f"its kernel is an option: `{word} ... k{number}`"
    return f"put a blank between: `{word} {number}`" if first else f"did you mean `{word}`?"


# ---------------------------------------------------------------- values

_FOREIGN_VALUES = {
    "in": "`in` is the input of a block without `takes`; a network gives its input a name",
    **dict.fromkeys(("true", "True"), "write `yes`"),
    **dict.fromkeys(("false", "False"), "write `no`"),
    **dict.fromkeys(("none", "null", "nil", "identity"), "the element that changes nothing is `id`"),
    "int": "`floor(v)` rounds down, and `a // b` divides so",
    "range": "a range is written `0..n`, behind the `in` of a loop",
}
"""Words of other languages in expressions, and what stands for them here."""

_REPEAT = re.compile(r"(?:x|[a-z][0-9]+[ \t]*\*)[ \t]+([0-9]{1,9})\b")
"""What stands where a repeat was meant: `conv 8 k3 x 3`, `conv 8 k3 * 3`."""
_POOL = re.compile(r"\b(?:max)?pool[ \t]*\(?[ \t]*(max|avg|average|mean)\Z")
"""What stands where a kind of pooling is named: `pool max 2`."""
_WORD = 40
"""How many characters before a name are looked at for the word before it."""
_LINE = 200
"""How many are looked at for the element that it stands in."""
_DEFINITION = re.compile(r"^(?:net|block)\b", re.MULTILINE)
_WITH_DASHES = re.compile(r"[a-z_]\w*(?:-\w+)+")
_SYMBOL = re.compile(r"[A-Z][0-9]*")


def value(name: tree.Name, env: Env, catalog: Catalog, spend: Spend, further: tuple[str, ...] = ()) -> str | None:
    """The help for a name in an expression that stands for nothing; `further` names could stand there too."""
    text = name.text
    if env.source.text.startswith(".", name.end) and (help := module_of_a_library(text)):
        return help
    if text in _FOREIGN_VALUES:
        return _FOREIGN_VALUES[text]
    if pool := _POOL.search(env.source.text, max(0, name.start - _WORD), name.end):
        return f"what is taken of a window is the layer's word: `{'pool' if pool[1] == 'max' else 'avgpool'}`"
    if repeat := _REPEAT.match(env.source.text, name.start):
        return f"a repeat is written `x{repeat[1]}`"
    if sizes := _computed_sizes(text, env):
        return f"sizes that are computed stand in a list: `{sizes}`"
    if dashed := _dashed(name, env):
        return dashed
    visible = env.visible()
    spend(len(visible))
    near = nearest(text, visible | set(further))
    if near is None and len(text) > 2:  # a layer is rarely meant where a value stands
        near = nearest(text, [word for word in catalog.words() if word[0] == text[0]])
        near = near if near and _alike(near, text) else None
    if near:
        return f"did you mean `{near}`?"
    line = named_below(name, env)
    return f"it gets its name only in line {line}" if line else _given_from_outside(name, env, catalog)


def _given_from_outside(name: tree.Name, env: Env, catalog: Catalog) -> str | None:
    """The help for a name that nothing gives: that of a value where values are put together, else a parameter."""
    text = env.source.text
    before = _ENDS_OF_AN_ELEMENT.split(text[max(0, name.start - _LINE) : name.start])[-1]
    word = _WORD_OF_A_CALL.match(before)
    layer = catalog.find(word[1]) if word else None
    merges = layer is not None and (layer.inputs[1] is None or layer.inputs[1] > 1)
    if merges or text[name.end : name.end + 1] == ".":
        return f"a value gets its name behind the layer that gives it: `as {name.text}`"
    if layer is not None and name.text[0] in layer.signature().letters and name.text[1:].isdigit():
        return f"`{name.text}` is an option, and stands by itself"
    for definition in env.module.parsed.file.definitions:
        if isinstance(definition, tree.Net | tree.Block) and definition.start <= name.start < definition.end:
            line = env.source.position(definition.name.start).line
            return (
                f"a number from outside is a parameter: `{_with_parameter(definition, name.text, env)}` in line {line}"
            )
    return None


def _with_parameter(definition: tree.Net | tree.Block, name: str, env: Env) -> str:
    """The head of a definition with one more parameter."""
    given = [env.source.text[each.start : each.end] for each in definition.parameters]
    word = "net" if isinstance(definition, tree.Net) else "block"
    sample = 10 if "class" in name else 64
    return f"{word} {definition.name.text}({', '.join([*given, f'{name}={sample}'])})"


_ENDS_OF_AN_ELEMENT = re.compile(r"->|\||\n")
_WORD_OF_A_CALL = re.compile(r"[ \t(]*([a-z_]\w*)")


def _alike(one: str, other: str) -> bool:
    """Whether two words differ in a slip only."""
    from difflib import SequenceMatcher  # only a mistake needs it

    return SequenceMatcher(None, one, other).ratio() >= 0.75


def module_of_a_library(word: str) -> str | None:
    """The help for a word with a point behind it, where other libraries keep their layers there."""
    return foreign.alone(word) if word in foreign.MODULES else None


def _dashed(node: tree.Name, env: Env) -> str | None:
    """The help where a module's name with a dash in it is written for the value that comes out of the module."""
    match = _WITH_DASHES.match(env.source.text, node.start)
    if match is None:
        return None
    given = re.compile(rf"\bas\s+{match[0]}(?![\w-])")
    if not given.search(env.source.text, max(0, node.start - _AHEAD), node.start + _AHEAD):
        return None
    return (
        f"`{match[0]}` is the name of a module only; that of a value has no `-` in it: `{match[0].replace('-', '_')}`"
    )


_AHEAD = 20_000
"""How many characters are looked through for a name that is given further down."""


def named_below(node: tree.Name, env: Env) -> int | None:
    """The line in which a name is given further down in the same definition, or as a `let` in the same file."""
    text = env.source.text
    last = node.end + _AHEAD
    end = _DEFINITION.search(text, node.end, last)
    name = re.escape(node.text)
    found = re.compile(rf"\b(?:as|let|share)\s+{name}\b").search(text, node.end, end.start() if end else last)
    found = found or re.compile(rf"^let\s+{name}\b", re.MULTILINE).search(text, node.end, last)
    return env.source.position(found.start()).line if found else None


def _computed_sizes(text: str, env: Env) -> str | None:
    """What was meant as a size with names in it, `cx30x30`, as a list."""
    parts = text.split("x")
    known = all(part.isdigit() or _SYMBOL.fullmatch(part) or env.find(part) is not MISSING for part in parts)
    return f"[{', '.join(parts)}]" if known and len(parts) > 1 and all(parts) else None


# ---------------------------------------------------------------- arguments

_FOREIGN_OPTIONS = {
    "filters": "channels",
    "out_channels": "channels",
    "units": "features",
    "out_features": "features",
    "kernel_size": "kernel",
    "scale_factor": "factor",
    "dilation_rate": "dilation",
    "ceil_mode": "ceil",
    "elementwise_affine": "affine",
    "track_running_stats": "track",
    "rate": "p",
}
"""What other libraries call an option."""

_ACTIVATIONS = ("activation", "act")
_NEEDLESS_OPTIONS = {
    "inplace": "leave it out: it is used by itself where it is safe",
    **dict.fromkeys(("dim", "axis"), "leave it out: the channels are known"),
    **dict.fromkeys(
        ("in_channels", "in_features", "num_features", "num_channels"), "leave it out: what comes in is known"
    ),
}
"""Options of other libraries that have no need here."""

_GLUED = re.compile(r"[a-z][0-9]+(?:x[0-9]+)*")


def lone_word(node: tree.Expression, signature: Signature) -> str | None:
    """How a word that stands alone is written as an option, where it is one of them or of their words."""
    if isinstance(node, tree.Symbol) and node.text[:1].lower() in signature.letters and len(node.text) > 1:
        return f"the letters of options are small: `{node.text.lower()}`"
    if not isinstance(node, tree.Name):
        return None
    found = signature.find(node.text)
    if found is not None and found.reference:
        return f"it takes the name of a value: `{node.text}=name`"
    if node.text == "valid" and "p" in signature.letters:
        return "leave it out: without padding is the default"
    if found is not None and found.type is bool:
        return f"write `{node.text}=yes`, or `{node.text}=no`"
    takers = [a for a in signature.arguments.values() if node.text in a.words]
    if len(takers) == 1 and not takers[0].positional:
        return f"write `{takers[0].letter or takers[0].name}={node.text}`"
    parts = _GLUED.findall(node.text)
    if len(parts) > 1 and "".join(parts) == node.text and all(part[0] in signature.letters for part in parts):
        return f"put blanks between them: `{' '.join(parts)}`"
    return None


def is_arrow(node: tree.Expression, catalog: Catalog) -> bool:
    """Whether what was read as a comparison was meant as an arrow: `k3 > relu`."""
    while isinstance(node, tree.Binary) and node.operator == "and":
        node = node.left
    if not isinstance(node, tree.Binary) or node.operator != ">":
        return False
    return isinstance(node.right, tree.Name) and catalog.find(node.right.text) is not None


_LEAST_CHANNELS = 12
"""From which number on a second one is taken for channels and not for a kernel."""


def option(name: str, value: tree.Expression, signature: Signature, catalog: Catalog) -> str | None:
    """The help for an option that a layer has not."""
    if name in _ACTIVATIONS:
        given = value.text if isinstance(value, tree.Name) else value.value if isinstance(value, tree.String) else ""
        return f"an activation stands behind the layer: `-> {given if catalog.find(given) else 'relu'}`"
    if name in _NEEDLESS_OPTIONS:
        return _NEEDLESS_OPTIONS[name]
    near = _FOREIGN_OPTIONS.get(name)
    if near not in signature.arguments:
        near = nearest(name, [*signature.arguments, *signature.letters]) if len(name) > 1 else None
    return f"did you mean `{near}`?" if near else options(signature)


def options(signature: Signature) -> str:
    """All that a layer takes."""
    if not signature.arguments:
        return "it takes no arguments at all"
    names = [f"{a.name} ({a.letter})" if a.letter else a.name for a in signature.arguments.values()]
    return "it takes " + ", ".join(names)


def by_place(signature: Signature, extras: Sequence[tree.Expression], given: Collection[str] = ()) -> str | None:
    """The help for arguments that have no place: torch counts the channels that come in, and the kernel after them.

    `given` are the options that the call has already.
    """
    first = signature.positional[0] if signature.positional else None
    has_kernel = first is not None and first.name == "channels" and "k" in signature.letters
    if has_kernel and len(extras) == 1 and isinstance(extras[0], tree.Size):
        return f"did you mean `k{'x'.join(map(str, extras[0].extents))}`?"
    numbers = [e.value for e in extras if isinstance(e, tree.Number)]
    if len(numbers) != len(extras):
        return None
    if has_kernel and "kernel" in given:
        return f"what comes in is known: leave its channels out, and write `{numbers[0]}` alone"
    if has_kernel:
        if len(numbers) == 1:
            return f"did you mean `k{numbers[0]}`?"
        if numbers[0] >= _LEAST_CHANNELS:
            return f"what comes in is known: leave its channels out, and write `{numbers[0]}` and `k={numbers[1]}`"
        named = ", ".join(f"{letter}={number}" for letter, number in zip("ksp", numbers, strict=False))
        return f"only the channels have a place, the others are named: `{named}`"
    if first is not None and first.name == "features" and len(numbers) == 1:
        return f"what comes in is known: leave its size out, and write `fc {numbers[0]}`"
    if first is not None and first.name == "kernel" and "s" in signature.letters:
        named = " ".join(f"{letter}{number}" for letter, number in zip("sp", numbers, strict=False))
        return f"only the kernel has a place, the others are named: `{named}`"
    if "momentum" in signature.arguments and len(numbers) == 1 and 0 < numbers[0] < 1:
        share = min(numbers[0], 1 - numbers[0])
        return f"the newest statistics count for a part, and the running ones for the rest: `momentum={share:.6g}`"
    if first is None and ("momentum" in signature.arguments or "affine" in signature.arguments):
        return "leave it out: the channels that come in are known"
    return None


_SAMPLES = {"heads": "8", "groups": "8", "size": "5", "parts": "2", "factor": "2", "amounts": "1", "index": "0"}
"""What is shown for an argument that is not given, by its name."""


def whole(word: str, signature: Signature, given: dict[str, str]) -> str:
    """The help for a layer that is given too little: with all that it needs, `given` as it is written, and samples."""
    parts = []
    for a in signature.arguments.values():
        if a.required and a.name in given:
            parts.append(given[a.name])
        elif a.required:
            sample = "0" if a.type is float else _SAMPLES.get(a.name, "64")
            parts.append(f"{a.letter}3" if a.letter else sample if a.positional else f"{a.name}={sample}")
    return f"write `{word} {' '.join(parts)}`"
