"""Read a file of predictions, one row a decision, and check every cell."""

import csv
import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from posology.domain.formulary import is_in_range
from posology.domain.study import Study
from posology.errors import UserError
from posology.records.io.times import parse_time

CHOOSE, EFFECTIVE = "choose_", "effective_"
"""Columns of the probability that an option is chosen, and that it is effective."""
_SUM = 1e-3
"""By how much probabilities of choice may miss 1: a file may round them to four digits."""
_UTC = ZoneInfo("UTC")
_WHO = ("subject_id", "time")


@dataclass(frozen=True, slots=True)
class PredictionRows:
    """The cells of a file by column, as text or as Parquet has them."""

    name: str
    columns: dict[str, list[Any]]
    first: int
    """Number of the first row, as its reader counts: the header of a CSV is line 1."""
    unit: str
    """`line` or `row`."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def place(self, row: int) -> str:
        """File and row, for an error."""
        return f"{self.name}, {self.unit} {row + self.first}"


def read_rows(source: str | Path | pa.Table) -> PredictionRows:
    """The rows of a CSV or Parquet file, or of a table; UserError if it cannot be read."""
    if isinstance(source, pa.Table):
        return _of_table("predictions", source)
    path = Path(source)
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a CSV or Parquet file of predictions.")
    if path.suffix.lower() == ".parquet":
        try:
            return _of_table(str(path), pq.read_table(path))
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path}: is no Parquet file: {error}") from error
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path}: its name must end in .csv or .parquet.")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            lines = list(csv.reader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: is no CSV file in UTF-8: {error}") from error
    return PredictionRows(str(path), _by_column(path, lines), 2, "line")


def _of_table(name: str, table: pa.Table) -> PredictionRows:
    _check_distinct(name, table.column_names)
    return PredictionRows(name, table.to_pydict(), 1, "row")


def _check_distinct(place: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{place}: column {twice!r} stands there twice; remove one.")


def _by_column(path: Path, lines: list[list[str]]) -> dict[str, list[Any]]:
    while lines and not lines[-1]:  # empty lines at the end
        del lines[-1]
    header = [name.strip() for name in lines[0]] if lines else []
    _check_distinct(f"{path}, line 1", header)
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(header):
            raise UserError(
                f"{path}, line {number}: has {len(cells)} cells for {len(header)} columns; give "
                "every row a cell for each column, empty if it has none."
            )
    return {name: [cells[at] for cells in lines[1:]] for at, name in enumerate(header)}


def check_columns(rows: PredictionRows, study: Study, needs_time: bool) -> None:
    """UserError if a column is missing or not known."""
    names = study.formulary.names
    allowed = (*_WHO, "treatment", "dose", *_per_option(names))
    for column in rows.columns:
        if column not in allowed:
            near = difflib.get_close_matches(column, allowed, 1)
            hint = f"rename it to {near[0]}, or leave it out" if near else "leave it out"
            raise UserError(
                f"{rows.name}: column {column!r} is none of {', '.join(allowed)}; {hint}."
            )
    for column in _WHO if needs_time else _WHO[:1]:
        if column not in rows.columns:
            raise UserError(
                f"{rows.name}: has no column {column}; take it from `posology export --table`, "
                "whose rows are the decisions to predict."
            )
    for prefix in (CHOOSE, EFFECTIVE):
        present = [name for name in names if prefix + name in rows.columns]
        if present and len(present) < len(names):
            lacking = next(name for name in names if name not in present)
            raise UserError(
                f"{rows.name}: has {prefix}{present[0]} and not {prefix}{lacking}; give a column "
                f"for each option: {', '.join(prefix + name for name in names)}."
            )


def subjects_of(rows: PredictionRows) -> list[int]:
    """The number of each row's patient."""

    def parse(cell: Any) -> int:
        if isinstance(cell, float) and not cell.is_integer():
            raise ValueError
        return int(cell)

    return _parse_column(rows, "subject_id", parse, "a whole number")


def seconds_of(rows: PredictionRows) -> list[int]:
    """The time of each row in whole seconds since 1970."""

    def parse(cell: Any) -> int:
        if isinstance(cell, datetime):
            aware = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
            return math.floor(aware.timestamp())
        return parse_time(str(cell), _UTC) // 1_000_000

    return _parse_column(rows, "time", parse, "a time such as 2024-05-31 09:30")


def options_of(
    rows: PredictionRows, study: Study
) -> tuple[Float64[np.ndarray, "row treatment"], Float64[np.ndarray, "row treatment"]]:
    """Probability of choosing each option, and of its being effective.

    The choice is `choose_*`, else `treatment`, else the option with the largest `effective_*`, else
    the option whose range holds the dose; effectiveness is `effective_*`, else the choice.
    """
    names = study.formulary.names
    effective = _matrix(rows, names, EFFECTIVE)
    choose = _matrix(rows, names, CHOOSE)
    if choose is not None:
        off = np.abs(choose.sum(axis=1) - 1) > _SUM
        if off.any():
            row = int(np.flatnonzero(off)[0])
            raise UserError(
                f"{rows.place(row)}: {CHOOSE}* sum to {choose[row].sum():.4g} and not to 1; they "
                f"are the probabilities of choosing each option. Scores go into {EFFECTIVE}*."
            )
        choose = choose / choose.sum(axis=1, keepdims=True)
    elif "treatment" in rows.columns:
        choose = np.eye(len(names))[[_option(rows, row, names) for row in range(len(rows))]]
    elif effective is not None:
        choose = np.eye(len(names))[effective.argmax(axis=1)]
    elif "dose" in rows.columns and study.outcome.kind == "dose_class":
        choose = _options_of_doses(rows, study)
    else:
        raise UserError(
            f"{rows.name}: says nothing of the options; add a column treatment with the option "
            f"chosen ({', '.join(names)}), or {CHOOSE}{names[0]} and so on, or "
            f"{EFFECTIVE}{names[0]} and so on."
        )
    return choose, choose if effective is None else effective


def doses_of(rows: PredictionRows) -> Float64[np.ndarray, " row"]:
    """The dose of each row; NaN where it has none."""
    if "dose" not in rows.columns:
        return np.full(len(rows), np.nan)

    def parse(cell: Any) -> float:
        if cell is None or cell == "":
            return np.nan
        dose = float(cell)
        if not 0 <= dose < np.inf and not np.isnan(dose):
            raise ValueError
        return dose

    return np.array(_parse_column(rows, "dose", parse, "a dose, 0 or more, or empty"))


def _per_option(names: Sequence[str]) -> list[str]:
    return [prefix + name for prefix in (CHOOSE, EFFECTIVE) for name in names]


def _matrix(
    rows: PredictionRows, names: Sequence[str], prefix: str
) -> Float64[np.ndarray, "row treatment"] | None:
    if prefix + names[0] not in rows.columns:
        return None

    def parse(cell: Any) -> float:
        probability = float(cell)
        if not 0 <= probability <= 1:
            raise ValueError
        return probability

    expected = "a number from 0 to 1"
    return np.array([_parse_column(rows, prefix + name, parse, expected) for name in names]).T


def _option(rows: PredictionRows, row: int, names: tuple[str, ...]) -> int:
    cell = str(rows.columns["treatment"][row]).strip()
    if cell not in names:
        near = difflib.get_close_matches(cell, names, 1)
        hint = f"write {near[0]}" if near else f"write one of {', '.join(names)}"
        raise UserError(f"{rows.place(row)}, treatment: {cell!r} is no option; {hint}.")
    return names.index(cell)


def _options_of_doses(rows: PredictionRows, study: Study) -> Float64[np.ndarray, "row treatment"]:
    """The option whose range holds each dose."""
    dose = doses_of(rows)
    inside = np.array(
        [
            np.zeros(len(dose), bool) if t.dose is None else is_in_range(dose, t.dose)
            for t in study.formulary.treatments
        ]
    ).T
    none = ~inside.any(axis=1)
    if none.any():
        row = int(np.flatnonzero(none)[0])
        raise UserError(
            f"{rows.place(row)}, dose: {rows.columns['dose'][row]!r} is in no option's range; give "
            "a dose within the study's, or name the option in a column treatment."
        )
    return np.eye(inside.shape[1])[inside.argmax(axis=1)]


def _parse_column(
    rows: PredictionRows, column: str, parse: Callable[[Any], Any], expected: str
) -> list[Any]:
    """The values of a column; UserError with place and cell, but for cells that name a patient."""
    values = []
    for row, cell in enumerate(rows.columns[column]):
        try:
            values.append(parse(cell))
        except (ValueError, TypeError, OverflowError) as error:
            shown = "the cell" if column in _WHO else repr(cell)
            raise UserError(f"{rows.place(row)}, {column}: {shown} is not {expected}.") from error
    return values
