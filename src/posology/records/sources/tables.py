"""Any table to events, by a small mapping file: which column is the subject, the time, the code.

Files are read by DuckDB whole columns at a time; a database's tables are first copied column by
column to Parquet, so that one path reads both.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.duckdb_tables import columns_of, damage_told, open_table, reader, rejected
from posology.records.io.engine import Engine, batches, connect, quoted
from posology.records.io.settings import load_settings
from posology.records.io.subject_ids import subject_numbers
from posology.records.io.times import zone_named
from posology.records.pipeline.ingest import Source, Staged
from posology.records.schema import RAW, REFUSED

OFFSETS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
"""Seconds in a unit of `offset`, UCUM's names."""
FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Columns:
    """One kind of event of one table. `{column}` in a template stands for the row's cell."""

    subject: str
    """Column of the patient's identifier."""
    code: str
    """Template, such as `LAB//{label}`; a row that lacks one of its columns is refused."""
    file: str | None = None
    """File or pattern, relative to the mapping file."""
    table: str | None = None
    """Table of the database, such as `labs` or `schema.labs`."""
    time: str | None = None
    """Template, such as `{charttime}`; without it the facts are static (birth sex, genotype)."""
    timeless: bool = False
    """Rows whose time is empty are static facts; otherwise they are refused."""
    time_format: str | None = None
    """How times are written (strptime), where they are not ISO 8601."""
    offset: str | None = None
    """Column of a number that is added to the time."""
    offset_unit: str = "min"
    value: str | None = None
    """Column of the value: a number becomes numeric_value, anything else text_value."""
    unit: str | None = None
    """Template of the unit, such as `{valueuom}` or `mg`."""
    text: str | None = None
    """Template of a text that stands beside the value."""
    when: str | None = None
    """Column that must not be empty for the row to be such an event; other rows are not its."""
    join: str | None = None
    """File whose columns are added to the row's, relative to the mapping file."""
    on: str | None = None
    """Column that both files have, one row each in `join`."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping file."""

    event: tuple[Columns, ...]
    database: str | None = None
    """URL of the database that has the tables."""
    time_zone: str = "UTC"
    """Times that tell their offset are put on this zone's clock; others are on it already."""


def read_mapping(path: Path) -> Mapping:
    """The mapping file, checked: an unknown key is an error that names the nearest."""
    mapping = load_settings(path, Mapping)
    zone_named(mapping.time_zone)
    for number, entry in enumerate(mapping.event, start=1):
        place = f"{path}: event {number}"
        if (entry.file is None) == (entry.table is None):
            raise RecordError(f"{place}: name either a file or a table")
        if entry.table is not None and mapping.database is None:
            raise RecordError(f"{place}: table {entry.table!r} needs `database`, its URL")
        if entry.offset_unit not in OFFSETS:
            raise RecordError(
                f"{place}: offset_unit {entry.offset_unit!r} is not one of {', '.join(OFFSETS)}"
            )
        if entry.time is not None and not FIELD.search(entry.time):
            raise RecordError(
                f"{place}: time {entry.time!r} names no column; write {{{entry.time}}}"
            )
        if (entry.join is None) != (entry.on is None):
            raise RecordError(f"{place}: `join` and `on` go together")
    return mapping


def table_sources(path: Path) -> list[Source]:
    """What the mapping file tells to ingest: one source for each of its events and files."""
    mapping = read_mapping(path)
    found = []
    for number, entry in enumerate(mapping.event, start=1):
        settings = f"{mapping.time_zone} {entry!r}"
        if entry.table is not None:
            name = f"{entry.table} ({path.name} event {number})"
            found.append(Source(name, (), _database_stage(mapping, entry, name), settings))
            continue
        other = () if entry.join is None else (path.parent / entry.join,)
        for file in _files(path, entry):
            stage = _file_stage(mapping, entry, file, other)
            found.append(Source(f"{file} (event {number})", (file, *other), stage, settings))
    return found


def _files(path: Path, entry: Columns) -> list[Path]:
    pattern = entry.file or ""
    absolute = Path(pattern).is_absolute()
    root = Path(Path(pattern).anchor) if absolute else path.parent
    relative = str(Path(pattern).relative_to(root)) if absolute else pattern
    files = sorted(root.glob(relative))
    if not files:
        raise RecordError(f"{path}: no file is named {pattern!r} (looked in {root})")
    return files


def _file_stage(mapping: Mapping, entry: Columns, file: Path, other: tuple[Path, ...]) -> Any:
    def stage(_con: Any, folder: Path) -> Staged:
        return stage_table(mapping, entry, (file, *other), folder, str(file))

    return stage


def _database_stage(mapping: Mapping, entry: Columns, name: str) -> Any:
    def stage(_con: Any, folder: Path) -> Staged:
        con = connect(Engine(mapping.database or ""))
        try:
            *schema, table = (entry.table or "").split(".")
            try:
                columns = con.table(table, database=schema[0] if schema else None)
            except Exception as error:
                raise RecordError(f"{name}: the database has no such table") from error
            needed = [n for n in _named(entry) if n in columns.columns]
            copy = folder / "table.parquet"
            write_batches(con, columns.select(needed), copy)
        finally:
            con.disconnect()
        return stage_table(mapping, entry, (copy,), folder, name)

    return stage


def write_batches(con: Any, table: Any, path: Path) -> None:
    """Copy a table of a database to Parquet, some rows at a time."""
    schema = table.schema().to_pyarrow()
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches(con, table):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _named(entry: Columns) -> list[str]:
    """Columns that the entry names, each once."""
    templates = (entry.code, entry.time, entry.unit, entry.text)
    inside = [n for template in templates if template for n in FIELD.findall(template)]
    single = [entry.subject, entry.offset, entry.value, entry.when, entry.on]
    return list(dict.fromkeys([*inside, *[n for n in single if n is not None]]))


def stage_table(
    mapping: Mapping, entry: Columns, files: tuple[Path, ...], folder: Path, source: str
) -> Staged:
    """Read one table (and the one joined to it) into Parquet files of events and refused rows."""
    duck = reader(folder)
    try:
        open_table(duck, files[0], "first")
        bad = rejected(duck, files[0])
        have = columns_of(files[0])
        if len(files) > 1:
            _join(duck, files[1], entry.on or "")
            have += [name for name in columns_of(files[1]) if name not in have]
        else:
            duck.execute("CREATE TEMP VIEW own AS SELECT * FROM first")
        for name in _named(entry):
            if name not in have:
                raise RecordError(
                    f"{source}: has no column {name!r}; its columns are {', '.join(have)}"
                )
        with damage_told(source):
            return _stage(duck, mapping, entry, folder, (source, bad))
    finally:
        duck.close()


def _join(duck: duckdb.DuckDBPyConnection, path: Path, on: str) -> None:
    open_table(duck, path, "other")
    key = _name(on)
    rows = duck.execute(f"SELECT {key} FROM other GROUP BY 1 HAVING count(*) > 1 LIMIT 1")
    twice = rows.fetchone()
    if twice is not None:
        raise RecordError(
            f"{path}: {on} {twice[0]!r} stands in more than one row; a joined file has one each"
        )
    duck.execute(
        f"CREATE TEMP TABLE own AS SELECT first.*, other.* EXCLUDE (_row, {key}) "
        f"FROM first LEFT JOIN other ON first.{key} = other.{key} ORDER BY first._row"
    )


def _stage(
    duck: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    entry: Columns,
    folder: Path,
    told: tuple[str, pa.Table],
) -> Staged:
    source, bad = told
    where = "" if entry.when is None else f"WHERE {_cell(entry.when)} IS NOT NULL"
    duck.execute(
        f"CREATE TEMP TABLE picked AS SELECT _row, {_cell(entry.subject)} AS subject, "
        f"{_template(entry.code)} AS code, {_template(entry.time)} AS time_told, "
        f"{_cell(entry.offset)} AS offset_told, {_cell(entry.value)} AS value_told, "
        f"{_template(entry.unit)} AS unit, {_template(entry.text)} AS text_told FROM own {where}"
    )
    texts = duck.sql("SELECT DISTINCT subject FROM picked WHERE subject IS NOT NULL")
    known = texts.to_arrow_table()
    numbers = pa.table(
        {"subject": known["subject"], "subject_id": subject_numbers(known["subject"])}
    )
    duck.register("numbers", numbers)
    duck.execute(_parsed(mapping, entry))
    events, refused = folder / "events.parquet", folder / "refused.parquet"
    name = quoted(source)
    _copy(
        duck,
        f"SELECT subject_id, time, code, numeric_value, text_value, unit, '{name}' AS source, "
        "_row AS row FROM parsed WHERE field IS NULL",
        events,
    )
    lost = duck.sql(
        f"SELECT '{name}' AS source, _row AS row, field, value, reason "
        "FROM parsed WHERE field IS NOT NULL ORDER BY _row"
    ).to_arrow_table()
    lost = pa.concat_tables([lost.cast(REFUSED), _renamed(bad, source)])
    pq.write_table(lost, refused)
    rows = duck.execute("SELECT count(*) FROM parsed").fetchone()
    return Staged((events,), (refused,), (rows or (0,))[0] + bad.num_rows)


def _renamed(bad: pa.Table, source: str) -> pa.Table:
    return bad.set_column(0, "source", pa.array([source] * bad.num_rows, pa.string())).cast(REFUSED)


def _copy(duck: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    relation = duck.sql(query)
    with pq.ParquetWriter(path, RAW) as writer:
        for batch in relation.to_arrow_reader(1_000_000):
            writer.write_table(pa.Table.from_batches([batch]).cast(RAW))


def _parsed(mapping: Mapping, entry: Columns) -> str:
    """SQL that reads the texts of `picked`: what is right, or the field that is wrong and why."""
    timed, offset = entry.time is not None, entry.offset is not None
    shape = "as ISO 8601; say how in time_format, such as %d/%m/%Y"
    if entry.time_format is not None:
        shape = f"as {entry.time_format}"
    problems = [
        ("subject_id IS NULL", entry.subject, "subject", "names no subject"),
        ("code IS NULL", "code", "NULL", f"a column of {entry.code} is empty"),
    ]
    if timed:
        if not entry.timeless:
            problems.append(("time_told IS NULL", entry.time or "", "NULL", "is empty"))
        test = "moment IS NULL AND time_told IS NOT NULL"
        problems.append((test, entry.time or "", "time_told", f"is not a date {shape}"))
    if offset:
        problems.append(
            (
                "seconds IS NULL",
                entry.offset or "",
                "offset_told",
                "is not a number of " + entry.offset_unit,
            )
        )
        problems.append(
            (
                "moved IS NULL AND moment IS NOT NULL",
                entry.offset or "",
                "offset_told",
                "leads outside the calendar",
            )
        )

    def case(place: int) -> str:
        arms = [(p[0], p[2] if place == 2 else f"'{quoted(p[place])}'") for p in problems]
        return "CASE " + " ".join(f"WHEN {test} THEN {arm}" for test, arm in arms) + " END"

    return f"""CREATE TEMP TABLE parsed AS
        SELECT *, {case(1)} AS field, {case(2)} AS value, {case(3)} AS reason FROM (
            SELECT _row, subject, code, time_told, offset_told, unit, subject_id, moment, seconds,
                number AS numeric_value,
                nullif(concat_ws('; ', CASE WHEN number IS NULL THEN value_told END,
                    text_told), '') AS text_value,
                try(moment + to_microseconds(seconds)) AS moved,
                {"moved" if offset else "moment"} AS time
            FROM (
                SELECT *, {_moment(mapping, entry)} AS moment,
                    try_cast(round(try_cast(offset_told AS DOUBLE) * {OFFSETS[entry.offset_unit]}e6)
                        AS BIGINT) AS seconds,
                    try_cast(CASE WHEN isfinite(try_cast(value_told AS DOUBLE)) THEN value_told END
                        AS FLOAT) AS told_number,
                    CASE WHEN isfinite(told_number) THEN told_number END AS number
                FROM picked LEFT JOIN numbers USING (subject)
            )
        )"""


def _moment(mapping: Mapping, entry: Columns) -> str:
    """SQL for the moment that `time_told` tells, null where it is no date."""
    if entry.time is None:
        return "NULL::TIMESTAMP"
    if entry.time_format is not None:
        return f"try_strptime(time_told, '{quoted(entry.time_format)}')::TIMESTAMP"
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    shapes = {
        f"{day}[ T].*(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)": (
            f"timezone('{quoted(mapping.time_zone)}', try_cast(time_told AS TIMESTAMPTZ))"
        ),
        f"{day}([ T].*)?": "try_cast(time_told AS TIMESTAMP)",
        "[0-9]{8}": "try_strptime(time_told, '%Y%m%d')",
        "[0-9]{4}-[0-9]{2}": (  # what is known of a month is not known before it ends
            "try_cast(time_told || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH - INTERVAL 1 MICROSECOND"
        ),
        "[0-9]{4}": (
            "try_cast(time_told || '-01-01' AS TIMESTAMP) "
            "+ INTERVAL 1 YEAR - INTERVAL 1 MICROSECOND"
        ),
    }
    arms = [
        f"WHEN regexp_full_match(time_told, '{shape}') THEN {moment}"
        for shape, moment in shapes.items()
    ]
    return f"CASE {' '.join(arms)} END"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _cell(column: str | None) -> str:
    """SQL for a cell as a text, null where it is empty."""
    return "NULL::VARCHAR" if column is None else f"nullif(trim({_name(column)}::VARCHAR), '')"


def _template(template: str | None) -> str:
    """SQL for a template filled with the row's cells; null where one of them is empty."""
    if template is None:
        return "NULL::VARCHAR"
    parts = FIELD.split(template)
    pieces = [
        _cell(part) if index % 2 else f"'{quoted(part)}'"
        for index, part in enumerate(parts)
        if part
    ]
    return " || ".join(pieces) or "NULL::VARCHAR"
