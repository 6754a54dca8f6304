"""Which treatment helps whom, where the truth is known: regret, error, verdict and its intervals.

    python -m benchmarks.effects --repetitions 30 --json FILE

Five scenarios of simulators/two_options.py: 2,000 patients to learn from, 2,000 others to judge the
rule by, 20,000 whose truth scores it. `coverage` is of the gain over the best single option in the
analysis population, against the true gain of those patients; in obs_hidden also `bounds_coverage`,
of the marginal sensitivity bounds at the strength of the hidden reason. `gamma_vanishes` is how
strong a hidden reason would undo the estimated gain; the report states the (smaller) strength that
undoes its interval. `treats` is the share given the new option.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.rows import keep, summary, write
from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.trial import Trial
from posology.evaluation.effects.sensitivity import (
    plausible_gamma,
    sensitivity_bounds,
    tipping_gamma,
)
from posology.evaluation.effects.verdict import GAIN, NO_GAIN, decide_verdict
from posology.learners.effects.r_learner import Effects, choose_option, fit_effects, predict_effects
from posology.simulators import two_options as simulator
from posology.simulators.two_options import Sample

Scores = dict[tuple[str, str], float]


def trial_of(drawn: Sample) -> Trial:
    """What is recorded of the patients."""
    return Trial(
        drawn.covariates,
        drawn.treatment,
        drawn.outcome,
        np.arange(len(drawn.outcome)),
        2,
        ("old", "new"),
    )


def boosted(covariates: np.ndarray, target: np.ndarray) -> HistGradientBoostingRegressor:
    """Gradient boosting as it comes, with a fixed number of trees."""
    return HistGradientBoostingRegressor(
        max_leaf_nodes=8, early_stopping=False, random_state=0
    ).fit(covariates, target)


def baselines(nuisance: Nuisance, asked: np.ndarray) -> dict[str, np.ndarray]:
    """Effect of the new option on the given patients, by models without a heterogeneity test."""
    trial, scores = nuisance.trial, nuisance.scores
    benefit = scores[:, 1] - scores[:, 0]
    arms = [
        boosted(trial.covariates[trial.treatment == k], trial.outcome[trial.treatment == k])
        for k in (0, 1)
    ]
    return {
        "t_boosting": arms[1].predict(asked) - arms[0].predict(asked),
        "dr_learner": boosted(trial.covariates, benefit).predict(asked),
        "best_arm": np.full(len(asked), benefit.mean()),
    }


def repeat(scenario: str, seed: int) -> Scores:
    """One draw of a scenario."""
    rng = np.random.default_rng([seed, simulator.SCENARIOS.index(scenario)])
    train, judge, truth = (simulator.draw_sample(scenario, n, rng) for n in (2_000, 2_000, 20_000))
    learning = fit_nuisance(trial_of(train), rng)
    learned = fit_effects(learning)
    said = predict_effects(learned, truth.covariates)
    effects = {"posology": said[:, 1] - said[:, 0], **baselines(learning, truth.covariates)}
    tau = truth.expected[:, 1] - truth.expected[:, 0]
    found: Scores = {}
    for model, effect in effects.items():
        chosen = (effect > 0).astype(np.int64)
        found[model, "regret"] = simulator.regret(truth, chosen)
        found[model, "treats"] = float(chosen.mean())
        found[model, "pehe"] = float(np.sqrt(((effect - tau) ** 2).mean()))
    found["posology", "personal"] = float(learned.is_personal)
    return found | judged(scenario, judge, learned, rng)


def judged(scenario: str, judge: Sample, learned: Effects, rng: np.random.Generator) -> Scores:
    """What the report would say, and whether it is so."""
    nuisance, chosen = fit_nuisance(trial_of(judge), rng), choose_option(learned, judge.covariates)
    single, rows = learned.best_single, np.arange(len(chosen))
    said = decide_verdict(nuisance, chosen, single, rng)
    keep = said.overlap.population
    gained = judge.expected[rows, chosen] - judge.expected[:, single]
    true = float(gained[keep].mean())
    right = said.kind == (NO_GAIN if scenario == "null" else GAIN)
    found = {
        ("posology", "verdict_right"): float(right),
        ("posology", "flagged"): float(said.overlap.excludes_many),
        ("posology", "outside"): said.overlap.excluded_share,
    }
    if said.gain is not None:
        found["posology", "coverage"] = float(said.gain.low <= true <= said.gain.high)
        found["posology", "gain_bias"] = said.gain.value - true
    if scenario == "obs_hidden":
        gamma = plausible_gamma(simulator.HIDDEN_LOG_ODDS)
        around = sensitivity_bounds(nuisance, chosen, single, gamma, rng, keep)
        inside = around.interval_low <= true <= around.interval_high
        found["posology", "bounds_coverage"] = float(inside)
    found["posology", "gamma_vanishes"] = tipping_gamma(nuisance, chosen, single, keep)
    found["posology", "claims_gain"] = float(said.kind == GAIN)
    return found


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started = time.time()
    found: dict[str, list[Scores]] = {scenario: [] for scenario in simulator.SCENARIOS}
    for r in range(arguments.repetitions):
        for scenario in simulator.SCENARIOS:
            found[scenario].append(repeat(scenario, arguments.seed + r))
        print(f"{r + 1} of {arguments.repetitions}: {time.time() - started:.0f} s", flush=True)
        keep(arguments.json, summary(found), arguments.seed, started)
    write(arguments.json, summary(found), arguments.seed, started)


if __name__ == "__main__":
    main()
