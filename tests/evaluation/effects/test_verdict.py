from dataclasses import replace

import numpy as np

from posology.causal.propensity import known_propensity
from posology.evaluation.effects.verdict import CANNOT_JUDGE, GAIN, NO_GAIN, Unit, decide_verdict
from tests.builders.known_effects import draw_nuisance


def test_a_gain_is_stated_with_its_interval(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), 1, rng, Unit("points"))
    assert verdict.kind == GAIN
    assert verdict.gain is not None
    assert verdict.gain.low < 0.266 < verdict.gain.high
    assert verdict.sentence == (
        f"personalising gains {verdict.gain.value:.3g} ({verdict.gain.low:.3g}, "
        f"{verdict.gain.high:.3g}) points over the best single option, new"
    )


def test_one_option_for_all_is_no_gain(rng) -> None:
    nuisance, _ = draw_nuisance("rct", 500, 1)
    verdict = decide_verdict(nuisance, np.ones(500, np.int64), 1, rng)
    assert verdict.kind == NO_GAIN
    assert verdict.sentence == "no gain shown: use new for all"


def test_a_harmful_rule_is_no_gain(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 1000, 2)
    assert decide_verdict(nuisance, truth.expected.argmin(axis=1), 1, rng).kind == NO_GAIN


def test_the_sentence_says_for_how_many_patients_it_holds(rng) -> None:
    nuisance, truth = draw_nuisance("obs_low", 3000, 3)
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), 1, rng)
    assert verdict.kind != CANNOT_JUDGE
    share = 100 * (1 - verdict.overlap.excluded_share)
    assert f"this holds for the {share:.0f} % of patients" in verdict.sentence


def test_without_overlap_nothing_is_judged(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 600, 4)
    x = nuisance.trial.covariates[:, 0]
    sure = np.where(x > 0, 0.999, 0.001)
    trial = replace(nuisance.trial, treatment=(x > 0).astype(np.int64))
    alone = replace(
        nuisance, trial=trial, propensity=known_propensity(np.column_stack([1 - sure, sure]))
    )
    verdict = decide_verdict(alone, truth.expected.argmax(axis=1), 1, rng)
    assert verdict.kind == CANNOT_JUDGE
    assert verdict.sentence == "cannot be judged: no overlap for old, new"
    assert verdict.gain is None


def test_a_rule_that_few_patients_followed_is_not_judged(rng) -> None:
    nuisance, _ = draw_nuisance("rct", 500, 0)
    chosen = 1 - nuisance.trial.treatment
    chosen[:20] = nuisance.trial.treatment[:20]
    verdict = decide_verdict(nuisance, chosen, 1, rng)
    assert verdict.kind == CANNOT_JUDGE
    assert verdict.sentence == (
        "cannot be judged: the effective sample size of patients treated as the rule recommends "
        "is 20"
    )


def test_many_decisions_of_few_patients_are_not_judged(rng) -> None:
    """Forty patients of 25 decisions each."""
    nuisance, _ = draw_nuisance("rct", 1000, 0)
    trial = replace(nuisance.trial, subject=np.arange(1000) % 40)
    verdict = decide_verdict(replace(nuisance, trial=trial), np.ones(1000, np.int64), 1, rng)
    assert verdict.kind == CANNOT_JUDGE
    assert all(option.effective_sample_size <= 40 for option in verdict.overlap.options)


def test_useless_rules_are_seldom_called_a_gain() -> None:
    """A coin against a null effect of 0.3 loses; against an effect of 0 it is worth the same.

    One-sided 2.5 %, 200 draws: at most 5.8 % within three standard errors.
    """
    called = []
    for seed in range(200):
        nuisance, _ = draw_nuisance("null", 300, 2000 + seed)
        trial = nuisance.trial
        zero = replace(trial, outcome=trial.outcome - 0.3 * trial.treatment)
        coin = np.random.default_rng(seed).integers(0, 2, 300)
        verdict = decide_verdict(
            replace(nuisance, trial=zero), coin, 1, np.random.default_rng(seed)
        )
        called.append(verdict.kind == GAIN)
    assert np.mean(called) <= 0.058


def test_the_named_option_is_the_reference_of_the_gain(rng) -> None:
    """The option of the highest mean among the judged patients is new; the reference is old."""
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    assert nuisance.scores.mean(axis=0).argmax() == 1
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), 0, rng)
    assert verdict.kind == GAIN
    assert verdict.gain is not None
    assert (verdict.best_single, verdict.best_single_index) == ("old", 0)
    assert verdict.sentence.endswith("over the best single option, old")


def test_every_reference_is_named_where_it_differs_between_folds(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    reference = (np.arange(2000) % 5 > 0).astype(np.int64)
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), reference, rng)
    assert verdict.best_single == "new"
    assert verdict.sentence.endswith(
        "over the best single option, new (old for 20 % of the patients)"
    )
    same = decide_verdict(nuisance, reference, reference, rng)
    assert same.sentence == (
        "no gain shown over the best single option, new (old for 20 % of the patients)"
    )
