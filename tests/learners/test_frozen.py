"""What the GRU answered before there were other encoders; it must go on to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy, allow_all_treatments
from posology.learners import recipes
from posology.learners.network.supervised import Sizes
from posology.learners.recipes import Recipe
from tests.builders.synthetic_iwpc import cohort, events

FROZEN = json.loads(Path(__file__).with_name("frozen.json").read_text())
"""Made by this file's code on the version before, one thread, torch 2.13 on x86-64."""


def one_step() -> Cohort:
    """As in IWPC, everything known of a patient is known in one step."""
    table = events(120, 5)
    static = table.filter(pc.invert(pc.starts_with(table["code"], "CONDITION")))
    return build_cohort(static, read_study("iwpc"))


def recipe() -> Recipe:
    """The default one, smaller."""
    d = recipes.default_recipe(3)
    first = replace(
        d.supervised,
        sizes=Sizes(16, 8, 16, 1, 4, 0.3),
        training=replace(d.supervised.training, epochs=10, batch=16),
    )
    training = replace(d.reinforcement.training, epochs=4, batch=16)
    return replace(d, supervised=first, reinforcement=replace(d.reinforcement, training=training))


def told(policy: Policy, c: Cohort, rows: list[int]) -> dict[str, np.ndarray]:
    decisions = c.last_step[rows]
    allowed = allow_all_treatments(decisions, policy.formulary)
    return {
        "effectiveness": policy.predict_effectiveness(c.history, decisions, allowed).mean(2),
        "probabilities": policy.choice_probabilities(c.history, decisions, allowed),
        "dose": policy.predict_doses(c.history, decisions, allowed).overall.mean(1),
    }


def same(found: dict[str, np.ndarray], frozen: str, tolerance: float) -> None:
    for name, numbers in found.items():
        np.testing.assert_allclose(numbers, FROZEN[frozen][name], rtol=tolerance, atol=tolerance)


def test_both_phases_on_one_step_a_patient() -> None:
    c = one_step()
    assert np.diff(c.history.step_offsets).max() == 1
    train, validation = select_split(c, TRAIN), select_split(c, VALIDATION)
    first = recipe().supervised.fit(train, validation)
    second = recipe().reinforcement.fit(first, train, validation)
    same(told(first, c, [0, 40, 80]), "supervised", 1e-6)
    # The version before chose this reading; now nothing is chosen that is not surely better.
    assert second.decoding.temperature is None
    second = replace(second, decoding=replace(second.decoding, temperature=0.3))
    same(told(second, c, [0, 40, 80]), "reinforcement", 1e-6)


def test_several_steps_a_patient() -> None:
    """One epoch at a rate of 0: packed and padded steps may differ in the last digits."""
    c = cohort(60, 6)
    first = recipe().supervised
    still = replace(first.training, epochs=1, learning_rate=0.0, weight_decay=0.0)
    policy = replace(first, training=still).fit(select_split(c, TRAIN), select_split(c, VALIDATION))
    same(told(policy, c, [0, 20, 40]), "several_steps", 1e-6)


def test_the_frozen_numbers_notice_a_change() -> None:
    c = one_step()
    other = replace(recipe().supervised, sizes=replace(recipe().supervised.sizes, encoder="lstm"))
    policy = other.fit(select_split(c, TRAIN), select_split(c, VALIDATION))
    with pytest.raises(AssertionError):
        same(told(policy, c, [0, 40, 80]), "supervised", 1e-6)
