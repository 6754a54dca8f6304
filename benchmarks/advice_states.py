"""Which answer every patient gets, in trials with and without effects that differ by patient.

The shape of the International Stroke Trial (Lancet 1997;349:1569): two drugs in a factorial, death
or dependency in about 62 of 100, a strong prognosis. `null`: neither drug does anything to anybody.
`average`: the first drug helps everybody alike. `heterogeneous`: it helps half of the patients and
harms the others, by so much that the value of the best possible rule lies four of its standard
errors above that of the best option for all.

python -m benchmarks.advice_states --draws 100 --patients 19435 --json out/advice_states.json
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import posology
from posology.advice.comparisons import PatientEvidence
from posology.advice.inputs import AdviceInputs
from posology.advice.options import list_options
from posology.advice.prediction import PatientPrediction
from posology.advice.states import decide_state
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import Heterogeneity
from posology.causal.nested_nuisance import fit_nested_nuisance
from posology.causal.patient.model import patient_outcomes
from posology.causal.propensity import randomised_propensity
from posology.causal.trial import FOLDS, Trial, assign_folds
from posology.domain.formulary import Formulary, Treatment
from posology.domain.recommendation.recommendation import NO_OPTION_BETTER
from posology.domain.study import Study
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.study_evidence import EvidenceSource, build_study_evidence
from posology.evaluation.effects.verdict import Question, Verdict, decide_verdict
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.intervals import wilson_interval
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.workflows.advice.evidence import fit_patient_model
from posology.workflows.effect_study import held_out_rule

OPTIONS = ("neither", "first drug", "second drug", "both")
WORLDS = ("null", "average", "heterogeneous")
COVARIATES = 8
ORACLE_ERRORS = 4.0
FURTHER_PATIENTS = 300
"""New patients of each draw who ask for advice."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A simulated trial, and its patients' true effect of the first drug."""

    trial: Trial
    effect: np.ndarray


def draw_trial(world: str, patients: int, rng: np.random.Generator) -> Draw:
    """Outcome 1: alive and independent, in 38 of 100 without treatment."""
    x = rng.normal(size=(patients, COVARIATES))
    x[:, 4:] = (x[:, 4:] > 0.5).astype(np.float64)
    base = 1 / (1 + np.exp(0.55 + 1.0 * x[:, 0] + 0.6 * x[:, 1] + 0.5 * (x[:, 4] - 0.3)))
    effect = np.zeros(patients)
    if world == "average":
        effect[:] = ORACLE_ERRORS * np.sqrt(2 * 0.2 * len(OPTIONS) / patients)
    elif world == "heterogeneous":
        effect = _oracle_size(patients) * np.tanh(2 * x[:, 2]) / np.abs(np.tanh(2 * x[:, 2])).mean()
    treatment = rng.integers(0, len(OPTIONS), patients)
    p = np.clip(base + effect * np.isin(treatment, (1, 3)), 0.01, 0.99)
    outcome = (rng.random(patients) < p).astype(np.float64)
    trial = Trial(x, treatment, outcome, np.arange(patients), len(OPTIONS), OPTIONS)
    return Draw(trial, effect)


def _oracle_size(patients: int) -> float:
    """Mean absolute effect at which the oracle's gain is four of its standard errors.

    Its gain is half the mean absolute effect. The score of a difference of two options, given to
    one patient in four each, has the variance 4 p (1 - p) for either, p (1 - p) being 0.2 given
    the covariates; it counts for the half of the patients whom the oracle treats differently.
    """
    error = np.sqrt(2 * len(OPTIONS) * 0.2 / 2 / patients)
    return float(2 * ORACLE_ERRORS * error)


def learn(trial: Trial, seed: int) -> tuple[EvidenceSource, np.random.Generator]:
    """The effect study as `fit` runs it: the rule and one refit on other folds."""
    rng = np.random.default_rng([seed, 1])
    known = randomised_propensity(trial)
    runs, overall = [], []
    for _ in range(2):
        nested = fit_nested_nuisance(trial, assign_folds(trial, rng), known)
        everyone = np.ones(len(trial), dtype=bool)
        allowed = np.ones((len(trial), trial.n_options), dtype=bool)
        runs.append(held_out_rule(estimate_held_out_effects(nested, allowed, everyone)))
        overall.append(nested.overall)
    question = Question(
        unit=Unit("points", 100.0),
        reference=Reference(0),
        overlap=assess_overlap(trial, known),
        refits=runs[1:],
    )
    verdict = decide_verdict(overall[0], runs[0].chosen, runs[0].best_single, rng, question)
    return source_of(overall[0], verdict), rng


def source_of(nuisance: Nuisance, verdict: Verdict) -> EvidenceSource:
    """What answers rest on; nothing that only the page shows is estimated."""
    study = EffectStudy(
        verdict=verdict,
        personalised_folds=FOLDS,
        heterogeneity=Heterogeneity(0.0, 1.0, 0.5),
        option_effects=(),
        rule_values=(),
        rule_confounder_strength=None,
        number_needed_to_treat=None,
        contrasts=(),
        harms=(),
        abstention=None,
        subgroups=(),
        stability=(),
        balance=(),
        excluded=(),
    )
    return EvidenceSource(study, nuisance, {}, OPTIONS, "", True)


def answers(source: EvidenceSource, further: Trial, rng: np.random.Generator) -> Counter[str]:
    """State and first option of each further patient: `better: both`."""
    evidence, model = build_study_evidence(source, rng), fit_patient_model(source, rng)
    study, prediction = _study(), _no_prediction()
    found: Counter[str] = Counter()
    for x in further.covariates:
        patient = PatientEvidence(evidence, patient_outcomes(model, x))
        inputs = AdviceInputs(evidence=patient)
        options = list_options(study, prediction, inputs)
        state = decide_state(study, prediction, inputs, options)
        best = max(
            (o for o in options if o.standing == "better" and o.difference),
            key=lambda o: o.difference.value if o.difference else 0.0,
            default=None,
        )
        found[state if best is None else f"{state}: {best.name}"] += 1
    return found


def _study() -> Study:
    study = posology.read_study("clinic")
    formulary = Formulary(tuple(Treatment(name, name) for name in OPTIONS))
    return replace(study, formulary=formulary, reference="neither")


def _no_prediction() -> PatientPrediction:
    options = len(OPTIONS)
    nothing = np.zeros((options, 1))
    return PatientPrediction(
        np.ones(options, dtype=bool), nothing[:, 0], nothing, (None,) * options, None, ()
    )


def run(world: str, seed: int, patients: int) -> dict[str, Any]:
    """One draw: the verdict, and how many further patients get each answer."""
    rng = np.random.default_rng([seed, WORLDS.index(world)])
    drawn, further = draw_trial(world, patients, rng), draw_trial(world, FURTHER_PATIENTS, rng)
    start = time.process_time()
    source, later = learn(drawn.trial, seed)
    found = answers(source, further.trial, later)
    return {
        "world": world,
        "seed": seed,
        "patients": patients,
        "verdict": source.study.verdict.kind,
        "no_option_better": found[NO_OPTION_BETTER],
        "asked": FURTHER_PATIENTS,
        "answers": dict(found),
        "personalises": source.study.verdict.kind == "gain" and len(found) > 1,
        "cpu_seconds": time.process_time() - start,
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of draws with Wilson's 95 % interval, by world."""
    summary = {}
    for world in dict.fromkeys(row["world"] for row in rows):
        of_world = [row for row in rows if row["world"] == world]
        n = len(of_world)
        silent = sum(row["no_option_better"] == row["asked"] for row in of_world)
        personal = sum(row["personalises"] for row in of_world)
        summary[world] = {
            "draws": n,
            "nothing_better_for_everybody": silent,
            "nothing_better_interval": wilson_interval(silent, n),
            "personalises": personal,
            "personalises_interval": wilson_interval(personal, n),
        }
    return summary


def main() -> None:
    """Run the draws; the file is written after each of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--patients", type=int, default=19_435)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=["null", "heterogeneous"])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in range(options.draws):
        rows += [run(world, seed, options.patients) for world in options.worlds]
        body = {"summary": summarise(rows), "rows": rows}
        options.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summarise(rows), indent=1))


if __name__ == "__main__":
    main()
