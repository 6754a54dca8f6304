"""Time and memory of ingesting records into a MEDS folder, compared with only sorting them.

    python -m benchmarks.ingest --sizes start 2m 20m --json out/ingest.json

Each method runs in its own process; imports are not counted; peak_mb is its peak resident memory.
`duckdb_sort` and `polars_sort` only sort the file by subject and time and write it; posology also
numbers rows, cleans, merges duplicates and writes MEDS metadata. `exponent` is the slope of log
seconds on log rows between the smallest and the largest size; `exponent_without_start` subtracts
the seconds of the size `start` first.
"""

import argparse
import itertools
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fhir import resources
from benchmarks.rows import row, write
from posology.records.schema import EVENTS

SIZES = {"start": 3_600, "200k": 200_000, "2m": 2_000_000, "20m": 20_000_000}
"""Events, or rows of the CDM; a hundred per patient. FHIR reads a hundredth as many resources. At
`start`, with 36 patients or one patient's 36 resources, nearly all time is start-up time."""
CODES = [f"LAB//{n}" for n in range(400)] + ["LOINC//2345-7", "LOINC//2160-0", "DRUG//x//given"] * 9
METHODS = {
    "events": ("duckdb_sort", "polars_sort", "posology"),
    "omop": ("posology",),
    "fhir": ("posology",),
}


def make_events(path: Path, rows: int, rng: np.random.Generator) -> int:
    """Write unsorted events of rows / 100 patients; returns their number."""
    codes = pa.array(CODES)
    schema = pa.schema([field for field in EVENTS if field.name != "unit"])
    with pq.ParquetWriter(path / "events.parquet", schema) as writer:
        for start in range(0, rows, 1_000_000):
            n = min(1_000_000, rows - start)
            values = rng.gamma(2.0, 40.0, n).astype(np.float32)
            table = pa.table(
                [
                    pa.array(rng.integers(1, rows // 100 + 1, n)),
                    pa.array(rng.integers(631152000, 1735689600, n) * 1_000_000).cast(
                        schema[1].type
                    ),
                    codes.take(pa.array(rng.integers(0, len(CODES), n))),
                    pa.array(values, mask=rng.random(n) < 0.3),
                    pa.nulls(n, pa.large_string()),
                ],
                schema=schema,
            )
            writer.write_table(table)
    return rows


def make_omop(path: Path, rows: int, rng: np.random.Generator) -> int:
    """Write a CDM 5.4: persons, 60 % measurements, 20 % drugs with strength, 20 % conditions."""
    people = rows // 100
    sizes = {"LOINC": 300, "RxNorm": 100, "SNOMED": 200, "UCUM": 5}
    concepts = [(vocabulary, n) for vocabulary, count in sizes.items() for n in range(count)]
    first_id = {"LOINC": 1, "RxNorm": 301, "SNOMED": 401, "UCUM": 601}
    units = ("mg", "mmol/L", "g/dL", "%", "kg")
    concept = {
        "concept_id": range(1, len(concepts) + 1),
        "concept_name": [f"{vocabulary} {n}" for vocabulary, n in concepts],
        "vocabulary_id": [vocabulary for vocabulary, _ in concepts],
        "concept_code": [units[n] if name == "UCUM" else f"{n}-1" for name, n in concepts],
    }
    strength = {
        "drug_concept_id": range(301, 401),
        "ingredient_concept_id": range(301, 401),
        "amount_value": [500.0] * 100,
        "amount_unit_concept_id": [601] * 100,
    }
    drugs, conditions = rows // 5, rows // 5
    values = rows - people - drugs - conditions

    def days(n: int) -> pa.Array:
        return pa.array(rng.integers(7305, 20089, n).astype(np.int32)).cast(pa.date32())

    def record_columns(n: int, table: str, vocabulary: str, concept: str) -> dict[str, object]:
        return {
            f"{table}_id": np.arange(n),
            "person_id": rng.integers(1, people + 1, n),
            concept: rng.integers(0, sizes["RxNorm"], n) + first_id[vocabulary],
        }

    tables: dict[str, dict[str, object]] = {
        "concept": concept,
        "drug_strength": strength,
        "person": {
            "person_id": np.arange(1, people + 1),
            "gender_concept_id": [8532] * people,
            "year_of_birth": rng.integers(1930, 1980, people),
        },
        "measurement": {
            **record_columns(values, "measurement", "LOINC", "measurement_concept_id"),
            "measurement_date": days(values),
            "value_as_number": rng.gamma(2.0, 40.0, values),
            "unit_concept_id": np.full(values, 603),
        },
        "drug_exposure": {
            **record_columns(drugs, "drug_exposure", "RxNorm", "drug_concept_id"),
            "drug_exposure_start_date": days(drugs),
            "quantity": np.full(drugs, 60.0),
            "days_supply": np.full(drugs, 30),
        },
        "condition_occurrence": {
            **record_columns(conditions, "condition_occurrence", "SNOMED", "condition_concept_id"),
            "condition_start_date": days(conditions),
        },
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), path / f"{name}.parquet")
    return rows


def make_fhir(path: Path, rows: int, rng: np.random.Generator) -> int:
    """Write NDJSON of rows / 100 resources, 36 per patient; returns their number."""
    patients = rows // 3600
    with (path / "all.ndjson").open("wb") as file:
        for resource in resources(patients, rng):
            file.write(orjson.dumps(resource) + b"\n")
    return patients * 36


def duckdb_sort(data: Path, out: Path, memory: str) -> None:
    """Sort one file into another with DuckDB."""
    import duckdb

    duck = duckdb.connect(config={"threads": 2, "memory_limit": memory})
    duck.execute("SET preserve_insertion_order = false")
    duck.execute(
        f"COPY (SELECT * FROM '{data / 'events.parquet'}' ORDER BY subject_id, time NULLS FIRST) "
        f"TO '{out}' (FORMAT parquet)"
    )


def polars_sort(data: Path, out: Path, _memory: str) -> None:
    """Sort one file into another with Polars."""
    import polars

    polars.read_parquet(data / "events.parquet").sort("subject_id", "time").write_parquet(out)


def posology(study: str) -> Callable[[Path, Path, str], None]:
    """`posology ingest` of the study's source, without the quality report."""
    from posology.records.io.engine import Engine
    from posology.records.pipeline.ingest import IngestSettings, ingest
    from posology.records.sources.registry import make_sources

    def run(data: Path, out: Path, memory: str) -> None:
        sources = {
            "events": lambda: make_sources("meds", [data / "events.parquet"])[0],
            "omop": lambda: make_sources("omop", [str(data)])[0],
            "fhir": lambda: make_sources("fhir", [data])[0],
        }
        ingest([sources[study]()], out, IngestSettings(engine=Engine(memory=memory), report=False))

    return run


def run_once(method: str, study: str, data: Path, memory: str) -> dict[str, float]:
    """Time and memory of one method, run in this process."""
    import duckdb  # noqa: F401
    import ibis.backends.duckdb  # noqa: F401  (Ibis would import it within the time)
    import polars  # noqa: F401

    sorts = {"duckdb_sort": duckdb_sort, "polars_sort": polars_sort}
    run = sorts[method] if method in sorts else posology(study)
    with tempfile.TemporaryDirectory(dir=data) as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        run(data, Path(folder) / "out", memory)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Peak resident memory of this process; Linux's `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(study: str, size: str, options: argparse.Namespace) -> list[dict]:
    """Result rows of one study and size; of several runs, the shortest time and highest peak."""
    make = {"events": make_events, "omop": make_omop, "fhir": make_fhir}[study]
    methods = ("posology",) if size == "start" else METHODS[study]
    result = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        count = make(Path(folder), SIZES[size], np.random.default_rng(options.seed))
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
        for _ in range(options.repeats):
            for method in methods:
                command = [sys.executable, "-m", "benchmarks.ingest", "--memory", options.memory]
                command += ["--one", method, study, folder]
                process = subprocess.run(command, capture_output=True, text=True, check=False)
                if process.returncode:
                    raise RuntimeError(f"{method} of {study}: {process.stderr[-2000:]}")
                runs[method].append(json.loads(process.stdout.splitlines()[-1]))
    for method, results in runs.items():
        best = {name: min(r[name] for r in results) for name in ("seconds", "cpu_seconds")}
        best["peak_mb"] = max(r["peak_mb"] for r in results)
        best["rows_per_second"] = count / best["seconds"]
        best["rows_per_cpu_second"] = count / best["cpu_seconds"]
        result += [
            row(study, method, size, metric, value, n=count) for metric, value in best.items()
        ]
    return result


def exponents(rows: list[dict]) -> list[dict]:
    """Rows of posology's slopes, with and without the start-up time."""
    result = []
    for study, metric in itertools.product(METHODS, ("seconds", "cpu_seconds")):
        own = [r for r in rows if (r["study"], r["model"]) == (study, "posology")]
        times = {r["split"]: (r["n"], r["value"]) for r in own if r["metric"] == metric}
        start = times.pop("start", (0, 0.0))[1]
        points = sorted(times.values())
        if len(points) < 2:
            continue
        (n0, s0), (n1, s1) = points[0], points[-1]
        for name, fixed in (("exponent", 0.0), ("exponent_without_start", start)):
            value = math.log((s1 - fixed) / (s0 - fixed)) / math.log(n1 / n0)
            result.append(row(study, "posology", metric, name, value))
    return result


def main() -> None:
    """Measure the studies, or one method in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["start", "2m", "20m"])
    parser.add_argument("--studies", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--memory", default="2GB", help="memory limit of DuckDB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "STUDY", "FOLDER"))
    options = parser.parse_args()
    if options.one:
        method, study, folder = options.one
        print(json.dumps(run_once(method, study, Path(folder), options.memory)))
        return
    started = time.time()
    rows = [
        result
        for study in options.studies
        for size in options.sizes
        for result in measure(study, size, options)
    ]
    write(options.json, rows + exponents(rows), options.seed, started)


if __name__ == "__main__":
    main()
