"""How fast records become events: `python -m benchmarks.ingest [--json FILE]`.

Unsorted Parquet to a clean, sorted MEDS folder, beside DuckDB and Polars that do only the sort;
then OMOP and FHIR. Each way runs in a process of its own, so that peak memory is its own.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import row, write

MEMORY = "2GB"
"""What DuckDB may hold before it spills, in posology and in the plain sort alike."""
RAW = """
    COPY (
        WITH made AS (
            SELECT (hash(i * 7 + 1) % {subjects})::BIGINT AS subject_id, hash(i * 3 + 2) % 500 AS k,
                make_timestamp(1262304000000000 + (hash(i * 13 + 5) % 315360000)::BIGINT * 1000000)
                    AS time,
                (hash(i + 99) % 100000 / 1000.0)::FLOAT AS value
            FROM range({events}) t(i)
        ), told AS (
            SELECT subject_id, time,
                CASE k WHEN 0 THEN 'LOINC//2345-7' ELSE 'LAB//' || k END AS code,
                value AS numeric_value, NULL::VARCHAR AS text_value,
                CASE WHEN k = 0 THEN 'mmol/L' WHEN k < 250 THEN 'mg/dL' ELSE 'MMOL/L' END AS unit
            FROM made
            UNION ALL
            SELECT s, make_timestamp(0), 'MEDS_BIRTH', NULL, NULL, NULL FROM range({subjects}) t(s)
        )
        SELECT * FROM told
        UNION ALL SELECT * FROM told WHERE hash(subject_id, time, code) % 100 = 0
    ) TO '{path}' (FORMAT parquet, COMPRESSION snappy)
"""
"""Random order; every patient's birth; 1 % of the rows stand there twice."""


def posology(raw: Path, out: Path) -> int:
    """The whole ingest: read, clean, merge, refuse, sort, write."""
    from posology.records.engine import Engine
    from posology.records.ingest import Settings, ingest, meds_source

    return ingest([meds_source(raw)], out, Settings(engine=Engine(memory=MEMORY))).raw


def duckdb_sort(raw: Path, out: Path) -> int:
    """The same rows by subject and time to one Parquet file, and nothing else."""
    import duckdb

    duck = duckdb.connect(config={"memory_limit": MEMORY, "threads": 2})
    duck.execute(f"SET temp_directory = '{out}.spill'")
    copied = duck.execute(
        f"COPY (SELECT * FROM '{raw}' ORDER BY subject_id, time NULLS FIRST) TO '{out}'"
    ).fetchone()
    return copied[0] if copied else 0


def polars_sort(raw: Path, out: Path) -> int:
    """The same with Polars."""
    import polars

    table = polars.read_parquet(raw).sort("subject_id", "time", nulls_last=False)
    table.write_parquet(out, compression="snappy")
    return table.height


def omop(folder: Path, out: Path) -> int:
    """A CDM of persons, visits, measurements and drugs to raw events."""
    from posology.records.omop import omop_source

    out.mkdir()
    return omop_source(str(folder)).stage(None, out).rows


def fhir(path: Path, out: Path) -> int:
    """Bulk export to raw events."""
    from posology.records.fhir import read_fhir
    from posology.records.ingest import staged_batches

    out.mkdir()
    return staged_batches(read_fhir([path]), out).rows


WAYS = {"posology": posology, "duckdb_sort": duckdb_sort, "polars_sort": polars_sort,
        "omop": omop, "fhir": fhir}  # fmt: skip


def make_cdm(folder: Path, rows: int) -> None:
    """Parquet tables as a warehouse exports them."""
    import duckdb

    folder.mkdir()
    persons = max(1, rows // 50)
    tables = {
        "person": f"SELECT i AS person_id, 8507 AS gender_concept_id, 1950 AS year_of_birth, "
        f"8527 AS race_concept_id, 0 AS ethnicity_concept_id FROM range({persons}) t(i)",
        "concept": "SELECT i + 1 AS concept_id, 'name ' || i AS concept_name, 'LOINC' AS "
        "vocabulary_id, i || '-1' AS concept_code FROM range(5000) t(i)",
        "visit_occurrence": f"SELECT i AS visit_occurrence_id, i % {persons} AS person_id, 9201 AS "
        "visit_concept_id, DATE '2020-01-01' AS visit_start_date, DATE '2020-01-05' AS "
        f"visit_end_date FROM range({rows // 10}) t(i)",
        "condition_occurrence": f"SELECT i AS condition_occurrence_id, i % {persons} AS person_id, "
        "i % 5000 AS condition_concept_id, DATE '2020-01-01' AS condition_start_date, i AS "
        f"visit_occurrence_id, 'x' AS condition_source_value FROM range({rows // 10}) t(i)",
        "measurement": f"SELECT i AS measurement_id, i % {persons} AS person_id, i % 5000 AS "
        "measurement_concept_id, TIMESTAMP '2020-01-01' + to_seconds(i) AS measurement_datetime, "
        "(i % 977) / 10 AS value_as_number, 0 AS value_as_concept_id, 0 AS unit_concept_id, "
        f"'mg/dL' AS unit_source_value FROM range({rows * 6 // 10}) t(i)",
        "drug_exposure": f"SELECT i AS drug_exposure_id, i % {persons} AS person_id, i % 5000 AS "
        "drug_concept_id, DATE '2020-01-01' AS drug_exposure_start_date, 32838 AS "
        f"drug_type_concept_id, 10 AS quantity, 10 AS days_supply FROM range({rows // 5}) t(i)",
    }
    for name, query in tables.items():
        duckdb.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")


def make_fhir(path: Path, patients: int) -> None:
    """NDJSON of laboratory values, pressures, diagnoses and orders (`benchmarks.fhir`)."""
    import numpy as np
    import orjson

    from benchmarks.fhir import resources

    with path.open("wb") as file:
        for resource in resources(patients, np.random.default_rng(0)):
            file.write(orjson.dumps(resource) + b"\n")


def measured(way: str, given: Path, folder: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.ingest",
        "--way",
        way,
        str(given),
        str(folder / way),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def peak_mb() -> float:
    """The most memory this process held; `ru_maxrss` would begin with its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def run_way(way: str, given: Path, out: Path) -> None:
    """In the process of its own: run, and print what it took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter()
    rows = WAYS[way](given, out)
    wall, used = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "rows_per_cpu_second": rows / (used.ru_utime + used.ru_stime - cpu),
        "seconds": wall,
        "cpu_seconds": used.ru_utime + used.ru_stime - cpu,
        "peak_mb": peak_mb(),
        "rows_per_second": rows / wall,
    }
    print(json.dumps(told))


def events(sizes: list[int], repeats: int) -> list[dict]:
    """The sort benchmark: of several runs, taken in turn, the fastest of each way."""
    import duckdb

    found, seconds, cpu = [], [], []
    for size in sizes:
        best: dict[str, dict[str, float]] = {}
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as place:
                raw = Path(place) / "raw.parquet"
                count = size * 1_000_000
                duckdb.execute(RAW.format(subjects=count // 100, events=count, path=raw))
                for way in ("posology", "duckdb_sort", "polars_sort"):
                    told = measured(way, raw, Path(place))
                    if way not in best or told["seconds"] < best[way]["seconds"]:
                        best[way] = told
        for way, told in best.items():
            found += [row("events", way, f"{size}m", m, v, n=repeats) for m, v in told.items()]
        seconds.append(best["posology"]["seconds"])
        cpu.append(best["posology"]["cpu_seconds"])
    if len(sizes) > 1:
        span = math.log(sizes[-1] / sizes[0])
        for name, spent in (("exponent", seconds), ("exponent_cpu", cpu)):
            exponent = math.log(spent[-1] / spent[0]) / span
            found.append(row("events", "posology", "all", name, exponent))
    return found


def main() -> None:
    """Measure, print, and keep where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 20], help="million events")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", nargs=3, metavar=("WAY", "IN", "OUT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        run_way(asked.way[0], Path(asked.way[1]), Path(asked.way[2]))
        return
    started = time.time()
    found = events(asked.sizes, asked.repeats)
    with tempfile.TemporaryDirectory() as place:
        make_cdm(Path(place) / "cdm", 2_000_000)
        told = measured("omop", Path(place) / "cdm", Path(place))
        found += [row("omop", "posology", "2m", m, v, n=1) for m, v in told.items()]
        make_fhir(Path(place) / "a.ndjson", 2_000)
        told = measured("fhir", Path(place) / "a.ndjson", Path(place))
        found += [row("fhir", "posology", "72k", m, v, n=1) for m, v in told.items()]
    write(asked.json, found, 0, started)


if __name__ == "__main__":
    main()
