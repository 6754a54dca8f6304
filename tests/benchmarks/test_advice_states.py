"""Without an effect nothing is better for anybody, whatever the rule learned; with one it is."""

import numpy as np

from benchmarks.advice_states import OPTIONS, answers, draw_trial, source_of, summarise
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import randomised_propensity
from posology.causal.trial import FOLDS
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.study_evidence import EvidenceSource
from posology.evaluation.effects.verdict import Question, decide_verdict

PATIENTS = 900


def judged_trial(world: str, seed: int) -> tuple[EvidenceSource, np.random.Generator]:
    """Known shares, a regression that is constant, and a rule learned from nothing or the truth."""
    rng = np.random.default_rng(seed)
    drawn = draw_trial(world, PATIENTS, rng)
    trial, propensity = drawn.trial, randomised_propensity(drawn.trial)
    mean = np.full((PATIENTS, len(OPTIONS)), trial.outcome.mean())
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    nuisance = Nuisance(trial, np.arange(PATIENTS) % FOLDS, propensity, regression)
    chosen = (drawn.effect > 0).astype(np.int64)
    if world == "null":
        chosen = rng.integers(0, len(OPTIONS), PATIENTS)
    question = Question(reference=Reference(0), overlap=assess_overlap(trial, propensity))
    best = np.full(PATIENTS, int(world == "average"), np.int64)
    verdict = decide_verdict(nuisance, chosen, best, rng, question)
    return source_of(nuisance, verdict), rng


def test_without_an_effect_no_option_is_shown_better_to_anybody() -> None:
    for seed in range(2):
        source, rng = judged_trial("null", seed)
        found = answers(source, draw_trial("null", 25, rng).trial, rng)
        assert found == {"no_option_better": 25}, f"seed {seed}: {source.study.verdict.sentence}"


def test_where_the_effect_differs_the_answers_differ() -> None:
    source, rng = judged_trial("heterogeneous", 0)
    assert source.study.verdict.kind == "gain"
    found = answers(source, draw_trial("heterogeneous", 40, rng).trial, rng)
    assert found["no_option_better"] < 40
    assert len(found) > 1


def test_an_effect_that_all_share_is_better_on_average_for_everybody() -> None:
    source, rng = judged_trial("average", 1)
    found = answers(source, draw_trial("average", 25, rng).trial, rng)
    assert source.study.verdict.kind == "none"
    assert len(found) == 1
    assert "no_option_better" not in found


def test_shares_of_draws_have_an_interval() -> None:
    row = {"world": "null", "asked": 5, "personalises": False}
    rows = [{**row, "no_option_better": 5}] * 19 + [{**row, "no_option_better": 4}]
    found = summarise(rows)["null"]
    assert (found["draws"], found["nothing_better_for_everybody"]) == (20, 19)
    low, high = found["nothing_better_interval"]
    assert low < 0.95 < high
