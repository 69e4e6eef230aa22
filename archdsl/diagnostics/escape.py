"""Text from a spec made safe to hand on: a spec may hold any character, a terminal obeys some of them."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with all that does not print escaped: control and bidi characters, line ends, odd spaces, surrogates."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def well_formed(text: str) -> str:
    r"""The text with lone surrogates written out (`\ud800`), which neither UTF-8 nor most readers of JSON take."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
