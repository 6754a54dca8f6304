"""Training speed against PyHealth's RNN: visits per CPU-second on one thread, in one process.

    python -m benchmarks.against_pyhealth --json out/pyhealth.json

PyHealth needs Python 3.12 or 3.13 and its own version of torch, so this runs in an environment for
it (`pip install pyhealth==2.1.0 jaxtyping` and `pip install --no-deps -e .`); elsewhere it is
skipped.

10,000 simulated patients with 23,922 visits; a visit has 12 diagnoses, 5 procedures and 10 drugs of
2,000, 1,150 and 150 codes. Both predict which of the 150 drugs a visit has (cross-entropy of each)
from its diagnoses and procedures and all earlier visits: PyHealth's `RNN` with its defaults (a GRU
of width 128 for each of three features, 0.78 M parameters), with the samples of its drug
recommendation task, its loader and `Trainer.train`; posology with width, state and hidden layer 128
and its own batches and loop. `batch` is the number of PyHealth's samples; a patient has 2.4 visits,
so that a posology batch of as many visits has fewer patients.
"""

import argparse
import contextlib
import importlib.util
import io
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

from benchmarks.rows import row, write
from benchmarks.training_methods import SIZES, TRAINING, train_package
from posology.domain.history import History, offsets_from_counts
from posology.nn.heads import TaskCounts
from posology.nn.network import NetworkConfig

PATIENTS, VISITS = 10_000, 23_922
KINDS = {"conditions": (2_000, 12), "procedures": (1_150, 5), "drugs": (150, 10)}
"""Number of codes of each kind, and of events of that kind per visit."""
EPOCHS = 3
"""Timed epochs, after a warm-up epoch."""


def main() -> None:
    """Train both on the same patients, in turn."""
    options, started = _options(), time.time()
    if importlib.util.find_spec("pyhealth") is None:
        print("skipped: PyHealth is not installed here; it needs an environment of its own")
        return
    torch.set_num_threads(1)
    logging.disable(logging.INFO)  # PyHealth logs every epoch
    visits = _visits()
    rows = []
    for batch in options.batches:
        patients = max(round(batch * PATIENTS / VISITS), 1)
        methods = {
            "pyhealth_rnn": _pyhealth(visits, batch),
            "posology": _posology(visits, patients, 1),
            "posology_ensemble": _posology(visits, patients, 32),
        }
        rates = {}
        for name, epoch in methods.items():
            epoch()
            before = time.process_time()
            count = sum(epoch() for _ in range(1 if "ensemble" in name else EPOCHS))
            rates[name] = count / (time.process_time() - before)
            size = {"n": VISITS, "batch": batch}
            rows.append(row("pyhealth", name, "cpu", "visits_per_cpu_second", rates[name], **size))
            print(f"batch {batch}, {name}: {rates[name]:,.0f} visits per CPU-second", flush=True)
        for name in ("posology", "posology_ensemble"):
            times = rates[name] / rates["pyhealth_rnn"]
            rows.append(row("pyhealth", name, "cpu", "times_pyhealth", times, batch=batch))
            print(f"batch {batch}, {name}: {times:.2f} times PyHealth's", flush=True)
    write(options.json, rows, 0, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 600])
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


Visits = tuple[np.ndarray, dict[str, np.ndarray]]
"""The patient of each visit, and its codes of each kind, one row per visit."""


def _visits() -> Visits:
    rng = np.random.default_rng(0)
    more = rng.integers(0, PATIENTS, VISITS - PATIENTS)
    patient = np.sort(np.concatenate([np.arange(PATIENTS), more]))
    return patient, {
        name: rng.integers(0, codes, (VISITS, each)) for name, (codes, each) in KINDS.items()
    }


def _pyhealth(visits: Visits, batch: int) -> Callable[[], int]:
    from pyhealth.datasets import create_sample_dataset, get_dataloader  # type: ignore
    from pyhealth.models import RNN  # type: ignore
    from pyhealth.trainer import Trainer  # type: ignore

    torch.manual_seed(0)
    with _silent():
        dataset = create_sample_dataset(
            samples=_samples(visits),
            input_schema={
                "conditions": "nested_sequence",
                "procedures": "nested_sequence",
                "drugs_hist": "nested_sequence",
            },
            output_schema={"drugs": "multilabel"},
            dataset_name="made up",
        )
        loader = get_dataloader(dataset, batch_size=batch, shuffle=True)
        model = RNN(dataset=dataset)
        trainer = Trainer(model=model, device="cpu", enable_logging=False)
    print(f"PyHealth's RNN: {sum(p.numel() for p in model.parameters()):,} parameters")

    def epoch() -> int:
        with _silent():
            trainer.train(loader, epochs=1)
        return VISITS

    return epoch


def _samples(visits: Visits) -> list[dict]:
    """One sample per visit with its history as lists; the visit's own drugs are blank."""
    patient, codes = visits
    names = {name: [[f"{name[0]}{c}" for c in v] for v in part] for name, part in codes.items()}
    first = np.searchsorted(patient, patient)
    return [
        {
            "patient_id": str(patient[v]),
            "visit_id": str(v),
            "conditions": names["conditions"][first[v] : v + 1],
            "procedures": names["procedures"][first[v] : v + 1],
            "drugs_hist": [*names["drugs"][first[v] : v], []],
            "drugs": names["drugs"][v],
        }
        for v in range(len(patient))
    ]


def _posology(visits: Visits, patients: int, members: int) -> Callable[[], int]:
    patient, codes = visits
    start = np.cumsum([0] + [count for count, _ in KINDS.values()])
    before = np.concatenate([[False], patient[1:] == patient[:-1]])
    per_visit = [
        np.concatenate(
            [codes["conditions"][v], codes["procedures"][v] + start[1]]
            + ([codes["drugs"][v - 1] + start[2]] if before[v] else [])
        )
        for v in range(VISITS)
    ]
    code = np.concatenate(per_visit).astype(np.int32)
    steps = np.bincount(patient, minlength=PATIENTS)
    history = History(
        code=code,
        value=np.full(len(code), np.nan, np.float32),
        event_offsets=offsets_from_counts(np.array([len(v) for v in per_visit])),
        time=np.concatenate([30.0 * np.arange(n) for n in steps]),
        step_offsets=offsets_from_counts(steps.astype(np.int64)),
        subject_id=np.arange(PATIENTS, dtype=np.int64),
    )
    labels = torch.zeros(VISITS, KINDS["drugs"][0])
    labels.scatter_(1, torch.from_numpy(codes["drugs"]), 1.0)
    config = NetworkConfig(
        int(start[-1]),
        treatments=2,  # unknown for every patient, so they are not learned
        exclusive=True,
        members=members,
        tasks=TaskCounts(conditions=labels.shape[1]),
        **SIZES,
    )
    return train_package(history, config, {"diagnosis": labels}, replace(TRAINING, batch=patients))


@contextlib.contextmanager
def _silent():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    main()
