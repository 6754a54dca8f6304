import numpy as np
from rich.table import Table

from posology.workflows.progress import no_progress
from posology.workflows.results import TEXT_WIDTH, render_text, rows_to_table, to_plain_json


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
    table = Table("option", title="[bold red]Values[/]")
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
