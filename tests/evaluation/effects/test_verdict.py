from dataclasses import replace

import numpy as np
import pytest

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.verdict import (
    CANNOT_JUDGE,
    GAIN,
    NO_GAIN,
    Question,
    decide_verdict,
)
from posology.evaluation.effects.verdict_sentence import Unit
from tests.builders.known_effects import draw_nuisance


def draw_trial(effects: list[float], shares: list[float], n: int, seed: int = 0) -> Nuisance:
    """A randomised trial of options `a`, `b`, ... with these effects; true nuisance models."""
    rng = np.random.default_rng(seed)
    options = len(effects)
    treatment = rng.choice(options, n, p=shares)
    outcome = np.asarray(effects)[treatment] + rng.normal(size=n)
    names = tuple("abcdefgh"[:options])
    trial = Trial(np.zeros((n, 1)), treatment, outcome, np.arange(n), options, names)
    mean = np.tile(np.asarray(effects, dtype=float), (n, 1))
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    propensity = known_propensity(np.tile(shares, (n, 1)))
    return Nuisance(trial, np.arange(n) % FOLDS, propensity, regression)


def test_a_gain_is_stated_with_its_interval(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    verdict = decide_verdict(
        nuisance, truth.expected.argmax(axis=1), 1, rng, Question(Unit("points"))
    )
    assert verdict.kind == GAIN
    assert verdict.gain is not None
    assert verdict.gain.low < 0.266 < verdict.gain.high
    assert verdict.headline == (
        f"personalising gains {verdict.gain.value:.2f} ({verdict.gain.low:.2f} to "
        f"{verdict.gain.high:.2f}) points over the best single option, new"
    )
    assert verdict.against_reference is not None
    over = verdict.against_reference.rule
    assert verdict.notes == (
        f"over usual care, the reference, the rule gains {over.value:.3f} ({over.low:.3f} to "
        f"{over.high:.3f}) points",
    )
    assert verdict.sentence == f"{verdict.headline}. O{verdict.notes[0][1:]}"


def test_one_option_for_all_is_no_gain(rng) -> None:
    nuisance, _ = draw_nuisance("rct", 500, 1)
    verdict = decide_verdict(nuisance, np.ones(500, np.int64), 1, rng)
    assert verdict.kind == NO_GAIN
    assert verdict.headline.startswith(
        "personalising is not shown to gain: use new for all, better than usual care by 0."
    )


def test_where_options_do_not_differ_none_is_recommended(rng) -> None:
    """Three equal options; b has the highest mean by chance."""
    nuisance = draw_trial([0.0, 0.0, 0.0], [0.3, 0.3, 0.4], 600)
    best = int(nuisance.scores.mean(axis=0).argmax())
    verdict = decide_verdict(nuisance, np.full(600, best), best, rng)
    assert verdict.kind == NO_GAIN
    assert verdict.sentence == (
        "no difference between the options is shown, and personalising is not shown to gain"
    )


def test_an_option_is_recommended_only_if_it_is_better_than_the_control(rng) -> None:
    """Of a, the control, b, better, and c, worse."""
    nuisance = draw_trial([0.0, 1.0, -1.0], [0.3, 0.3, 0.4], 600)
    chosen = np.ones(600, np.int64)
    verdict = decide_verdict(nuisance, chosen, 1, rng, Question(reference=Reference(0)))
    assert (verdict.reference_name, verdict.comparator_name) == ("a", "a")
    assert verdict.against_reference is not None
    better, worse = verdict.against_reference.contrasts
    assert (better.option, worse.option) == ("b", "c")
    assert verdict.headline == (
        f"personalising is not shown to gain: use b for all, better than a by "
        f"{better.effect.value:.2f} ({better.effect.low:.2f} to {better.effect.high:.2f})"
    )
    assert verdict.notes[0].startswith("shown to be worse than a: c -0.97 (")
    best = decide_verdict(nuisance, chosen, 1, rng, Question(reference=Reference(1)))
    assert best.headline == (
        "no option for all is shown to be better than b, and personalising is not shown to gain"
    )


def test_a_long_unit_is_written_once_for_several_options(rng) -> None:
    nuisance = draw_trial([0.0, 2.0, 1.0, 0.9], [0.25] * 4, 800)
    unit = Question(Unit("points, of patients who gain"), reference=Reference(0))
    verdict = decide_verdict(nuisance, np.ones(800, np.int64), 1, rng, unit)
    assert verdict.notes[0].startswith("also better than a: c 0.86 (0.64 to 1.09); d 0.8")
    assert verdict.notes[0].endswith(") points, of patients who gain")
    assert verdict.notes[0].count("points") == 1


def test_recommending_counts_all_options(rng) -> None:
    """Of five options, intervals are 2.57 standard errors wide (Dunnett's, 0.25 correlated)."""
    nuisance = draw_trial([0.0] * 5, [0.2] * 5, 2000)
    verdict = decide_verdict(nuisance, np.zeros(2000, np.int64), 0, rng)
    assert verdict.against_reference is not None
    contrasts = verdict.against_reference.contrasts
    assert len(contrasts) == 5
    for k, contrast in enumerate(contrasts):
        difference = nuisance.scores[:, k] - nuisance.trial.outcome
        error = difference.std() / np.sqrt(2000)
        half = (contrast.effect.high - contrast.effect.low) / 2
        assert half / error == pytest.approx(2.57, abs=0.1)


def test_a_harmful_rule_is_worse_than_usual_care(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 1000, 2)
    verdict = decide_verdict(nuisance, truth.expected.argmin(axis=1), 1, rng)
    assert verdict.kind == NO_GAIN
    assert verdict.headline.startswith("the rule is worse than usual care, the reference: -0.")


def test_a_gain_is_stated_only_where_enough_would_be_treated_differently(rng) -> None:
    """The rule differs from b for 29 and for 30 patients, each of whom gains 9."""
    for patients, kind in ((29, NO_GAIN), (30, GAIN)):
        nuisance = draw_trial([0.0, 1.0], [0.5, 0.5], 600)
        gainers = np.arange(600) < patients
        outcome = nuisance.trial.outcome + 9.0 * (gainers & (nuisance.trial.treatment == 0))
        nuisance = replace(nuisance, trial=replace(nuisance.trial, outcome=outcome))
        verdict = decide_verdict(nuisance, 1 - gainers.astype(np.int64), 1, rng)
        assert verdict.kind == kind
        assert verdict.differing.patients == patients
    few = decide_verdict(nuisance, 1 - (np.arange(600) < 6).astype(np.int64), 1, rng)
    assert few.gain is None
    assert few.headline.startswith(
        "too few would be treated differently (6 patients) to tell whether personalising gains"
    )


def test_nothing_is_stated_against_a_control_whom_the_rule_hardly_leaves(rng) -> None:
    """The rule leaves the control for 20 patients, who lose 9."""
    nuisance = draw_trial([0.0, 0.0], [0.5, 0.5], 600)
    losers = np.arange(600) < 20
    outcome = nuisance.trial.outcome - 9.0 * (losers & (nuisance.trial.treatment == 1))
    nuisance = replace(nuisance, trial=replace(nuisance.trial, outcome=outcome))
    verdict = decide_verdict(
        nuisance, losers.astype(np.int64), 0, rng, Question(reference=Reference(0))
    )
    assert verdict.against_reference is not None
    assert verdict.against_reference.rule.high < 0
    assert "too few would be treated differently (20 patients)" in verdict.headline


def test_few_given_what_the_rule_chooses_are_too_few(rng) -> None:
    """The rule differs from b for 60 patients, of whom a was given to 5."""
    nuisance = draw_trial([0.0, 0.0], [0.5, 0.5], 600)
    differs = np.arange(600) < 60
    treatment = np.where(differs, np.arange(600) >= 5, nuisance.trial.treatment).astype(np.int64)
    nuisance = replace(nuisance, trial=replace(nuisance.trial, treatment=treatment))
    verdict = decide_verdict(nuisance, 1 - differs.astype(np.int64), 1, rng)
    assert verdict.gain is None
    assert (
        "too few would be treated differently (60 patients, effective sample sizes with either "
        "option 5 and 55)"
    ) in verdict.sentence


def test_an_option_given_to_few_patients_voids_nothing(rng) -> None:
    """d was given to 30 of 1,000; the rule chooses it for 100 patients."""
    nuisance = draw_trial([0.0, 1.0, 0.0, 5.0], [0.32, 0.32, 0.33, 0.03], 1000)
    chosen = np.where(np.arange(1000) < 100, 3, 1)
    verdict = decide_verdict(nuisance, chosen, 1, rng)
    given = int((nuisance.trial.treatment == 3).sum())
    assert verdict.overlap.judged == (0, 1, 2)
    assert verdict.overlap.population.all()
    assert verdict.kind == NO_GAIN
    assert verdict.headline.startswith("personalising is not shown to gain: use b for all")
    assert verdict.notes[-2:] == (
        f"not judged: too few patients given d ({given})",
        "for 100 of 1,000 patients the rule would have chosen an option that cannot be judged",
    )
    assert (verdict.rule.chosen == 1).all()


def test_the_choices_of_a_rule_that_was_restricted_are_judged(rng) -> None:
    """Where d cannot be judged, the rule's second choice is c, not the best single option."""
    nuisance = draw_trial([0.0, 1.0, 0.0, 5.0], [0.32, 0.32, 0.33, 0.03], 1000)
    first = np.where(np.arange(1000) < 100, 3, 1)
    second = np.where(first == 3, 2, 1)
    verdict = decide_verdict(nuisance, second, 1, rng, Question(unrestricted=first))
    assert (verdict.rule.chosen == second).all()
    assert "For 100 of 1,000 patients the rule would have chosen" in verdict.sentence


def test_a_control_that_cannot_be_judged_is_replaced_by_usual_care(rng) -> None:
    nuisance = draw_trial([0.0, 1.0, 5.0], [0.5, 0.47, 0.03], 1000)
    verdict = decide_verdict(
        nuisance, np.ones(1000, np.int64), 1, rng, Question(reference=Reference(2))
    )
    assert verdict.reference_name == "usual care"
    assert "C, the study's reference, cannot be judged" in verdict.sentence


def test_the_sentence_says_for_how_many_patients_it_holds(rng) -> None:
    nuisance, truth = draw_nuisance("obs_low", 3000, 3)
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), 1, rng)
    assert verdict.kind != CANNOT_JUDGE
    share = 100 * (1 - verdict.overlap.excluded_share)
    kept = int(verdict.overlap.population.sum())
    assert (
        f"This holds for the {share:.0f} % of patients ({kept:,} of 3,000) for whom every option "
        "had a chance of at least 5 %, the others cannot be judged"
    ) in verdict.sentence


def test_decisions_are_counted_beside_patients(rng) -> None:
    """Three decisions a patient; some patients have decisions inside and outside."""
    nuisance, truth = draw_nuisance("obs_low", 3000, 3)
    several = replace(nuisance, trial=replace(nuisance.trial, subject=np.arange(3000) % 1000))
    verdict = decide_verdict(several, truth.expected.argmax(axis=1), 1, rng)
    overlap = verdict.overlap
    patients = len(np.unique(several.trial.subject[overlap.population]))
    assert (overlap.total.decisions, overlap.total.patients) == (3000, 1000)
    assert overlap.included.patients == patients < 1000
    assert (
        f"of decisions ({overlap.included.decisions:,} of 3,000, of {patients} of 1,000 patients) "
        "at which every option"
    ) in verdict.sentence


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
    for control, name in enumerate(("old", "new")):
        question = Question(reference=Reference(control))
        against = decide_verdict(alone, truth.expected.argmax(axis=1), 1, rng, question)
        assert against.comparator_name == against.reference_name == name, "raw data need one"


def test_a_rule_that_few_patients_followed_is_not_judged(rng) -> None:
    nuisance, _ = draw_nuisance("rct", 500, 0)
    chosen = 1 - nuisance.trial.treatment
    chosen[:20] = nuisance.trial.treatment[:20]
    verdict = decide_verdict(nuisance, chosen, 1, rng)
    assert verdict.kind == CANNOT_JUDGE
    assert verdict.headline == (
        "cannot be judged: the effective sample size of patients treated as the rule recommends "
        "is 20"
    )
    assert verdict.notes[0].startswith("without the rule: use new for all, better than usual care")


def test_many_decisions_of_few_patients_are_not_judged(rng) -> None:
    """Forty patients of 25 decisions each."""
    nuisance, _ = draw_nuisance("rct", 1000, 0)
    trial = replace(nuisance.trial, subject=np.arange(1000) % 40)
    verdict = decide_verdict(replace(nuisance, trial=trial), np.ones(1000, np.int64), 1, rng)
    assert verdict.kind == CANNOT_JUDGE
    assert all(option.effective_sample_size <= 40 for option in verdict.overlap.options)


def test_useless_rules_are_seldom_called_a_gain() -> None:
    """A coin against a null effect of 0.3 loses; against an effect of 0 it is worth the same.

    One-sided 2.5 %, 100 draws: at most 7.2 % within three standard errors.
    """
    called = []
    for seed in range(100):
        nuisance, _ = draw_nuisance("null", 300, 2000 + seed)
        trial = nuisance.trial
        zero = replace(trial, outcome=trial.outcome - 0.3 * trial.treatment)
        coin = np.random.default_rng(seed).integers(0, 2, 300)
        verdict = decide_verdict(
            replace(nuisance, trial=zero), coin, 1, np.random.default_rng(seed)
        )
        called.append(verdict.kind == GAIN)
    assert np.mean(called) <= 0.072


def test_the_named_option_is_the_reference_of_the_gain(rng) -> None:
    """The option of the highest mean among the judged patients is new; the reference is old."""
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    assert nuisance.scores.mean(axis=0).argmax() == 1
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), 0, rng)
    assert verdict.kind == GAIN
    assert verdict.gain is not None
    assert (verdict.best_single, verdict.best_single_index) == ("old", 0)
    assert (verdict.best_singles, verdict.single_reference) == ("old", "old for all")
    assert verdict.headline.endswith("over the best single option, old")


def test_every_reference_is_named_where_it_differs_between_folds(rng) -> None:
    nuisance, truth = draw_nuisance("rct", 2000, 0)
    reference = (np.arange(2000) % 5 > 0).astype(np.int64)
    verdict = decide_verdict(nuisance, truth.expected.argmax(axis=1), reference, rng)
    assert verdict.best_single == "new"
    assert verdict.headline.endswith(
        "over the best single option, new (old for 20 % of the patients)"
    )
    assert verdict.best_singles == "new (old for 20 % of the patients)"
    assert verdict.single_reference == "the best single option"
    same = decide_verdict(nuisance, reference, reference, rng)
    assert same.kind == NO_GAIN
    assert same.differing.patients == 0
