"""Two numbers that are each usual and together are not."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.form.training_facts import measure_facts
from posology.advice.inputs import AdviceInputs
from posology.advice.recommend import recommend
from posology.advice.uncertainty.distance import fit_distance, share_less_unusual
from posology.advice.uncertainty.evidence import UncertaintyEvidence
from posology.advice.uncertainty.number_pairs import NumberPairs, fit_number_pairs, oddest_pair
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.recommendation.recommendation import DOSE_ONLY, OUTSIDE_TRAINING
from posology.domain.serialization import deserialize, serialize
from tests.builders.policies import fitted_policy, iwpc_cohort


def codes_of(cohort: Cohort, code: str) -> np.ndarray:
    return cohort.history.code == cohort.profile.codes.index(code)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Patients whose weight goes with their height, and both vary as in IWPC."""
    made, rng = iwpc_cohort(), np.random.default_rng(0)
    value = made.history.value.copy()
    first = made.history.event_offsets[made.history.step_offsets[:-1]]
    owner = np.searchsorted(first, np.arange(len(value)), side="right") - 1
    tall, heavy = rng.normal(size=(2, len(first)))
    height, weight = codes_of(made, "HEIGHT"), codes_of(made, "WEIGHT")
    value[height] = (168 + 11 * tall)[owner[height]]
    value[weight] = np.maximum(79 + 12 * tall + 14 * heavy, 30.0)[owner[weight]]
    return replace(made, history=replace(made.history, value=value))


@pytest.fixture(scope="module")
def pairs(cohort: Cohort) -> NumberPairs:
    found = fit_number_pairs(cohort, np.random.default_rng(0))
    assert found is not None
    return found


def with_body(cohort: Cohort, height: float, weight: float) -> Cohort:
    """The first patient, of another body."""
    one = subset_decisions(cohort, np.arange(len(cohort)) == 0)
    value = one.history.value.copy()
    value[codes_of(one, "HEIGHT")], value[codes_of(one, "WEIGHT")] = height, weight
    return replace(one, history=replace(one.history, value=value))


def test_a_tall_and_light_patient_is_beyond_training_although_each_number_is_not(
    cohort: Cohort, pairs: NumberPairs
) -> None:
    one = with_body(cohort, 200.0, 36.0)
    odd = oddest_pair(pairs, one.profile, one.history, one.last_step)
    assert odd is not None
    assert set(odd.codes) == {"HEIGHT", "WEIGHT"}
    assert odd.share >= 0.995
    for height, weight in ((170.0, 78.0), (188.0, 102.0), (150.0, 58.0)):
        usual = with_body(cohort, height, weight)
        odd = oddest_pair(pairs, usual.profile, usual.history, usual.last_step)
        assert odd is not None
        assert odd.share < 0.9


def test_many_decisions_of_fewer_than_five_patients_give_no_pair(cohort: Cohort) -> None:
    few = replace(cohort, subject=np.arange(len(cohort)) * 4 // len(cohort))
    assert fit_number_pairs(few, np.random.default_rng(0)) is None
    enough = replace(cohort, subject=np.arange(len(cohort)) * 8 // len(cohort))
    assert fit_number_pairs(enough, np.random.default_rng(0)) is not None


def test_few_training_patients_are_odd_however_many_pairs_there_are(
    cohort: Cohort, pairs: NumberPairs
) -> None:
    """One threshold over all pairs: 5 of 1,000, and not 5 of 1,000 for each."""
    assert len(pairs.pairs) > 1
    at = range(0, len(cohort), max(len(cohort) // 100, 1))
    shares = []
    for row in at:
        one = subset_decisions(cohort, np.arange(len(cohort)) == row)
        odd = oddest_pair(pairs, one.profile, one.history, one.last_step)
        shares.append(0.0 if odd is None else odd.share)
    assert np.mean(np.array(shares) >= 0.995) <= 0.03
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_the_headline_names_both_numbers(cohort: Cohort, pairs: NumberPairs) -> None:
    """200 cm with 30 kg got a plain dose: the distance over all facts did not see it."""
    distance = fit_distance(cohort, np.random.default_rng(0))
    facts = measure_facts(cohort)
    assert distance is not None
    row = cohort.profile.codes.index("WEIGHT")
    lightest, highest = facts.low[row], facts.high[cohort.profile.codes.index("HEIGHT")]
    assert lightest is not None
    assert highest is not None
    odd = with_body(cohort, highest, lightest)
    at = odd.profile, odd.history, odd.last_step
    assert share_less_unusual(distance, *at)[0] < 0.9999
    inputs = AdviceInputs(
        uncertainty=UncertaintyEvidence(distance=distance, number_pairs=pairs), facts=facts
    )
    advice = recommend(fitted_policy("formula_refit"), odd.study, odd.history, inputs)
    assert advice.state == OUTSIDE_TRAINING
    assert advice.headline == (
        f"No answer: weight {lightest:.4g} kg with height {highest:.4g} cm is unlike the patients "
        "the model learned from."
    ) or advice.headline == (
        f"No answer: height {highest:.4g} cm with weight {lightest:.4g} kg is unlike the patients "
        "the model learned from."
    )
    usual = with_body(cohort, 170.0, 78.0)
    assert recommend(fitted_policy("formula_refit"), usual.study, usual.history, inputs).state == (
        DOSE_ONLY
    )


def test_pairs_survive_json(pairs: NumberPairs) -> None:
    assert deserialize(NumberPairs, serialize(pairs, {}), {}) == pairs
