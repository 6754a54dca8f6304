"""The paper's Table 1 on the virtual clinic, where the most effective option is known.

    python -m benchmarks.clinic --patients 50000 --withheld --json out/clinic.json

Models learn from what the records show, the outcome of the option given; the truth is joined to the
test patients alone. Accuracy and its kin ask for the truly most effective option, regret is the
P(effective) lost against it, each option at its truly best dose. `tuned_margin` boosts the
distance to the goal on patient, option and dose, by LightGBM where it is installed, and learns from
the validation patients too. `harms` is the expected number of the clinic's harms in six months,
`cost` the drug's in GBP, both at that dose.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console

from benchmarks.clinic_withheld import FAMILIES, without_family, without_history
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.storage.known_truth import truth_by_option
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
from posology.evaluation.table1.predictions import (
    Predictions,
    predict_cohort,
    usual_care_predictions,
)
from posology.learners.baselines import baselines
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.supervised import Supervised
from posology.learners.outcome_models.lightgbm_trees import is_installed
from posology.learners.outcome_models.tuned_dose_boosting import TunedDoseBoostingLearner
from posology.learners.recipes import Recipe, recipe_for_cohort
from posology.report.table1.terminal import render_table1
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.harms import HARMS
from posology.simulators.clinic.settings import ClinicSettings
from posology.workflows.results import write_measurements

SHOWN = ("accuracy", "precision", "recall", "f1", "auc")


def main() -> None:
    """Simulate, build, learn, compare."""
    started, options = time.perf_counter(), _options()
    folder = options.work / f"{options.patients}-seed-{options.seed}-h{options.history_effect:g}"
    cohort = build_clinic(options, folder)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    Console().print(f"{len(train):,} decisions to learn from, {len(test):,} to test on")
    answers = _answers(train, validation, test, options, folder / "answers")
    if "posology" not in answers:
        return
    table = compare_models(answers, test, np.random.default_rng(options.seed), replicates=1000)
    Console().print(render_table1(table))
    study = "clinic" if options.history_effect else "clinic_no_history_effect"
    rows = [{**r, "study": study} for r in to_rows(table) if r["metric"] in SHOWN] + _more(
        table, answers, test, folder / "records" / "truth", study
    )
    for r in rows:
        if r["metric"] in ("regret", "harms", "cost"):
            Console().print(f"{r['model']:20} {r['metric']:8} {r['value']:.4f}")
    if options.json:
        write_measurements(options.json, rows, started, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history-effect", type=float, default=1.0)
    parser.add_argument("--withheld", action="store_true", help="also without each source")
    parser.add_argument("--models", nargs="*", help="these alone; a table only with posology")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/clinic"))
    return parser.parse_args()


def build_clinic(options: argparse.Namespace, folder: Path) -> Cohort:
    """The clinic's cohort, simulated and built once a folder."""
    from posology.cohorts.storage.arrays import load_cohort

    if not (folder / "cohort").exists():
        settings = ClinicSettings(
            patients=options.patients, seed=options.seed, history_effect=options.history_effect
        )
        for _ in write_clinic(settings, folder / "records"):
            pass
        truth = folder / "records" / "truth"
        records = folder / "records" / "meds"
        build_folder(read_study("clinic"), records, folder / "cohort", BuildOptions(truth=truth))
    return load_cohort(folder / "cohort")


def _answers(
    train: Cohort, validation: Cohort, test: Cohort, options: argparse.Namespace, folder: Path
) -> dict[str, Predictions]:
    """What every model says of the test decisions, in the order of the table.

    folder: keeps what each model said, so that a run that was cut short goes on, and models can be
    asked in several processes.
    """
    recipe = recipe_for_cohort(train, options.seed)
    parts = (train, validation, test)

    @cache
    def first() -> NetworkPolicy:
        return recipe.supervised.fit(train, validation)

    asked = {
        "posology": lambda: predict_cohort(
            recipe.reinforcement.fit(first(), train, validation), test
        ),
        "posology_supervised": lambda: predict_cohort(first(), test),
    }
    if options.withheld:
        asked |= _withheld(recipe, parts)
    engine = "lightgbm" if is_installed() else "sklearn"
    tuned = TunedDoseBoostingLearner(engine, seed=options.seed)
    asked["tuned_margin"] = lambda: predict_cohort(tuned.fit(train, validation), test)
    for name, make in baselines(train, validation):
        asked[name] = lambda make=make: predict_cohort(make(), test)
    answers = {name: _kept(folder / f"{name}.npz", asked[name]) for name in options.models or asked}
    return {**answers, "usual": usual_care_predictions(test)}


def _kept(path: Path, make: Callable[[], Predictions]) -> Predictions:
    if not path.exists():
        started = time.process_time()
        made = make()
        Console().print(f"{path.stem}: {time.process_time() - started:.0f} CPU-s")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{f.name: getattr(made, f.name) for f in fields(made)})
    with np.load(path) as kept:
        return Predictions(**kept)


def _fits(learner: Supervised, parts: Sequence[Cohort]) -> Callable[[], Predictions]:
    """Fit the supervised phase on the first two splits and predict the third."""
    return lambda: predict_cohort(learner.fit(parts[0], parts[1]), parts[2])


def _withheld(recipe: Recipe, parts: tuple[Cohort, ...]) -> dict[str, Callable[[], Predictions]]:
    """The first phase again, each time without something."""
    asked = {
        f"posology_{name.replace(' ', '_')}": lambda name=name: _fits(
            recipe.supervised, [without_family(part, name) for part in parts]
        )()
        for name in FAMILIES
    }
    unseeing = replace(recipe.supervised, sizes=replace(recipe.supervised.sizes, attention=False))
    return {
        **asked,
        "posology_no_history": lambda: _fits(
            recipe.supervised, [without_history(part) for part in parts]
        )(),
        "posology_no_attention": _fits(unseeing, parts),
    }


def _more(
    table: Table1, answers: dict[str, Predictions], test: Cohort, truth: Path, study: str
) -> list[dict]:
    """Regret, harms and cost of each model, and the corrected p of posology against it."""
    most = float(test.potential_rewards.max(axis=1).mean())
    assert test.time is not None
    asked = (test.history.subject_id[test.subject], test.time)
    names = test.study.formulary.names
    harms = sum(truth_by_option(truth, names, harm, "best", asked) for harm in HARMS)
    cost = truth_by_option(truth, names, "cost", "best", asked)
    rows = []
    for model, said in answers.items():
        # The most that could be earned is the same for all, so regret moves as reward does.
        earned = table.row(model, "reward")
        figures = {
            "regret": (most - earned.value, most - earned.high, most - earned.low),
            "harms": (_mean(said, harms), None, None),
            "cost": (_mean(said, cost), None, None),
        }
        if model != table.reference:
            for metric in (*SHOWN, "reward"):
                test_of = table.test(model, metric)
                name = "regret" if metric == "reward" else metric
                figures[f"p_{name}"] = (test_of.p_holm, None, None)
        for metric, (value, low, high) in figures.items():
            rows.append(
                {
                    "study": study,
                    "model": model,
                    "split": "test",
                    "metric": metric,
                    "value": value,
                    "low": low,
                    "high": high,
                    "n": len(test),
                }
            )
    return rows


def _mean(said: Predictions, quantity: np.ndarray) -> float:
    return float(np.nansum(said.probabilities * quantity, axis=1).mean())


if __name__ == "__main__":
    main()
