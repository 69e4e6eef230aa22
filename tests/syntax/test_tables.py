"""The automaton that ships is the one of the grammar."""

from __future__ import annotations

import subprocess
import sys

from archdsl.resources import tables_path
from archdsl.syntax.tables import build_tables

TOLD = "archdsl/syntax/tables.json is not what the grammar gives; write it with: python -m archdsl.syntax.tables"


def test_the_shipped_tables_are_those_of_the_grammar():
    assert tables_path().read_text(encoding="utf-8") == build_tables(), TOLD


def test_reading_a_spec_does_not_import_lark():
    program = (
        "import sys; from archdsl.source import Source; from archdsl.syntax.parser import parse; "
        "assert not parse(Source('s', 'net n { input 3 }')).diagnostics; sys.exit('lark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
