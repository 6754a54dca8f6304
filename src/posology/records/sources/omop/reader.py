"""OMOP CDM 5.4 and 5.3 to events: Ibis expressions over a folder of files or a live database.

An event's row is the record's own id in its table. Its time is when it became known: a diagnosis
of a stay in hospital is known when the stay ends, everything else when it is dated.
"""

import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.duckdb_tables import ENDINGS, damage_told, open_table, reader, rejected
from posology.records.io.engine import Engine, connect, fit, write
from posology.records.pipeline.ingest import Source, Staged
from posology.records.schema import RAW, REFUSED
from posology.records.sources.omop.tables import TABLES, Cdm, facts_of

NEEDED = ("concept", "drug_strength", "location")
"""Tables that are looked up beside those that hold events."""


def omop_source(place: str) -> Source:
    """An OMOP CDM: a folder of CSV or Parquet files, such a folder zipped, or a database's URL.

    In a URL, `?schema=NAME` names the schema that holds the tables.
    """
    if "://" in place:
        return Source(place.split("@")[-1], (), lambda _con, folder: _from_database(place, folder))
    path = Path(place)
    if path.suffix == ".zip":
        return Source(place, (path,), lambda _con, folder: _from_zip(path, folder))
    files = find_tables(path)
    inputs = tuple(file for found in files.values() for file in found)
    return Source(place, inputs, lambda _con, folder: _from_files(files, place, folder))


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """Each CDM table's files: `TABLE.csv`, `table.parquet`, or the files of a folder `table`."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: there is no such folder")
    wanted = {*TABLES, *NEEDED}
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.name.lower().endswith(ENDINGS) or "__MACOSX" in path.parts:
            continue
        stem = path.name.split(".")[0].lower()
        name = stem if stem in wanted else path.parent.name.lower()
        if name in wanted:
            found.setdefault(name, []).append(path)
    if "person" not in found:
        raise RecordError(
            f"{folder}: holds no OMOP CDM: there is no PERSON.csv or person.parquet in it"
        )
    return found


def _from_zip(path: Path, folder: Path) -> Staged:
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "unzipped")
    except (zipfile.BadZipFile, OSError) as error:
        raise RecordError(f"{path}: cannot be unzipped ({error})") from error
    return _from_files(find_tables(folder / "unzipped"), str(path), folder)


def _from_files(files: dict[str, list[Path]], place: str, folder: Path) -> Staged:
    duck = reader(folder)
    bad = []
    for name, paths in files.items():
        parts = []
        for number, path in enumerate(paths):
            open_table(duck, path, f"{name}_{number}")
            lost = rejected(duck, path)
            if name in TABLES:
                told = pa.array([f"{place}#{name}"] * len(lost), pa.string())
                bad.append(lost.set_column(0, "source", told))
            parts.append(f'SELECT * FROM "{name}_{number}"')
        union = " UNION ALL BY NAME ".join(parts)
        duck.execute(f'CREATE TEMP VIEW "cdm_{name}" AS {union}')
    con = ibis.duckdb.from_connection(duck)
    tables = {name: _lower(con.table(f"cdm_{name}")) for name in files}
    try:
        with damage_told(place):
            return _staged(con, tables, place, folder, bad)
    finally:
        con.disconnect()


def _from_database(url: str, folder: Path) -> Staged:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    schema = query.pop("schema", None)
    con = connect(Engine(urlunsplit(parts._replace(query=urlencode(query)))))
    try:
        there = {name.lower(): name for name in con.list_tables(database=schema)}
        if "person" not in there:
            raise RecordError(
                f"{url.split('@')[-1]}: holds no OMOP CDM: there is no table person; "
                "name its schema in the URL with ?schema=NAME"
            )
        wanted = [name for name in (*TABLES, *NEEDED) if name in there]
        tables = {name: _lower(con.table(there[name], database=schema)) for name in wanted}
        return _staged(con, tables, url.split("@")[-1], folder, [])
    finally:
        con.disconnect()


def _lower(table: ir.Table) -> ir.Table:
    return table.rename({name.lower(): name for name in table.columns if name != name.lower()})


def _staged(
    con: Any, tables: dict[str, ir.Table], place: str, folder: Path, bad: list[pa.Table]
) -> Staged:
    cdm = Cdm(tables)
    written, refused, rows = [], [], sum(table.num_rows for table in bad)
    for name in [name for name in TABLES if name in tables]:
        rows += int(con.to_pyarrow(tables[name].count()).as_py())
        for number, facts in enumerate(facts_of(cdm, name)):
            source = ibis.literal(f"{place}#{name}")
            facts = con.create_table(
                f"posology_{name}_{number}", facts.mutate(source=source), temp=True
            )
            good = facts.filter(facts.field.isnull())
            path = folder / f"{name}_{number}.parquet"
            write(con, fit(good, RAW), path, RAW)
            written.append(path)
            lost = facts.filter(facts.field.notnull())
            aside = folder / f"{name}_{number}_refused.parquet"
            write(con, fit(lost, REFUSED), aside, REFUSED)
            refused.append(aside)
    if bad:
        aside = folder / "unreadable.parquet"
        pq.write_table(pa.concat_tables(bad).cast(REFUSED), aside)
        refused.append(aside)
    return Staged(tuple(written), tuple(refused), rows, _meanings(con, cdm, written))


def _meanings(con: Any, cdm: Cdm, written: list[Path]) -> dict[str, str]:
    """What the codes that were written mean, from the concept table."""
    if cdm.concepts is None:
        return {}
    codes: set[str] = set()
    for path in written:
        codes |= set(pq.read_table(path, columns=["code"])["code"].unique().to_pylist())
    table = con.to_pyarrow(cdm.concepts.select("concept_told", "concept_name"))
    names = dict(zip(*(table[c].to_pylist() for c in table.column_names), strict=True))
    found = {}
    for code in codes:
        parts = code.split("//")
        told = "//".join(parts[1:3])
        if names.get(told):
            found[code] = names[told]
    return found
