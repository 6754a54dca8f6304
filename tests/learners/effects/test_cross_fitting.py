from dataclasses import replace

import numpy as np
import pytest

from posology.causal.nested_nuisance import PAIRS, NestedNuisance, fit_nested_nuisance
from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial, assign_folds
from posology.learners.effects import x_learner
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.simulators import two_options as simulator


def trial(scenario: str, n: int, seed: int) -> tuple[Trial, simulator.Sample]:
    drawn = simulator.draw_sample(scenario, n, np.random.default_rng(seed))
    return Trial(drawn.covariates, drawn.treatment, drawn.outcome, np.arange(n), 2), drawn


def held_out_effects(sample: Trial, allowed: np.ndarray | None = None):
    everything = np.ones((len(sample), 2), bool) if allowed is None else allowed
    return estimate_held_out_effects(nested(sample), everything, np.ones(len(sample), bool))


def nested(sample: Trial) -> NestedNuisance:
    """Nuisance models of a trial by lot."""
    half = known_propensity(np.full((len(sample), 2), 0.5))
    fold = assign_folds(sample, np.random.default_rng(0))
    return fit_nested_nuisance(sample, fold, half)


def test_no_patient_is_predicted_by_a_model_fitted_on_them() -> None:
    """Changing the outcomes of one fold changes the effects of the other folds only."""
    first, _ = trial("rct", 400, 0)
    held_out = held_out_effects(first)
    changed = replace(first, outcome=np.where(held_out.fold == 0, -first.outcome, first.outcome))
    again = held_out_effects(changed)
    np.testing.assert_array_equal(held_out.fold, again.fold)
    np.testing.assert_array_equal(
        held_out.effects[held_out.fold == 0], again.effects[held_out.fold == 0]
    )
    assert not np.allclose(held_out.effects[held_out.fold == 1], again.effects[held_out.fold == 1])


def test_the_best_rule_is_learned_and_progress_reports_each_pair_of_folds() -> None:
    sample, drawn = trial("rct", 1200, 1)
    pairs_seen: list[int] = []
    everything = np.ones((1200, 2), bool)
    nuisance = fit_nested_nuisance(sample, assign_folds(sample, np.random.default_rng(0)))
    held_out = estimate_held_out_effects(
        nuisance, everything, np.ones(1200, bool), pairs_seen.append
    )
    assert pairs_seen == list(range(PAIRS))
    assert held_out.personal_folds == 5
    assert (held_out.chosen == drawn.expected.argmax(axis=1)).mean() > 0.8
    rows = np.arange(1200)
    lead = held_out.effects - held_out.effects[rows, held_out.best_single][:, None]
    stays = held_out.chosen == held_out.best_single
    assert (stays & (lead.max(axis=1) > 0)).any(), "gains that do not count change nothing"
    assert (lead.max(axis=1)[stays] < lead.max(axis=1)[~stays].mean()).all()


def test_a_forbidden_option_is_neither_chosen_nor_the_reference() -> None:
    sample, _ = trial("rct", 400, 2)
    allowed = np.ones((400, 2), bool)
    allowed[::3, 1] = False
    held_out = held_out_effects(sample, allowed)
    assert (held_out.chosen[::3] == 0).all()
    assert (held_out.best_single[::3] == 0).all()
    assert (held_out.best_single[1::3] == 1).any()


def test_without_shown_heterogeneity_the_rule_is_the_single_option() -> None:
    sample, _ = trial("null", 600, 3)
    held_out = held_out_effects(sample)
    differs = np.unique(held_out.fold[held_out.chosen != held_out.best_single])
    assert len(differs) <= held_out.personal_folds < 5
    assert held_out.effects.std() > 0, "effects before the heterogeneity test are returned"


def test_the_reference_is_the_best_option_of_the_population_that_is_judged() -> None:
    """Patients outside it do far better with b; inside it a is better for all alike."""
    rng = np.random.default_rng(0)
    outside = rng.random(600) < 0.4
    given = rng.integers(0, 2, 600)
    outcome = given * np.where(outside, 3.0, -0.6) + rng.normal(size=600)
    sample = Trial(rng.normal(size=(600, 2)), given, outcome, np.arange(600), 2, ("a", "b"))
    held_out = estimate_held_out_effects(nested(sample), np.ones((600, 2), bool), ~outside)
    assert (held_out.best_single == 0).all()
    if not held_out.personal_folds:
        assert (held_out.chosen == held_out.best_single).all()


def test_an_option_given_three_times_leaves_the_others_to_be_compared() -> None:
    """It was an error; it is neither chosen nor in the way of the rule."""
    sample, drawn = trial("rct", 600, 3)
    treatment = np.where(np.arange(600) < 3, 2, sample.treatment)
    several = replace(sample, treatment=treatment, n_options=3)
    third = known_propensity(np.tile([0.4975, 0.4975, 0.005], (600, 1)))
    fold = assign_folds(several, np.random.default_rng(0))
    judged = np.tile([True, True, False], (600, 1))
    found = estimate_held_out_effects(
        fit_nested_nuisance(several, fold, third), judged, np.ones(600, bool)
    )
    assert set(found.chosen.tolist()) == {0, 1}
    assert (found.chosen == drawn.expected.argmax(axis=1)).mean() > 0.7


def test_trees_that_leave_out_two_folds_serve_the_rules_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of five rules had eight of its own, and two more: 50 instead of 20."""
    sample, _ = trial("rct", 300, 4)
    both, fits, made = nested(sample), [], x_learner.make_effect_trees

    def counted(decisions: int) -> object:
        fits.append(1)
        return made(decisions)

    monkeypatch.setattr(x_learner, "make_effect_trees", counted)
    effect = x_learner.nested_x_learner(both)
    assert len(fits) == 2 * PAIRS
    own = effect[both.overall.fold, np.arange(300)]
    assert np.ptp(own, axis=1).min() > 0, "the decisions that a rule is judged on get effects, too"
