"""Every model on all 5,919 stable-dose IWPC patients, held out at random and by hospital.

    python -m benchmarks.iwpc --folds 10 --json out/iwpc.json

Each fold fits vocabulary, scaling and refitted formula on its own training patients, an eighth of
which (by a hash) chooses epochs and hyper-parameters. `posology` is the stack, `network` its first
network alone; `lightgbm`, `svr` and `kernel` learn from the eighth too, once they have chosen. What
each model said of each fold is kept in --work, so a run that was stopped goes on where it stopped;
--fresh starts again.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from sklearn.model_selection import GroupKFold, KFold

from posology.cli.progress import progress_bars
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import uniform_hash
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
from posology.evaluation.table1.headline import write_headline
from posology.evaluation.table1.predictions import (
    Predictions,
    concatenate_predictions,
    predict_cohort,
)
from posology.learners.outcome_models.lightgbm_trees import is_installed
from posology.learners.stack.policy import StackedPolicy
from posology.report.table1.terminal import render_table1
from posology.workflows.results import write_measurements

SITES = 11
"""Groups of hospitals held out in turn: GroupKFold(11) on Project Site."""

_WEIGHTS = "weights.json"
"""The stack's weights of a fold."""
_DONE = "models.json"
"""Names of the models of a finished fold."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """One group of patients held out."""

    split: str
    number: int
    held_out: tuple[int, ...]
    seed: int


def main() -> None:
    """Run every fold, print both tables and write the rows."""
    options = _options()
    if not is_installed():
        raise SystemExit('LightGBM is a row of the table: pip install "posology[boosting]"')
    started = time.perf_counter()
    if options.fresh:
        shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True, exist_ok=True)
    data, study = iwpc.load(), read_study("iwpc")
    site = dict(zip(data.subject_id.tolist(), data.site.tolist(), strict=True))
    whole = build_cohort(data.events, study, site=site)
    folds = make_folds(whole, site, options.folds, options.seed)
    _run(folds, options.work, options.jobs)
    rows = []
    for split in ("kfold", "site"):
        table = _table(whole, [f for f in folds if f.split == split], options.work, split)
        Console().print(write_headline(table))
        Console().print(render_table1(table))
        rows += to_rows(table) + [_test_row(study.name, split, t) for t in table.tests]
    if options.json:
        write_measurements(options.json, rows, started, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="folds at the same time")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/iwpc-folds"))
    parser.add_argument("--fresh", action="store_true", help="forget finished folds")
    return parser.parse_args()


def make_folds(whole: Cohort, site: dict[int, int], folds: int, seed: int) -> list[Fold]:
    """Random folds of patients, then groups of hospitals; each patient is held out once by each."""
    subjects = whole.history.subject_id
    random = KFold(folds, shuffle=True, random_state=seed).split(subjects)
    sites = [site[int(s)] for s in subjects]
    held = GroupKFold(SITES).split(subjects, groups=sites)
    return [
        Fold(split, number, tuple(subjects[test].tolist()), seed)
        for split, parts in (("kfold", random), ("site", held))
        for number, (_, test) in enumerate(parts)
    ]


def _run(folds: list[Fold], work: Path, jobs: int) -> None:
    todo = [fold for fold in folds if not (_path(work, fold) / _DONE).exists()]
    context = multiprocessing.get_context("spawn")
    with (
        progress_bars() as progress,
        concurrent.futures.ProcessPoolExecutor(jobs, context) as workers,
    ):
        task = progress.add_task(
            "folds", total=len(folds), completed=len(folds) - len(todo), message=""
        )
        running = [workers.submit(_one, fold, work) for fold in todo]
        for done in concurrent.futures.as_completed(running):
            progress.update(task, advance=1, message=done.result())


def _one(fold: Fold, work: Path) -> str:
    import torch

    from benchmarks.iwpc_svr import fit_svr
    from posology.learners.baselines import baselines, fit_networks, fit_paper, run_quietly
    from posology.learners.stack.learner import StackLearner

    torch.set_num_threads(1)
    data, study = iwpc.load(), read_study("iwpc")
    subjects = np.unique(data.subject_id)
    held_out = set(fold.held_out)
    chooses = uniform_hash(subjects, f"choose-{fold.split}-{fold.number}-{fold.seed}") < 1 / 8
    split = {
        int(s): TEST if int(s) in held_out else VALIDATION if c else TRAIN
        for s, c in zip(subjects, chooses, strict=True)
    }
    site = dict(zip(data.subject_id.tolist(), data.site.tolist(), strict=True))
    cohort = build_cohort(data.events, study, split, site)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    folder = _path(work, fold)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "svr.npz").exists():
        networks = fit_networks(train, validation, fold.seed, run_quietly)
        networks["posology_paper"] = fit_paper(train, validation, fold.seed, run_quietly)
        for name, (policy, _) in networks.items():
            _keep(folder, name, test, predict_cohort(policy, test))
        stack = StackLearner(seed=fold.seed).extend(networks["network"][0], train, validation)
        (folder / _WEIGHTS).write_text(json.dumps(_weights(stack)))
        _keep(folder, "posology", test, predict_cohort(stack, test))
        for name, member in zip(_MEMBERS, stack.members[stack.networks :], strict=True):
            _keep(folder, name, test, predict_cohort(member, test))
        svr = fit_svr(stack.members[-1], train, validation)
        _keep(folder, "svr", test, predict_cohort(svr, test))
    names = ["posology", *_NETWORKS, *_MEMBERS, "svr"]
    for name, make in baselines(train, validation):
        names.append(name)
        if not (folder / f"{name}.npz").exists():
            _keep(folder, name, test, predict_cohort(make(), test))
    (folder / _DONE).write_text(json.dumps(names))
    return f"{fold.split} {fold.number}"


_NETWORKS = ("network", "posology_supervised", "posology_paper")
"""Networks alone; `posology` itself is the stack."""
_MEMBERS = ("lightgbm", "kernel")
"""The stack's other members, which are baselines too: each learned from all training patients."""


def _weights(stack: StackedPolicy) -> dict[str, list[float]]:
    return {
        "effectiveness": stack.effectiveness_weight.tolist(),
        "dose": stack.dose_weight.tolist(),
    }


def _keep(folder: Path, name: str, test: Cohort, said: Predictions) -> None:
    arrays = {field.name: getattr(said, field.name) for field in dataclasses.fields(said)}
    draft = folder / f"{name}.draft.npz"
    np.savez_compressed(draft, subject_id=test.history.subject_id, **arrays)
    draft.rename(folder / f"{name}.npz")


def _table(whole: Cohort, folds: list[Fold], work: Path, split: str) -> Table1:
    """Table 1 over the pooled folds, each patient answered by the models that never saw them."""
    place = {int(s): row for row, s in enumerate(whole.history.subject_id)}
    parts: dict[str, list[Predictions]] = {}
    rows = []
    for fold in folds:
        folder = _path(work, fold)
        for name in json.loads((folder / _DONE).read_text()):
            with np.load(folder / f"{name}.npz") as kept:
                subjects = kept["subject_id"]
                said = {f.name: kept[f.name] for f in dataclasses.fields(Predictions)}
            parts.setdefault(name, []).append(Predictions(**said))
        rows.append(np.array([place[int(s)] for s in subjects], dtype=np.int64))
    pooled = {name: concatenate_predictions(said, rows) for name, said in parts.items()}
    if split == "site":  # other hospitals are what is new: intervals are over hospitals
        by_site = dataclasses.replace(whole.study.split, by="site")
        whole = dataclasses.replace(whole, study=dataclasses.replace(whole.study, split=by_site))
    return compare_models(pooled, whole, np.random.default_rng(0), split)


def _test_row(study: str, split: str, test: object) -> dict:
    """A paired test as a row: posology minus the model."""
    told = dataclasses.asdict(test)  # type: ignore[call-overload]
    return {
        "study": study,
        "model": told["model"],
        "split": split,
        "metric": f"difference_{told['metric']}",
        "value": told["difference"],
        "low": told["low"],
        "high": told["high"],
        "n": told["n"],
        "p": told["p"],
        "p_holm": told["p_holm"],
        "verdict": told["verdict"],
    }


def _path(work: Path, fold: Fold) -> Path:
    return work / f"{fold.split}-{fold.number}-of-seed-{fold.seed}"


if __name__ == "__main__":
    main()
