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
    read_column_names,
    rejected_lines,
)
from posology.records.io.engine import Engine, conform, connect, from_duckdb, write_parquet
from posology.records.meds_dataset import MANIFEST
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.schema import RAW, REJECTED
from posology.records.sources.omop.tables import TABLES, UNREAD, VOCABULARY, Cdm, table_events

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
    return Source(location, files, lambda _con, folder: _from_files(tables, location, folder, path))


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
    unzipped = folder / "unzipped"
    return _from_files(find_tables(unzipped), str(path), folder, unzipped)


def _unread_files(root: Path, files: dict[str, list[Path]], location: str) -> pa.Table:
    """One rejected row for each file of the folder that is neither read nor a vocabulary's."""
    read = {path for paths in files.values() for path in paths}
    others = [
        path.relative_to(root)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path not in read and not _is_own(path.relative_to(root), root)
    ]
    names = [
        str(path)
        for path in others
        if path.name.split(".")[0].lower() not in VOCABULARY
        and path.parent.name.lower() not in VOCABULARY
    ]
    return _unread(location, names, "this file is no table of the CDM that is read")


def _is_own(path: Path, root: Path) -> bool:
    """Whether a file is hidden, of a Mac's zip, or of a folder that `posology ingest` wrote."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return hidden or any((root / above / MANIFEST).exists() for above in path.parents)


def _unread(location: str, names: list[str], reason: str) -> pa.Table:
    """Rejected rows for files or tables that are not read as a whole."""
    return pa.table(
        {
            "source": [f"{location}#{name}" for name in names],
            "row": pa.array([1] * len(names), pa.int64()),
            "field": ["fileName"] * len(names),
            "value": names,
            "reason": [reason] * len(names),
        },
        schema=REJECTED,
    )


def _from_files(
    files: dict[str, list[Path]], location: str, folder: Path, root: Path
) -> StagedSource:
    duck = connect_reader(folder)
    malformed = [_unread_files(root, files, location)]
    for name, paths in files.items():
        parts = []
        for number, path in enumerate(paths):
            delimiter = _delimiter(path)
            # OHDSI's Athena writes tabs, and quotes as characters of a name
            create_table(duck, path, f"{name}_{number}", delimiter, has_quotes=delimiter != "\t")
            lines = rejected_lines(duck, path)
            if name in TABLES:
                sources = pa.array([f"{location}#{name}"] * len(lines), pa.string())
                malformed.append(lines.set_column(0, "source", sources))
            parts.append(f'SELECT * FROM "{name}_{number}"')
        union = " UNION ALL BY NAME ".join(parts)
        duck.execute(f'CREATE TEMP VIEW "cdm_{name}" AS {union}')
    con = from_duckdb(duck)
    tables = {name: _lower(con.table(f"cdm_{name}")) for name in files}
    try:
        with damage_as_record_error(location):
            return _stage(con, tables, location, folder, malformed)
    finally:
        con.disconnect()


def _delimiter(path: Path) -> str | None:
    """Of a `.csv` that has other separators than commas, as vocabularies from Athena do."""
    names = read_column_names(path)
    return next((mark for mark in "\t;|" if len(names) == 1 and mark in names[0]), None)


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
        place = url.split("@")[-1]
        unread = [name for name in UNREAD if name in names]
        listed = _unread(place, unread, "this table of the CDM is not read")
        return _stage(con, tables, place, folder, [listed])
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
        parts = code.split("//")
        concept, value = names.get("//".join(parts[1:3])), names.get("//".join(parts[3:5]))
        if concept:
            meanings[code] = f"{concept}: {value}" if value else concept
    return meanings
