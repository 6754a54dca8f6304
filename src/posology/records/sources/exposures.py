"""Exposures of an area (air, temperature, deprivation) to events of those who live there."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from posology.records.batching import Fact, Refusal, Rows, clean_part
from posology.records.io.python_tables import (
    ENDINGS,
    Row,
    blank,
    cell_number,
    cell_subject,
    cell_time,
    read_sheet,
)
from posology.records.io.settings import load_settings
from posology.records.io.text_lines import files_of
from posology.records.io.times import DAY, zone_named
from posology.records.schema import Batch


@dataclass(frozen=True, slots=True)
class Measure:
    """One exposure."""

    unit: str
    """UCUM unit, or 1 for an index."""
    published_after_days: float = 0.0
    """Days from the date measured to the date known, where the table does not tell the latter."""
    lasts_days: float = 0.0
    """How long a value holds for someone who moves in later; an index of an area holds long."""


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """The mapping file of area-level exposures."""

    exposures: tuple[str, ...]
    """Files of exposures, relative to the mapping file: place, date, measure, value."""
    measures: dict[str, Measure]
    """By the name in the column `measure`."""
    place: str = "place"
    date: str = "date"
    measure: str = "measure"
    value: str = "value"
    published: str | None = None
    """Column of the date on which a value became known."""
    subject: str = "subject"
    resident_from: str = "from"
    resident_to: str = "to"
    """Column of the end of residence; an empty cell means that it goes on."""
    time_zone: str = "UTC"
    batch_rows: int = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """Every exposure, by place."""

    by_place: dict[str, dict[str, list[tuple[int, int, float]]]] = field(default_factory=dict)
    """Place, measure, then (measured, known, value) in order of time."""


def read_environment_settings(path: str | Path) -> EnvironmentSettings:
    """The mapping of exposures from its TOML file, its files found beside it."""
    stated = load_settings(path, EnvironmentSettings)
    beside = tuple(str(Path(path).parent / name) for name in stated.exposures)
    return replace(stated, exposures=beside)


def read_environment(paths: Iterable[str | Path], settings: EnvironmentSettings) -> Iterator[Batch]:
    """Events of each residence in the tables of residences: subject, place, from, to.

    `ENVIRONMENT//measure` stands at the date the value became known, or at the day of moving in
    where it still held then. A row is a residence, or an exposure that was refused.
    """
    zone = zone_named(settings.time_zone)
    rows = Rows(settings.batch_rows)
    exposures = Exposures()
    for path in files_of(settings.exposures, ENDINGS):
        for number, refusal in _read_exposures(path, settings, zone, exposures):
            rows.refuse(str(path), number, refusal)
            yield from rows.batches()
    lived = (settings.subject, settings.place, settings.resident_from, settings.resident_to)
    for path in files_of(paths, ENDINGS):
        for number, row in read_sheet(path, lived):
            if isinstance(row, Refusal):
                rows.refuse(str(path), number, row)
            else:
                _residence(rows, (str(path), number), row, (settings, zone), exposures)
            yield from rows.batches()
    yield from rows.batches(last=True)


def _read_exposures(
    path: Path, settings: EnvironmentSettings, zone: ZoneInfo, exposures: Exposures
) -> Iterator[tuple[int, Refusal]]:
    names = (settings.place, settings.date, settings.measure, settings.value)
    needed = (*names, *([settings.published] if settings.published else []))
    for number, row in read_sheet(path, needed):
        if isinstance(row, Refusal):
            yield number, row
            continue
        column = settings.measure
        try:
            name = str(row[settings.measure]).strip()
            measure = settings.measures.get(name)
            if measure is None:
                raise ValueError("is not a measure of the mapping")
            column = settings.date
            measured = cell_time(row[column], zone)
            column = settings.value
            value = cell_number(row[column])
            known = measured + round(measure.published_after_days * DAY)
            if settings.published is not None:
                column = settings.published
                known = cell_time(row[column], zone)
            column = settings.place
            if blank(row[column]):
                raise ValueError("names no place")
        except ValueError as error:
            yield number, Refusal(column, row[column], str(error))
            continue
        place = exposures.by_place.setdefault(str(row[settings.place]).strip(), {})
        place.setdefault(name, []).append((measured, known, value))
    for place in exposures.by_place.values():
        for values in place.values():
            values.sort()


def _residence(
    rows: Rows,
    at: tuple[str, int],
    row: Row,
    how: tuple[EnvironmentSettings, ZoneInfo],
    exposures: Exposures,
) -> None:
    settings, zone = how
    column = settings.subject
    try:
        subject = cell_subject(row[column])
        column = settings.resident_from
        start = cell_time(row[column], zone)
        column = settings.resident_to
        end = None if blank(row[column]) else cell_time(row[column], zone)
    except ValueError as error:
        rows.refuse(*at, Refusal(column, row[column], str(error)))
        return
    place = str(row[settings.place]).strip()
    facts = []
    for name, values in exposures.by_place.get(place, {}).items():
        facts += _exposed(name, settings.measures[name], values, (start, end))
    refusal = Refusal(settings.place, place, "no exposure is told for this place and time")
    rows.add(*at, subject, facts, [] if facts else [refusal])


def _exposed(
    name: str,
    measure: Measure,
    values: list[tuple[int, int, float]],
    residence: tuple[int, int | None],
) -> Iterator[Fact]:
    start, end = residence
    code = f"ENVIRONMENT//{clean_part(name)}"
    first = bisect_left(values, (start,))
    last = len(values) if end is None else bisect_left(values, (end,))
    held = bisect_right(values, (start - round(measure.lasts_days * DAY),))
    if held < first:  # the latest value before moving in still holds
        _, known, value = values[first - 1]
        yield Fact(code, max(known, start), value, None, measure.unit)
    for _, known, value in values[first:last]:
        yield Fact(code, known, value, None, measure.unit)
