"""Which mark of a table's numbers is the decimal mark, and which sets off thousands."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.workflows.new.table import read_table


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


MARKS = [  # separator, numbers of a column, numbers of another one; lines of the mapping; read
    (
        ";",
        ("77,9", "4.247"),
        ('decimal = ","', 'is read as 4247; with `decimal = "."` as 4.247.'),
        4247,
    ),
    (";", ("77,9", "4.2"), ('decimal = ","', 'value = "b"\ndecimal = "."'), 4.2),
    (
        ";",
        ("77", "4,247"),
        ('decimal = ","', 'is read as 4.247; with `decimal = "."` as 4247.'),
        4.247,
    ),
    (",", ("77.9", '"4,247"'), ('is read as 4247; with `decimal = ","` as 4.247.',), 4247),
    (",", ("77", "4.247"), ('is read as 4.247; with `decimal = ","` as 4247.',), 4.247),
    (",", ("77.9", "4.247"), (), 4.247),
]


@pytest.mark.parametrize(("separator", "cells", "lines", "number"), MARKS)
def test_a_mark_that_may_set_off_thousands_is_shown_and_other_columns_keep_theirs(
    tmp_path: Path, separator: str, cells: tuple[str, str], lines: tuple[str, ...], number: float
) -> None:
    rows = [separator.join((str(row), "2024-01-31", *cells)) for row in range(20)]
    table = "\n".join([separator.join(("patient", "date", "a", "b")), *rows])
    (tmp_path / "lab.csv").write_text(table + "\n")
    mapping = run("ingest", "--suggest", tmp_path / "lab.csv").stdout
    assert all(line in mapping for line in lines), mapping
    assert ("is read as" in mapping) == any("is read as" in line for line in lines)
    (tmp_path / "lab.toml").write_text(mapping)
    result = run("ingest", "--out", tmp_path / "events", "--table", tmp_path / "lab.toml")
    assert result.exit_code == 0, result.output
    events = pq.read_table(tmp_path / "events" / "data")
    read = events.filter(pc.field("code") == "MEASUREMENT//LOCAL//b")["numeric_value"].to_pylist()
    assert read == pytest.approx([number] * 20)
    assert read_table(tmp_path / "lab.csv").numbers("b")[0] == pytest.approx(number)


def test_a_preview_says_how_numbers_with_a_comma_before_three_digits_are_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "lab.csv").write_text("patient,date,p\n" + '1,2024-01-31,"379,750"\n' * 20)
    (tmp_path / "lab.toml").write_text(
        'file = "lab.csv"\nsubject = "patient"\ntime = "{date}"\n'
        '[[event]]\ncode = "P"\nvalue = "p"\n'
    )
    shown = run("ingest", "--dry-run", "--table", tmp_path / "lab.toml").output
    assert "CHECK: 379,750 of 'p' is read as 379750; with `decimal = \",\"` as 379.750" in shown
