"""What the second phase adds in the virtual clinic where harms have a price.

    python -m benchmarks.clinic_priced --patients 50000 --seed 131 --json FILE

The clinic's study prices no harm: its reward is the label that the first phase learns, and nothing
is left to the second. Here each harm within six months costs `--price`, in units of an effective
treatment. Both phases are judged by the truth of test patients: P(effective) less the price of the
harms to be expected, each option at its most effective dose.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.clinic import build_clinic
from benchmarks.rows import row, write
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.storage.known_truth import truth_by_option
from posology.cohorts.study.reader import parse_study, shipped_study_path
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.study import Study
from posology.evaluation.intervals import Z_95
from posology.learners.features.rewards import permitted_treatments
from posology.learners.offline_rl.td_errors import clustered_mean
from posology.learners.recipes import recipe_for_cohort
from posology.simulators.clinic.harms import HARMS

STUDY, REWARD = "clinic with priced harms", "effective = 1.0\n"
DAYS = 182
"""Six months, over which the truth counts harms."""


def main() -> None:
    """Simulate, build, learn, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--price", type=float, default=1.0, help="of a harm, in effective options")
    parser.add_argument("--work", type=Path, default=Path("out/clinic"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.history_effect, started = 1.0, time.time()
    folder = options.work / f"{options.patients}-seed-{options.seed}-h1"
    build_clinic(options, folder)
    cohort = priced_cohort(folder, options.price)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    recipe = recipe_for_cohort(train, options.seed)
    first = recipe.supervised.fit(train, validation)
    print(f"first phase: {time.process_time():.0f} CPU-s since the start", flush=True)
    second = recipe.reinforcement.fit(first, train, validation)
    print(f"second phase: {time.process_time():.0f} CPU-s since the start", flush=True)
    truth = true_values(test, folder / "records" / "truth", options.price)
    policies = {"before its second phase": first, "posology": second}
    write(options.json, list(_rows(policies, test, truth)), options.seed, started)


def priced_cohort(folder: Path, price: float) -> Cohort:
    """The clinic's cohort with every harm priced, built once a folder and price."""
    place, truth = folder / f"priced-{price:g}", folder / "records" / "truth"
    if not place.exists():
        study = priced_study(price)
        build_folder(study, folder / "records" / "meds", place, BuildOptions(truth=truth))
    return load_cohort(place)


def priced_study(price: float) -> Study:
    """The clinic's study; the harms that it predicts cost this much each."""
    path = shipped_study_path("clinic")
    text = path.read_text(encoding="utf-8")
    codes = [code for harm in parse_study(text, str(path)).diagnosis for code in harm.codes]
    lines = [f'  {{ codes = ["{c}"], cost = {price}, within_days = {DAYS} }},\n' for c in codes]
    costs = f"{REWARD}costs = [\n{''.join(lines)}]\n"
    return parse_study(text.replace(REWARD, costs, 1), "clinic with priced harms")


def true_values(test: Cohort, folder: Path, price: float) -> np.ndarray:
    """Of every option at each decision: P(effective) less the price of the harms expected."""
    assert test.time is not None
    asked, names = (test.history.subject_id[test.subject], test.time), test.study.formulary.names
    harms = sum(truth_by_option(folder, names, harm, "best", asked) for harm in HARMS)
    return truth_by_option(folder, names, "effective", "max", asked) - price * harms


def _rows(policies: dict[str, Policy], test: Cohort, truth: np.ndarray) -> Iterator[dict]:
    """Value of each phase, and of the second less the first, with intervals over patients."""
    allowed = permitted_treatments(test)
    chosen = {
        name: policy.choice_probabilities(test.history, test.last_step, allowed)
        for name, policy in policies.items()
    }
    earned = {name: (choice * truth).sum(axis=1) for name, choice in chosen.items()}
    best = np.where(allowed, truth, -np.inf).max(axis=1)
    before, after = earned.values()
    columns = {**earned, "best by the truth": best, "second less first": after - before}
    for name, column in columns.items():
        mean, error = clustered_mean(column, test.subject)
        limits = {"low": mean - Z_95 * error, "high": mean + Z_95 * error}
        yield row(STUDY, name, "test", "value", mean, n=len(test), **limits)
    for name, choice in chosen.items():
        for option, share in zip(test.study.formulary.names, choice.mean(axis=0), strict=True):
            yield row(STUDY, name, "test", f"share of {option}", float(share), n=len(test))


if __name__ == "__main__":
    main()
