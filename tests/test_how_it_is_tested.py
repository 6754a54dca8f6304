"""The page that lists what was wrong names tests and worlds that exist."""

import ast
import re
from pathlib import Path

from benchmarks.estimands.worlds import WORLDS

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "how-it-is-tested.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| A?\d", line)
]


def test_every_row_of_the_audit_is_listed_once():
    audit = [row[0] for row in ROWS if not row[0].startswith("A")]
    assert audit == ["0", "0b", *(str(i) for i in range(1, 23))]


def test_every_named_test_exists():
    for number, _, _, tests, _ in ROWS:
        for name in tests.split():
            path, _, function = name.strip("`").partition("::")
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert function in functions, f"row {number}: {name}"
            assert function.startswith("test_")


def test_every_named_world_exists():
    names = {world.name for world in WORLDS}
    for number, *_, worlds in ROWS:
        assert set(worlds.split()) <= names, f"row {number}"


def test_what_is_mended_has_a_test_and_what_is_open_none():
    for number, _, state, tests, _ in ROWS:
        assert state in ("mended", "open"), f"row {number}: {state}"
        assert bool(tests) is (state == "mended"), f"row {number}"
