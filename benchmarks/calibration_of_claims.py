"""Is every interval and test that `posology effect` prints as right as it says: by simulation.

    python -m benchmarks.calibration_of_claims --repetitions 100 --json FILE

Each repetition draws 1,000 patients, learns and judges as the command does, and asks of every
printed interval whether it holds the truth, and of every test whether it erred. The truth is the
mean over the patients judged, so that coverage may lie a little above 95 %; claims called
`population` are held against the whole population's truth. `low` and `high` are Wilson's interval:
what a finite number of repetitions cannot tell apart. A claim is `off` where even that interval
lies below 95 %, or a test's above its level.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.rows import keep, row, write
from posology.causal.conditional_effects import conditional_effect_errors
from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.nested_nuisance import fit_nested_nuisance
from posology.causal.propensity import known_propensity
from posology.causal.restricted_mean import restricted_times
from posology.causal.trial import FollowUp, Trial, assign_folds
from posology.evaluation.effects.abstention import choice_z_scores
from posology.evaluation.effects.benefit import calibrate_benefit, rank_weighted_effects
from posology.evaluation.effects.effect_study import AnalysisPlan, EffectStudy, analyse_effects
from posology.evaluation.effects.held_out_rule import EvaluatedRule, HeldOutRule, align_fold_means
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.policy_values import (
    estimate_average_effects,
    gain_per_patient,
    option_scores,
)
from posology.evaluation.effects.sensitivity import plausible_gamma, sensitivity_bounds
from posology.evaluation.effects.verdict import GAIN, NO_GAIN, Unit, Verdict
from posology.evaluation.intervals import Z_95, Difference, Interval
from posology.evaluation.table1.subgroups import Subgroup
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.simulators import two_options as simulator
from posology.simulators.two_options import Sample
from posology.workflows.effect_study import held_out_rule

N = 1_000
LEVEL = 0.95
Claims = dict[str, float]
"""1 where the claim held, 0 where not."""


def held(span: Interval | Difference, truth: float) -> float:
    """Whether an interval holds the truth."""
    return float(span.low - 1e-12 <= truth <= span.high + 1e-12)


def trial_of(drawn: Sample, outcome: np.ndarray) -> Trial:
    """What is recorded of the patients."""
    rows = np.arange(len(outcome))
    return Trial(drawn.covariates, drawn.treatment, outcome, rows, 2, ("old", "new"))


def study(scenario: str, rng: np.random.Generator) -> Claims:
    """Everything that the command prints of one draw of a scenario."""
    drawn = simulator.draw_sample(scenario, N, rng)
    trial = trial_of(drawn, drawn.outcome)
    nested = [fit_nested_nuisance(trial, assign_folds(trial, rng)) for _ in range(2)]
    nuisance, everything = nested[0].overall, np.ones((N, 2), dtype=bool)
    population = assess_overlap(trial, nuisance.propensity).population
    runs = [estimate_held_out_effects(each, everything, population) for each in nested]
    rule, *again = (held_out_rule(run) for run in runs)
    group = Subgroup("x5", "high", drawn.covariates[:, 5] > 0.5)
    asked = AnalysisPlan(tuple("abcdefgh"), {}, [group], {}, again, Unit(), is_binary=False)
    found = analyse_effects(nuisance, rule, asked, rng)
    keep_, verdict = found.verdict.overlap.population, found.verdict
    gained = gain_per_patient(drawn.expected, verdict.chosen_by_run, verdict.best_single_by_run)
    claims = _verdict(scenario, found)
    if found.verdict.gain is not None:
        claims["gain of the rule"] = held(found.verdict.gain, float(gained[keep_].mean()))
    for g in found.subgroups:
        if np.isfinite(g.gain.value):  # none is printed where too few would be treated differently
            claims["gain in a group"] = held(g.gain, float(gained[keep_ & group.mask].mean()))
    single = found.verdict.best_single_index
    tau = (drawn.expected - drawn.expected[:, [single]])[:, 1 - single]
    claims |= _single_patients(nuisance, rule, found, drawn)
    for o in found.option_effects:
        claims["average effect"] = held(o.effect.effect, float(tau[keep_].mean()))
        if scenario == "null":
            claims["average effect, population"] = held(o.effect.effect, 0.3 * (1 - 2 * single))
    claims |= _patients(found, rule, tau, keep_)
    if scenario == "obs_hidden":
        # Every other interval is wrong here, as the page says: that is what bounds are for.
        return _bounds(nuisance, verdict, float(gained[keep_].mean()), rng)
    return claims


def _bounds(
    nuisance: Nuisance, verdict: Verdict, gained: float, rng: np.random.Generator
) -> Claims:
    """Bounds of the gain as strong as the confounder; none where the page states no gain."""
    if verdict.gain is None:
        return {}
    chosen, single = verdict.chosen_by_run, verdict.best_single_by_run
    gamma = plausible_gamma(simulator.HIDDEN_LOG_ODDS)
    around = sensitivity_bounds(nuisance, chosen, single, gamma, rng, verdict.overlap.population)
    span = Interval(around.low, around.interval_low, around.interval_high)
    return {"sensitivity bounds of the gain": held(span, gained)}


def _verdict(scenario: str, found: EffectStudy) -> Claims:
    if scenario == "null":
        return {
            "test: verdict claims a gain": float(found.verdict.kind == GAIN),
            "verdict is no gain shown": float(found.verdict.kind == NO_GAIN),
            "test: heterogeneity": float(found.heterogeneity.p < 0.05),
            "test: gate, share of folds": found.personalised_folds / 5,
        }
    return {
        "power: verdict claims a gain": float(found.verdict.kind == GAIN),
        "power: heterogeneity": float(found.heterogeneity.p < 0.05),
    }


def _single_patients(
    nuisance: Nuisance, rule: HeldOutRule, found: EffectStudy, drawn: Sample
) -> Claims:
    """Intervals of one patient's effect, averaged over patients; the value if some are left."""
    single, keep_, rows = (
        found.verdict.best_single_index,
        found.verdict.overlap.population,
        np.arange(N),
    )
    if found.abstention is None:
        return {}
    said = EvaluatedRule(
        align_fold_means(rule.predicted_effect, rule.fold),
        rule.chosen,
        rule.best_single,
        single,
        [0, 1],
    )
    error = conditional_effect_errors(nuisance, said.effect, single, np.random.default_rng(0))
    effect = said.effect - said.effect[:, [single]]
    off = np.abs(effect - drawn.expected + drawn.expected[:, [single]])
    inside = (off <= Z_95 * error)[:, 1 - single]
    high = drawn.covariates[:, 5] > 0.5
    left = choice_z_scores(effect, error, said) < Z_95
    by_rule = option_scores(drawn.expected, found.verdict.chosen_by_run)
    worth = np.where(left, drawn.expected[rows, drawn.treatment], by_rule)[keep_].mean()
    claims = {
        "effect on one patient": float(inside[keep_].mean()),
        "effect on one patient, of a group": float(inside[keep_ & high].mean()),
        "value if the unsure are left": held(found.abstention.when_uncertain.value, float(worth)),
    }
    surely = (np.abs(effect) > Z_95 * error)[:, 1 - single] & keep_
    wrong = (effect * (drawn.expected - drawn.expected[:, [single]]))[:, 1 - single] < 0
    return claims | {"test: a sure direction is wrong": float((surely & wrong).sum() / N)}


def _patients(found: EffectStudy, rule: HeldOutRule, tau: np.ndarray, keep_: np.ndarray) -> Claims:
    """Ranking, calibration and decision curve against the same figures of the true effects."""
    claims: Claims = {}
    for c in found.contrasts:
        single = found.verdict.best_single_index
        said = align_fold_means(rule.predicted_effect[keep_], rule.fold[keep_])
        told = said[:, 1 - single] - said[:, single]
        true, order = tau[keep_], np.argsort(-told, kind="stable")
        top = np.cumsum(true[order]) / np.arange(1, len(true) + 1) - true.mean()
        claims["AUTOC"] = held(c.ranking.autoc, float(top.mean()))
        share = np.arange(1, len(true) + 1) / len(true)
        claims["Qini"] = held(c.ranking.qini, float((top * share).mean()))
        level = float(true.mean() - told.mean())
        claims["calibration level"] = held(c.calibration.calibration_in_the_large, level)
        if told.std() > 1e-9:
            slope = float(np.cov(told, true)[0, 1] / np.var(told, ddof=1))
            claims["calibration slope"] = held(c.calibration.slope, slope)
        point = c.decision_curve[1]
        net = float(((told > point.threshold) * (true - point.threshold)).mean())
        claims["net benefit"] = held(point.model, net)
        groups = np.array_split(np.argsort(told, kind="stable"), len(c.calibration.groups))
        claims["benefit of a group of alike predictions"] = float(
            np.mean(
                [
                    held(g.observed, float(true[rows].mean()))
                    for g, rows in zip(c.calibration.groups, groups, strict=True)
                ]
            )
        )
    return claims


def no_effect(rng: np.random.Generator) -> Claims:
    """Confounded, and nothing works: how often is an effect called one."""
    drawn = simulator.draw_sample("obs", N, rng)
    base = drawn.outcome - drawn.treatment * simulator.treatment_effect(drawn.covariates)
    nuisance = fit_nuisance(trial_of(drawn, base), rng)
    (row_,) = estimate_average_effects(nuisance, 0, rng)
    useless = rank_weighted_effects(
        rng.normal(size=N),
        nuisance.scores[:, 1] - nuisance.scores[:, 0],
        nuisance.trial.subject,
        rng,
    )
    benefit = nuisance.scores[:, 1] - nuisance.scores[:, 0]
    nothing = calibrate_benefit(1e-6 * rng.normal(size=N), benefit, nuisance.trial.subject, rng)
    return {
        "test: shape of the calibration": float(nothing.p < 0.05),
        "test: average effect": float(row_.effect.p < 0.05),
        "average effect, population": held(row_.effect, 0.0),
        "AUTOC of a useless ranking": held(useless.autoc, 0.0),
    }


def lost(rng: np.random.Generator) -> Claims:
    """Outcomes lost to follow-up for reasons that are recorded."""
    drawn = simulator.draw_sample("obs", N, rng)
    x = drawn.covariates
    stays = rng.random(N) < 1 / (1 + np.exp(-(1.2 + 0.8 * x[:, 0] - 0.7 * drawn.treatment)))
    trial = trial_of(drawn, np.where(stays, drawn.outcome, 0.0))
    follow_up = FollowUp(stays.astype(float), stays, stays, np.zeros(N, bool))
    nuisance = fit_nuisance(replace(trial, follow_up=follow_up), rng)
    (row_,) = estimate_average_effects(nuisance, 0, rng)
    tau = float((drawn.expected[:, 1] - drawn.expected[:, 0]).mean())
    return {"average effect": held(row_.effect, tau)}


def times(rng: np.random.Generator) -> Claims:
    """Time to an event in a trial, a third censored: restricted means to 2."""
    x, t = rng.normal(size=(N, 3)), rng.integers(0, 2, N)
    hazard = np.exp(0.5 * x[:, 0] - 0.4 * t)
    event, censored = rng.exponential(1 / hazard), rng.exponential(3.0, N)
    days, follow_up = restricted_times(np.minimum(event, censored), event <= censored, 2.0, t)
    trial = Trial(x, t, days, np.arange(N), 2, follow_up=follow_up)
    nuisance = fit_nuisance(trial, rng, known_propensity(np.full((N, 2), 0.5)))
    (row_,) = estimate_average_effects(nuisance, 0, rng)
    means = [(1 - np.exp(-2 * h)) / h for h in (np.exp(0.5 * x[:, 0] - 0.4 * k) for k in (0, 1))]
    return {"average effect": held(row_.effect, float((means[1] - means[0]).mean()))}


def rows_of(found: dict[str, list[Claims]]) -> list[dict]:
    """Rates with Wilson's interval, and whether they are off."""
    rows = []
    for scenario, repetitions in found.items():
        for claim in dict.fromkeys(c for each in repetitions for c in each):
            values = np.array([each[claim] for each in repetitions if claim in each])
            p, n = float(values.mean()), len(values)
            center, z2 = (p + 1.92 / n) / (1 + 3.84 / n), 3.84
            half = 1.96 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
            low, high = float(center - half), float(center + half)
            off = low > 1 - LEVEL if claim.startswith("test") else high < LEVEL
            off = off and not claim.startswith("power")
            rows.append(
                row(
                    scenario,
                    "posology",
                    "simulated",
                    claim,
                    p,
                    low=low,
                    high=high,
                    n=n,
                    off=bool(off),
                )
            )
    return rows


def finished(path: Path | None, seed: int) -> dict[tuple[int, str], Claims]:
    """Draws that an earlier run with this seed kept, by repetition and scenario."""
    if path is None or not path.exists():
        return {}
    draws = [json.loads(line) for line in path.read_text().splitlines()]
    return {(d["repetition"], d["scenario"]): d["claims"] for d in draws if d["seed"] == seed}


def main() -> None:
    """Run and write; with `--json` every draw is kept beside it, and a run that was cut goes on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, others = time.time(), {"no_effect": no_effect, "lost": lost, "times": times}
    found: dict[str, list[Claims]] = {name: [] for name in (*simulator.SCENARIOS, *others)}
    draws = arguments.json and arguments.json.with_suffix(".draws.jsonl")
    kept = finished(draws, arguments.seed)
    for r in range(arguments.repetitions):
        for at, name in enumerate(found):
            claims = kept.get((r, name))
            if claims is None:
                rng = np.random.default_rng([arguments.seed, r, at])
                claims = others[name](rng) if name in others else study(name, rng)
                _keep_draw(draws, seed=arguments.seed, repetition=r, scenario=name, claims=claims)
            found[name].append(claims)
        print(f"{r + 1} of {arguments.repetitions}: {time.time() - started:.0f} s", flush=True)
        keep(arguments.json, rows_of(found), arguments.seed, started)
    rows = rows_of(found)
    write(arguments.json, rows, arguments.seed, started)
    for r in rows:
        if r["off"]:
            print(f"OFF: {r['study']}, {r['metric']}: {r['value']:.3f} of {r['n']}")


def _keep_draw(path: Path | None, **draw: object) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(draw) + "\n")


if __name__ == "__main__":
    main()
