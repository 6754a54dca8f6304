"""OMOP CDM 5.4 and 5.3 as events: Ibis expressions on a folder of files or a live database.

An event's row is the record's id in its table. Its time is when the fact became known: a diagnosis
of a hospital stay is known when the stay ends, everything else at its date.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.duckdb_tables import (
    DUCKDB_EXTENSIONS,
    connect_reader,
    create_table,
    damage_as_record_error,
    rejected_lines,
)
from posology.records.io.engine import Engine, conform, connect, write_parquet
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.schema import RAW, REJECTED
from posology.records.sources.omop.tables import TABLES, Cdm, table_events

LOOKUP_TABLES = ("concept", "drug_strength", "location")
"""Tables that have no events and are joined to those that have."""


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source per OMOP CDM: a folder of CSV or Parquet files, the folder zipped, or a URL.

    In the URL of a database, `?schema=NAME` names the schema of the tables.
    """
    return [_source(str(location)) for location in inputs]


def _source(location: str) -> Source:
    if "://" in location:
        name = location.split("@")[-1]
        return Source(name, (), lambda _con, folder: _from_database(location, folder))
    path = Path(location)
    if path.suffix == ".zip":
        return Source(location, (path,), lambda _con, folder: _from_zip(path, folder))
    tables = find_tables(path)
    files = tuple(file for files in tables.values() for file in files)
    return Source(location, files, lambda _con, folder: _from_files(tables, location, folder))


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """Files of each CDM table: `TABLE.csv`, `table.parquet`, or the files of a folder `table`."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: there is no such folder")
    names = {*TABLES, *LOOKUP_TABLES}
    tables: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.name.lower().endswith(DUCKDB_EXTENSIONS) or "__MACOSX" in path.parts:
            continue
        stem = path.name.split(".")[0].lower()
        name = stem if stem in names else path.parent.name.lower()
        if name in names:
            tables.setdefault(name, []).append(path)
    if "person" not in tables:
        raise RecordError(
            f"{folder}: is not an OMOP CDM: there is no PERSON.csv or person.parquet in it"
        )
    return tables


def _from_zip(path: Path, folder: Path) -> StagedSource:
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "unzipped")
    except (zipfile.BadZipFile, OSError) as error:
        raise RecordError(f"{path}: cannot be unzipped ({error})") from error
    return _from_files(find_tables(folder / "unzipped"), str(path), folder)


def _from_files(files: dict[str, list[Path]], location: str, folder: Path) -> StagedSource:
    duck = connect_reader(folder)
    malformed = []
    for name, paths in files.items():
        parts = []
        for number, path in enumerate(paths):
            create_table(duck, path, f"{name}_{number}")
            lines = rejected_lines(duck, path)
            if name in TABLES:
                sources = pa.array([f"{location}#{name}"] * len(lines), pa.string())
                malformed.append(lines.set_column(0, "source", sources))
            parts.append(f'SELECT * FROM "{name}_{number}"')
        union = " UNION ALL BY NAME ".join(parts)
        duck.execute(f'CREATE TEMP VIEW "cdm_{name}" AS {union}')
    con = ibis.duckdb.from_connection(duck)
    tables = {name: _lower(con.table(f"cdm_{name}")) for name in files}
    try:
        with damage_as_record_error(location):
            return _stage(con, tables, location, folder, malformed)
    finally:
        con.disconnect()


def _from_database(url: str, folder: Path) -> StagedSource:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    schema = query.pop("schema", None)
    con = connect(Engine(urlunsplit(parts._replace(query=urlencode(query)))))
    try:
        names = {name.lower(): name for name in con.list_tables(database=schema)}
        if "person" not in names:
            raise RecordError(
                f"{url.split('@')[-1]}: is not an OMOP CDM: there is no table person; "
                "name its schema in the URL with ?schema=NAME"
            )
        present = [name for name in (*TABLES, *LOOKUP_TABLES) if name in names]
        tables = {name: _lower(con.table(names[name], database=schema)) for name in present}
        return _stage(con, tables, url.split("@")[-1], folder, [])
    finally:
        con.disconnect()


def _lower(table: ir.Table) -> ir.Table:
    """The table with its column names in lower case."""
    return table.rename({name.lower(): name for name in table.columns if name != name.lower()})


def _stage(
    con: Any, tables: dict[str, ir.Table], location: str, folder: Path, malformed: list[pa.Table]
) -> StagedSource:
    cdm = Cdm(tables)
    events, rejected, rows = [], [], sum(table.num_rows for table in malformed)
    for name in [name for name in TABLES if name in tables]:
        rows += int(con.to_pyarrow(tables[name].count()).as_py())
        for number, outcomes in enumerate(table_events(cdm, name)):
            source = ibis.literal(f"{location}#{name}")
            outcomes = con.create_table(
                f"posology_{name}_{number}", outcomes.mutate(source=source), temp=True
            )
            events.append(folder / f"{name}_{number}.parquet")
            accepted = outcomes.filter(outcomes.field.isnull())
            write_parquet(con, conform(accepted, RAW), events[-1], RAW)
            rejected.append(folder / f"{name}_{number}_rejected.parquet")
            faulty = outcomes.filter(outcomes.field.notnull())
            write_parquet(con, conform(faulty, REJECTED), rejected[-1], REJECTED)
    if malformed:
        rejected.append(folder / "unreadable.parquet")
        pq.write_table(pa.concat_tables(malformed).cast(REJECTED), rejected[-1])
    return StagedSource(tuple(events), tuple(rejected), rows, _meanings(con, cdm, events))


def _meanings(con: Any, cdm: Cdm, files: list[Path]) -> dict[str, str]:
    """Descriptions of the codes in the files of events, from the concept table."""
    if cdm.concepts is None:
        return {}
    codes: set[str] = set()
    for path in files:
        codes |= set(pq.read_table(path, columns=["code"])["code"].unique().to_pylist())
    table = con.to_pyarrow(cdm.concepts.select("concept_code", "concept_name"))
    names = dict(zip(*(table[c].to_pylist() for c in table.column_names), strict=True))
    meanings = {}
    for code in codes:
        concept = "//".join(code.split("//")[1:3])
        if names.get(concept):
            meanings[code] = names[concept]
    return meanings
