import json
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.cli.progress import CONSOLE
from posology.workflows.progress import no_progress
from posology.workflows.results import (
    TEXT_WIDTH,
    render_text,
    rows_to_table,
    to_plain_json,
    write_measurements,
)


def test_rows_with_different_columns_become_one_table_with_nulls() -> None:
    table = rows_to_table([{"metric": "a", "value": 1.0}, {"metric": "b", "reason": "too few"}])
    assert table.to_pydict() == {
        "metric": ["a", "b"],
        "value": [1.0, None],
        "reason": [None, "too few"],
    }


def test_no_rows_become_an_empty_table() -> None:
    assert rows_to_table([]).num_rows == 0


def test_text_has_no_colours_and_fits_its_width() -> None:
    table = Table("option", title=Text("Values", "bold red"))
    table.add_row("x" * 300)
    text = render_text(table)
    assert "Values" in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= TEXT_WIDTH


def test_progress_may_be_ignored() -> None:
    assert no_progress("reading patients", 1, 2) is None


def test_plain_json_has_no_number_that_json_lacks() -> None:
    body = {"a": (np.float32(0.5), float("nan"), np.int64(3)), "b": {"c": float("inf"), "d": True}}
    assert to_plain_json(body) == {"a": [0.5, None, 3], "b": {"c": None, "d": True}}


def test_brackets_of_units_are_text_on_a_terminal() -> None:
    """Rich takes `[iU]` for a style and drops it, and ends with an error at `[/x]`."""
    table = Table("unit", title="doses in [iU]/mL")
    table.add_row("height, [in_i], and [degF] [/x]")
    shown = render_text(Group(table, "weight in [lb_av]"))
    for unit in ("[iU]/mL", "[in_i]", "[degF] [/x]", "[lb_av]"):
        assert unit in shown
    with CONSOLE.capture() as capture:
        CONSOLE.print(table)
    assert "[in_i], and [degF] [/x]" in capture.get()


def test_rows_without_a_number_are_valid_json(tmp_path: Path) -> None:
    rows = [{"metric": "loss", "value": float("nan"), "low": -np.inf, "n": np.int64(3)}]
    write_measurements(tmp_path / "a.json", rows, 0.0, 1, {"gate": {"gain": np.float32("nan")}})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    body = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert body["rows"] == [{"metric": "loss", "value": None, "low": None, "n": 3}]
    assert body["gate"] == {"gain": None}
