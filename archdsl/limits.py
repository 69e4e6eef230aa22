"""The limits on what a spec may ask for, in one place: a spec is data and must not exhaust the machine."""

FILE_CHARACTERS = 16_000_000
"""The longest text that is read, in characters."""

NESTING = 100
"""How deep brackets, operators, postfixes and calls of blocks may nest."""

TREE_DEPTH = 200
"""How deep the nodes of a definition's tree may nest, whatever makes them nest: the rest of the code recurses."""

NUMBER_CHARACTERS = 32
"""The longest number."""

LAYERS = 250_000
"""How many layers a network may have once every repeat and loop is written out."""

SIZE = 2**48
"""The largest size of an axis, and the largest number that an option takes."""

LIST_ITEMS = 1_000_000
"""How many values one list may hold."""

PROBLEMS = 100
"""How many errors are reported of one file before the rest are counted only."""

STEPS = 750_000
"""How many elements are looked at while a network is written out, those that leave no layer included."""

NAME_CHARACTERS = 100
"""The longest name of a module."""

REMEMBERED = 20_000
"""How many layers on shapes a process remembers from one network to the next."""
