"""The matrix: each SHALL that binds a service is checked, or has a reason why it cannot be."""

import csv
from pathlib import Path

import pytest

from posology.conformance.statements import STATEMENTS
from tests.builders.broken_cds_services import BROKEN

SERVICE = [
    "4",
    "5",
    "6",
    "7",
    "9",
    "10",
    "13",
    "16",
    "29",
    "36",
    "54",
    "55",
    "56",
    "57",
    "59",
    "61",
    "74",
    "75",
    "80",
    "83",
    "85",
    "87",
    "88",
    "89",
    "90",
    "92",
    "93",
    "95",
    "96",
    "98",
    "100",
    "103",
    "105",
    "107",
    "111",
    "115",
    "117",
    "119",
    "121",
    "124",
    "127",
    "128",
    "130",
    "131",
    "132",
    "133",
    "134",
    "135",
    "136",
    "138",
    "139",
    "141",
    "142",
    "144",
    "176",
    "211",
    "213",
    "216",
    "217",
    "218",
    "219",
    "220",
]
"""Rows of actor Service and level SHALL."""
ALSO = [
    "1",
    "2",
    "3",
    "125",
    "147",
    "168",
    "199",
    "201",
    "203",
    "208",
    "214",
]
"""Rows of level SHALL or SHALL NOT that bind both sides, and SHALL NOT of a service."""
UNSEEN = {"89", "125", "213"}
CAUGHT = {statement for broken in BROKEN for statement in broken.fails}


@pytest.mark.parametrize("row", [*SERVICE, *ALSO])
def test_each_row_has_a_check_that_fails_or_a_reason(row: str) -> None:
    statement = STATEMENTS[f"cds-{row}"]
    assert statement.level == "SHALL"
    assert statement.source.startswith("CDS Hooks 2.0 #")
    if row in UNSEEN:
        assert statement.unseen
    else:
        assert statement.id in CAUGHT


def test_there_are_62_rows() -> None:
    assert len(set(SERVICE)) == 62


def test_the_rows_are_those_of_the_requirements_sheet(shared: Path) -> None:
    path = shared / "data" / "cds-hooks" / "cds-hooks_2.0_requirements.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 220
    service = {r["ID*"] for r in rows if (r["Actors*"], r["Conformance*"]) == ("Service", "SHALL")}
    binding = {
        r["ID*"]
        for r in rows
        if "Service" in r["Actors*"] and r["Conformance*"].startswith("SHALL")
    }
    assert service == set(SERVICE)
    assert binding - service == set(ALSO)
    sections = {f"cds-{r['ID*']}": r["URL*"].partition("#")[2] for r in rows}
    wrong = {
        name: sections[name]
        for name, statement in STATEMENTS.items()
        if name in sections and not statement.source.endswith(f"#{sections[name]}")
    }
    assert wrong == {}


def test_statements_are_in_words_of_our_own_that_fit_a_line() -> None:
    for statement in STATEMENTS.values():
        assert 10 < len(statement.about) <= 68
        assert "SHALL" not in statement.about
    assert len({statement.about for statement in STATEMENTS.values()}) >= len(STATEMENTS) - 3
