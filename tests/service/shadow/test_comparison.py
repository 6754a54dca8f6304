"""Numbers of the comparison, of made-up pairs whose numbers are known."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, update

from posology.domain.recommendation.findings import KnownFact
from posology.domain.recommendation.recommendation import DOSE_ONLY
from posology.domain.serialization import serialize
from posology.evaluation.intervals import wilson_interval
from posology.service.shadow.comparison import Answered, Comparison, compare, differs
from posology.service.shadow.groups import compare_groups
from posology.service.shadow.shares import share_of
from posology.service.store import OutcomeRecord, save_outcome
from posology.service.store.shadows import FAILED, ShadowAnswer
from posology.service.store.tables import ANSWERS
from tests.builders.challengers import store_pairs
from tests.builders.pages import pack
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of

SAME = ShadowAnswer("", "", "", "dose", "low", 16.0, "low", 16.0, 30.0)
NEAR = replace(SAME, dose=17.0)  # 6 % apart
FAR = replace(SAME, dose=18.0)  # 12.5 %
OTHER = replace(SAME, option="medium", dose=24.0)
ABSTAINED = replace(SAME, state="too_few_alike", option="", dose=None)


def comparison(app: FastAPI) -> Comparison:
    deployment = deployment_of(app)
    models = deployment.models
    return compare(deployment, models.current["warfarin"], models.challengers["warfarin"])


def test_the_numbers_are_those_of_the_pairs(challenged: FastAPI) -> None:
    rows = [SAME] * 5 + [NEAR] * 2 + [FAR] * 2 + [OTHER] + [ABSTAINED] * 3
    rows += [replace(SAME, state=FAILED)] * 2
    store_pairs(challenged, [(f"p{at}", row) for at, row in enumerate(rows)])
    deployment_of(challenged).shadow.dropped["warfarin", "queue_full"] = 4
    found = comparison(challenged)
    assert (found.pairs, found.patients, found.answers) == (13, 13, 15)
    assert (found.not_answered, found.dropped) == ({FAILED: 2}, {"queue_full": 4})
    assert found.answered == Answered(both=10, only_model_in_use=3)
    assert found.same_first is not None
    assert (found.same_first.count, found.same_first.of) == (9, 10)
    low, high = wilson_interval(9, 10)
    assert (found.same_first.low, found.same_first.high) == pytest.approx((100 * low, 100 * high))
    dose = found.dose
    assert dose is not None
    assert (dose.pairs, dose.unit, dose.median, dose.median_apart) == (10, "mg/wk", 0.5, 0.5)
    assert (dose.over_10.count, dose.over_20.count) == (3, 1)
    assert found.milliseconds is not None
    assert [(one.median, one.slowest_of_100) for one in found.milliseconds] == [(12, 12), (30, 30)]
    assert found.outcomes is None


def test_of_fewer_than_five_patients_no_share_is_made(challenged: FastAPI) -> None:
    store_pairs(challenged, [(f"p{at % 4}", SAME) for at in range(12)])
    found = comparison(challenged)
    assert (found.pairs, found.patients) == (12, 4)
    assert (found.same_first, found.dose, found.groups) == (None, None, ())


def test_answers_of_one_patient_are_not_counted_as_many() -> None:
    alone = share_of([True, False] * 20, [str(at) for at in range(40)])
    clustered = share_of(
        [at % 2 == 0 for at in range(8) for _ in range(5)],
        [str(at) for at in range(8) for _ in range(5)],
    )
    assert alone is not None
    assert clustered is not None
    assert (alone.percent, clustered.percent) == (50.0, 50.0)
    assert clustered.high - clustered.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("state", "option", "dose", "expected"),
    [
        ("dose", "low", 16.0, False),
        ("dose", "low", 17.5, False),
        ("dose", "low", 17.7, True),
        ("dose", "medium", 16.0, True),
        ("unsure", "", None, True),
    ],
)
def test_what_counts_as_different(
    state: str, option: str, dose: float | None, expected: bool
) -> None:
    pair = SimpleNamespace(
        state=state,
        option=option,
        dose=dose,
        champion_state="dose",
        champion_option="low",
        champion_dose=16.0,
    )
    assert differs(pair) == expected


def test_the_groups_that_differ_most_come_first(challenged: FastAPI) -> None:
    """Of 24 patients, the two differ in 6 of 8 with A/A, in 1 of 16 others, and in no age more."""
    store_pairs(challenged, [(f"p{at}", SAME) for at in range(24)])

    def change(connection: Connection) -> None:
        for at in range(24):
            known = [
                KnownFact("VKORC1", "A/A" if at < 8 else "G/G"),
                KnownFact("age", f"{60 + at % 12} years"),
                KnownFact("weight", "70 kg"),
            ]
            body = pack({"recommendation": {"known": [asdict(fact) for fact in known]}})
            named = ANSWERS.c.id == f"a{at}"
            connection.execute(update(ANSWERS).where(named).values(body=body))

    store = deployment_of(challenged).store
    store.write_now(change)
    differs_at = {f"a{at}": at in (0, 1, 2, 3, 4, 5, 20) for at in range(24)}
    groups = store.read_now(compare_groups, differs_at)
    assert (groups[0].fact, groups[0].value) == ("VKORC1", "A/A")
    assert (groups[0].differ.count, groups[0].differ.of) == (6, 8)
    assert {(g.fact, g.value) for g in groups} == {
        ("VKORC1", "A/A"),
        ("VKORC1", "G/G"),
        ("age", "under 66 years"),
        ("age", "66 years or more"),
    }


def test_outcomes_judge_both_on_the_same_patients(challenged: FastAPI) -> None:
    """The advised dose is 16 in the made-up answers; the challenger's body has 20."""
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    assert advice.dose is not None
    other = replace(advice, dose=replace(advice.dose, dose=20.0))
    body = pack({"recommendation": serialize(other, {})})
    rows = [replace(FAR, dose=20.0, body=body)] * 4 + [replace(SAME, body=body)] * 4
    store_pairs(challenged, [(f"p{at}", row) for at, row in enumerate(rows)])
    for at in range(8):
        record = OutcomeRecord(
            f"k{at}", "OUTCOME//WARFARIN_DOSE", 19.0, "2026-12-27", "x", f"p{at}"
        )
        deployment_of(challenged).store.write_now(save_outcome, record)
    found = comparison(challenged).outcomes
    assert found is not None
    assert (found.patients, found.alike) == (8, 4)
    assert found.doses is not None
    means = (found.doses.champion, found.doses.challenger, found.doses.difference)
    assert [mean.value for mean in means] == [3.0, 1.0, -2.0]
    assert (found.goal_alike, found.goal_differ) == (None, None)
