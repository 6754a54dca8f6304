"""Off-policy estimates in the virtual clinic, where every option's chance of success is known.

Each review is a decision by itself; the truth of an option is its mean over the doses that the
simulated clinicians would give. Policies are each option for all, the guideline, and the
best option by regressions learned on the training patients, more or less boldly: the rest is what
is known of usual care.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.behaviour import check_behaviour
from benchmarks.clinic import build_clinic
from benchmarks.off_policy_rows import Case, Sizes, judged
from posology.causal.outcome_regression import fit_outcome_regression
from posology.causal.propensity import fit_propensity
from posology.causal.trial import Trial, assign_folds
from posology.cohorts.events.chunks import event_files
from posology.domain.cohort import TEST, TRAIN, Cohort, select_split, subset_decisions
from posology.domain.trajectories import without_observations
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.learners.features.recent_window import (
    RecentWindowSpec,
    build_recent_rows,
    fit_recent_window,
)
from posology.learners.features.tabular import build_feature_spec, extract_features
from posology.learners.guidelines.formula import build_rule_policy

_DAY = 86_400e6
BOLD = (1.0, 0.5, 0.1)
"""Shares of the policy; the rest is what clinicians do."""
SURE = 3.0
"""Standard deviations beyond which an option was not given as often as its probabilities say."""


def one_seed(seed: int, sizes: Sizes) -> list[dict]:
    """Every policy by every estimator; a clinic of all sizes' patients, split as ever, once."""
    count = sizes.train + sizes.test
    options = argparse.Namespace(patients=count, seed=seed, history_effect=1.0)
    folder = Path("out/clinic") / f"{count}-seed-{seed}-h1"
    cohort, rng = build_clinic(options, folder), np.random.default_rng([seed, 4])
    everybody = known(cohort)
    truth, usual = chances(everybody, folder / "records" / "truth")
    keep = ~np.isnan(truth).any(axis=1)
    everybody, truth, usual = subset_decisions(everybody, keep), truth[keep], usual[keep]
    asked = everybody.split == TEST
    estimated, truth, usual = learned_care(everybody, rng)[asked], truth[asked], usual[asked]
    learned, evaluation = select_split(everybody, TRAIN), select_split(everybody, TEST)
    spec = fit_recent_window(learned, lags=2, code_steps=1)
    trial = as_trial(evaluation, spec)
    q = fit_outcome_regression(trial, assign_folds(trial, rng)).mean
    row, given = np.arange(len(trial)), trial.treatment
    each = np.arange(len(trial) + 1)
    reviews = without_observations(given.astype(np.int32), trial.outcome, usual, each)
    results = []
    for name, policy in policies(learned, evaluation, spec, rng).items():
        for share in BOLD:
            earned = ((share * policy + (1 - share) * usual) * truth).sum(axis=1)
            case = Case("clinic", f"{name}_{share:g}", seed, 0, float(earned.mean()))
            for split, behaviour in {"known": usual, "estimated": estimated}.items():
                mixed = share * policy + (1 - share) * behaviour
                data = OffPolicyData(
                    reviews,
                    target=mixed[row, given],
                    q=q[row, given],
                    v=(mixed * q).sum(axis=1),
                    patient=trial.subject,
                )
                results += judged(case, data, {split: behaviour[row, given]}, rng)
    return results


def known(cohort: Cohort) -> Cohort:
    """Decisions followed to their outcome."""
    return subset_decisions(cohort, ~np.isnan(cohort.reward) & (cohort.treatment >= 0))


def learned_care(cohort: Cohort, rng: np.random.Generator) -> np.ndarray:
    """How often clinicians give each option: from the whole past, the date and the practice.

    Cross-fitted by patient among all of them, as it is learned without outcomes; the model of the
    least log loss.
    """
    past = extract_features(build_feature_spec(cohort), cohort.history, cohort.last_step).astype(
        np.float64
    )
    assert cohort.time is not None
    practice = np.eye(int(cohort.site.max()) + 1)[cohort.site]
    trial = Trial(
        np.column_stack([past, cohort.time, practice]),
        cohort.treatment.astype(np.int64),
        cohort.reward.astype(np.float64),
        cohort.subject,
        len(cohort.study.formulary.treatments),
    )
    found = fit_propensity(trial, assign_folds(trial, rng), ("logistic", "boosting"))
    checked = check_behaviour(found.probability, trial.treatment)
    off = [f"{row.treatment}: {row.z:.1f}" for row in checked if abs(row.z) > SURE]
    print(f"behaviour: {found.model}, log loss {found.log_loss}; not calibrated: {off or 'none'}")
    return found.probability


def as_trial(cohort: Cohort, spec: RecentWindowSpec) -> Trial:
    """The recent past, the treatment and the outcome."""
    rows = build_recent_rows(spec, cohort.history, cohort.last_step)
    return Trial(
        rows.values.astype(np.float64),
        cohort.treatment.astype(np.int64),
        cohort.reward.astype(np.float64),
        cohort.subject,
        len(cohort.study.formulary.treatments),
    )


def policies(
    learned: Cohort, evaluation: Cohort, spec: RecentWindowSpec, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Each option for all, the guideline, and the best by regressions of training patients."""
    count = len(learned.study.formulary.treatments)
    found = {
        name: np.eye(count)[[number] * len(evaluation)]
        for number, name in enumerate(learned.study.formulary.names)
    }
    guideline = build_rule_policy(learned.study.rules[0], learned)
    allowed = np.ones((len(evaluation), count), dtype=bool)
    found["guideline"] = guideline.choice_probabilities(
        evaluation.history, evaluation.last_step, allowed
    )
    trial, asked = as_trial(learned, spec), as_trial(evaluation, spec)
    slopes = [_slope(trial, np.flatnonzero(trial.treatment == option)) for option in range(count)]
    worth = np.column_stack([level + asked.covariates @ slope for level, slope in slopes])
    found["regression"] = np.eye(count)[worth.argmax(axis=1)]
    found["noise"] = np.eye(count)[rng.integers(0, count, len(evaluation))]
    return found


def _slope(trial: Trial, rows: np.ndarray) -> tuple[float, np.ndarray]:
    X, y = trial.covariates[rows], trial.outcome[rows]
    gram = X.T @ X + 50.0 * np.eye(X.shape[1])
    return float(y.mean()), np.linalg.solve(gram, X.T @ (y - y.mean()))


def chances(cohort: Cohort, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """P(effective) of each option at the doses clinicians give, and how often they give it."""
    table = pq.read_table(event_files(folder / "decisions")).to_pandas()
    table = table.drop_duplicates(["subject_id", "time"]).set_index(["subject_id", "time"])
    assert cohort.time is not None
    when = np.rint(cohort.time * _DAY).astype(np.int64).astype("datetime64[us]")
    rows = table.reindex(list(zip(cohort.history.subject_id[cohort.subject], when, strict=True)))
    truth, usual = [], []
    for name in cohort.study.formulary.names:
        doses = [
            c.removeprefix("probability.") for c in rows if c.startswith(f"probability.{name}.")
        ]
        weight = rows[[f"probability.{d}" for d in doses]].to_numpy()
        success = rows[[f"effective.{d}" for d in doses]].to_numpy()
        total = weight.sum(axis=1)
        mean = (weight * success).sum(axis=1) / np.where(total > 0, total, 1.0)
        truth.append(np.where(total > 0, mean, success.max(axis=1)))
        usual.append(total)
    behaviour = np.column_stack(usual)
    return np.column_stack(truth), behaviour / behaviour.sum(axis=1, keepdims=True)
