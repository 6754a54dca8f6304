"""Effects where the truth is simulated on real patients, and in real trials, compared with EconML.

    python -m benchmarks.causal_trials --parts acic actg gbsg --json FILE

Needs the files of `causallib` and `lifelines` (pip install --no-deps) and, with --econml, EconML.
ACIC 2016: ten instances of 4,802 patients, nine tenths to learn from; `pehe` is the square root of
the mean squared error of the effect on the others, `value` the mean true outcome of the rule less
that of the best single option. The trials: every patient is judged by a rule learned from the
others, with the propensities that randomisation gave (ACTG 175) or learned ones (GBSG-2).
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.rows import keep, row, summary, write
from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.nested_nuisance import fit_nested_nuisance
from posology.causal.propensity import Propensity, randomised_propensity
from posology.causal.restricted_mean import restricted_mean_time, restricted_times
from posology.causal.trial import FOLDS, Trial, assign_folds, select_rows
from posology.datasets.trials import ACIC_INSTANCES, GBSG_MONTHS, TrialData, acic2016, actg175, gbsg
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.policy_values import (
    AS_RANDOMISED,
    USUAL_CARE,
    estimate_average_effects,
    estimate_gain,
)
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.verdict import Question, decide_verdict
from posology.evaluation.intervals import Difference
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.learners.effects.econml import ECONML_MODELS, fit_econml
from posology.learners.effects.r_learner import choose_option, fit_effects, predict_effects
from posology.workflows.effect_study import held_out_rule

Scores = dict[tuple[str, str], float]
ACTG_DAYS = 1000.0


def trial_of(arms: TrialData, outcome: np.ndarray) -> Trial:
    """The trial, with one of its outcomes."""
    rows = np.arange(len(outcome))
    return Trial(arms.covariates, arms.treatment, outcome, rows, len(arms.options), arms.options)


def timed_trial(arms: TrialData, horizon: float) -> Trial:
    """The trial, with the time without an event, at most the horizon."""
    assert arms.time is not None
    assert arms.event is not None
    days, follow_up = restricted_times(arms.time, arms.event, horizon, arms.treatment)
    return replace(trial_of(arms, days), follow_up=follow_up)


def acic(instance: int, seed: int, econml: bool) -> Scores:
    """One instance."""
    arms, rng = acic2016(instance), np.random.default_rng([seed, instance])
    assert arms.expected is not None
    learns = rng.permutation(len(arms.outcome)) >= len(arms.outcome) // 10
    trial = select_rows(trial_of(arms, arms.outcome), learns)
    asked, truth = arms.covariates[~learns], arms.expected[~learns]
    tau, found = truth[:, 1] - truth[:, 0], {}

    def score(model: str, effect: np.ndarray, chosen: np.ndarray) -> None:
        earned = truth[np.arange(len(chosen)), chosen].mean()
        found[model, "pehe"] = float(np.sqrt(((effect - tau) ** 2).mean()))
        found[model, "value"] = float(earned - truth.mean(axis=0).max())

    began = time.process_time()
    learned = fit_effects(fit_nuisance(trial, rng))
    said = predict_effects(learned, asked)
    score("posology", said[:, 1] - said[:, 0], choose_option(learned, asked))
    found["posology", "cpu_seconds"] = time.process_time() - began
    for model in ECONML_MODELS if econml else ():
        began = time.process_time()
        effect = fit_econml(model, trial, seed)(asked)
        difference = effect[:, 1] - effect[:, 0]
        score(model, difference, (difference > 0).astype(np.int64))
        if model == "policy_tree":
            del found[model, "pehe"]
        found[model, "cpu_seconds"] = time.process_time() - began
    for metric in ("pehe", "value"):
        models = [m for m, name in found if name == metric]
        sign = 1 if metric == "pehe" else -1
        order = np.argsort([sign * found[m, metric] for m in models])
        for place, at in enumerate(order):
            found[models[at], f"{metric}_rank"] = float(place + 1)
    return found


def judged(study: str, trial: Trial, chances: Propensity | None, seeds: int, econml: bool) -> list:
    """A real trial: verdict, gain of each rule over the best single arm, average effects."""
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        # Twice, as the command does: how far two runs differ counts in the interval of the gain.
        nested = [fit_nested_nuisance(trial, assign_folds(trial, rng), chances) for _ in range(2)]
        nuisance = nested[0].overall
        allowed = np.ones((len(trial), trial.n_options), dtype=bool)
        overlap = assess_overlap(trial, nuisance.propensity)
        kept = overlap.population
        said, again = (estimate_held_out_effects(each, allowed, kept) for each in nested)
        usual = Reference(None, USUAL_CARE if chances is None else AS_RANDOMISED)
        question = Question(reference=usual, overlap=overlap, refits=[held_out_rule(again)])
        found = decide_verdict(nuisance, said.chosen, said.best_single, rng, question)
        print(f"{study}, seed {seed}: {found.sentence}", flush=True)
        gains = {}
        for model in ECONML_MODELS if econml else ():
            chosen = np.zeros(len(trial), np.int64)
            for f in range(FOLDS):
                rest, here = said.fold != f, said.fold == f
                effect = fit_econml(model, select_rows(trial, rest), seed)(trial.covariates[here])
                chosen[here] = effect.argmax(axis=1)
            gains[model] = chosen, said.best_single
        estimates = {
            model: estimate_gain(nuisance, chosen, single, rng, kept)
            for model, (chosen, single) in gains.items()
        }
        unknown = Difference(*[float("nan")] * 4)
        for model, g in {"posology": found.gain or unknown, **estimates}.items():
            rows.append(
                row(
                    study,
                    model,
                    f"seed {seed}",
                    "gain",
                    g.value,
                    low=g.low,
                    high=g.high,
                    n=int(kept.sum()),
                )
            )
        rows.append(
            row(
                study,
                "posology",
                f"seed {seed}",
                "verdict",
                float("nan"),
                said=found.sentence,
                kind=found.kind,
                single=found.best_single_index,
            )
        )
        if seed:
            continue
        for k in range(trial.n_options):
            arm = trial.outcome[trial.treatment == k]
            error = 1.96 * arm.std() / np.sqrt(len(arm))
            rows.append(
                row(
                    study,
                    trial.option_names[k],
                    "everybody",
                    "mean",
                    float(arm.mean()),
                    low=float(arm.mean() - error),
                    high=float(arm.mean() + error),
                )
            )
            value = float(nuisance.scores[:, k].mean())
            rows.append(row(study, trial.option_names[k], "everybody", "doubly_robust_mean", value))
        for e in estimate_average_effects(nuisance, 0, rng, kept):
            for how, d in (("effect", e.effect), ("unadjusted difference", e.unadjusted)):
                rows.append(
                    row(
                        study,
                        e.option,
                        "everybody",
                        f"{how} over {e.comparator}",
                        d.value,
                        low=d.low,
                        high=d.high,
                    )
                )
    return rows


def trials(parts: list[str], seeds: int, econml: bool) -> list[dict]:
    """The requested real trials."""
    rows = []
    if "actg" in parts:
        arms = actg175()
        chances = randomised_propensity(trial_of(arms, arms.outcome))
        rows += judged("actg_cd4", trial_of(arms, arms.outcome), chances, seeds, econml)
        assert arms.time is not None
        assert arms.event is not None
        rows += judged("actg_days", timed_trial(arms, ACTG_DAYS), chances, seeds, econml)
    if "gbsg" in parts:
        arms = gbsg()
        assert arms.time is not None
        assert arms.event is not None
        rows += judged("gbsg_months", timed_trial(arms, GBSG_MONTHS), None, seeds, econml)
        for k, name in enumerate(arms.options):
            mine = arms.treatment == k
            value = restricted_mean_time(arms.time[mine], arms.event[mine], GBSG_MONTHS)
            rows.append(row("gbsg_months", name, "everybody", "kaplan_meier_mean", value))
    return rows


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=["acic", "actg", "gbsg"])
    parser.add_argument("--instances", type=int, default=len(ACIC_INSTANCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--econml", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, found = time.time(), {"acic2016": []}
    real = trials(arguments.parts, arguments.seeds, arguments.econml)
    keep(arguments.json, real, 0, started)
    if "acic" in arguments.parts:
        for instance in ACIC_INSTANCES[: arguments.instances]:
            found["acic2016"].append(acic(instance, 0, arguments.econml))
            scores = {m: round(v, 3) for (m, x), v in found["acic2016"][-1].items() if x == "pehe"}
            print(f"instance {instance}, {time.time() - started:.0f} s: {scores}", flush=True)
            keep(arguments.json, real + summary(found), 0, started)
    write(arguments.json, real + summary(found), 0, started)


if __name__ == "__main__":
    main()
