"""Random networks, run by torch and judged by the checker: what is accepted runs, what is refused would have failed.

`reference` reads a syntax tree by the rules of grammar/README.md and runs it in torch, layer by layer, with no shape
worked out beforehand; it shares nothing with the elaborator, the analyses or the compiler. `generate` makes trees with
its help, about half of them broken. `compare` holds the two side by side, and `shrink` makes a disagreement small.
"""
