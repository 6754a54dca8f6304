"""The four encoders: prediction quality on IWPC and the simulated clinic, and training speed.

    python -m benchmarks.encoders --folds 1 --clinic 2000 --seed 123 --json out/encoders.json

IWPC: the supervised phase of the default recipe with each encoder, on the first of ten folds. Its
patients have one step each, so this shows only that no encoder loses information of a single step.
Clinic: patients with a history, the recipe `histories` with each encoder, scored on test decisions
by the true effects (accuracy, AUC, expected P(effective)), R2 of progression, and AUC and average
precision of diagnoses. `--seed` is that of the network and of the clinic. Speed: on the simulated
patients of `benchmarks.training`, one member, one thread.
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
from benchmarks.training_methods import posology, random_history
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import uniform_hash
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.history import History
from posology.domain.policy import OutcomePredictions
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
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
    """Fit and score each encoder on each fold and on the clinic, and time simulated patients."""
    options = _options()
    started = time.time()
    torch.set_num_threads(1)

    def save(rows: list[dict]) -> list[dict]:
        keep(options.json, rows, options.seed, started)
        return rows

    rows = save(_score_folds(options.folds, options.seed) if options.folds else [])
    if options.clinic:
        for scores in _score_clinic(options.clinic, options.members, options.seed):
            save(rows + scores)
        rows += scores
    for study, visits in (("visits20", 20.0), ("visits200", 200.0)):
        history = random_history(int(20_000 / visits), visits)
        for name in NAMES:
            rate = _rate(history, name)
            _log(f"{study}, {name}: {rate:,.0f} decisions per CPU-second")
            save(rows := [*rows, row(study, name, "cpu", "decisions_per_cpu_second", rate)])
    write(options.json, rows, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=2, help="number of folds, of ten")
    parser.add_argument("--clinic", type=int, default=0, help="patients of the clinic; 0 skips it")
    parser.add_argument("--members", type=int, default=4, help="ensemble members on the clinic")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _score_folds(folds: int, seed: int) -> list[dict]:
    whole, splits = _splits(folds)
    predictions: dict[str, list[Predictions]] = {name: [] for name in NAMES}
    spent: dict[str, list[float]] = {name: [] for name in NAMES}
    for cohort in splits:
        train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
        for name in NAMES:
            first = recipes.default_recipe(seed).supervised
            first = replace(first, sizes=replace(first.sizes, encoder=name))
            before = time.process_time()
            policy, _ = _fit(first, train, validation, f"iwpc, {name}")
            spent[name].append((time.process_time() - before) / first.training.epochs)
            predictions[name].append(predict_cohort(policy, test))
    held = np.concatenate([select_split(c, TEST).history.subject_id for c in splits])
    scored_cohort = subset_decisions(whole, np.isin(whole.history.subject_id[whole.subject], held))
    place = {int(s): at for at, s in enumerate(scored_cohort.history.subject_id)}
    at = [
        np.array([place[int(s)] for s in select_split(c, TEST).history.subject_id], dtype=np.int64)
        for c in splits
    ]
    pooled = {name: concatenate_predictions(parts, at) for name, parts in predictions.items()}
    table = compare_models(pooled, scored_cohort, np.random.default_rng(0), "test", reference="gru")
    costs = [
        row("iwpc", name, "test", "seconds_per_epoch", float(np.mean(seconds)), n=len(seconds))
        for name, seconds in spent.items()
    ]
    return _rows_and_tests("iwpc", table, ("auc", "mae")) + costs


def _rows_and_tests(study: str, table: Table1, metrics: tuple[str, ...]) -> list[dict]:
    """Rows of these metrics, and of the paired tests against the GRU."""
    tests = [
        row(
            study,
            t.model,
            "test",
            f"gru_minus_{t.metric}",
            t.difference,
            low=t.low,
            high=t.high,
            n=t.n,
            p_holm=t.p_holm,
            verdict=t.verdict,
        )
        for t in table.tests
        if t.metric in metrics
    ]
    return [dict(r) for r in to_rows(table) if r["metric"] in metrics] + tests


def _score_clinic(patients: int, members: int, seed: int) -> Iterator[list[dict]]:
    """Yield all rows so far after each encoder: scores, cost and differences from the GRU."""
    cohort = clinic(patients, seed, Path("out/tasks"))
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    predictions, outcome_scores, costs = {}, {}, []
    for name in NAMES:
        first = recipes.histories_recipe(seed).supervised
        first = replace(first, sizes=replace(first.sizes, encoder=name, members=members))
        before = time.process_time()
        policy, epochs = _fit(first, train, validation, f"clinic, {name}")
        spent = (time.process_time() - before) / len(epochs)
        predictions[name] = predict_cohort(policy, test)
        outcome_scores[name] = scored(_without_times(policy, test), train, test, REPLICATES)
        costs += [
            row("clinic", name, "test", "seconds_per_epoch", spent, n=len(train)),
            row("clinic", name, "validation", "score", epochs[-1].validation["score"]),
        ]
        choices = _compare_choices(predictions, test)
        yield [*costs, *choices, *_compare_outcomes(outcome_scores)]


def _compare_choices(predictions: dict[str, Predictions], test: Cohort) -> list[dict]:
    """Quality of the chosen treatments by the true effects, and paired tests against the GRU."""
    table = compare_models(predictions, test, np.random.default_rng(0), "test", reference="gru")
    return _rows_and_tests("clinic", table, ("auc", "accuracy", "reward"))


def _fit(
    first: Supervised, train: Cohort, validation: Cohort, title: str
) -> tuple[NetworkPolicy, list[Epoch]]:
    """The policy and its epochs, each logged as it ends."""
    fitting, epochs = first.fit_epochs(train, validation), []
    while True:
        try:
            epochs.append(next(fitting))
        except StopIteration as end:
            return end.value, epochs
        score = epochs[-1].validation["score"]
        _log(f"{title}: epoch {len(epochs)}, {score:.4f}, {epochs[-1].seconds:.0f} s")


def _log(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _without_times(policy: NetworkPolicy, test: Cohort) -> OutcomePredictions:
    """The members' mean without times to event, which are slow to score."""
    outcomes = policy.predict_outcomes(test.history, test.last_step)
    return replace(
        outcomes,
        diagnosis=outcomes.diagnosis.mean(2, keepdims=True),
        progression=outcomes.progression.mean(2, keepdims=True),
        survival=outcomes.survival[:, :0],
    )


def _compare_outcomes(scores: dict[EncoderName, Scores]) -> list[dict]:
    """R2 of every progression and macro AUC and average precision of diagnoses, and differences."""
    rows = []
    for (target, metric), gru in scores["gru"].items():
        if metric != "r2" and (target != MACRO or metric not in ("auc", "average_precision")):
            continue
        for name, table in scores.items():
            score = table[target, metric]
            low, high = score.interval()
            rows.append(row(target, name, "test", metric, score.value, low=low, high=high))
            if name != "gru":
                low, high = np.nanquantile(gru.replicates - score.replicates, (0.025, 0.975))
                interval = {"low": float(low), "high": float(high)}
                value = gru.value - score.value
                rows.append(row(target, name, "test", f"gru_minus_{metric}", value, **interval))
    return rows


def _splits(folds: int) -> tuple[Cohort, list[Cohort]]:
    """The whole cohort, and one per fold, split as in `benchmarks.iwpc`."""
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
