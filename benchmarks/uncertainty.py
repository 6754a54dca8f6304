"""Coverage and width of the dose intervals and option sets on IWPC, by group and true dose.

    python -m benchmarks.uncertainty --json out/uncertainty.json

Three ways to hold patients out: the study's own test split; ten random folds; eleven groups of
hospitals. Each fold fits everything on its training patients. Thresholds come from validation
patients, as in `posology fit`; for hospitals from the patients of other held-out hospitals, because
validation patients of the hospitals learned from say little about new ones. A limit is not met only
where the upper end of the 95 % interval of the coverage (Wilson) lies below 80 %. What each fold
said is kept in --work, so a run that was stopped goes on where it stopped.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.iwpc import Fold, make_folds
from posology.advice.uncertainty.dose_intervals import (
    DosePredictions,
    dose_intervals,
    fit_dose_intervals,
)
from posology.advice.uncertainty.groups import group_members
from posology.advice.uncertainty.option_sets import fit_option_sets, option_sets
from posology.advice.uncertainty.predictions import dose_bands
from posology.advice.uncertainty.thresholds import conformal_quantile
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import uniform_hash
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.history import latest_value
from posology.evaluation.intervals import wilson_interval
from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.predictions import predict_cohort
from posology.workflows.results import Row, write_measurements

NOMINAL, LEAST, MOST, WIDEST, MIN_GROUP = 0.80, 0.79, 0.84, 39.0, 100
OWN = Fold("test", 0, (), 0)
"""The study's own split."""
Parts = dict[str, np.ndarray]


def main() -> None:
    """Fit every fold, print coverage by group and band, and write the rows."""
    options, started = _options(), time.perf_counter()
    work = options.work / options.method
    work.mkdir(parents=True, exist_ok=True)
    data, study = iwpc.load(), read_study("iwpc")
    site = dict(zip(data.subject_id.tolist(), data.site.tolist(), strict=True))
    whole = build_cohort(data.events, study, site=site)
    folds = [OWN, *make_folds(whole, site, options.folds, options.seed)]
    folds = [fold for fold in folds if fold.split in options.splits]
    with concurrent.futures.ProcessPoolExecutor(
        options.jobs, multiprocessing.get_context("spawn")
    ) as workers:
        tasks = [workers.submit(_predict, fold, options.method, work) for fold in folds]
        for done in concurrent.futures.as_completed(tasks):
            Console().print(done.result(), highlight=False)
    rows: list[Row] = []
    for split in options.splits:
        kept = [_load(work, fold) for fold in folds if fold.split == split]
        found = list(_measure(whole, kept, split))
        rows += [{"study": "iwpc", "model": options.method, "split": split, **r} for r in found]
        _print(split, found)
    if options.json:
        write_measurements(options.json, rows, started, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="boosting", help="boosting, or one of `posology fit`")
    parser.add_argument("--splits", nargs="*", default=["test", "kfold", "site"])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="folds at the same time")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/uncertainty"))
    return parser.parse_args()


def _predict(fold: Fold, method: str, work: Path) -> str:
    """Fit one fold, and keep what it says of its validation and test patients."""
    path = _path(work, fold)
    if path.exists():
        return f"{path.stem}: kept"
    from posology.learners.methods import build_learner
    from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner

    started = time.process_time()
    data, study = iwpc.load(), read_study("iwpc")
    cohort = build_cohort(data.events, study, _split(fold, np.unique(data.subject_id)))
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    boosting = GradientBoostingLearner(leaf_counts=(4,), dose_losses=("squared_error",))
    learner = boosting if method == "boosting" else build_learner(method, fold.seed)
    policy = learner.fit(train, validation)
    kept: Parts = {}
    for name, part in (("validation", validation), ("test", test)):
        said = predict_cohort(policy, part)
        kept[f"{name}_subject"] = part.history.subject_id[part.subject]
        kept[f"{name}_dose"], kept[f"{name}_probability"] = said.dose, said.effectiveness
    np.savez_compressed(path, **kept)
    return f"{path.stem}: {time.process_time() - started:.0f} CPU-s"


def _split(fold: Fold, subjects: np.ndarray) -> dict[int, int] | None:
    """Split of each patient; None: the study's own."""
    if fold is OWN or fold.split == "test":
        return None
    held_out = set(fold.held_out)
    chooses = uniform_hash(subjects, f"choose-{fold.split}-{fold.number}-{fold.seed}") < 1 / 8
    return {
        int(s): TEST if int(s) in held_out else VALIDATION if c else TRAIN
        for s, c in zip(subjects, chooses, strict=True)
    }


def _path(work: Path, fold: Fold) -> Path:
    return work / f"{fold.split}-{fold.number}-of-seed-{fold.seed}.npz"


def _load(work: Path, fold: Fold) -> Parts:
    with np.load(_path(work, fold)) as kept:
        return dict(kept)


def _measure(whole: Cohort, folds: list[Parts], split: str) -> Iterator[Row]:
    """Coverage of all, each group and each band, and widths; each patient judged once."""
    place = {int(s): row for row, s in enumerate(whole.history.subject_id[whole.subject])}
    right, size = true_dose(whole), len(whole)
    bounds = {name: np.full((size, 2), np.nan) for name in ("ready_for", "plan_for", "plain")}
    in_set, set_size = np.zeros(size, dtype=bool), np.full(size, np.nan)
    tested = np.zeros(size, dtype=bool)
    for fold in folds:
        others = [other for other in folds if other is not fold]
        calibration = _pool(others, "test") if split == "site" else _pool([fold], "validation")
        known = _rows(calibration, place)
        new = _rows(_pool([fold], "test"), place)
        said = _said(whole, _pool([fold], "test"), new)
        fitted = fit_dose_intervals(
            _said(whole, calibration, known), right[known], dose_bands(whole.study), NOMINAL
        )
        assert fitted is not None
        found = dose_intervals(fitted, said)
        bounds["ready_for"][new] = np.column_stack([found.ready_low, found.ready_high])
        bounds["plan_for"][new] = np.column_stack([found.plan_low, found.plan_high])
        plain = conformal_quantile(np.abs(calibration["dose"] - right[known]), NOMINAL)
        bounds["plain"][new] = said.dose[:, None] + np.array([-1.0, 1.0]) * (plain or np.inf)
        best = whole.best_treatment.astype(np.int64)
        sets = fit_option_sets(calibration["probability"], best[known], NOMINAL)
        assert sets is not None
        members = option_sets(sets, fold["test_probability"])
        in_set[new] = members[np.arange(len(new)), best[new]]
        set_size[new], tested[new] = members.sum(axis=1), True
    groups = list(_groups(whole))
    for name, (low, high) in ((n, b.T) for n, b in bounds.items()):
        inside = (low <= right) & (right <= high)
        for family, group, mask in groups:
            yield _row(f"coverage_{name}", family, group, inside[tested & mask])
        yield {"metric": f"median_width_{name}", "value": float(np.median((high - low)[tested]))}
        yield {"metric": f"mean_width_{name}", "value": float(np.mean((high - low)[tested]))}
    for family, group, mask in groups:
        yield _row("coverage_option_set", family, group, in_set[tested & mask])
    yield {"metric": "mean_options_in_set", "value": float(set_size[tested].mean())}


def _pool(folds: list[Parts], part: str) -> Parts:
    names = ("subject", "dose", "probability")
    return {n: np.concatenate([fold[f"{part}_{n}"] for fold in folds]) for n in names}


def _rows(part: Parts, place: dict[int, int]) -> np.ndarray:
    return np.array([place[int(s)] for s in part["subject"]], dtype=np.int64)


def _said(whole: Cohort, part: Parts, rows: np.ndarray) -> DosePredictions:
    groups = group_members(whole.study, whole.profile, whole.history, whole.last_step[rows])
    return DosePredictions(part["dose"], part["probability"], groups)


def _groups(whole: Cohort) -> Iterator[tuple[str, str, np.ndarray]]:
    """Family, name and members: all, bands of the right dose, the study's groups, age."""
    yield "all", "all", np.ones(len(whole), dtype=bool)
    dose = true_dose(whole)
    for title, mask in (
        ("under 21", dose < 21),
        ("21 to 49", (dose >= 21) & (dose <= 49)),
        ("over 49", dose > 49),
        ("49 or more", dose >= 49),
        ("21 or less", dose <= 21),
    ):
        yield "right dose", title, mask
    names, members = group_members(whole.study, whole.profile, whole.history, whole.last_step)
    for name, member in zip(names, members.T, strict=True):
        yield "group", name, member
    decade = latest_value(whole.history, whole.last_step, whole.profile.rows(("AGE_DECADE",)))
    for value in np.unique(decade[~np.isnan(decade)]):
        yield "age", f"decade {value:g}", decade == value


def _row(metric: str, family: str, group: str, inside: np.ndarray) -> Row:
    n = len(inside)
    low, high = wilson_interval(int(inside.sum()), n) if n else (None, None)
    value = float(inside.mean()) if n else None
    named = {"metric": metric, "family": family, "group": group}
    return {**named, "value": value, "low": low, "high": high, "n": n}


def _print(split: str, rows: list[Row]) -> None:
    """Coverage of what is large enough to be judged, and what is not met."""
    table = Table("", "patients", "ready for", "plan for", "plain split", "option set", title=split)
    names = ("ready_for", "plan_for", "plain", "option_set")
    keyed = {(r["metric"], r.get("family"), r.get("group")): r for r in rows}
    missed = []
    for (metric, family, group), row in keyed.items():
        if metric != "coverage_ready_for" or row["n"] < MIN_GROUP:
            continue
        cells = [keyed[f"coverage_{name}", family, group]["value"] for name in names]
        table.add_row(f"{family}: {group}", str(row["n"]), *(f"{100 * c:.1f}" for c in cells))
        if row["high"] < NOMINAL:
            missed.append(f"{family} {group}: {row['value']:.3f}, at most {row['high']:.3f}")
    console = Console(width=100)
    console.print(table)
    width = keyed["median_width_ready_for", None, None]["value"]
    for row in rows:
        if "width" in row["metric"] or row["metric"] == "mean_options_in_set":
            console.print(f"{row['metric']}: {row['value']:.2f}", highlight=False)
    whole = keyed["coverage_ready_for", "all", "all"]["value"]
    if not LEAST <= whole <= MOST:
        missed.append(f"coverage over all {whole:.3f}, not {LEAST} to {MOST}")
    if width > WIDEST:
        missed.append(f"median width {width:.1f}, above {WIDEST}")
    sets = keyed["coverage_option_set", "all", "all"]["value"]
    if abs(sets - NOMINAL) > 0.02:
        missed.append(f"option sets {sets:.3f}, over 2 points from {NOMINAL}")
    console.print("All aims met." if not missed else "Not met: " + "; ".join(missed) + ".")


if __name__ == "__main__":
    main()
