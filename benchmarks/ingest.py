"""Records to sorted MEDS folders, beside plain sorts: time, memory, and how they grow.

    python -m benchmarks.ingest --sizes start 2m 20m --json out/ingest.json

Each way runs in a process of its own, imports not counted; peak_mb is its resident memory at its
highest. `duckdb_sort` and `polars_sort` only sort the same file by subject and time and write it;
posology also numbers, cleans, merges duplicates and writes MEDS metadata. The exponents, slopes of
log seconds on log rows between the smallest and the largest size, are told as they are and
without the seconds of starting up: those that a patient's worth of rows takes.
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

SIZES = {"start": 3_600, "200k": 200_000, "2m": 2_000_000, "20m": 20_000_000}
"""Events, or rows of the CDM; a hundred a patient. FHIR reads a hundredth as many resources. At
`start`, 36 patients or one patient's 36 resources, nearly all is starting up."""
CODES = [f"LAB//{n}" for n in range(400)] + ["LOINC//2345-7", "LOINC//2160-0", "DRUG//x//given"] * 9
WAYS = {
    "events": ("duckdb_sort", "polars_sort", "posology"),
    "omop": ("posology",),
    "fhir": ("posology",),
}


def make_events(path: Path, rows: int, rng: np.random.Generator) -> int:
    """Unsorted events of rows / 100 patients, a million at a time."""
    codes = pa.array(CODES)
    schema = pa.schema(
        [("subject_id", pa.int64()), ("time", pa.timestamp("us")), ("code", pa.string()),
         ("numeric_value", pa.float32()), ("text_value", pa.large_string())]
    )  # fmt: skip
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
    """A CDM 5.4: 60 % measurements, 20 % drugs with strength, 20 % conditions, and the people."""
    people = rows // 100
    kinds = {"LOINC": 300, "RxNorm": 100, "SNOMED": 200, "UCUM": 5}
    names = [(kind, n) for kind, count in kinds.items() for n in range(count)]
    first = {"LOINC": 1, "RxNorm": 301, "SNOMED": 401, "UCUM": 601}
    concept = {
        "concept_id": range(1, len(names) + 1),
        "concept_name": [f"{kind} {n}" for kind, n in names],
        "vocabulary_id": [kind for kind, _ in names],
        "concept_code": [("mg", "mmol/L", "g/dL", "%", "kg")[n] if kind == "UCUM" else f"{n}-1"
                         for kind, n in names],
    }  # fmt: skip
    strength = {"drug_concept_id": range(301, 401), "ingredient_concept_id": range(301, 401),
                "amount_value": [500.0] * 100, "amount_unit_concept_id": [601] * 100}  # fmt: skip
    drugs, conditions = rows // 5, rows // 5
    values = rows - people - drugs - conditions

    def days(n: int) -> pa.Array:
        return pa.array(rng.integers(7305, 20089, n).astype(np.int32)).cast(pa.date32())

    def of(n: int, name: str, kind: str) -> dict[str, object]:
        return {f"{name}_id": np.arange(n), "person_id": rng.integers(1, people + 1, n),
                f"{kind}_concept_id": rng.integers(0, kinds["RxNorm"], n)}  # fmt: skip

    tables = {
        "concept": concept,
        "drug_strength": strength,
        "person": {"person_id": np.arange(1, people + 1), "gender_concept_id": [8532] * people,
                   "year_of_birth": rng.integers(1930, 1980, people)},
        "measurement": {**of(values, "measurement", "measurement"),
                        "measurement_date": days(values),
                        "value_as_number": rng.gamma(2.0, 40.0, values),
                        "unit_concept_id": np.full(values, 603)},
        "drug_exposure": {**of(drugs, "drug_exposure", "drug"),
                          "drug_exposure_start_date": days(drugs), "quantity": np.full(drugs, 60.0),
                          "days_supply": np.full(drugs, 30)},
        "condition_occurrence": {**of(conditions, "condition_occurrence", "condition"),
                                 "condition_start_date": days(conditions)},
    }  # fmt: skip
    begin = {"measurement": "LOINC", "drug": "RxNorm", "condition": "SNOMED"}
    for name, columns in tables.items():
        for kind, vocabulary in begin.items():
            if f"{kind}_concept_id" in columns and name != "drug_strength":
                columns[f"{kind}_concept_id"] = columns[f"{kind}_concept_id"] + first[vocabulary]
        pq.write_table(pa.table(columns), path / f"{name}.parquet")
    return rows


def make_fhir(path: Path, rows: int, rng: np.random.Generator) -> int:
    """NDJSON of rows / 100 resources, 36 a patient."""
    patients = rows // 3600
    with (path / "all.ndjson").open("wb") as file:
        for made in resources(patients, rng):
            file.write(orjson.dumps(made) + b"\n")
    return patients * 36


def duckdb_sort(data: Path, out: Path, memory: str) -> None:
    """DuckDB sorts one file into another."""
    import duckdb

    duck = duckdb.connect(config={"threads": 2, "memory_limit": memory})
    duck.execute("SET preserve_insertion_order = false")
    duck.execute(
        f"COPY (SELECT * FROM '{data / 'events.parquet'}' ORDER BY subject_id, time NULLS FIRST) "
        f"TO '{out}' (FORMAT parquet)"
    )


def polars_sort(data: Path, out: Path, _memory: str) -> None:
    """Polars sorts one file into another."""
    import polars

    polars.read_parquet(data / "events.parquet").sort("subject_id", "time").write_parquet(out)


def posology(study: str) -> Callable[[Path, Path, str], None]:
    """`posology ingest` of the study's source, but for the quality report."""
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


def one(way: str, study: str, data: Path, memory: str) -> dict[str, float]:
    """What one way takes, in this process."""
    import duckdb  # noqa: F401
    import ibis.backends.duckdb  # noqa: F401  (Ibis would import it within the time)
    import polars  # noqa: F401

    ways = {"duckdb_sort": duckdb_sort, "polars_sort": polars_sort}
    run = ways[way] if way in ways else posology(study)
    with tempfile.TemporaryDirectory(dir=data) as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        run(data, Path(folder) / "out", memory)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The most memory this process held; Linux's `ru_maxrss` would begin with its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(study: str, size: str, options: argparse.Namespace) -> list[dict]:
    """The study's rows at one size; of several runs the fastest, with the highest peak."""
    make = {"events": make_events, "omop": make_omop, "fhir": make_fhir}[study]
    ways = ("posology",) if size == "start" else WAYS[study]
    found = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        count = make(Path(folder), SIZES[size], np.random.default_rng(options.seed))
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(options.repeats):
            for way in ways:
                command = [sys.executable, "-m", "benchmarks.ingest", "--one", way, study, folder,
                           "--memory", options.memory]  # fmt: skip
                ended = subprocess.run(command, capture_output=True, text=True, check=False)
                if ended.returncode:
                    raise RuntimeError(f"{way} of {study}: {ended.stderr[-2000:]}")
                runs[way].append(json.loads(ended.stdout.splitlines()[-1]))
    for way, results in runs.items():
        best = {name: min(r[name] for r in results) for name in ("seconds", "cpu_seconds")}
        best["peak_mb"] = max(r["peak_mb"] for r in results)
        best["rows_per_second"] = count / best["seconds"]
        best["rows_per_cpu_second"] = count / best["cpu_seconds"]
        found += [row(study, way, size, metric, value, n=count) for metric, value in best.items()]
    return found


def exponents(rows: list[dict]) -> list[dict]:
    """The slopes of posology, with and without the time of starting up."""
    found = []
    for study, metric in itertools.product(WAYS, ("seconds", "cpu_seconds")):
        mine = [r for r in rows if (r["study"], r["model"]) == (study, "posology")]
        took = {r["split"]: (r["n"], r["value"]) for r in mine if r["metric"] == metric}
        start = took.pop("start", (0, 0.0))[1]
        points = sorted(took.values())
        if len(points) < 2:
            continue
        (n0, s0), (n1, s1) = points[0], points[-1]
        for name, fixed in (("exponent", 0.0), ("exponent_without_start", start)):
            value = math.log((s1 - fixed) / (s0 - fixed)) / math.log(n1 / n0)
            found.append(row(study, "posology", metric, name, value))
    return found


def main() -> None:
    """Measures what is asked for, or one way of it in this process."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", nargs="+", choices=SIZES, default=["start", "2m", "20m"])
    options.add_argument("--studies", nargs="+", choices=WAYS, default=list(WAYS))
    options.add_argument("--repeats", type=int, default=1)
    options.add_argument("--memory", default="2GB", help="what DuckDB may hold")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", type=Path, help="folder for what is made, and removed after")
    options.add_argument("--json", type=Path)
    options.add_argument("--one", nargs=3, metavar=("WAY", "STUDY", "FOLDER"))
    chosen = options.parse_args()
    if chosen.one:
        way, study, folder = chosen.one
        print(json.dumps(one(way, study, Path(folder), chosen.memory)))
        return
    started = time.time()
    rows = [r for study in chosen.studies for size in chosen.sizes
            for r in measured(study, size, chosen)]  # fmt: skip
    write(chosen.json, rows + exponents(rows), chosen.seed, started)


if __name__ == "__main__":
    main()
