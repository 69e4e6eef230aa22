"""The limits on what a spec may ask for, in one place: a spec is data and must not exhaust the machine."""

FILE_CHARACTERS = 2_000_000
"""The longest text that is read, in characters; with the files that it uses, all together."""

FILE_BYTES = 8_000_000
"""The largest file that is opened: a character has four bytes at most."""

TOKENS = 500_000
"""How many words, numbers and signs a text may have."""

FILES = 100
"""How many files a spec may use, directly or through others."""

NESTING = 100
"""How deep brackets, operators, postfixes and calls of blocks may nest."""

TREE_DEPTH = 200
"""How deep the nodes of a definition's tree may nest, whatever makes them nest: the rest of the code recurses."""

NUMBER_CHARACTERS = 32
"""The longest number."""

LAYERS = 101_000
"""How many layers a network may have once every repeat and loop is written out."""

SIZE = 2**48
"""The largest size of an axis, and the largest number that an option takes."""

LIST_ITEMS = 1_000_000
"""How many values one list may hold."""

PROBLEMS = 100
"""How many errors are reported of one file and of one network; further ones are left out."""

SHARED_PROBLEMS = 400
"""How many errors are reported of a file together with those that it uses."""

REPEATED_PROBLEMS = 50
"""How often an error may be met again, in loops and repeats, before a network is given up."""

MESSAGE_CHARACTERS = 2_000
"""The longest message, note or help of a finding; the rest is cut off."""

SUGGESTIONS = 300
"""Among how many names one is looked for that a misspelt one may stand for."""

STEPS = 3_000_000
"""How many steps it may take to write a network out, or all networks of a file that are checked together.

An element, a statement, an operation and a value of a list are a step each, a turn of a loop is 4, a block's call 8;
of a layer with several inputs or results, each of them is one.
"""

NETWORK_STEPS = 3_000
"""What each network takes of them besides what stands in it, where those of a file are checked together."""

BOXES = 3_000
"""How many boxes a diagram may have: beyond it Graphviz takes minutes."""

NAME_CHARACTERS = 100
"""The longest name of a module."""

REMEMBERED = 20_000
"""How many layers on shapes a process remembers from one network to the next."""

SIZES = 1_000_000
"""How many steps it may take to decide which sizes a network takes, along all axes that are open.

To look at one input of a layer is a step, to ask the layer about it 8.
"""

SETTING_VALUES = 64
"""How many values a word of a `recipe` or of `preprocess` may have."""

PIXELS = 89_478_485
"""How many pixels an image may be resized to, and a `preprocess` may ask for; PIL reads no larger file unasked."""

BATCH = 1_000_000
"""How many samples a batch may have, where memory or costs are asked for one."""
