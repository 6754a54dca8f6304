"""Outcomes under planned treatments in the tumour world, on its published test sets.

    python -m benchmarks.tumour --gammas 0,1,2,3,4 --seeds 5 --json out/tumour.json

10,000 patients to learn from, 1,000 to choose with, 1,000 in each test set. `posology` is the
better of the mixed-effects model and our network by the error on validation patients, six steps
ahead under the treatments that they were given; `mixed_effects` and `network` are both. The
baselines are small networks on the volume itself, trained as long as ours and not tuned further:
`gru` conditions on the history and adjusts for nothing, `gru_weights` has stabilised weights,
`gru_balanced` hides treatment from its state, `g_computation` goes on from day to day with drawn
residuals. Errors are percentages of the volume at death. `_own` metrics are of tests whose logged
treatments follow the patients' own diameters, the others of tests as the published code makes them
(simulators/tumour_sets.py); only the latter compare with published figures. `coverage_90` is the
mean of the 90 % intervals' coverage one step ahead and six, of sliding and of random plans. What
is done is kept in --work, by method, gamma and seed, and not run again.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks.rows import keep, summary, write
from benchmarks.tumour_baselines import roll_out
from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    logged_plans,
    outcomes_under,
)
from posology.learners.trajectories.learner import TrajectoryLearner
from posology.learners.trajectories.recurrent_learner import RecurrentLearner
from posology.learners.trajectories.step_features import describe_outcome
from posology.learners.trajectories.treatment_weights import treatment_weights
from posology.simulators.tumour import draw_tumours
from posology.simulators.tumour_sets import TumourTest, log_tumours, make_test, nrmse

Logged = OutcomeTrajectories
Measured = dict[tuple[str, str], float]
OURS = ("mixed_effects", "network")
Predict = Callable[[OutcomeTrajectories, Plans], PlannedOutcomes]
METRICS = {"one_step": "nrmse_1", "sliding": "nrmse_6", "random": "nrmse_6_random"}
PUBLISHED = {  # best mean of five methods at gamma 0 to 4 (facts/tumour-growth.md)
    "nrmse_1": (0.755, 0.783, 0.862, 1.057, 1.319),
    "nrmse_6": (0.789, 0.790, 0.909, 1.177, 1.436),
    "nrmse_6_random": (0.605, 0.631, 0.675, 0.847, 0.947),
}


def main() -> None:
    """Each method at each seed and gamma, then the means."""
    options, started = _options(), time.time()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[float, int], Measured] = {}
    for method in options.methods:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for gamma in options.gammas:
                run = Run(gamma, seed, options.patients, options.epochs, options.work)
                found.setdefault((gamma, seed), {}).update(run.measured(method))
                keep(options.json, _rows(found), options.first_seed, started)
    write(options.json, _rows(found), options.first_seed, started)
    print(_against_published(found))


def _rows(found: Mapping[tuple[float, int], Measured]) -> list[dict]:
    by_gamma: dict[str, list[Measured]] = {}
    for (gamma, _seed), measured in found.items():
        by_gamma.setdefault(f"gamma{gamma:g}", []).append(_with_ours(measured))
    return [row | {"study": "tumour", "split": row["study"]} for row in summary(by_gamma)]


def _with_ours(measured: Measured) -> Measured:
    """With `posology`: the better of our two on validation patients."""
    ours = {name for name, _ in measured} & set(OURS)
    chosen = min(ours, key=lambda name: measured[name, "validation_nrmse_6"], default=None)
    if chosen is None:
        return measured
    also = {("posology", metric): v for (name, metric), v in measured.items() if name == chosen}
    also["posology", "is_network"] = float(chosen == "network")
    covered = [also["posology", m.replace("nrmse", "coverage_90")] for m in METRICS.values()]
    also["posology", "coverage_90"] = float(np.mean(covered))
    return {**measured, **also}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gammas", type=_numbers, default=[0.0, 1.0, 2.0, 3.0, 4.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="development used 100 and above")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/tumour"))
    return parser.parse_args()


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


@dataclass(frozen=True, slots=True)
class Run:
    """One gamma and seed; each method's measures are kept in a file of their own."""

    gamma: float
    seed: int
    patients: int
    epochs: int
    work: Path

    def measured(self, method: str) -> Measured:
        """The method's measures, from its file if it was run before."""
        path = self.work / f"{self.name}-{method}.json"
        if not path.exists():
            measured = self._measure(method)
            listed = [[*key, value] for key, value in measured.items()]
            path.with_suffix(".part").write_text(json.dumps(listed))
            path.with_suffix(".part").rename(path)
        return {(name, metric): value for name, metric, value in json.loads(path.read_text())}

    @property
    def name(self) -> str:
        """Of its files."""
        return f"gamma{self.gamma:g}-seed{self.seed}-n{self.patients}-epochs{self.epochs}"

    def _measure(self, method: str) -> Measured:
        began = time.process_time()
        rng = np.random.default_rng([self.seed, round(10 * self.gamma)])
        few = max(self.patients // 10, 50)
        train = log_tumours(draw_tumours(self.patients, rng), self.gamma, rng)
        validation = log_tumours(draw_tumours(few, rng), self.gamma, rng)
        tests = {
            METRICS[design] + suffix: make_test(
                draw_tumours(few, rng), self.gamma, design, rng, assignment
            )
            for assignment, suffix in (("published", ""), ("own", "_own"))
            for design in METRICS
        }
        fitted = time.process_time()
        predict = METHODS[method](train, validation, self)
        measured: Measured = {(method, "fit_cpu_seconds"): time.process_time() - fitted}
        plans = logged_plans(validation, 6)
        expected, truth = predict(validation, plans).mean, outcomes_under(validation, plans)
        measured[method, "validation_nrmse_6"] = nrmse(expected[:, -1], truth[:, -1])
        for metric, test in tests.items():
            if method in OURS or not metric.endswith("_own"):
                measured |= _judge(method, metric, predict, test)
        measured[method, "cpu_seconds"] = time.process_time() - began
        print(f"{self.name} {method}: {_brief(measured)}", flush=True)
        return measured


def _mixed_effects(train: Logged, validation: Logged, run: Run) -> Predict:
    model = TrajectoryLearner(seed=run.seed).fit(train, validation)
    spec = model.effects.spec
    print(f"  {model.candidates} {spec.carry_over} {spec.has_interactions}", flush=True)
    choice = json.dumps([spec.scale, spec.carry_over, spec.has_interactions])
    (run.work / f"{run.name}-choice.json").write_text(choice)
    return model.predict


def _network(train: Logged, validation: Logged, run: Run) -> Predict:
    """On the scale, and with the carry-over, that the mixed-effects model chose."""
    choice = run.work / f"{run.name}-choice.json"
    if not choice.exists():
        run.measured("mixed_effects")
    scale, carry_over, has_interactions = json.loads(choice.read_text())
    spec = describe_outcome(train, scale, tuple(carry_over), has_interactions)
    learner = RecurrentLearner(spec, epochs=run.epochs, seed=run.seed)
    return learner.fit(train, validation).predict


def _plain(train: Logged, run: Run) -> RecurrentLearner:
    raw = describe_outcome(train, "difference", (0.0, 0.0))
    return RecurrentLearner(raw, is_structured=False, epochs=run.epochs, seed=run.seed)


def _gru(train: Logged, validation: Logged, run: Run) -> Predict:
    return _plain(train, run).fit(train, validation).predict


def _gru_weights(train: Logged, validation: Logged, run: Run) -> Predict:
    learner = _plain(train, run)
    weights = treatment_weights(learner.spec, train, np.random.default_rng(run.seed))
    return learner.fit(train, validation, weights).predict


def _gru_balanced(train: Logged, validation: Logged, run: Run) -> Predict:
    return replace(_plain(train, run), balance=0.01).fit(train, validation).predict


def _g_computation(train: Logged, validation: Logged, run: Run) -> Predict:
    model = replace(_plain(train, run), horizon=1).fit(train, validation)
    return roll_out(model, validation, np.random.default_rng(run.seed))


METHODS: dict[str, Callable[[Logged, Logged, Run], Predict]] = {
    "mixed_effects": _mixed_effects,
    "network": _network,
    "gru": _gru,
    "gru_weights": _gru_weights,
    "gru_balanced": _gru_balanced,
    "g_computation": _g_computation,
}


def _judge(name: str, metric: str, predict: Predict, test: TumourTest) -> Measured:
    found = predict(test.trajectories, test.plans)
    last = test.truth[:, -1]
    inside = (last >= found.low[:, -1]) & (last <= found.high[:, -1])
    covered = float(inside.mean()) if not np.isnan(found.low).any() else float("nan")
    return {
        (name, metric): nrmse(found.mean[:, -1], last),
        (name, metric.replace("nrmse", "coverage_90")): covered,
    }


def _brief(measured: Measured) -> str:
    return ", ".join(f"{metric} {value:.3f}" for (_, metric), value in measured.items())


def _against_published(found: Mapping[tuple[float, int], Measured]) -> str:
    lines = ["", "mean of seeds, of posology and the best published mean"]
    means = {(r["split"], r["model"], r["metric"]): r["value"] for r in _rows(found)}
    for gamma in sorted({gamma for gamma, _ in found}):
        for metric, best in PUBLISHED.items():
            ours = means.get((f"gamma{gamma:g}", "posology", metric), float("nan"))
            known = best[int(gamma)] if gamma in range(5) else float("nan")
            lines.append(f"gamma {gamma:<4g} {metric:16} {ours:.3f}   {known:.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
