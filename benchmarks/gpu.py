"""Training on a GPU: seconds per epoch, data loading, a floor, and agreement with the CPU.

    python -m benchmarks.gpu --json out/gpu.json

A million simulated patients of 50 visits, 8 events and a decision at every visit; one member,
sizes of `benchmarks.training`:
- float32: an epoch with all arrays on the device; `gather_share` is the share of it that gathering
  all batches takes;
- mixed, compiled, streamed: a tenth of the patients, in bfloat16, with the trunk compiled, or with
  the arrays in main memory; `float32_tenth` is the reference;
- floor: the same arithmetic with cuDNN's GRU and bare tensors on blocks padded in advance;
- apart: the largest difference between CPU and GPU probabilities on 200 patients (float32).

`--device cpu --patients 400` is a dry run on a CPU. Not measured yet: no GPU was available.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import training_methods as methods
from benchmarks.rows import row, write
from posology.domain.history import History
from posology.learners.network.tensors import CohortTensors, gather_subjects
from posology.learners.network.training_loop import Training
from posology.nn.batch import split_by_budget
from posology.nn.network import NetworkConfig

VISITS, FEW = 50.0, 200
CONFIG = NetworkConfig(methods.CODES, methods.OPTIONS, exclusive=True, members=1, **methods.SIZES)
TRAINING = replace(methods.TRAINING, batch=4096, batch_steps=262_144)
"""Batches that fill the device."""


def main() -> None:
    """Time each setting on the same device."""
    options, started = _options(), time.time()
    device = torch.device(options.device)
    rows = _measure_epoch(methods.random_history(options.patients, VISITS), device)
    rows += _measure_settings(
        methods.random_history(max(options.patients // 10, FEW), VISITS), device
    )
    write(options.json, rows, 0, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _measure_epoch(history: History, device: torch.device) -> list[dict]:
    cohort = methods.make_cohort(history, CONFIG, methods.random_targets(len(history.time)), device)
    run = methods.iterate_epochs(cohort, methods.new_network(CONFIG).to(device), TRAINING)
    next(run)
    epoch = _seconds(device, lambda: next(run))
    data = _seconds(device, lambda: _gather_epoch(cohort))
    about = {"n": len(history.time), "device": _name(device)}
    return [
        row("visits50", "float32", "device", "epoch_seconds", epoch, **about),
        row("visits50", "float32", "device", "gather_share", data / epoch, **about),
    ]


def _measure_settings(history: History, device: torch.device) -> list[dict]:
    known, total = methods.random_targets(len(history.time)), len(history.time)
    on_device = methods.make_cohort(history, CONFIG, known, device)
    streamed = replace(methods.make_cohort(history, CONFIG, known, methods.CPU), device=device)
    settings: dict[str, tuple[CohortTensors, Training]] = {
        "float32_tenth": (on_device, TRAINING),
        "mixed": (on_device, replace(TRAINING, mixed_precision=True)),
        "compiled": (on_device, TRAINING),
        "streamed": (streamed, TRAINING),
    }
    rates = {}
    for name, (cohort, training) in settings.items():
        network = methods.new_network(CONFIG).to(device)
        if name == "compiled" and device.type == "cuda":
            network.trunk.compile()
        run = methods.iterate_epochs(cohort, network, training)
        next(run)
        rates[name] = total / _seconds(device, lambda run=run: next(run))
    epoch = methods.floor(history, device, TRAINING)
    epoch()
    rates["floor"] = total / _seconds(device, epoch)
    about = {"n": total, "device": _name(device)}
    rows = [
        row("visits50", name, "device", "decisions_per_second", rate, **about)
        for name, rate in rates.items()
    ]
    over = rates["floor"] / rates["float32_tenth"]
    rows.append(row("visits50", "floor", "device", "floor_over_posology", over, **about))
    difference = _max_difference(on_device, streamed)
    rows.append(row("visits50", "float32", "device", "apart", difference, n=FEW))
    return rows


def _gather_epoch(cohort: CohortTensors) -> None:
    order = np.random.default_rng(0).permutation(len(cohort.steps))
    for run in split_by_budget(cohort.steps[order], TRAINING.batch, TRAINING.batch_steps):
        gather_subjects(cohort, torch.from_numpy(order[run]))


def _max_difference(on_device: CohortTensors, streamed: CohortTensors) -> float:
    network = methods.new_network(CONFIG).eval()
    probabilities = []
    with torch.no_grad():
        for cohort in (replace(streamed, device=methods.CPU), on_device):
            batch, _ = gather_subjects(cohort, torch.arange(FEW))
            logits = network.to(cohort.device)(batch).effectiveness
            probabilities.append(torch.softmax(logits.cpu(), 2))
    return float((probabilities[0] - probabilities[1]).abs().max())


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
