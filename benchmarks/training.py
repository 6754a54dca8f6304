"""Decisions trained per CPU-second on one thread, against bare tensors and one sample per visit.

    python -m benchmarks.training --json out/training.json

Synthetic patients of 2.4, 20 and 200 visits, 8 events per visit, a decision at every visit. All use
the same network sizes, optimizer and loss:
- posology: the package's batches, network and training loop, with one member;
- posology_ensemble: the same with 32 members;
- floor: embedding bags, GRU and masked attention on batches padded in advance, without the package;
- per_visit: one sample per visit, each with its whole history as lists, through a DataLoader.

`prepare_cpu_seconds`: time from a table of MEDS events in memory (10,000 patients, 23,922 visits,
654,000 events) to tensors, as `posology fit` does it.
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

from benchmarks.prepare import measure_preparation
from benchmarks.rows import row, write
from benchmarks.training_methods import METHODS, gather_all, load_history, random_history

VISITS = {"visits2": 2.4, "visits20": 20.0, "visits200": 200.0}


def main() -> None:
    """Measure each method in a process of its own, so that its peak memory is its own."""
    options = _options()
    if options.one:
        print(_measure(*options.one))
        return
    started = time.time()
    rows = []
    for study, visits in VISITS.items():
        for model in METHODS:
            slower = {"per_visit": 25, "posology_ensemble": 5}.get(model, 1)
            patients = int(options.decisions / visits / slower)
            rate, peak = _run_in_process(model, visits, patients)
            size = {"n": int(patients * visits)}
            rows.append(row(study, model, "cpu", "decisions_per_cpu_second", rate, **size))
            rows.append(row(study, model, "cpu", "peak_mb", peak, **size))
        patients = int(10 * options.decisions / visits)
        rows.append(_gather_row(study, visits, min(patients, 100_000)))
    spent, decisions = measure_preparation()
    rows.append(row("visits2", "posology", "cpu", "prepare_cpu_seconds", spent, n=decisions))
    rows += _exponents(options.decisions)
    rows += _ratios(rows)
    write(options.json, rows, 0, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=40_000, help="decisions per epoch")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run_in_process(model: str, visits: float, patients: int) -> tuple[float, float]:
    """Decisions per CPU-second and peak memory in MB, from a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.training",
        "--one",
        model,
        visits,
        max(patients, 8),
    ]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    rate, peak = run.stdout.split()
    return float(rate), float(peak)


def _measure(model: str, visits: str, patients: str) -> str:
    torch.set_num_threads(1)
    history = random_history(int(patients), float(visits))
    epoch = METHODS[model](history)
    epoch()  # warm-up; for the training loop, its first epoch
    started, done = time.process_time(), 0
    while time.process_time() - started < 3.0:
        done += epoch()
    spent = time.process_time() - started
    return f"{done / spent} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}"


def _gather_row(study: str, visits: float, patients: int) -> dict:
    torch.set_num_threads(1)
    source, last = load_history(random_history(patients, visits))
    gather_all(source, last)
    started = time.process_time()
    gather_all(source, last)
    rate = patients / (time.process_time() - started)
    return row(study, "posology", "cpu", "gather_per_second", rate, n=patients)


def _exponents(decisions: int) -> list[dict]:
    """Growth of the time per epoch with the number of patients and with their number of visits."""
    sizes = [decisions // 80, decisions // 20, decisions // 5]
    by_patients = [n * 20 / _run_in_process("posology", 20, n)[0] for n in sizes]
    visits = [10, 40, 160]
    by_visits = [400 * v / _run_in_process("posology", v, 400)[0] for v in visits]
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
    ratios = []
    for study in VISITS:
        floor = rate[study, "floor"] / rate[study, "posology"]
        per_visit = rate[study, "posology"] / rate[study, "per_visit"]
        ratios.append(row(study, "floor", "cpu", "floor_over_posology", floor))
        ratios.append(row(study, "per_visit", "cpu", "posology_over_per_visit", per_visit))
    return ratios


if __name__ == "__main__":
    main()
