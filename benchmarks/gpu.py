"""Training on a GPU: seconds an epoch, the wait for data, the floor, and the CPU's answers.

    python -m benchmarks.gpu --json out/gpu.json

A million made-up patients of 50 visits, 8 events a visit, a decision at every visit, one member,
sizes of `benchmarks.training`:
- float32: a whole epoch with all arrays on the device; `gather_share` is what gathering all its
  batches and nothing else takes of it;
- mixed, compiled, streamed: a tenth of the patients, in bfloat16, with the trunk compiled, with the
  arrays in main memory; beside them `float32_tenth`;
- floor: the same arithmetic with cuDNN's GRU as bare tensor operations on blocks padded beforehand;
- apart: the largest difference between CPU's and GPU's probabilities on 200 patients (float32).

`--device cpu --patients 400` runs the same on a CPU, to see that it runs. Nothing of this was
measured yet: no GPU was at hand.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import training_ways as ways
from benchmarks.rows import row, write
from posology.domain.history import History
from posology.learners.network.tensors import CohortTensors, gather_subjects
from posology.learners.network.training_loop import Training
from posology.nn.batch import split_by_budget
from posology.nn.network import NetworkConfig

VISITS, FEW = 50.0, 200
CONFIG = NetworkConfig(ways.CODES, ways.OPTIONS, exclusive=True, members=1, **ways.SIZES)
TRAINING = replace(ways.TRAINING, batch=4096, batch_steps=262_144)
"""Batches large enough to fill the device."""


def main() -> None:
    """Time each way on the same device."""
    options, started = _options(), time.time()
    device = torch.device(options.device)
    rows = _whole(ways.made_up(options.patients, VISITS), device)
    rows += _tenth(ways.made_up(max(options.patients // 10, FEW), VISITS), device)
    write(options.json, rows, 0, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _whole(history: History, device: torch.device) -> list[dict]:
    cohort = ways.on_device(history, CONFIG, ways.truth(len(history.time)), device)
    run = ways.passes(cohort, ways.built(CONFIG).to(device), TRAINING)
    next(run)
    epoch = _seconds(device, lambda: next(run))
    data = _seconds(device, lambda: _gathered(cohort))
    told = {"n": len(history.time), "device": _name(device)}
    return [
        row("visits50", "float32", "device", "epoch_seconds", epoch, **told),
        row("visits50", "float32", "device", "gather_share", data / epoch, **told),
    ]


def _tenth(history: History, device: torch.device) -> list[dict]:
    known, total = ways.truth(len(history.time)), len(history.time)
    here = ways.on_device(history, CONFIG, known, device)
    away = replace(ways.on_device(history, CONFIG, known, ways.CPU), device=device)
    settings: dict[str, tuple[CohortTensors, Training]] = {
        "float32_tenth": (here, TRAINING),
        "mixed": (here, replace(TRAINING, mixed_precision=True)),
        "compiled": (here, TRAINING),
        "streamed": (away, TRAINING),
    }
    rates = {}
    for name, (cohort, training) in settings.items():
        network = ways.built(CONFIG).to(device)
        if name == "compiled" and device.type == "cuda":
            network.trunk.compile()
        run = ways.passes(cohort, network, training)
        next(run)
        rates[name] = total / _seconds(device, lambda run=run: next(run))
    epoch = ways.floor(history, device, TRAINING)
    epoch()
    rates["floor"] = total / _seconds(device, epoch)
    told = {"n": total, "device": _name(device)}
    rows = [
        row("visits50", name, "device", "decisions_per_second", rate, **told)
        for name, rate in rates.items()
    ]
    over = rates["floor"] / rates["float32_tenth"]
    rows.append(row("visits50", "floor", "device", "floor_over_posology", over, **told))
    rows.append(row("visits50", "float32", "device", "apart", _apart(here, away), n=FEW))
    return rows


def _gathered(cohort: CohortTensors) -> None:
    order = np.random.default_rng(0).permutation(len(cohort.steps))
    for run in split_by_budget(cohort.steps[order], TRAINING.batch, TRAINING.batch_steps):
        gather_subjects(cohort, torch.from_numpy(order[run]))


def _apart(here: CohortTensors, away: CohortTensors) -> float:
    network = ways.built(CONFIG).eval()
    said = []
    with torch.no_grad():
        for cohort in (replace(away, device=ways.CPU), here):
            batch, _ = gather_subjects(cohort, torch.arange(FEW))
            logits = network.to(cohort.device)(batch).effectiveness
            said.append(torch.softmax(logits.cpu(), 2))
    return float((said[0] - said[1]).abs().max())


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    main()
