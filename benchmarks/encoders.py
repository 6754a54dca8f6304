"""The four encoders: quality on IWPC's and the clinic's patients, and what each costs.

    python -m benchmarks.encoders --folds 1 --clinic 2000 --seed 123 --json out/encoders.json

The default recipe's first phase with each encoder, on the first folds of ten; IWPC's patients have
one step each, so this shows that no encoder loses what one step says, not which reads a past best.
On the virtual clinic patients have a past: the recipe `histories` with each encoder, judged on the
test decisions by the truth (accuracy, AUC, P(effective) earned), by R2 of numbers to come and by
AUC and average precision of diagnoses. `--seed` is the network's and the clinic's.
Cost is measured on the made-up patients of `benchmarks.training`, one member, one thread.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.model_selection import KFold

from benchmarks.rows import keep, row, write
from benchmarks.tasks import clinic
from benchmarks.tasks_scores import MACRO, Scores, scored
from benchmarks.training_ways import made_up, posology
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import uniform_hash
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.history import History
from posology.domain.policy import OutcomePredictions
from posology.evaluation.table1.comparison import compare_models, to_rows
from posology.evaluation.table1.predictions import (
    Predictions,
    concatenate_predictions,
    predict_cohort,
)
from posology.learners import recipes
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.supervised import Supervised
from posology.learners.network.training_loop import Epoch
from posology.nn.encoders import EncoderName

REPLICATES = 200
NAMES: tuple[EncoderName, ...] = ("gru", "lstm", "transformer", "cnn")


def main() -> None:
    """Learn each fold with each encoder, score the patients held out, time made-up ones."""
    options = _options()
    started = time.time()
    torch.set_num_threads(1)

    def kept(rows: list[dict]) -> list[dict]:
        keep(options.json, rows, options.seed, started)
        return rows

    rows = kept(_quality(options.folds, options.seed) if options.folds else [])
    if options.clinic:
        for found in _on_clinic(options.clinic, options.members, options.seed):
            kept(rows + found)
        rows += found
    for study, visits in (("visits20", 20.0), ("visits200", 200.0)):
        history = made_up(int(20_000 / visits), visits)
        for name in NAMES:
            rate = _rate(history, name)
            _tell(f"{study}, {name}: {rate:,.0f} decisions a CPU-second")
            kept(rows := [*rows, row(study, name, "cpu", "decisions_per_cpu_second", rate)])
    write(options.json, rows, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=2, help="of ten")
    parser.add_argument("--clinic", type=int, default=0, help="patients; 0 leaves it out")
    parser.add_argument("--members", type=int, default=4, help="on the clinic")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _quality(folds: int, seed: int) -> list[dict]:
    whole, splits = _splits(folds)
    said: dict[str, list[Predictions]] = {name: [] for name in NAMES}
    spent: dict[str, list[float]] = {name: [] for name in NAMES}
    for cohort in splits:
        train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
        for name in NAMES:
            first = recipes.default_recipe(seed).supervised
            first = replace(first, sizes=replace(first.sizes, encoder=name))
            before = time.process_time()
            policy, _ = _told(first, train, validation, f"iwpc, {name}")
            spent[name].append((time.process_time() - before) / first.training.epochs)
            said[name].append(predict_cohort(policy, test))
    held = np.concatenate([select_split(c, TEST).history.subject_id for c in splits])
    asked = subset_decisions(whole, np.isin(whole.history.subject_id[whole.subject], held))
    place = {int(s): at for at, s in enumerate(asked.history.subject_id)}
    at = [
        np.array([place[int(s)] for s in select_split(c, TEST).history.subject_id], dtype=np.int64)
        for c in splits
    ]
    pooled = {name: concatenate_predictions(parts, at) for name, parts in said.items()}
    table = compare_models(pooled, asked, np.random.default_rng(0), "test", reference="gru")
    tests = [
        row("iwpc", t.model, "test", f"gru_minus_{t.metric}", t.difference, low=t.low, high=t.high,
            n=t.n, p_holm=t.p_holm, verdict=t.verdict)
        for t in table.tests if t.metric in ("auc", "mae")
    ]  # fmt: skip
    costs = [
        row("iwpc", name, "test", "seconds_per_epoch", float(np.mean(seconds)), n=len(seconds))
        for name, seconds in spent.items()
    ]
    return [dict(r) for r in to_rows(table) if r["metric"] in ("auc", "mae")] + tests + costs


def _on_clinic(patients: int, members: int, seed: int) -> Iterator[list[dict]]:
    """All rows so far, after each encoder: quality, cost, and the GRU's lead."""
    cohort = clinic(patients, seed, Path("out/tasks"))
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    said, told, costs = {}, {}, []
    for name in NAMES:
        first = recipes.histories_recipe(seed).supervised
        first = replace(first, sizes=replace(first.sizes, encoder=name, members=members))
        before = time.process_time()
        policy, epochs = _told(first, train, validation, f"clinic, {name}")
        spent = (time.process_time() - before) / len(epochs)
        said[name] = predict_cohort(policy, test)
        told[name] = scored(_without_times(policy, test), train, test, REPLICATES)
        costs += [
            row("clinic", name, "test", "seconds_per_epoch", spent, n=len(train)),
            row("clinic", name, "validation", "score", epochs[-1].validation["score"]),
        ]
        yield [*costs, *_decided(said, test), *_foretold(told)]


def _decided(said: dict[str, Predictions], test: Cohort) -> list[dict]:
    """How well options are chosen, by the truth."""
    table = compare_models(said, test, np.random.default_rng(0), "test", reference="gru")
    tests = [
        row("clinic", t.model, "test", f"gru_minus_{t.metric}", t.difference, low=t.low,
            high=t.high, n=t.n, p_holm=t.p_holm, verdict=t.verdict)
        for t in table.tests if t.metric in ("auc", "accuracy", "reward")
    ]  # fmt: skip
    figures = [dict(r) for r in to_rows(table) if r["metric"] in ("auc", "accuracy", "reward")]
    return figures + tests


def _told(
    first: Supervised, train: Cohort, validation: Cohort, title: str
) -> tuple[NetworkPolicy, list[Epoch]]:
    """The policy and its epochs, each told as it ends."""
    fitting, epochs = first.fit_epochs(train, validation), []
    while True:
        try:
            epochs.append(next(fitting))
        except StopIteration as end:
            return end.value, epochs
        score = epochs[-1].validation["score"]
        _tell(f"{title}: epoch {len(epochs)}, {score:.4f}, {epochs[-1].seconds:.0f} s")


def _tell(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _without_times(policy: NetworkPolicy, test: Cohort) -> OutcomePredictions:
    """The members' mean; times to event, slow to score, are left out."""
    told = policy.predict_outcomes(test.history, test.last_step)
    return replace(
        told,
        diagnosis=told.diagnosis.mean(2, keepdims=True),
        progression=told.progression.mean(2, keepdims=True),
        survival=told.survival[:, :0],
    )


def _foretold(told: dict[EncoderName, Scores]) -> list[dict]:
    """R2 of every number and macro AUC and average precision of diagnoses, and the GRU's lead."""
    rows = []
    for (target, metric), gru in told["gru"].items():
        if metric != "r2" and (target != MACRO or metric not in ("auc", "average_precision")):
            continue
        for name, table in told.items():
            score = table[target, metric]
            low, high = score.interval()
            rows.append(row(target, name, "test", metric, score.value, low=low, high=high))
            if name != "gru":
                low, high = np.nanquantile(gru.replicates - score.replicates, (0.025, 0.975))
                apart = {"low": float(low), "high": float(high)}
                value = gru.value - score.value
                rows.append(row(target, name, "test", f"gru_minus_{metric}", value, **apart))
    return rows


def _splits(folds: int) -> tuple[Cohort, list[Cohort]]:
    """The whole cohort, and one a fold, split as `benchmarks.iwpc` does."""
    data, study = iwpc.load(), read_study("iwpc")
    whole = build_cohort(data.events, study)
    subjects = whole.history.subject_id
    cohorts = []
    parts = KFold(10, shuffle=True, random_state=0).split(subjects)
    for number, (_, test) in zip(range(folds), parts, strict=False):
        held = set(subjects[test].tolist())
        chooses = uniform_hash(subjects, f"choose-kfold-{number}-0") < 1 / 8
        split = {
            int(s): TEST if int(s) in held else VALIDATION if c else TRAIN
            for s, c in zip(subjects, chooses, strict=True)
        }
        cohorts.append(build_cohort(data.events, study, split))
    return whole, cohorts


def _rate(history: History, name: EncoderName) -> float:
    epoch = posology(history, encoder=name)
    epoch()
    started, done = time.process_time(), 0
    while time.process_time() - started < 3.0:
        done += epoch()
    return done / (time.process_time() - started)


if __name__ == "__main__":
    main()
