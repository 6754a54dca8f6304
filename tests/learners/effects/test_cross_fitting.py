from dataclasses import replace

import numpy as np

from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.simulators import two_options as simulator


def trial(scenario: str, n: int, seed: int) -> tuple[Trial, simulator.Sample]:
    drawn = simulator.draw_sample(scenario, n, np.random.default_rng(seed))
    return Trial(drawn.covariates, drawn.treatment, drawn.outcome, np.arange(n), 2), drawn


def ask(asked: Trial, allowed: np.ndarray | None = None):
    everything = np.ones((len(asked), 2), bool) if allowed is None else allowed
    half = known_propensity(np.full((len(asked), 2), 0.5))
    return estimate_held_out_effects(asked, everything, np.random.default_rng(0), propensity=half)


def test_nobody_is_judged_by_what_was_learned_from_them() -> None:
    """Outcomes of one fold changed: what is said of that fold stays, of the others it changes."""
    first, _ = trial("rct", 400, 0)
    said = ask(first)
    changed = replace(first, outcome=np.where(said.fold == 0, -first.outcome, first.outcome))
    again = ask(changed)
    np.testing.assert_array_equal(said.fold, again.fold)
    np.testing.assert_array_equal(said.effects[said.fold == 0], again.said[said.fold == 0])
    assert not np.allclose(said.effects[said.fold == 1], again.said[said.fold == 1])


def test_the_rule_is_found_and_its_folds_are_told() -> None:
    asked, drawn = trial("rct", 1200, 1)
    told: list[int] = []
    everything = np.ones((1200, 2), bool)
    said = estimate_held_out_effects(asked, everything, np.random.default_rng(0), told.append)
    assert told == [1, 2, 3, 4, 5]
    assert said.personal_folds == 5
    assert (said.chosen == drawn.expected.argmax(axis=1)).mean() > 0.8


def test_what_safety_forbids_is_neither_chosen_nor_the_reference() -> None:
    asked, _ = trial("rct", 400, 2)
    allowed = np.ones((400, 2), bool)
    allowed[::3, 1] = False
    said = ask(asked, allowed)
    assert (said.chosen[::3] == 0).all()
    assert (said.best_single[::3] == 0).all()
    assert (said.best_single[1::3] == 1).any()


def test_without_shown_heterogeneity_the_rule_is_the_single_option() -> None:
    asked, _ = trial("null", 600, 3)
    said = ask(asked)
    differs = np.unique(said.fold[said.chosen != said.best_single])
    assert len(differs) <= said.personal_folds < 5
    assert said.effects.std() > 0, "what was said before the test is kept"
