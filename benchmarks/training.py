"""Decisions trained per CPU-second on one thread, beside bare tensors and one sample a visit.

    python -m benchmarks.training --json out/training.json

Synthetic patients of 2.4, 20 and 200 visits, 8 events a visit, a decision at every visit. The same
network sizes, optimizer and loss everywhere:
- posology: the package's own batches, network and training loop, with one member;
- posology_ensemble: the same with its 32 members;
- floor: embedding bags, GRU and masked attention on batches that were padded beforehand, without
  a line of the package;
- per_visit: one sample a visit, each holding its history again as lists, through a DataLoader.

Cohorts are prepared from a table of MEDS events in memory: 10,000 patients, 23,922 visits, 654,000
events, as `posology fit` builds them, the tensors included (`prepare_cpu_seconds`).
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

from benchmarks.prepare import prepare
from benchmarks.rows import row, write
from benchmarks.training_ways import WAYS, gathered, made_up, prepared

VISITS = {"visits2": 2.4, "visits20": 20.0, "visits200": 200.0}


def main() -> None:
    """Measure each way in a process of its own, so that peaks of memory are its own."""
    options = _options()
    if options.one:
        print(_one(*options.one))
        return
    started = time.time()
    rows = []
    for study, visits in VISITS.items():
        for model in WAYS:
            slower = {"per_visit": 25, "posology_ensemble": 5}.get(model, 1)
            patients = int(options.decisions / visits / slower)
            rate, peak = _ask(model, visits, patients)
            told = {"n": int(patients * visits)}
            rows.append(row(study, model, "cpu", "decisions_per_cpu_second", rate, **told))
            rows.append(row(study, model, "cpu", "peak_mb", peak, **told))
        patients = int(10 * options.decisions / visits)
        rows.append(_gather_row(study, visits, min(patients, 100_000)))
    spent, decisions = prepare()
    rows.append(row("visits2", "posology", "cpu", "prepare_cpu_seconds", spent, n=decisions))
    rows += _exponents(options.decisions)
    rows += _ratios(rows)
    write(options.json, rows, 0, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=40_000, help="of a study's epoch")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _ask(model: str, visits: float, patients: int) -> tuple[float, float]:
    """Decisions per CPU-second and the process's peak, from a process of its own."""
    words = [sys.executable, "-m", "benchmarks.training", "--one", model, visits, max(patients, 8)]
    run = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    rate, peak = run.stdout.split()
    return float(rate), float(peak)


def _one(model: str, visits: str, patients: str) -> str:
    torch.set_num_threads(1)
    history = made_up(int(patients), float(visits))
    epoch = WAYS[model](history)
    epoch()  # warms up; for the loop, also its first epoch
    started, done = time.process_time(), 0
    while time.process_time() - started < 3.0:
        done += epoch()
    spent = time.process_time() - started
    return f"{done / spent} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}"


def _gather_row(study: str, visits: float, patients: int) -> dict:
    torch.set_num_threads(1)
    source, last = prepared(made_up(patients, visits))
    gathered(source, last)
    started = time.process_time()
    gathered(source, last)
    rate = patients / (time.process_time() - started)
    return row(study, "posology", "cpu", "gather_per_second", rate, n=patients)


def _exponents(decisions: int) -> list[dict]:
    """How time an epoch grows: with patients of 20 visits, and with visits of as many patients."""
    sizes = [decisions // 80, decisions // 20, decisions // 5]
    by_patients = [n * 20 / _ask("posology", 20, n)[0] for n in sizes]
    visits = [10, 40, 160]
    by_visits = [400 * v / _ask("posology", v, 400)[0] for v in visits]
    return [
        row("all", "posology", "cpu", f"exponent_{name}", _slope(x, y))
        for name, x, y in (("patients", sizes, by_patients), ("visits", visits, by_visits))
    ]


def _slope(x: list[int], y: list[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _ratios(rows: list[dict]) -> list[dict]:
    rate = {
        (r["study"], r["model"]): r["value"]
        for r in rows
        if r["metric"] == "decisions_per_cpu_second"
    }
    return [
        ratio
        for study in VISITS
        for ratio in (
            row(study, "floor", "cpu", "floor_over_posology",
                rate[study, "floor"] / rate[study, "posology"]),
            row(study, "per_visit", "cpu", "posology_over_per_visit",
                rate[study, "posology"] / rate[study, "per_visit"]),
        )
    ]  # fmt: skip


if __name__ == "__main__":
    main()
