"""Mapping files of tables (TOML): which column is the subject, the time, the code and the value."""

import re
from dataclasses import dataclass
from pathlib import Path

from posology.errors import RecordError
from posology.records.io.settings import load_settings
from posology.records.io.times import parse_time_zone

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
"""Seconds in each unit of `offset` (UCUM)."""
FIELD = re.compile(r"\{([^{}]+)\}")
"""A column in a template."""


@dataclass(frozen=True, slots=True)
class EventMapping:
    """One kind of event of one table. In a template, `{column}` stands for the row's cell."""

    subject: str
    """Column of the patient's identifier."""
    code: str
    """Template, such as `LAB//{label}`; a row with an empty cell in it is rejected."""
    file: str | None = None
    """File or pattern, relative to the mapping file."""
    table: str | None = None
    """Table of the database, such as `labs` or `schema.labs`."""
    time: str | None = None
    """Template, such as `{charttime}`; without it the events are static facts (sex, genotype)."""
    timeless: bool = False
    """Whether rows with an empty time are static facts; otherwise they are rejected."""
    time_format: str | None = None
    """Format of the times (strptime), if they are not ISO 8601."""
    offset: str | None = None
    """Column of a number that is added to the time."""
    offset_unit: str = "min"
    value: str | None = None
    """Column of the value: a number becomes numeric_value, anything else text_value."""
    unit: str | None = None
    """Template of the unit, such as `{valueuom}` or `mg`."""
    text: str | None = None
    """Template of a text that is stored in addition to the value."""
    when: str | None = None
    """Column that must not be empty; other rows are skipped."""
    join: str | None = None
    """File whose columns are added to the row's, relative to the mapping file."""
    on: str | None = None
    """Column that both files have; in `join`, each value has one row."""

    def columns(self) -> list[str]:
        """All columns that the mapping names, without duplicates."""
        templates = (self.code, self.time, self.unit, self.text)
        fields = [name for template in templates if template for name in FIELD.findall(template)]
        single = [self.subject, self.offset, self.value, self.when, self.on]
        return list(dict.fromkeys([*fields, *[name for name in single if name is not None]]))


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A mapping file."""

    event: tuple[EventMapping, ...]
    database: str | None = None
    """URL of the database that has the tables."""
    time_zone: str = "UTC"
    """Times with an offset are converted to this zone; other times are in it already."""


def read_mapping(path: Path) -> TableMapping:
    """The mapping file, checked; RecordError names the event and the key."""
    mapping = load_settings(path, TableMapping)
    parse_time_zone(mapping.time_zone)
    for number, entry in enumerate(mapping.event, start=1):
        place = f"{path}: event {number}"
        if (entry.file is None) == (entry.table is None):
            raise RecordError(f"{place}: name either a file or a table")
        if entry.table is not None and mapping.database is None:
            raise RecordError(f"{place}: table {entry.table!r} needs `database`, its URL")
        if entry.offset_unit not in SECONDS:
            raise RecordError(
                f"{place}: offset_unit {entry.offset_unit!r} is not one of {', '.join(SECONDS)}"
            )
        if entry.time is not None and not FIELD.search(entry.time):
            raise RecordError(
                f"{place}: time {entry.time!r} names no column; write {{{entry.time}}}"
            )
        if (entry.join is None) != (entry.on is None):
            raise RecordError(f"{place}: `join` and `on` go together")
    return mapping
