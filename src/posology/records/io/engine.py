"""The engine that runs table expressions: DuckDB in this process, PostgreSQL, or Spark.

Every expression is written once with Ibis. Only connecting, loading files and writing Parquet
differ between the engines, and only in this file.
"""

import base64
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from posology.errors import RecordError, describe_install

ROW_GROUP = 1_000_000
"""Rows in a Parquet row group: large enough to compress, small enough to stream (own choice)."""


LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine and its resources."""

    name: str = "duckdb"
    """`duckdb`, `spark`, or the URL of a PostgreSQL database (`postgresql://user@host/name`)."""
    memory: str = "2GB"
    """Memory that DuckDB may use before it spills to disk, or the memory of Spark's driver; what
    reads beside it uses at most as much."""
    threads: int = 2
    """Number of cores that DuckDB or a local Spark may use."""
    spill: Path | None = None
    """Folder for data that do not fit in memory; by default the system's temporary folder."""


def connect(engine: Engine = Engine()) -> Any:
    """The engine's Ibis backend, connected."""
    _leave_selects_nested()
    if engine.name == "duckdb":
        return _duckdb(engine)
    if engine.name == "spark":
        return _spark(engine)
    if engine.name.startswith(("postgresql://", "postgres://")):
        return _postgresql(engine.name)
    raise RecordError(
        f"engine {engine.name!r} is not known: write duckdb, spark, or postgresql://user@host/name"
    )


def from_duckdb(duck: duckdb.DuckDBPyConnection) -> Any:
    """The Ibis backend of a DuckDB that is open already."""
    _leave_selects_nested()
    return ibis.duckdb.from_connection(duck)


def _leave_selects_nested() -> None:
    """Ibis merges nested SELECTs in Python, a quarter of a small ingest; engines do it at once."""
    ibis.options.sql.fuse_selects = False


def _duckdb(engine: Engine) -> Any:
    con = ibis.duckdb.connect(threads=engine.threads)
    try:
        con.raw_sql(f"SET memory_limit = '{escape_quotes(engine.memory)}'")
    except Exception as error:
        if "memory" not in str(error).lower():
            raise
        raise RecordError(f"memory {engine.memory!r} is not a size: write 2GB or 500MB") from error
    con.raw_sql("SET preserve_insertion_order = false")  # an explicit order survives; 12 % faster
    con.raw_sql("SET enable_progress_bar = false")
    con.raw_sql("SET TimeZone = 'UTC'")
    if engine.spill is not None:
        con.raw_sql(f"SET temp_directory = '{escape_quotes(engine.spill)}'")
    return con


def _spark(engine: Engine) -> Any:
    return ibis.pyspark.connect(spark_session(engine.memory, engine.threads))


def spark_session(memory: str = "2GB", threads: int = 2) -> Any:
    """The Spark session: the one that exists, or where `spark.master` points, else a local one.

    A local one listens to no one else and runs Python as this process does.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise RecordError(f"engine spark needs: {describe_install('spark')}") from error
    session = (
        SparkSession.builder.appName("posology")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.memory", memory.removesuffix("B"))
        .config("spark.ui.enabled", "false")
    )
    if "spark.master" not in dict(session._options) and not names_master(os.environ):
        session = session.master(f"local[{threads}]")
        session = session.config("spark.sql.shuffle.partitions", str(2 * threads))
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for name in ("spark.driver.bindAddress", "spark.driver.host"):
            session = session.config(name, LOOPBACK)
    return session.getOrCreate()


def names_master(environment: Mapping[str, str]) -> bool:
    """Whether Spark's own settings name a master: spark-submit, its arguments, its defaults."""
    if any(environment.get(name) for name in ("PYSPARK_GATEWAY_PORT", "MASTER", "SPARK_REMOTE")):
        return True
    if re.search(r"--master|spark\.master", environment.get("PYSPARK_SUBMIT_ARGS", "")):
        return True
    home = environment.get("SPARK_HOME")
    folder = environment.get("SPARK_CONF_DIR") or (f"{home}/conf" if home else "")
    defaults = Path(folder) / "spark-defaults.conf"
    if not folder or not defaults.is_file():
        return False
    return any(line.startswith("spark.master") for line in defaults.read_text("utf-8").splitlines())


def _postgresql(url: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise RecordError(f"a PostgreSQL database needs: {describe_install('postgres')}") from error
    try:
        con = ibis.connect(url.replace("postgresql://", "postgres://", 1))
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise RecordError(f"cannot connect to the database: {reason}") from error
    con.raw_sql("SET TIME ZONE 'UTC'").close()
    return con


def load_parquet(con: Any, paths: Iterable[Path], schema: pa.Schema, name: str) -> ir.Table:
    """The Parquet files as one table with exactly this schema's columns; missing ones are null."""
    paths = list(paths)
    files = [str(path) for path in paths]
    if not files:
        table = con.create_table(name, schema=ibis.schema(schema), temp=True)
    elif con.name == "duckdb":
        con.raw_sql(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {_scan_sql(paths, schema)}')
        table = con.table(name)
    elif con.name == "pyspark":
        table = con.read_parquet(files[0], table_name=name)
        for file in files[1:]:
            other = con.read_parquet(file)
            table = conform(table, schema).union(conform(other, schema))
    else:
        table = con.create_table(name, schema=ibis.schema(schema), temp=True)
        for file in files:
            _copy_into(con, name, file, schema)
    return conform(table, schema)


def _scan_sql(paths: Iterable[Path], schema: pa.Schema) -> str:
    """SQL for DuckDB: the union of the files; `source` is the file's name, `row` its row number."""
    files_by_columns: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        files_by_columns.setdefault(tuple(pq.read_schema(path).names), []).append(str(path))
    parts = []
    for names, files in files_by_columns.items():
        columns = [f'"{name}"' for name in schema.names if name in names]
        if "source" in schema.names and "source" not in names:
            columns.append("filename AS source")
        if "row" in schema.names and "row" not in names:
            columns.append('file_row_number + 1 AS "row"')
        listed = ", ".join(f"'{escape_quotes(file)}'" for file in files)
        scan = f"read_parquet([{listed}], filename = true, file_row_number = true)"
        parts.append(f"SELECT {', '.join(columns)} FROM {scan}")
    return " UNION ALL BY NAME ".join(parts)


def check_readable(paths: Iterable[Path]) -> None:
    """Read the Parquet files whole; RecordError at the first that DuckDB cannot read."""
    for path in paths:
        try:
            for _ in duckdb.read_parquet(str(path)).to_arrow_reader():
                pass
        except (duckdb.Error, pa.ArrowException) as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            raise RecordError(f"{path}: the Parquet file is damaged ({reason})") from error


def _copy_into(con: Any, name: str, file: str, schema: pa.Schema) -> None:
    """Stream one Parquet file into a PostgreSQL table with COPY.

    As CSV, in which an empty text has quotes and a missing value has none.
    """
    parquet = pq.ParquetFile(file)
    present = [column for column in schema.names if column in parquet.schema_arrow.names]
    columns = ", ".join(f'"{column}"' for column in present)
    copy = f'COPY "{name}" ({columns}) FROM STDIN (FORMAT csv)'
    no_header = csv.WriteOptions(include_header=False)
    with con.con.cursor() as cursor, cursor.copy(copy) as sink:
        for batch in parquet.iter_batches(batch_size=65_536, columns=present):
            text = pa.BufferOutputStream()
            csv.write_csv(_without_nul(batch.select(present)), text, no_header)
            sink.write(text.getvalue().to_pybytes())
    con.con.commit()


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the character NUL, which PostgreSQL cannot store in a text."""
    for at, field in enumerate(batch.schema):
        column = batch.column(at)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.replace_substring(column, "\x00", "")
        batch = batch.set_column(at, field.name, column)
    return batch


def conform(table: ir.Table, schema: pa.Schema) -> ir.Table:
    """The table with the schema's columns and types; a missing column is null."""
    columns = {}
    for field in schema:
        kind = ibis.dtype(field.type)
        if field.name not in table.columns:
            columns[field.name] = ibis.null(kind)
        elif table[field.name].type() != kind:
            columns[field.name] = table[field.name].cast(kind)
        else:
            columns[field.name] = table[field.name]
    return table.select(**columns)


def write_parquet(con: Any, table: ir.Table, path: Path, schema: pa.Schema) -> int:
    """Write a table of this schema, in its order, to one Parquet file; returns the row count."""
    if tuple(table.columns) != tuple(schema.names):  # a further SELECT could lose the order
        raise ValueError(f"columns {table.columns} are not {schema.names}")
    if con.name == "duckdb":
        arrow = base64.b64encode(schema.serialize().to_pybytes()).decode()
        cursor = con.raw_sql(
            f"COPY ({con.compile(table)}) TO '{escape_quotes(path)}' "
            f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROW_GROUP}, "
            f"KV_METADATA {{'ARROW:schema': '{arrow}'}})"
        )
        return int(cursor.fetchone()[0])
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in iter_batches(con, table):
            part = pa.Table.from_batches([batch]).cast(schema)
            writer.write_table(part, row_group_size=ROW_GROUP)
            rows += part.num_rows
    return rows


def iter_batches(con: Any, table: ir.Table) -> Iterator[pa.RecordBatch]:
    """The table's rows in its order, in batches of bounded size."""
    if con.name == "duckdb":
        # directly from DuckDB: Ibis 12 calls a method that DuckDB 2 has removed
        try:
            yield from con.con.sql(con.compile(table)).to_arrow_reader(ROW_GROUP)
        except duckdb.OutOfMemoryException as error:
            raise RecordError("the engine needs more memory: give it more (--memory)") from error
    else:
        yield from con.to_pyarrow_batches(table, chunk_size=65_536)


def materialize(con: Any, table: ir.Table | pa.Table, name: str) -> ir.Table:
    """Compute a small table once and store it under this name until the connection closes."""
    rows = table if isinstance(table, pa.Table) else con.to_pyarrow(table)
    if con.name == "pyspark":
        view = con.create_view(name, ibis.memtable(rows), overwrite=True)
        return _without_nan(view)
    return con.create_table(name, ibis.memtable(rows), temp=True)


def _without_nan(table: ir.Table) -> ir.Table:
    """The table with null for NaN: Ibis gives rows to Spark through pandas, where null is NaN.

    Spark holds NaN to be larger than every number, so that a missing upper limit would reject all.
    """
    floats = [name for name in table.columns if table[name].type().is_floating()]
    return table.mutate(
        **{
            name: ibis.ifelse(table[name].isnan(), ibis.null(table[name].type()), table[name])
            for name in floats
        }
    )


def escape_quotes(path: Path | str) -> str:
    """A path or text that may stand between single quotes in SQL."""
    return str(path).replace("'", "''")
