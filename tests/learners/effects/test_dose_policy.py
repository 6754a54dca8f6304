from dataclasses import replace

import numpy as np
import pytest

from posology import artifact
from posology.advice.prediction import NO_DOSES, predict_patient
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.formulary import DoseRange, Formulary, is_in_range
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.study import Cost
from posology.errors import UserError
from posology.learners.effects.dose_policy import EffectDoseLearner, EffectDosePolicy
from posology.learners.effects.dose_response import DoseResponseSettings
from tests.builders.small_cohorts import small_cohort

SMALL = DoseResponseSettings(shape="unimodal", members=3, width=16, epochs=40)
RANGE = DoseRange(0.0, 100.0, "mg", step=5.0)


def trial(seed: int, n: int = 500) -> Cohort:
    """Every option works where its dose, drawn at random, is near 20 + 50 times the signal's rank.

    Only the last, `high`, has no dose.
    """
    made = small_cohort(seed, n, best_known=False)
    rng = np.random.default_rng(seed)
    signal = np.sqrt(made.dose) - 5.5
    best = 20 + 50 / (1 + np.exp(-1.5 * signal))
    given = rng.integers(0, 3, n).astype(np.int32)
    dose = rng.uniform(0, 100, n)
    works = rng.random(n) < 0.9 * np.exp(-(((dose - best) / 20) ** 2))
    treatments = tuple(
        replace(t, dose=RANGE if t.name != "high" else None)
        for t in made.study.formulary.treatments
    )
    study = replace(made.study, formulary=Formulary(treatments, RANGE), dose=RANGE)
    return replace(
        made,
        study=study,
        treatment=given,
        effective=works.astype(np.float32),
        dose=np.where(given == 2, np.nan, dose).astype(np.float32),
        outcome=best.astype(np.float32),
    )


@pytest.fixture(scope="module")
def learned() -> EffectDosePolicy:
    return EffectDoseLearner(SMALL).fit(trial(1), trial(2))


def ask(policy: EffectDosePolicy, cohort: Cohort):
    allowed = allow_all_treatments(cohort.last_step, policy.formulary)
    return policy.predict_doses(cohort.history, cohort.last_step, allowed)


def test_doses_follow_the_patient_and_stay_inside_their_limits(learned) -> None:
    test = trial(3)
    assert isinstance(learned, Policy)
    said = ask(learned, test)
    assert np.isnan(said.by_treatment[:, 2]).all(), "it has no dose"
    for k in (0, 1):
        dose = said.by_treatment[:, k]
        assert is_in_range(dose, RANGE).all()
        assert np.corrcoef(dose, test.outcome)[0, 1] > 0.7
        assert np.abs(dose - test.outcome).mean() < 15
    assert said.overall.shape == (500, 3)


def test_forbidden_options_have_no_dose(learned) -> None:
    test = trial(3, 60)
    allowed = allow_all_treatments(test.last_step, learned.formulary)
    allowed[:, 0] = False
    said = learned.predict_doses(test.history, test.last_step, allowed)
    assert np.isnan(said.by_treatment[:, 0]).all()
    assert not learned.choice_probabilities(test.history, test.last_step, allowed)[:, 0].any()


def test_saved_and_loaded_answers_identically(learned, tmp_path) -> None:
    test = trial(4, 60)
    artifact.save(learned, test.study, {}, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model").policy
    first, again = ask(learned, test), ask(loaded, test)
    np.testing.assert_array_equal(first.by_treatment, again.by_treatment)
    np.testing.assert_array_equal(first.overall, again.overall)


def test_a_batch_equals_one_by_one_and_the_seed_decides(learned) -> None:
    test = trial(4, 40)
    together = ask(learned, test)
    for row in (0, 17, 39):
        alone = subset_decisions(test, np.arange(40) == row)
        np.testing.assert_allclose(ask(learned, alone).by_treatment, together.by_treatment[[row]])
    again = EffectDoseLearner(SMALL).fit(trial(1), trial(2))
    np.testing.assert_array_equal(ask(again, test).by_treatment, together.by_treatment)


def test_where_no_dose_is_supported_advice_says_so(learned) -> None:
    test = trial(5, 40)
    never = replace(RANGE, low=99.9, high=99.95, step=0.0)
    strict = replace(
        learned,
        formulary=Formulary(
            tuple(replace(t, dose=never) for t in learned.formulary.treatments), never
        ),
    )
    alone = subset_decisions(test, np.arange(40) == 0)
    advice = predict_patient(strict, test.study, alone.history)
    assert advice.dose is None
    alone_or_all = ("similar patients had none that the study allows", NO_DOSES[:25])
    assert [w for w in advice.warnings if any(text in w for text in alone_or_all)]
    usual = predict_patient(learned, test.study, alone.history)
    first = usual.order[0]
    if learned.formulary.names[first] != "high":
        dose = usual.option_doses[first]
        assert dose is not None
        assert dose.dose % 5 == 0, "what can be dispensed"


def harmful(seed: int, priced: bool, n: int = 900) -> Cohort:
    """The good levels off with the dose for everybody; harm rises from 30, or from 60, by signal.

    `outcome` is that dose.
    """
    made = trial(seed, n)
    rng = np.random.default_rng([seed, 9])
    dose = np.where(np.isnan(made.dose), 50, made.dose).astype(np.float64)
    start = np.where(made.outcome > np.median(made.outcome), 60.0, 30.0)
    works = rng.random(n) < 0.9 * (1 - np.exp(-dose / 12))
    harm = rng.random(n) < np.clip((dose - start) / 50, 0, 1)
    costs = (Cost(("HARM",), 1.0, 30.0),) if priced else ()
    reward = replace(made.study.reward, effective=1.0, costs=costs)
    return replace(
        made,
        study=replace(made.study, reward=reward),
        effective=works.astype(np.float32),
        reward=(works - 1.0 * harm).astype(np.float32),
        outcome=start.astype(np.float32),
    )


def net(dose: np.ndarray, start: np.ndarray) -> np.ndarray:
    """What a dose earns, less its harm."""
    return 0.9 * (1 - np.exp(-dose / 12)) - np.clip((dose - start) / 50, 0, 1)


def test_harm_is_a_curve_of_its_own_and_holds_the_dose_down() -> None:
    settings = DoseResponseSettings(members=3, width=16, epochs=60)
    test = harmful(13, priced=True)
    start = test.outcome.astype(np.float64)
    best = np.max([net(np.full(len(start), d), start) for d in np.linspace(0, 100, 101)], axis=0)
    lost = {}
    for priced in (True, False):
        train, validation = (harmful(seed, priced) for seed in (11, 12))
        policy = EffectDoseLearner(settings).fit(train, validation)
        assert [c is not None for c in policy.harm_curves] == [priced, priced, False]
        lost[priced] = float((best - net(ask(policy, test).by_treatment[:, 0], start)).mean())
    assert lost[True] < 0.2
    assert lost[False] > 2 * lost[True], "without its price nothing holds doses down"


def test_a_study_without_doses_is_refused() -> None:
    bare = trial(1, 200)
    bare = replace(bare, dose=np.full(200, np.nan, np.float32))
    with pytest.raises(
        UserError, match=r"cannot be learned\. Fit with another --method, such as b"
    ):
        EffectDoseLearner(SMALL).fit(bare, bare)
