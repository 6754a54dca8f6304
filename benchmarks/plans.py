"""HbA1c under planned drugs in the virtual clinic, against what would have happened.

    python -m benchmarks.plans --patients 2000 --seed 1 --json out/plans.json

The model is that of `posology fit --plans`: learned from the records alone. For every decision of a
test patient whose HbA1c was measured that day, each of the five drugs at its largest dose is begun
and taken for four quarters. The truth is the simulator's, with the same chance events in each
patient; in it the drug is tolerated and kept to. `bias` is the mean of predicted minus true,
`contrast_error` the mean absolute error of a drug's mean difference from the mean of the five.
`unchanged` predicts the last value. Intervals of the rows are by bootstrap over patients.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import row, write
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TEST, Cohort, select_split
from posology.domain.history import History
from posology.domain.outcome_trajectories import OutcomeTrajectories, PlannedOutcomes, Plans
from posology.learners.trajectories.visit_grid import (
    OptionsTaken,
    as_components,
    to_trajectories,
    visit_at,
)
from posology.simulators.clinic.disease import (
    DiseaseState,
    advance_quarter,
    draw_response_noise,
    response_features,
    start_option,
)
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.options import NAMES, OPTIONS, dose_share
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import full_dose_fall
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import simulate_patients, visit_minute
from posology.simulators.clinic.visits import reported_hba1c
from posology.workflows.plans.learn import HORIZON, PlanModel, learn_plans

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """HbA1c after each quarter on each drug, at decisions of the simulator."""

    subject_id: np.ndarray
    day: np.ndarray
    hba1c: np.ndarray
    """Decision, drug, quarter."""


def main() -> None:
    """Learn, look at the truth, compare."""
    options, started = _options(), time.time()
    cohort = _clinic(options)
    before = time.process_time()
    model = learn_plans(cohort)
    spent = time.process_time() - before
    test = select_split(cohort, TEST)
    truth = _true_courses(
        ClinicSettings(patients=options.patients, seed=options.seed), test.history.subject_id
    )
    rows = [row("clinic", "posology", "test", "fit_cpu_seconds", spent)]
    rows += _compare(model, test.history, truth, options.seed)
    write(options.json, rows, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1, help="development used 101")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/plans"))
    return parser.parse_args()


def _clinic(options: argparse.Namespace) -> Cohort:
    """The clinic's cohort, simulated and built once a folder."""
    folder = options.work / f"{options.patients}-seed-{options.seed}"
    if not (folder / "cohort").exists():
        settings = ClinicSettings(patients=options.patients, seed=options.seed)
        for _ in write_clinic(settings, folder / "records"):
            pass
        build = BuildOptions(truth=folder / "records" / "truth")
        build_folder(read_study("clinic"), folder / "records" / "meds", folder / "cohort", build)
    return load_cohort(folder / "cohort")


def _true_courses(settings: ClinicSettings, subject_id: np.ndarray) -> Truth:
    seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def observe(patients: Patients, state: DiseaseState, _reported: np.ndarray) -> None:
        if not len(patients.subject_id):
            return
        draws = make_draws(settings.seed ^ 0x5DEECE66D, patients.subject_id)
        fall = full_dose_fall(response_features(patients, state))[:, :, None]
        fall = fall * dose_share(state.egfr)
        rows, courses = np.arange(len(patients.subject_id)), []
        for option, described in enumerate(OPTIONS):
            level = len(described.doses) - 1
            noise = draw_response_noise(draws, state.quarter)
            chosen = np.full(len(rows), option), np.full(len(rows), level)
            now = start_option(state, rows, chosen, fall[:, option, level] + noise)
            values = []
            for _ in range(HORIZON):
                now = advance_quarter(patients, now, draws)
                values.append(reported_hba1c(patients, now, draws))
            courses.append(np.stack(values, axis=1))
        day = visit_minute(patients, state.quarter, draws) / MINUTES_A_DAY
        seen.append((patients.subject_id, day, np.stack(courses, axis=1)))

    simulate_patients(settings, subject_id, observe)
    return Truth(*(np.concatenate(column) for column in zip(*seen, strict=True)))


def _compare(model: PlanModel, history: History, truth: Truth, seed: int) -> list[dict]:
    logged, taken = to_trajectories(model.grid, history)
    subject = np.searchsorted(history.subject_id, truth.subject_id)
    visit = visit_at(model.grid, history, subject, truth.day)
    inside = (visit >= 0) & (visit < logged.outcome.shape[1])
    inside[inside] &= ~np.isnan(logged.outcome[subject[inside], visit[inside]])
    subject, visit, true = subject[inside], visit[inside], truth.hba1c[inside]
    before = np.where(visit > 0, taken.option[subject, np.maximum(visit - 1, 0)], -1)
    found = [_predict(model, logged, (subject, visit, before), k) for k in range(len(NAMES))]
    mean = np.stack([f.mean for f in found], axis=1)
    covered = np.stack(
        [(true[:, k] >= f.low) & (true[:, k] <= f.high) for k, f in enumerate(found)], axis=1
    )
    now = logged.outcome[subject, visit][:, None, None]
    measures = {
        ("posology", "bias"): mean - true,
        ("posology", "squared"): (mean - true) ** 2,
        ("posology", "coverage_90"): covered.astype(float),
        ("unchanged", "bias"): now - true,
        ("unchanged", "squared"): (now - true) ** 2,
    }
    rows = []
    for (name, metric), values in measures.items():
        for step in range(HORIZON):
            groups = {"all": values[:, :, step].mean(axis=1)}
            groups |= {drug: values[:, k, step] for k, drug in enumerate(NAMES)}
            for group, each in groups.items():
                rows.append(_row(name, metric, f"{group}, step {step + 1}", each, subject, seed))
    error = np.abs(_contrast(mean) - _contrast(true)).mean(axis=0)
    rows += [
        row("clinic", "posology", "test", "contrast_error", float(e), group=f"step {step + 1}")
        for step, e in enumerate(error)
    ]
    return rows


def _contrast(values: np.ndarray) -> np.ndarray:
    average = values.mean(axis=0)
    return average - average.mean(axis=0)


def _predict(
    model: PlanModel,
    logged: OutcomeTrajectories,
    start: tuple[np.ndarray, np.ndarray, np.ndarray],
    option: int,
) -> PlannedOutcomes:
    subject, visit, before = start
    shape = (len(subject), HORIZON)
    taken = OptionsTaken(np.full(shape, option), np.ones(shape))
    last = np.concatenate([before[:, None], np.full((shape[0], HORIZON - 1), option)], axis=1)
    plan = as_components(len(NAMES), taken, last)
    return model.trajectories.predict(logged, Plans(subject, visit, plan))


def _row(
    name: str, metric: str, group: str, each: np.ndarray, subject: np.ndarray, seed: int
) -> dict:
    """The mean with an interval by bootstrap over patients; of squared errors, the root."""
    _, patient = np.unique(subject, return_inverse=True)
    total = np.bincount(patient, each)
    count = np.bincount(patient)
    draw = np.random.default_rng(seed).integers(0, len(count), (300, len(count)))
    means = total[draw].sum(axis=1) / count[draw].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    value = float(each.mean())
    if metric == "squared":
        metric, value, low, high = "rmse", *np.sqrt([value, low, high])
    ends = {"low": float(low), "high": float(high), "n": len(each)}
    return row("clinic", name, "test", metric, float(value), group=group, **ends)


if __name__ == "__main__":
    main()
