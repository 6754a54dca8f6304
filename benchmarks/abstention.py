"""What abstention gains on the virtual clinic, where the outcome of every option is known.

    python -m benchmarks.abstention --patients 2000 --json out/abstention.json

Regret is the P(effective) lost against the truly best option. At 100 % every test patient gets the
policy's option; at 80 % the fifth that a score puts last gets usual care, what the clinician gave.
Scores: the predicted gain over usual care (with the option the clinician gave, or with the shares
of options in training), the lead over the next option, and how certain the effectiveness is. By the
effects that answers use, with their errors: the lower bound of the gain over the option given, and
the expected loss against the best option. By regression on other test patients: the doubly robust
gain of their observed outcomes. The last rows know the truth: that of the patient, with which no
score can do better, and that of other patients, learned from what is recorded, which is about what
a score could do that had all outcomes to learn from.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.abstention_scores import (
    PosteriorScore,
    doubly_robust_gain,
    learn_from_others,
    posterior_scores,
    score_inputs,
)
from benchmarks.clinic import build_clinic
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.evaluation.table1.predictions import Predictions, predict_cohort
from posology.learners.methods import METHODS, build_learner
from posology.workflows.results import Row, write_measurements

ANSWERED = 0.8
MOST_REGRET, MOST_OF_ANSWERED = 0.8, 0.5
"""Aims: regret over all, and among the answered, relative to the regret of answering everybody."""


def main() -> None:
    """Simulate, learn, abstain by each score, print and write."""
    options, started = _options(), time.perf_counter()
    folder = options.work / f"{options.patients}-seed-{options.seed}-h{options.history_effect:g}"
    cohort = build_clinic(options, folder)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    policy: Policy = build_learner(options.method, options.seed).fit(train, validation)
    scores = posterior_scores((train, validation), test, options.seed) if options.posterior else {}
    rows = measure(predict_cohort(policy, test), train, test, scores)
    named = {"study": "clinic", "model": options.method, "split": "test", "n": len(test)}
    _print(rows)
    if options.json:
        write_measurements(options.json, [named | r for r in rows], started, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history-effect", type=float, default=1.0)
    parser.add_argument("--method", default="effects", choices=sorted(METHODS))
    parser.add_argument("--no-posterior", dest="posterior", action="store_false")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/clinic"))
    return parser.parse_args()


def measure(
    predicted: Predictions, train: Cohort, test: Cohort, further: dict[str, PosteriorScore]
) -> list[Row]:
    """Regret of answering everybody, and of abstaining by each score.

    further: scores of chosen options (decision x option) and options given.
    """
    rewards, given = test.potential_rewards.astype(np.float64), test.treatment
    judged = ~np.isnan(rewards).any(axis=1) & (given >= 0)
    rewards, given = rewards[judged], given[judged]
    effectiveness, chosen = predicted.effectiveness[judged], predicted.probabilities[judged]
    best, at = rewards.max(axis=1), np.arange(len(given))
    ours, usual = best - (chosen * rewards).sum(axis=1), best - rewards[at, given]
    share = np.bincount(train.treatment[train.treatment >= 0], minlength=rewards.shape[1])
    own = (chosen * effectiveness).sum(axis=1)
    ordered = np.sort(effectiveness, axis=1)
    scores = {
        "gain over the option given": own - effectiveness[at, given],
        "gain over shares of options": own - effectiveness @ (share / share.sum()),
        "lead over the next option": ordered[:, -1] - ordered[:, -2],
        "certainty of the outcome": np.abs(own - 0.5),
        **{name: make(chosen, given, judged) for name, make in further.items()},
    }
    inputs, subject = score_inputs(effectiveness, chosen, given), test.subject[judged]
    gain = doubly_robust_gain(test, judged, chosen, effectiveness)
    scores |= {
        "learned: doubly robust gain": learn_from_others(inputs, gain, subject),
        "truth of others, learned: gain": learn_from_others(inputs, usual - ours, subject),
        "truth of others, learned: regret": -learn_from_others(inputs, ours, subject),
        "truth: gain over the option given": usual - ours,
        "truth: least regret": -ours,
    }
    rows: list[Row] = [
        {"metric": "regret_100", "score": "", "value": float(ours.mean())},
        {"metric": "regret_usual_care", "score": "", "value": float(usual.mean())},
    ]
    for name, score in scores.items():
        whole, answered = _abstain(score, ours, usual)
        rows.append({"metric": "regret_80", "score": name, "value": whole})
        rows.append({"metric": "regret_80_answered", "score": name, "value": answered})
    return rows


def _abstain(score: np.ndarray, ours: np.ndarray, usual: np.ndarray) -> tuple[float, float]:
    """Regret over all, and among the answered, where the lowest scores get usual care."""
    order = np.argsort(-score, kind="stable")
    answered, abstained = np.split(order, [round(ANSWERED * len(order))])
    whole = (ours[answered].sum() + usual[abstained].sum()) / len(order)
    return float(whole), float(ours[answered].mean())


def _print(rows: list[Row]) -> None:
    value = {(r["metric"], r["score"]): r["value"] for r in rows}
    full, usual = value["regret_100", ""], value["regret_usual_care", ""]
    table = Table("score", "all", "relative", "answered", "relative")
    for metric, score in value:
        if metric == "regret_80":
            whole, answered = value[metric, score], value["regret_80_answered", score]
            cells = (whole, whole / full, answered, answered / full)
            table.add_row(score, *(f"{cell:.3f}" for cell in cells))
    console = Console(width=100)
    console.print(f"Answering everybody: regret {full:.4f}; usual care: {usual:.4f}")
    console.print(table)
    console.print(f"Aims: {MOST_REGRET} of all, {MOST_OF_ANSWERED} among the answered.")


if __name__ == "__main__":
    main()
