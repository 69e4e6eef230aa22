"""Text to tokens: one pass of a regular expression made from the terminals of the grammar, then the newline rule."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, Label, error
from archdsl.source import Source, Span

if TYPE_CHECKING:
    from collections.abc import Mapping


class Token(NamedTuple):
    """A terminal of the grammar as it stands in the text."""

    type: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the parser is fed, the comments that it never sees, and what was wrong with the characters and brackets.

    `doubtful` are the stretches over which a bracket stays open: what the parser finds wrong there is a consequence.
    `depth` is how deep they nest.
    """

    tokens: list[Token]
    comments: list[Token]
    problems: list[Diagnostic]
    doubtful: list[tuple[int, int]]
    depth: int


_new_token = tuple.__new__  # what Token(...) comes to, without the call between

_CONTRACT_WORDS = {"at": "AT", "multiple_of": "MULTIPLE_OF"}
"""Words of a contract only: everywhere else they are names."""
_ENDS_OPERAND = {"NAME", "IN", "NUMBER", "SIZE", "STRING", "CAPITAL", "YES", "NO", "RPAR", "RSQB"}

# The order in which the terminals are tried, where the text could be more than one of them.
_PATTERNS = ("NEWLINE", "BLANK", "DOC", "COMMENT", "STRING", "SIZE", "NUMBER", "TIMES", "X", "NAME", "CAPITAL")
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
"""The brackets that open, each with the one that closes it."""
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
_BRACKETS = OPENERS.keys() | CLOSERS.keys()
_ASIDE = {"NEWLINE", "COMMENT", "DOC", "STRAY"}
_INDENTATION = re.compile(r"[ \t]*")
_SHOWN_CLOSERS = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}
_MATCHING = re.compile(r"[][(){}]")
_AHEAD = 2000
"""How many characters are looked at to tell a bracket too many from one of the wrong kind."""
_JOINS_NEXT_LINE = {"ARROW", "BAR", "LBRACE", "NEWLINE"}
_JOINS_LINE_ABOVE = {"ARROW", "BAR", "RBRACE", "ELSE"}
_UNDOCUMENTED = {"RBRACE", "ELSE", "ARROW", "BAR", "RPAR", "RSQB"}


_KINDS_KEPT = 4096


class Scanner:
    """The terminals of the grammar, compiled.

    `cut` takes a text apart, and `pattern` says which terminal a part is. That depends on the part alone, but for `x`,
    and so is remembered: most parts of a text come again.
    """

    def __init__(self, pattern: str, words: dict[str, str], signs: dict[str, str]) -> None:
        self.pattern = re.compile(pattern)
        self.cut = re.compile(re.sub(r"(?<!\\)\((?!\?[:=!])(?:\?P<\w+>)?", "(?:", pattern)).findall
        self.fixed = words | signs
        self.known: dict[str, str] = {}

    def kind(self, text: str, start: int, part: str) -> str:
        """The terminal that a part of a text is."""
        match = self.pattern.match(text, start)
        group = match and match.lastgroup
        assert group is not None
        kind = self.fixed[part] if group == "SIGN" else self.fixed.get(part, group) if group == "NAME" else group
        if part != "x":
            if len(self.known) > _KINDS_KEPT:
                self.known.clear()
            self.known[part] = kind
        return kind


def scanner(terminals: Mapping[str, tuple[str, str]]) -> Scanner:
    """Compiles the terminals of the grammar: keywords and signs are looked up, the rest is one regular expression."""
    fixed = {text: name for name, (kind, text) in terminals.items() if kind == "str"}
    words = {text: name for text, name in fixed.items() if text.isalpha()}
    signs = {text: name for text, name in fixed.items() if not text.isalpha()}
    longest_first = sorted(signs, key=len, reverse=True)
    alternatives = [f"(?P<{name}>{terminals[name][1]})" for name in _PATTERNS]
    alternatives.append("(?P<SIGN>" + "|".join(map(re.escape, longest_first)) + ")")
    alternatives.append(r"(?P<STRAY>[0-9]\w*|'[^'\r\n]*'|[“„”][^“”\r\n]*[“”]|[–—−]>|[→⟶➔➜⇒]|[^\t-~]+|[;'\\&^$@?~`]+|.)")
    return Scanner("|".join(alternatives), words, signs)


def tokenize(source: Source, scanner: Scanner) -> Tokens:
    """The tokens of a source, newlines kept only where they separate statements."""
    return _Tokenizer(source, scanner).run()


def _contract_words(tokens: list[Token]) -> None:
    """Makes words of `at` and `multiple_of` where they stand behind a condition: no name could stand there."""
    depth: int | None = None  # of brackets within a contract
    last = ""
    for number, token in enumerate(tokens):
        kind = token.type
        if kind == "EXPECT" and last in ("NEWLINE", "LBRACE", "DOC"):
            depth = 0
        elif depth is not None:
            if kind in ("NEWLINE", "RBRACE", "LBRACE"):
                depth = None
            elif kind in _BRACKETS:
                depth += 1 if kind in OPENERS else -1
            elif not depth and kind == "NAME" and last in _ENDS_OPERAND and token.text in _CONTRACT_WORDS:
                kind = _CONTRACT_WORDS[token.text]
                tokens[number] = token._replace(type=kind)
        last = kind


@dataclass(slots=True)
class _Problem:
    """What becomes a diagnostic once its end is known."""

    code: str
    message: str
    start: int
    end: int
    help: str | None
    until: int | None = None
    """Of a bracket, where it is still open."""


class _Tokenizer:
    def __init__(self, source: Source, scanner: Scanner) -> None:
        self.source = source
        self.scanner = scanner
        self.tokens: list[Token] = []
        self.comments: list[Token] = []
        self.found: list[_Problem] = []
        self.open: list[Token] = []
        self.doubtful: list[tuple[int, int]] = []
        self.depth = 0
        self.closed_later = (-1, -1)  # an open bracket and what closes it, once that has been looked for
        self.outermost = 0  # where the line begins in which the outermost open bracket stands

    def run(self) -> Tokens:
        text = self.source.text
        scanner, known = self.scanner, self.scanner.known
        tokens, comments = self.tokens, self.comments
        docs: list[Token] = []
        joins_above, joins_next = _JOINS_LINE_ABOVE, _JOINS_NEXT_LINE
        newline = False
        line_start = 0
        enclosed = False  # inside ( ) or [ ], where newlines do not count
        last = "NEWLINE"
        append = tokens.append
        end = 1 if text.startswith("\ufeff") else 0
        for part in scanner.cut(text, end):
            kind = known.get(part) or scanner.kind(text, end, part)
            start = end
            end += len(part)
            if kind == "BLANK":
                continue
            if kind in _ASIDE:
                if kind == "NEWLINE":
                    newline = not enclosed
                    line_start = end
                elif kind == "STRAY":
                    self.stray(part, start)
                else:
                    is_doc = kind == "DOC" and (newline or last == "NEWLINE") and not enclosed
                    (docs if is_doc else comments).append(Token(kind, part, start, end))
                meant = _MEANT.get(part[0]) if kind == "STRAY" else None
                if part[0] == ";":
                    newline = newline or not enclosed
                if meant is None or (meant == "STRING" and len(part) < 2):
                    continue
                kind = meant  # what was meant is plain, and so reading goes on with it
                part = f'"{part[1:-1]}"' if meant == "STRING" else part
            if newline:
                newline = False
                if kind in ("NET", "BLOCK") and self.open and not self.is_nested(start - line_start):
                    self.close_all(start)
                    last = tokens[-1].type
                if last not in joins_next and kind not in joins_above:
                    append(Token("NEWLINE", "\n", start, start))
            if docs:
                (comments if kind in _UNDOCUMENTED else tokens).extend(docs)
                docs = []
            token = _new_token(Token, (kind, part, start, end))
            if kind in _BRACKETS:
                if kind in OPENERS:
                    if not self.open:
                        self.outermost = line_start
                    self.open.append(token)
                    enclosed = kind != "LBRACE"
                    if len(self.open) > self.depth:
                        self.depth = len(self.open)
                    if self.depth > limits.NESTING:
                        self.too_deep()
                        return self.result()
                else:
                    if not self.close(token):
                        continue
                    enclosed = bool(self.open) and self.open[-1].type != "LBRACE"
            append(token)
            last = kind
        comments.extend(docs)
        if len(tokens) > limits.TOKENS:
            message = f"the text has {len(tokens):,} words and signs, more than {limits.TOKENS:,}"
            self.found.clear()
            self.problem("too-large", message, 0, 0, help="split it into files and `use` them")
            tokens.clear()
            self.open.clear()
        self.close_all(len(text))
        if "expect" in text:
            _contract_words(tokens)
        comments.sort(key=lambda comment: comment.start)
        return self.result()

    def result(self) -> Tokens:
        problems = []
        for found in self.found:
            labels = []
            if found.until is not None:
                at_the_end = found.until >= len(self.source.text.rstrip())
                says = "the text ends here" if at_the_end else "it is still open here"
                labels = [Label(Span(self.source, found.until, found.until + 1), says)]
            span = Span(self.source, found.start, found.end)
            problems.append(error(found.code, found.message, span, labels=labels, help=found.help))
        return Tokens(self.tokens, self.comments, problems, self.doubtful, self.depth)

    # ------------------------------------------------------------ brackets

    def close(self, token: Token) -> bool:
        """Takes a closing bracket; False where nothing is open for it."""
        kind, text, start, end = token
        wanted = CLOSERS[kind]
        if not self.open or self.open[-1].type != wanted:
            if not any(opener.type == wanted for opener in self.open):
                if self.open and self.open[-1].type != "LBRACE" and not self.is_closed_later(end):
                    self.mismatched(token)
                    return False
                help = "leave it out, or open one above"
                self.problem("unopened", f"nothing is open for this `{text}` to close", start, end, help)
                return False
            while self.open[-1].type != wanted:
                self.unclosed(self.open.pop(), start)
        self.open.pop()
        return True

    def is_closed_later(self, position: int) -> bool:
        """Whether the innermost open bracket, which is no brace, is closed before the next brace."""
        opener = self.open[-1]
        if len(self.found) >= limits.PROBLEMS or (
            self.closed_later[0] == opener.start and position <= self.closed_later[1]
        ):
            return True
        closer = _SHOWN_CLOSERS[opener.type]
        depth = 1
        for match in _MATCHING.finditer(self.source.text, position, position + _AHEAD):
            if match[0] in "{}":
                break
            depth += (match[0] == opener.text) - (match[0] == closer)
            if depth == 0:
                self.closed_later = (opener.start, match.start())
                return True
        return False

    def mismatched(self, token: Token) -> None:
        """Takes a closing bracket of the wrong kind for the right one."""
        opener = self.open.pop()
        line, column = self.source.position(opener.start)
        closer = _SHOWN_CLOSERS[opener.type]
        message = f"this `{token.text}` cannot close the `{opener.text}` at {line}:{column}"
        self.problem("unopened", message, token.start, token.end, help=f"write `{closer}`")
        self.tokens.append(Token(OPENERS[opener.type], closer, token.start, token.end))

    def close_all(self, position: int) -> None:
        while self.open:
            self.unclosed(self.open.pop(), position)

    def is_nested(self, column: int) -> bool:
        """Whether a definition at a column stands in the open one by its indentation: not where a `}` was forgotten."""
        return column > len(_INDENTATION.match(self.source.text, self.outermost)[0])  # type: ignore[index]

    def unclosed(self, opener: Token, position: int) -> None:
        closer = _SHOWN_CLOSERS[opener.type]
        message = f"this `{opener.text}` is never closed"
        help = f"put a `{closer}` where it ends"
        self.problem("unclosed", message, opener.start, opener.end, help=help, until=position)
        self.doubtful.append((opener.start, position))
        self.tokens.append(Token(OPENERS[opener.type], "", position, position))

    def too_deep(self) -> None:
        opener = self.open[-1]
        message = f"brackets nest more than {limits.NESTING} deep"
        self.problem("too-deep", message, opener.start, opener.end, help="move the inner part into a block of its own")
        self.tokens.clear()

    # ------------------------------------------------------------ characters

    def stray(self, text: str, start: int) -> None:
        help: str | None
        if text[0].isdigit():
            message, help = f"`{shown(text)}` is neither a number nor a name", "names begin with a small letter or _"
            if re.fullmatch(r"[0-9]+([xX][0-9]+)+", text):
                help = f"the sizes of a shape are joined by a small x: `{shown(text.lower())}`"
            elif re.fullmatch(r"[0-9]+(x([0-9]+|[A-Za-wyz][0-9]*))+", text):
                open_sizes = "x".join(size.upper() for size in text.split("x"))
                help = f"a size that is open is a capital letter: `{shown(open_sizes)}`"
            elif re.fullmatch(r"[0-9]+x", text):
                help = f"a repeat stands behind what it repeats: `( ... ) x{shown(text[:-1])}`"
        elif text == "\r":
            message, help = "a lone carriage return does not end a line", "save the text with LF or CRLF line ends"
        elif text == '"':
            message, help = "this string is not closed on its line", 'put a `"` where it ends'
        elif text == "×":
            around = self.source.text[max(0, start - limits.NUMBER_CHARACTERS) : start + limits.NUMBER_CHARACTERS]
            sizes = re.search(r"[0-9A-Z]+(×[0-9A-Z]+)+", around)
            whole = shown(sizes[0].replace("×", "x")) if sizes else "3x3"
            message = f"`{text}` means nothing here"
            help = f"sizes are joined by the letter x: `{whole}`; `*` multiplies numbers"
        elif text[0] in "'“„" and len(text) > 1:
            message = f"`{shown(text)}` means nothing here"
            help = f'strings stand in double quotes: `"{shown(text[1:-1])}"`'
        elif text.isspace() or unicodedata.category(text[0]) == "Cf":
            message = f"this character (U+{ord(text[0]):04X}) looks like a blank and is none"
            help = "put a plain space in its place, or nothing"
        else:
            message, help = f"`{shown(text)}` means nothing here", _STRAY_HELP.get(text[0])
        end = start + len(text)
        self.problem("stray-character", message, start, end, help=help)

    def problem(
        self, code: str, message: str, start: int, end: int, help: str | None = None, until: int | None = None
    ) -> None:
        before = self.found[-1] if self.found else None
        if before is not None and before.code == code != "unclosed" and before.end == start:
            before.end = end  # a run of them is one problem
        elif (
            before is not None
            and code == "stray-character" == before.code
            and before.message == message
            and "\n" not in self.source.text[before.end : min(start, before.end + _AHEAD)]
        ):
            return  # one of a kind is enough in a line
        elif len(self.found) < limits.PROBLEMS:
            self.found.append(_Problem(code, message, start, end, help, until))


_STRAY_HELP = {
    ";": "a new line ends a statement",
    "'": 'strings are written in double quotes: "text"',
    "\\": "a line goes on by itself inside ( ) and [ ], and next to -> or |",
    "&": "write `and`",
    "!": "write `not`",
    "–": "write `->`",
    "—": "write `->`",
    "−": "write `->`, and `-` between numbers",
    **dict.fromkeys("→⟶➔➜⇒", "write `->`"),
    **dict.fromkeys("“„”", 'strings are written in plain double quotes: "text"'),
    "?": "write `if condition { ... } else { ... }`",
    "$": "names are written as they are",
    "@": "names are written as they are",
    "^": "there is no power; multiply",
}


_MEANT = {
    **dict.fromkeys("→⟶➔➜⇒–—−", "ARROW"),
    **dict.fromkeys("'“„", "STRING"),
}
"""What a character that cannot be read stands for, by the first of them."""


def shown(text: str) -> str:
    """Text that is safe to show: what cannot be printed is escaped, what is long is cut."""
    text = text if len(text) <= 24 else text[:21] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
