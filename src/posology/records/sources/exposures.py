"""Exposures of an area (air, temperature, deprivation) as events of its residents."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, code_part, reject_other_files
from posology.records.io.python_tables import (
    TABLE_EXTENSIONS,
    Row,
    cell_text,
    is_blank,
    parse_cell_time,
    parse_number,
    parse_subject,
    read_rows,
)
from posology.records.io.settings import load_settings
from posology.records.io.text_lines import list_files
from posology.records.io.times import MICROSECONDS_PER_DAY, parse_time_zone
from posology.records.pipeline.staging import (
    Source,
    batch_source,
    only_mapping,
    split_mapping,
)
from posology.records.schema import Batch, Event, Rejection

MAX_DAYS = 73_050
"""Two hundred years."""


@dataclass(frozen=True, slots=True)
class ExposureMeasure:
    """One exposure."""

    unit: str
    """UCUM unit, or 1 for an index."""
    published_after_days: float = 0.0
    """Days from measurement to publication, if the table has no column for the latter."""
    lasts_days: float = 0.0
    """How many days a value is valid for someone who moves in later; long for an area's index."""

    def __post_init__(self) -> None:
        if not all(0 <= days <= MAX_DAYS for days in (self.published_after_days, self.lasts_days)):
            raise RecordError(
                f"published_after_days and lasts_days are from 0 to {MAX_DAYS:,}: nothing is known "
                "before it is measured"
            )


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """The mapping file of area-level exposures."""

    exposures: tuple[str, ...]
    """Files of exposures, relative to the mapping file: place, date, measure, value."""
    measures: dict[str, ExposureMeasure]
    """By the name in the column `measure`."""
    place: str = "place"
    date: str = "date"
    measure: str = "measure"
    value: str = "value"
    published: str | None = None
    """Column of the date on which a value was published."""
    subject: str = "subject"
    resident_from: str = "from"
    resident_to: str = "to"
    """Column of the end of residence; an empty cell means that it continues."""
    time_zone: str = "UTC"
    batch_rows: int = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """Every exposure, by place."""

    zone: ZoneInfo
    by_place: dict[str, dict[str, list[tuple[int, int, float]]]] = field(default_factory=dict)
    """Place, measure, then (measured, known, value) in order of time."""


def read_environment_settings(path: str | Path) -> EnvironmentSettings:
    """The mapping file of exposures; the files it names are relative to it."""
    settings = load_settings(path, EnvironmentSettings)
    files = tuple(str(Path(path).parent / name) for name in settings.exposures)
    return replace(settings, exposures=files)


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: tables of residences, read by the one mapping file among the inputs."""
    mappings, residences = split_mapping(inputs)

    def read() -> Iterator[Batch]:
        settings = read_environment_settings(only_mapping("environment", mappings))
        return read_environment(residences, settings)

    return [batch_source("environment", inputs, read)]


def read_environment(paths: Iterable[str | Path], settings: EnvironmentSettings) -> Iterator[Batch]:
    """Events of each row (subject, place, from, to) of the tables of residences.

    The time of `ENVIRONMENT//measure` is the date of publication, or the day of moving in if the
    value was still valid then. A row of the batch is a residence, or a rejected exposure.
    """
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
    exposures = Exposures(zone)
    reject_other_files(builder, settings.exposures, TABLE_EXTENSIONS)
    for path in list_files(settings.exposures, TABLE_EXTENSIONS):
        for number, rejection in _read_exposures(path, settings, exposures):
            builder.reject(str(path), number, rejection)
            yield from builder.batches()
    required = (settings.subject, settings.place, settings.resident_from, settings.resident_to)
    paths = [*paths]
    reject_other_files(builder, paths, TABLE_EXTENSIONS)
    for path in list_files(paths, TABLE_EXTENSIONS):
        for number, row in read_rows(path, required):
            if isinstance(row, Rejection):
                builder.reject(str(path), number, row)
            else:
                _add_residence(builder, (str(path), number), row, settings, exposures)
            yield from builder.batches()
    yield from builder.batches(last=True)


def _read_exposures(
    path: Path, settings: EnvironmentSettings, exposures: Exposures
) -> Iterator[tuple[int, Rejection]]:
    """Add a file's exposures; yields row and reason of each rejected row."""
    zone = exposures.zone
    names = (settings.place, settings.date, settings.measure, settings.value)
    required = (*names, *([settings.published] if settings.published else []))
    for number, row in read_rows(path, required):
        if isinstance(row, Rejection):
            yield number, row
            continue
        column = settings.measure
        try:
            name = cell_text(row[settings.measure])
            measure = settings.measures.get(name)
            if measure is None:
                raise ValueError("is not a measure of the mapping")
            column = settings.date
            measured = parse_cell_time(row[column], zone)
            column = settings.value
            value = parse_number(row[column])
            known = measured + round(measure.published_after_days * MICROSECONDS_PER_DAY)
            if settings.published is not None:
                column = settings.published
                known = max(parse_cell_time(row[column], zone), measured)
            column = settings.place
            if is_blank(row[column]):
                raise ValueError("names no place")
        except ValueError as error:
            yield number, Rejection(column, row[column], str(error))
            continue
        place = exposures.by_place.setdefault(cell_text(row[settings.place]), {})
        place.setdefault(name, []).append((measured, known, value))
    for place in exposures.by_place.values():
        for values in place.values():
            values.sort()


def _add_residence(
    builder: BatchBuilder,
    row_id: tuple[str, int],
    row: Row,
    settings: EnvironmentSettings,
    exposures: Exposures,
) -> None:
    zone = exposures.zone
    column = settings.subject
    try:
        subject = parse_subject(row[column])
        column = settings.resident_from
        start = parse_cell_time(row[column], zone)
        column = settings.resident_to
        end = None if is_blank(row[column]) else parse_cell_time(row[column], zone)
    except ValueError as error:
        builder.reject(*row_id, Rejection(column, row[column], str(error)))
        return
    place = cell_text(row[settings.place])
    events = []
    for name, values in exposures.by_place.get(place, {}).items():
        events += _exposure_events(name, settings.measures[name], values, (start, end))
    rejection = Rejection(settings.place, place, "no exposure of this place and time")
    builder.add(*row_id, subject, events, [] if events else [rejection])


def _exposure_events(
    name: str,
    measure: ExposureMeasure,
    values: list[tuple[int, int, float]],
    residence: tuple[int, int | None],
) -> Iterator[Event]:
    start, end = residence
    code = f"ENVIRONMENT//{code_part(name)}"
    first = bisect_left(values, (start,))
    last = len(values) if end is None else bisect_left(values, (end,))
    valid = bisect_right(values, (start - round(measure.lasts_days * MICROSECONDS_PER_DAY),))
    if valid < first:  # the latest value before moving in is still valid
        _, known, value = values[first - 1]
        yield Event(code, max(known, start), value, None, measure.unit)
    for _, known, value in values[first:last]:
        yield Event(code, known, value, None, measure.unit)
