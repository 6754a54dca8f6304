"""Diagnosis, progression and time to event on the virtual clinic, compared with classical models.

    python -m benchmarks.tasks --patients 2000 --json out/tasks.json [--against logistic_ridge cox]

The first phase of the recipe `histories` answers all the study's tasks from one pass. Against it,
each fitted for each target alone on the flattened histories, and chosen on the validation patients:
logistic regression, boosting and tuned boosting (diagnosis), the last value, ridge regression and
both boostings (progression), Cox's model with an elastic net and the training patients' own curve
(time to event). `tuned_boosting` also learns from the validation patients once it has chosen, by
LightGBM where it is installed. Figures are of the test patients, with intervals by bootstrap over
patients; `posology_minus_best` is paired, and its baseline the best by the same figure on the test
patients, which favours the baseline. Predictions are kept beside the cohort, so that a run that was
cut goes on with the next model; after a change of a model remove its file. Concordance and Brier
scores under censoring are scikit-survival's, which `pip install scikit-survival` brings.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks import tasks_baselines as baselines
from benchmarks.rows import row, write
from benchmarks.tasks_scores import LOWER_IS_BETTER, Scored, scored
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import OutcomePredictions
from posology.learners import recipes
from posology.learners.baselines import run_quietly
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings


def main() -> None:
    """Simulate, build, learn, compare."""
    options, started = _options(), time.time()
    torch.set_num_threads(1)
    cohort = clinic(options.patients, options.seed, options.work)
    splits = [select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST)]
    print(f"{len(splits[0]):,} decisions to learn from, {len(splits[2]):,} to test on", flush=True)
    rows, said = [], {}
    makers = {"posology": lambda *splits: _ours(*splits, options.seed), **baselines.LINEUP}
    for name in ("posology", *options.against):
        kept = options.work / f"{options.patients}-seed-{options.seed}" / f"{name}.npz"
        said[name], spent = _predictions(makers[name], splits, kept)
        rows.append(row("clinic", name, "test", "fit_cpu_seconds", spent, n=len(splits[0])))
        print(f"{name}: {spent:.0f} CPU-seconds", flush=True)
    rows += _coverage(said["posology"], splits[2])
    write(options.json, rows, options.seed, started)  # what is there already, if the run is cut
    rows += _judged(said, splits[0], splits[2], options.replicates)
    write(options.json, rows, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--against", nargs="*", choices=baselines.LINEUP, default=baselines.LINEUP)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/tasks"))
    return parser.parse_args()


def clinic(patients: int, seed: int, work: Path) -> Cohort:
    """The clinic's cohort, simulated and built once a folder."""
    folder = work / f"{patients}-seed-{seed}"
    if not (folder / "cohort").exists():
        for _ in write_clinic(ClinicSettings(patients=patients, seed=seed), folder / "records"):
            pass
        asked = BuildOptions(truth=folder / "records" / "truth")
        build_folder(read_study("clinic"), folder / "records" / "meds", folder / "cohort", asked)
    return load_cohort(folder / "cohort")


def _predictions(
    make: Callable[..., OutcomePredictions], splits: list[Cohort], kept: Path
) -> tuple[OutcomePredictions, float]:
    """A model's predictions and the CPU-seconds they took; of a file where it exists."""
    if not kept.exists():
        before = time.process_time()
        told = make(*splits)
        spent = time.process_time() - before
        np.savez(kept, spent=spent, **{f.name: getattr(told, f.name) for f in fields(told)})
    with np.load(kept) as found:
        parts = {f.name: found[f.name] for f in fields(OutcomePredictions)}
        return OutcomePredictions(**parts), float(found["spent"])


def _ours(train: Cohort, validation: Cohort, test: Cohort, seed: int) -> OutcomePredictions:
    first = recipes.histories_recipe(seed).supervised
    policy, epochs = run_quietly(first.fit_epochs(train, validation), "", 0)
    print(f"posology: {len(epochs)} epochs", flush=True)
    told = policy.predict_outcomes(test.history, test.last_step)
    return OutcomePredictions(  # the members' mean is what is judged
        told.diagnosis.mean(2, keepdims=True),
        told.progression.mean(2, keepdims=True),
        told.progression_error,
        told.survival.mean(3, keepdims=True),
    )


def _coverage(told: OutcomePredictions, test: Cohort) -> list[dict]:
    assert test.progression is not None
    inside = np.abs(told.progression[..., 0] - test.progression) <= told.progression_error
    rows = []
    for i, target in enumerate(test.study.progression):
        known = ~np.isnan(test.progression[:, i])
        share, n = float(inside[known, i].mean()), int(known.sum())
        rows.append(row(target.name, "posology", "test", "found_in_95_of_100", share, n=n))
    return rows


def _judged(
    said: dict[str, OutcomePredictions], train: Cohort, test: Cohort, replicates: int
) -> list[dict]:
    scores = {name: scored(told, train, test, replicates) for name, told in said.items()}
    rows = []
    for (target, metric), ours in scores["posology"].items():
        others = {
            name: table[target, metric]
            for name, table in scores.items()
            if name != "posology" and (target, metric) in table
        }
        for name, score in {"posology": ours, **others}.items():
            low, high = score.interval()
            told = {"low": low, "high": high, "n": int(score.known)}
            rows.append(row(target, name, "test", metric, score.value, **told))
        if others:
            rows.append(_against_best(target, metric, ours, others))
    return rows


def _against_best(target: str, metric: str, ours: Scored, others: dict[str, Scored]) -> dict:
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    best = max(others, key=lambda name: sign * others[name].value)
    apart = ours.replicates - others[best].replicates
    low, high = np.nanquantile(apart, (0.025, 0.975))
    verdict = "level" if low <= 0 <= high else "better" if sign * low > 0 else "worse"
    told = {"low": float(low), "high": float(high), "n": int(ours.known), "against": best}
    value = ours.value - others[best].value
    print(f"{target:28} {metric:18} {value:+.4f} ({low:+.4f} to {high:+.4f}) {best} {verdict}")
    return row(target, "posology_minus_best", "test", metric, value, verdict=verdict, **told)


if __name__ == "__main__":
    main()
