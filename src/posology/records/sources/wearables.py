"""Dense series (glucose, heart rate, steps) as a few named features per time window."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from pathlib import Path

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, reject_other_files
from posology.records.io.python_tables import (
    TABLE_EXTENSIONS,
    Row,
    is_blank,
    parse_cell_time,
    parse_number,
    parse_subject,
    read_rows,
    require_columns,
)
from posology.records.io.settings import load_settings
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files
from posology.records.io.times import MICROSECONDS_PER_DAY, parse_time_zone
from posology.records.pipeline.staging import Source, batch_source, only_mapping, split_mapping
from posology.records.schema import Batch, Event, Rejection

MAX_HOURS = 87_600


@dataclass(frozen=True, slots=True)
class SeriesMapping:
    """One column of numbers."""

    column: tuple[str, ...]
    """Its name, or its names in different files."""
    code: str
    """Prefix of its features' codes, such as WEARABLE//glucose."""
    unit: str
    """UCUM unit of its numbers."""
    every_minutes: float
    """Minutes between two numbers of a complete recording."""
    range_low: float | None = None
    """Lowest number in range; `in_range` is computed if both limits are set."""
    range_high: float | None = None
    """Highest number in range."""


@dataclass(frozen=True, slots=True)
class WearableSettings:
    """The mapping file of a source of dense series."""

    time: str
    """Column of the time."""
    window_hours: float
    """Length of a window; the first window begins at midnight of 1970-01-01."""
    series: tuple[SeriesMapping, ...]
    subject: str | None = None
    """Column of the subject; by default the file's name up to `subject_until`."""
    subject_until: str | None = None
    """Text that follows the subject in the file's name, such as _."""
    time_format: str | None = None
    time_zone: str = "UTC"
    batch_rows: int = 50_000

    def __post_init__(self) -> None:
        if not 1 / 60 <= self.window_hours <= MAX_HOURS:
            raise RecordError(f"window_hours is from one minute (1/60) to ten years ({MAX_HOURS})")
        if any(not s.every_minutes > 0 for s in self.series):
            raise RecordError("every_minutes must be above 0")
        if not self.series:
            raise RecordError("a mapping of dense series needs at least one [[series]]")


@dataclass(slots=True)
class _Sums:
    """Running sums of one series in one window; times are in days since the window's start."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    mean_time: float = 0.0
    squares_time: float = 0.0
    products: float = 0.0
    below: int = 0
    above: int = 0

    def add(self, time: float, value: float, series: SeriesMapping) -> None:
        """Welford's updates (Technometrics 1962) of the mean, the variance and the slope."""
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
    """The first row in the window."""
    sums: tuple[_Sums, ...]


def read_wearable_settings(path: str | Path) -> WearableSettings:
    """The mapping file of dense series."""
    return load_settings(path, WearableSettings)


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: recordings, read by the one mapping file among the inputs."""
    mappings, recordings = split_mapping(inputs)

    def read() -> Iterator[Batch]:
        settings = read_wearable_settings(only_mapping("wearable", mappings))
        return read_wearables(recordings, settings)

    return [batch_source("wearable", inputs, read)]


def read_wearables(paths: Iterable[str | Path], settings: WearableSettings) -> Iterator[Batch]:
    """Features of each series in each window, dated at the window's end, when they are known.

    Features are `code//mean`, `//sd`, `//slope` (per day), `//in_range`, `//below`, `//above`
    and `//missing` (shares, 0 to 1), and `//samples`. A row of the batch is a window (numbered
    by its first row) or a rejected row; with one series, `samples` + rejected = rows of the files.
    Memory grows with windows, not with samples. A duplicate sample counts twice.
    """
    builder = BatchBuilder(settings.batch_rows)
    paths = [*paths]
    reject_other_files(builder, paths, TABLE_EXTENSIONS)
    length = round(settings.window_hours * MICROSECONDS_PER_DAY / 24)
    # several files of one patient share windows if the file names give the patient

    def recording(path: Path) -> str:
        return _recording(path, settings)

    for _, group in groupby(sorted(list_files(paths, TABLE_EXTENSIONS), key=recording), recording):
        windows: dict[tuple[int, int], _Window] = {}
        for path in group:
            for rejected in _summarise(path, settings, length, windows):
                builder.reject(*rejected)
                yield from builder.batches()
        for (subject, number), window in sorted(windows.items()):
            end = (number + 1) * length
            events = [
                event
                for series, sums in zip(settings.series, window.sums, strict=True)
                for event in _features(series, sums, end, length)
            ]
            builder.add(window.source, window.row, subject, events)
            yield from builder.batches()
    yield from builder.batches(last=True)


def _summarise(
    path: Path, settings: WearableSettings, length: int, windows: dict[tuple[int, int], _Window]
) -> Iterator[tuple[str, int, Rejection]]:
    """Add a file's rows to its windows; yields source, row and reason of each rejected row."""
    zone = parse_time_zone(settings.time_zone)
    columns: list[str] = []
    for number, row in read_rows(path):
        if isinstance(row, Rejection):
            yield str(path), number, row
            continue
        columns = columns or _columns(path, row, settings)
        subject = time = None
        try:
            subject = _subject(path, row, settings)
            time = parse_cell_time(row[settings.time], zone, settings.time_format)
        except ValueError as error:
            column = settings.time if subject is not None else settings.subject or "file"
            yield str(path), number, Rejection(column, row.get(column, path.name), str(error))
            continue
        samples, rejections = _samples(row, columns)
        if not samples:
            empty = Rejection(columns[0], "", "no number in any series")
            yield str(path), number, (rejections or [empty])[0]
            continue
        for rejection in rejections:
            yield f"{path}#{rejection.field}", number, rejection
        key = (subject, time // length)
        window = windows.get(key)
        if window is None:
            window = windows[key] = _Window(
                str(path), number, tuple(_Sums() for _ in settings.series)
            )
        days = (time - key[1] * length) / MICROSECONDS_PER_DAY
        for index, value in samples:
            window.sums[index].add(days, value, settings.series[index])


def _samples(row: Row, columns: list[str]) -> tuple[list[tuple[int, float]], list[Rejection]]:
    """The row's numbers, each with the index of its series, and the cells that are none."""
    samples: list[tuple[int, float]] = []
    rejections: list[Rejection] = []
    for index, column in enumerate(columns):
        if not is_blank(row[column]):
            try:
                samples.append((index, parse_number(row[column])))
            except ValueError as error:
                rejections.append(Rejection(column, row[column], str(error)))
    return samples, rejections


def _columns(path: Path, row: Row, settings: WearableSettings) -> list[str]:
    """The column of each series in this file."""
    require_columns(path, row, (settings.time, *([settings.subject] if settings.subject else [])))
    columns = []
    for series in settings.series:
        column = next((name for name in series.column if name in row), None)
        if column is None:
            require_columns(path, row, series.column[:1])
        columns.append(str(column))
    return columns


def _recording(path: Path, settings: WearableSettings) -> str:
    """The recording that a file belongs to; files of one recording are summarised together."""
    if settings.subject is not None:
        return str(path)
    name = path.name.split(".")[0]
    return name.split(settings.subject_until)[0] if settings.subject_until else name


def _subject(path: Path, row: Row, settings: WearableSettings) -> int:
    if settings.subject is not None:
        return parse_subject(row[settings.subject])
    return to_subject_id(_recording(path, settings))


def _features(series: SeriesMapping, sums: _Sums, end: int, length: int) -> Iterator[Event]:
    if not sums.count:
        return
    expected = length / (series.every_minutes * 60_000_000)
    features: dict[str, tuple[float, str]] = {
        "mean": (sums.mean, series.unit),
        "samples": (float(sums.count), "1"),
        "missing": (max(0.0, 1 - sums.count / expected), "1"),
    }
    if sums.count > 1:
        features["sd"] = (sqrt(max(0.0, sums.squares) / (sums.count - 1)), series.unit)
        if sums.squares_time > 0:
            features["slope"] = (sums.products / sums.squares_time, f"{series.unit}/d")
    if series.range_low is not None:
        features["below"] = (sums.below / sums.count, "1")
    if series.range_high is not None:
        features["above"] = (sums.above / sums.count, "1")
    if series.range_low is not None and series.range_high is not None:
        features["in_range"] = (1 - (sums.below + sums.above) / sums.count, "1")
    for name, (value, unit) in features.items():
        if abs(value) < 3e38:  # fits in float32; sums of absurd numbers may not
            yield Event(f"{series.code}//{name}", end, value, None, unit)
