"""Time cohort building from MEDS shards, and a DuckDB sort of the same data.

    python -m benchmarks.cohort --sizes 100000 1000000 --json out/cohort.json

Simulated patients with about 100 events each: a laboratory value at every visit, one of 300 other
codes in between, a review with one of three drugs at every tenth event. Each measurement runs in a
process of its own; `peak_mb` is that process's largest resident size. DuckDB sorts by subject and
time and writes Parquet, with 4 GB allowed; the builder reads the same shards, which MEDS keeps in
order, on as many cores, and writes arrays. With more cores than one, `peak_mb` is the sum of the
largest sizes of all processes, which is more than they use at any one time.
"""

import argparse
import multiprocessing
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rows import row, write
from posology.records.schema import EVENTS

STUDY = """
format = 1
name = "cohort"
title = "Made up"
purpose = "To be timed."
limits = "Made up."
[decision]
codes = ["REVIEW"]
which = "every"
eligible = ["LAB//0"]
[[treatments]]
name = "a"
title = "a"
codes = ["DRUG//0"]
[[treatments]]
name = "b"
title = "b"
codes = ["DRUG//1"]
[[treatments]]
name = "c"
title = "c"
codes = ["DRUG//2"]
[given]
grace_days = 1
[outcome]
kind = "value_in_range"
codes = ["LAB//0"]
unit = ""
within_days = 200
range = { at_most = 0.0 }
[follow_up]
weighted_by = ["LAB//0"]
[reward]
source = "made up"
[profile]
families = ["LAB", "CODE", "DRUG", "SEX"]
minimum_patients = 10
[split]
train = 0.7
validation = 0.15
test = 0.15
salt = "cohort"
"""
EACH, SHARD = 100, 20_000
"""Events per patient, patients per shard."""


def main() -> None:
    """Simulate the data, then time building and sorting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--work", type=Path, default=Path("out/cohort"))
    parser.add_argument("--rows", type=int, default=2_000_000, help="events a core holds at once")
    parser.add_argument("--workers", type=int, default=2, help="cores of either")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    started, rows, seconds = time.time(), [], {}
    for size in options.sizes:
        data = options.work / f"events-{size}"
        if not data.exists():
            generate(size, data)
        name = f"{size // 1000}k" if size < 1_000_000 else f"{size // 1_000_000}m"
        for model, job in (("posology", _build), ("duckdb_sort", _sort)):
            out = options.work / f"{model}-{size}"
            taken, cpu, peak = _measured(job, (data, out, options.rows, options.workers))
            seconds[model, size] = taken
            size_fields = {"n": size * EACH}
            rows.append(row("cohort", model, name, "seconds", taken, **size_fields))
            rows.append(row("cohort", model, name, "cpu_seconds", cpu, **size_fields))
            rows.append(row("cohort", model, name, "peak_mb", peak, **size_fields))
    small, large = min(options.sizes), max(options.sizes)
    if large > small:
        grown = np.log(seconds["posology", large] / seconds["posology", small])
        exponent = float(grown / np.log(large / small))
        rows.append(row("cohort", "posology", "all", "exponent", exponent))
    write(options.json, rows, 0, started)


def generate(patients: int, folder: Path) -> None:
    """Write shards in MEDS order."""
    codes = pa.array(
        ["LAB//0", "REVIEW", *(f"DRUG//{i}" for i in range(3)), "SEX//F", "SEX//M"]
        + [f"CODE//{i}" for i in range(300)]
    )
    draft = folder.with_name(folder.name + "-draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for shard, first in enumerate(range(0, patients, SHARD)):
        rng = np.random.default_rng(shard)
        n = min(SHARD, patients - first)
        code = rng.integers(7, 307, size=(n, EACH))
        value = np.full((n, EACH), np.nan, np.float32)
        value[:, 1::2] = rng.standard_normal((n, EACH // 2))
        code[:, 1::2] = 0
        days = np.cumsum(rng.integers(1, 20, size=(n, EACH)), axis=1) + 15_000
        code[:, 9::10], value[:, 9::10] = 1, np.nan  # a review, and the drug just after it
        code[1:, 10::10] = rng.integers(2, 5, size=(n - 1, len(range(10, EACH, 10))))
        days[:, 10::10] = days[:, 9:-1:10]
        code[:, 0] = rng.integers(5, 7, size=n)
        table = pa.table(
            {
                "subject_id": np.repeat(np.arange(first, first + n), EACH),
                "time": pa.array(days.ravel() * 86_400_000_000, mask=_static(n)).cast(
                    pa.timestamp("us")
                ),
                "code": codes.take(pa.array(code.ravel())),
                "numeric_value": pa.array(value.ravel(), mask=np.isnan(value.ravel())),
                "text_value": pa.nulls(n * EACH, pa.large_string()),
                "unit": pa.nulls(n * EACH, pa.string()),
            },
            schema=EVENTS,
        )
        pq.write_table(table, draft / f"{shard:05d}.parquet", compression="zstd")
    draft.rename(folder)


def _static(patients: int) -> np.ndarray:
    mask = np.zeros((patients, EACH), dtype=bool)
    mask[:, 0] = True
    return mask.ravel()


def _build(data: Path, out: Path, rows: int, workers: int) -> None:
    from joblib.externals.loky import get_reusable_executor

    from posology.cohorts.storage.folder import BuildOptions, build_folder
    from posology.cohorts.study.reader import parse_study

    build_folder(parse_study(STUDY, "benchmark"), data, out, BuildOptions(rows, workers=workers))
    if workers > 1:
        get_reusable_executor().shutdown()  # usage of child processes is reported after they end


def _sort(data: Path, out: Path, rows: int, workers: int) -> None:
    import duckdb

    del rows
    out.mkdir(parents=True)
    with duckdb.connect() as engine:
        engine.execute(f"SET threads = {workers}")
        engine.execute("SET memory_limit = '4GB'")
        engine.execute(f"SET temp_directory = '{out}'")
        engine.execute(
            f"COPY (SELECT * FROM read_parquet('{data}/*.parquet') ORDER BY subject_id, time) "
            f"TO '{out}/sorted.parquet' (COMPRESSION zstd)"
        )


def _measured(job, arguments: tuple[Path, Path, int, int]) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MB of a job in its own process; its output is deleted."""
    shutil.rmtree(arguments[1], ignore_errors=True)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_and_report, args=(job, arguments, theirs))
    process.start()
    usage = ours.recv()
    process.join()
    shutil.rmtree(arguments[1], ignore_errors=True)
    return usage


def _run_and_report(job, arguments: tuple[Path, Path, int, int], pipe) -> None:
    began = time.perf_counter()
    job(*arguments)
    taken = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime + workers.ru_utime + workers.ru_stime
    peak = used.ru_maxrss + workers.ru_maxrss * (arguments[-1] if workers.ru_utime > 1 else 0)
    pipe.send((taken, cpu, peak / 1024))


if __name__ == "__main__":
    main()
