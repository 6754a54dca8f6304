"""Dense series (glucose, heart rate, steps) to a few named features per window of time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from pathlib import Path

from posology.errors import RecordError
from posology.records.batching import Fact, Refusal, Rows
from posology.records.io.python_tables import (
    ENDINGS,
    Row,
    blank,
    cell_number,
    cell_subject,
    cell_time,
    need_columns,
    read_sheet,
)
from posology.records.io.settings import load_settings
from posology.records.io.subject_ids import subject_number
from posology.records.io.text_lines import files_of
from posology.records.io.times import DAY, zone_named
from posology.records.schema import Batch


@dataclass(frozen=True, slots=True)
class Series:
    """One column of numbers."""

    column: tuple[str, ...]
    """Its name, or the names that different files give it."""
    code: str
    """Code of its features, such as WEARABLE//glucose."""
    unit: str
    """UCUM unit of its numbers."""
    every_minutes: float
    """How often a complete recording has a number."""
    range_low: float | None = None
    """Least number in range; the share in range is told where both ends are."""
    range_high: float | None = None


@dataclass(frozen=True, slots=True)
class WearableSettings:
    """The mapping file of a source of dense series."""

    time: str
    """Column of the time."""
    window_hours: float
    """Length of a window; windows begin at midnight of 1970-01-01 and at each length after."""
    series: tuple[Series, ...]
    subject: str | None = None
    """Column of the subject; where none is told, the file's name up to `subject_until`."""
    subject_until: str | None = None
    """Text that ends the subject in the file's name, such as _."""
    time_format: str | None = None
    time_zone: str = "UTC"
    batch_rows: int = 50_000

    def __post_init__(self) -> None:
        if not self.window_hours > 0 or any(not s.every_minutes > 0 for s in self.series):
            raise RecordError("window_hours and every_minutes must be above 0")
        if not self.series:
            raise RecordError("a mapping of dense series needs at least one [[series]]")


@dataclass(slots=True)
class _Sums:
    """Running sums of one series in one window; times in days from the window's start."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    mean_time: float = 0.0
    squares_time: float = 0.0
    products: float = 0.0
    below: int = 0
    above: int = 0

    def add(self, time: float, value: float, series: Series) -> None:
        """Welford's updates (Technometrics 1962), for the mean, the variance and the slope."""
        self.count += 1
        from_mean, from_time = value - self.mean, time - self.mean_time
        self.mean += from_mean / self.count
        self.mean_time += from_time / self.count
        self.squares += from_mean * (value - self.mean)
        self.squares_time += from_time * (time - self.mean_time)
        self.products += from_time * (value - self.mean)
        self.below += series.range_low is not None and value < series.range_low
        self.above += series.range_high is not None and value > series.range_high


@dataclass(slots=True)
class _Window:
    source: str
    row: int
    """The first row in it."""
    sums: tuple[_Sums, ...]


def read_wearable_settings(path: str | Path) -> WearableSettings:
    """The mapping of dense series from its TOML file."""
    return load_settings(path, WearableSettings)


def read_wearables(paths: Iterable[str | Path], settings: WearableSettings) -> Iterator[Batch]:
    """Features of each series in each window, at the window's end: before it, none is known.

    Features are `code//mean`, `//sd`, `//slope` (per day), `//in_range`, `//below`, `//above`
    and `//missing` (shares, 0 to 1), and `//samples`. A row of the batch is a window (numbered
    by its first row) or a refused row; with one series, `samples` + refused = rows of the files.
    Memory grows with windows, not with samples. A sample told twice counts twice.
    """
    rows = Rows(settings.batch_rows)
    length = round(settings.window_hours * DAY / 24)
    # recordings of one patient in several files share windows where the names tell the patient
    for _, group in groupby(files_of(paths, ENDINGS), key=lambda path: _whose(path, settings)):
        windows: dict[tuple[int, int], _Window] = {}
        for path in group:
            for refused in _summarise(path, settings, length, windows):
                rows.refuse(*refused)
                yield from rows.batches()
        for (subject, window), one in sorted(windows.items()):
            end = (window + 1) * length
            facts = [
                fact
                for series, sums in zip(settings.series, one.sums, strict=True)
                for fact in _features(series, sums, end, length)
            ]
            rows.add(one.source, one.row, subject, facts)
            yield from rows.batches()
    yield from rows.batches(last=True)


def _summarise(
    path: Path, settings: WearableSettings, length: int, windows: dict[tuple[int, int], _Window]
) -> Iterator[tuple[str, int, Refusal]]:
    """Adds a file's rows to its windows; gives the rows that cannot be added."""
    zone = zone_named(settings.time_zone)
    columns: list[str] = []
    for number, row in read_sheet(path):
        if isinstance(row, Refusal):
            yield str(path), number, row
            continue
        columns = columns or _columns(path, row, settings)
        subject = time = None
        try:
            subject = _subject(path, row, settings)
            time = cell_time(row[settings.time], zone, settings.time_format)
        except ValueError as error:
            where = settings.time if subject is not None else settings.subject or "file"
            yield str(path), number, Refusal(where, row.get(where, path.name), str(error))
            continue
        samples, refusals = _samples(row, columns)
        if not samples:
            refused = (
                refusals[0] if refusals else Refusal(columns[0], "", "no number in any series")
            )
            yield str(path), number, refused
            continue
        for refusal in refusals:
            yield f"{path}#{refusal.field}", number, refusal
        key = (subject, time // length)
        window = windows.get(key)
        if window is None:
            window = windows[key] = _Window(
                str(path), number, tuple(_Sums() for _ in settings.series)
            )
        days = (time - key[1] * length) / DAY
        for which, value in samples:
            window.sums[which].add(days, value, settings.series[which])


def _samples(row: Row, columns: list[str]) -> tuple[list[tuple[int, float]], list[Refusal]]:
    samples: list[tuple[int, float]] = []
    refusals: list[Refusal] = []
    for which, column in enumerate(columns):
        if not blank(row[column]):
            try:
                samples.append((which, cell_number(row[column])))
            except ValueError as error:
                refusals.append(Refusal(column, row[column], str(error)))
    return samples, refusals


def _columns(path: Path, row: Row, settings: WearableSettings) -> list[str]:
    """The column of each series in this file."""
    need_columns(path, row, (settings.time, *([settings.subject] if settings.subject else [])))
    found = []
    for series in settings.series:
        column = next((name for name in series.column if name in row), None)
        if column is None:
            need_columns(path, row, series.column[:1])
        found.append(str(column))
    return found


def _whose(path: Path, settings: WearableSettings) -> str:
    """What files must share to be summarised together."""
    if settings.subject is not None:
        return str(path)
    name = path.name.split(".")[0]
    return name.split(settings.subject_until)[0] if settings.subject_until else name


def _subject(path: Path, row: Row, settings: WearableSettings) -> int:
    if settings.subject is not None:
        return cell_subject(row[settings.subject])
    return subject_number(_whose(path, settings))


def _features(series: Series, sums: _Sums, end: int, length: int) -> Iterator[Fact]:
    if not sums.count:
        return
    expected = length / (series.every_minutes * 60_000_000)
    told: dict[str, tuple[float, str]] = {
        "mean": (sums.mean, series.unit),
        "samples": (float(sums.count), "1"),
        "missing": (max(0.0, 1 - sums.count / expected), "1"),
    }
    if sums.count > 1:
        told["sd"] = (sqrt(max(0.0, sums.squares) / (sums.count - 1)), series.unit)
        if sums.squares_time > 0:
            told["slope"] = (sums.products / sums.squares_time, f"{series.unit}/d")
    if series.range_low is not None:
        told["below"] = (sums.below / sums.count, "1")
    if series.range_high is not None:
        told["above"] = (sums.above / sums.count, "1")
    if series.range_low is not None and series.range_high is not None:
        told["in_range"] = (1 - (sums.below + sums.above) / sums.count, "1")
    for name, (value, unit) in told.items():
        if abs(value) < 3e38:  # what float32 holds; sums of absurd numbers may leave it
            yield Fact(f"{series.code}//{name}", end, value, None, unit)
