"""Mapping files of tables (TOML): which column is the subject, the time, the code and the value."""

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from posology.errors import RecordError
from posology.records.io.settings import load_settings
from posology.records.io.times import parse_time_zone
from posology.records.sources.tables.months import MONTHS

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
"""Seconds in each unit of `offset` (UCUM)."""
FIELD = re.compile(r"\{([^{}]+)\}")
"""A column in a template."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
"""A time that is the same for all rows, where a table has no dates."""
ROW = "_row"
"""The row's number, as a column of templates."""


@dataclass(frozen=True, slots=True)
class EventMapping:
    """One kind of event of one table. In a template, `{column}` stands for the row's cell."""

    code: str
    """Template, such as `LAB//{label}`; a row with an empty cell in it is rejected."""
    subject: str | None = None
    """Column of the patient's identifier; or a template, such as `trial-{_row}` (row number)."""
    file: str | None = None
    """File or pattern, relative to the mapping file."""
    table: str | None = None
    """Table of the database, such as `labs` or `schema.labs`."""
    time: str | None = None
    """Template, such as `{charttime}`, or one day for all rows; without it the events are static
    facts (sex, genotype)."""
    static: bool = False
    """Whether these are static facts although the mapping has a `time` for all events."""
    timeless: bool = False
    """Whether rows with an empty time are static facts; otherwise they are rejected."""
    time_format: str | tuple[str, ...] | None = None
    """Formats of the times (strptime), tried in order; `iso` is ISO 8601, the default."""
    months: str | None = None
    """Language of the names of months in the times, for %B and %b: polish or german."""
    offset: str | float | None = None
    """Column of a number that is added to the time; or a number that is added to all."""
    offset_unit: str = "min"
    value: str | None = None
    """Column of the value: a number becomes numeric_value, anything else text_value."""
    unit: str | None = None
    """Template of the unit, such as `{valueuom}` or `mg`."""
    text: str | None = None
    """Template of a text that is stored in addition to the value."""
    when: str | None = None
    """Column that must not be empty; other rows are skipped."""
    when_is: str | tuple[str, ...] | None = None
    """What that column must be: one text, or one of several; `1` where 0 is no event."""
    join: str | None = None
    """File whose columns are added to the row's, relative to the mapping file."""
    on: str | None = None
    """Column that both files have; in `join`, each value has one row."""
    delimiter: str | None = None
    """What separates the cells of a text file; by default as its first lines show."""
    decimal: str | None = None
    """Decimal mark of numbers, `.` or `,`."""
    encoding: str | None = None
    """Encoding of a text file, such as cp1250; by default as its first megabyte shows."""
    missing: tuple[str, ...] | None = None
    """Cells that mean that nothing is known, such as NA; they are read as empty, in any column."""

    def columns(self) -> list[str]:
        """All columns that the mapping names, without duplicates."""
        templates = (self.subject_template, self.code, self.time, self.unit, self.text)
        fields = [name for template in templates if template for name in FIELD.findall(template)]
        offset = self.offset if isinstance(self.offset, str) else None
        single = [offset, self.value, self.when, self.on]
        named = dict.fromkeys([*fields, *[name for name in single if name is not None]])
        return [name for name in named if name != ROW]

    @property
    def subject_template(self) -> str:
        """The subject as a template."""
        subject = self.subject or ""
        return subject if FIELD.search(subject) else f"{{{subject}}}"

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the times; none for ISO 8601."""
        stated = self.time_format or ()
        return (stated,) if isinstance(stated, str) else stated

    @property
    def accepted(self) -> tuple[str, ...]:
        """What the column of `when` must be; empty: anything."""
        stated = self.when_is or ()
        return (stated,) if isinstance(stated, str) else stated


SHARED = (
    *("file", "table", "subject", "time", "time_format", "months"),
    *("delimiter", "decimal", "encoding", "missing"),
)
"""Keys that a mapping file may state once for all its events."""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A mapping file. Every key of SHARED is the default of its events."""

    event: tuple[EventMapping, ...]
    database: str | None = None
    """URL of the database that has the tables."""
    time_zone: str = "UTC"
    """Times with an offset are converted to this zone; other times are in it already."""
    file: str | None = None
    table: str | None = None
    subject: str | None = None
    time: str | None = None
    time_format: str | tuple[str, ...] | None = None
    months: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] | None = None


def read_mapping(path: Path) -> TableMapping:
    """The mapping file, checked, each event with its defaults; RecordError names event and key."""
    if path.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".xlsx")):
        raise RecordError(
            f"{path}: is a table, and --table wants a mapping file; `posology ingest --suggest "
            f"{path}` writes a first one"
        )
    mapping = load_settings(path, TableMapping)
    parse_time_zone(mapping.time_zone)
    entries = tuple(_with_defaults(entry, mapping) for entry in mapping.event)
    for number, entry in enumerate(entries, start=1):
        problem = _problem(entry, mapping) or _format_problem(entry)
        if problem is not None:
            raise RecordError(f"{path}: event {number}: {problem}")
    if any(entry.months for entry in entries) and not any(
        "%b" in text.lower() for entry in entries for text in entry.formats
    ):
        raise RecordError(f'{path}: months needs a time_format with %B, such as "%d %B %Y"')
    return replace(mapping, event=entries)


def _with_defaults(entry: EventMapping, mapping: TableMapping) -> EventMapping:
    missing = {name: getattr(mapping, name) for name in SHARED if getattr(entry, name) is None}
    if entry.file is not None or entry.table is not None:
        missing = {**missing, "file": entry.file, "table": entry.table}
    if entry.static:
        missing["time"] = None
    return replace(entry, **missing)


def _problem(entry: EventMapping, mapping: TableMapping) -> str | None:
    """What is missing or contradictory in an event; None if nothing is."""
    if (entry.file is None) == (entry.table is None):
        return "name either a file or a table"
    if not entry.subject:
        return (
            "needs `subject`, its own or the mapping's: a column; or, if each row is a patient, "
            'a template such as "trial-{_row}"'
        )
    if entry.table is not None and mapping.database is None:
        return f"table {entry.table!r} needs `database`, its URL"
    if entry.offset_unit not in SECONDS:
        return f"offset_unit {entry.offset_unit!r} is not one of {', '.join(SECONDS)}"
    if entry.time is not None and not FIELD.search(entry.time) and not _DAY.fullmatch(entry.time):
        return f"time {entry.time!r} names no column and no day; write {{{entry.time}}}"
    if entry.static and (entry.offset is not None or entry.timeless):
        return "static facts have no time: remove `offset` and `timeless`, or `static`"
    if (entry.join is None) != (entry.on is None):
        return "`join` and `on` go together"
    if entry.when_is is not None and entry.when is None:
        return "`when_is` needs `when`, the column that it speaks of"
    return None


def _format_problem(entry: EventMapping) -> str | None:
    """What is wrong with how the event says that dates, numbers and texts are written."""
    for text in entry.formats:
        if "%" not in text and text != "iso":
            return f"time_format {text!r} has no %; write such as %d/%m/%Y, or iso"
    if entry.months is not None and entry.months not in MONTHS:
        return f"months {entry.months!r} is not one of {', '.join(MONTHS)}"
    if entry.decimal not in (None, ".", ","):
        return f'decimal {entry.decimal!r} is not "." or ","'
    if entry.delimiter is not None and len(entry.delimiter) != 1:
        return f"delimiter {entry.delimiter!r} is not one character"
    if entry.encoding is not None:
        try:
            codecs.lookup(entry.encoding)
        except LookupError:
            return f"encoding {entry.encoding!r} is not known; write such as utf-8 or cp1250"
    return None
