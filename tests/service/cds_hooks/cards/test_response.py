import datetime
from dataclasses import replace
from typing import Any

import pytest

from posology.domain.recommendation.option import WORSE
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    STATES,
)
from posology.service.cds_hooks.cards.inputs import CardInputs
from posology.service.cds_hooks.cards.response import make_cards
from posology.service.cds_hooks.orders import read_orders
from posology.service.cds_hooks.requests import HookCall
from posology.service.fhir.medication_request import Drug
from tests.builders.hook_calls import RXNORM, call, draft, study
from tests.builders.hook_responses import check_response
from tests.builders.recommendations import ADVICE_BY_STATE

WARFARIN = Drug(RXNORM, "11289", "warfarin")


def inputs(state: str, *drafts: dict[str, Any], hook: str = "order-sign") -> CardInputs:
    body = call(hook if drafts else "patient-view")
    if drafts:
        body["context"]["draftOrders"]["entry"] = [{"resource": one} for one in drafts]
    parsed = HookCall.model_validate(body)
    return CardInputs(
        answer="a-1",
        model="warfarin",
        made_at=datetime.datetime(2026, 11, 28, 9, 0, tzinfo=datetime.UTC),
        advice=ADVICE_BY_STATE[state],
        study=study(),
        call=parsed,
        orders=read_orders(parsed, study(), ()),
        url="https://cds.example.org",
    )


def cards(given: CardInputs) -> list[dict[str, Any]]:
    body, sent = make_cards(given)
    check_response(body)
    assert [card["uuid"] for card in body["cards"]] == [one.uuid for one in sent]
    return body["cards"]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_said_as_it_is(state: str) -> None:
    (card,) = cards(inputs(state))
    assert card["summary"] == ADVICE_BY_STATE[state].headline
    assert card["indicator"] == ("warning" if state == ALL_FORBIDDEN else "info")
    assert ("suggestions" in card) == (state in (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE))
    assert card["links"] == [
        {
            "label": "Open the whole answer",
            "url": "https://cds.example.org/answers/a-1",
            "type": "absolute",
        }
    ]
    assert "not a medical device" in card["detail"]


def test_the_first_option_is_recommended_only_where_it_is_shown_better_than_the_next() -> None:
    better = cards(inputs(BETTER_FOR_PATIENT))[0]["suggestions"]
    assert [one["label"] for one in better] == [
        "Order low start, 16 mg a week",
        "Order medium start, 25 mg a week",
    ]
    assert [one.get("isRecommended") for one in better] == [True, None]
    equals = cards(inputs(BETTER_THAN_REFERENCE))[0]["suggestions"]
    assert [one.get("isRecommended") for one in equals] == [None, None]


def test_a_card_has_no_column_that_holds_nothing() -> None:
    """Ranges of one dose are compared with nothing."""
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    ranges = tuple(replace(o, difference=None, harms=()) for o in advice.options)
    given = replace(inputs(DOSE_ONLY), advice=replace(ADVICE_BY_STATE[DOSE_ONLY], options=ranges))
    detail = cards(given)[0]["detail"]
    assert "In which range this patient's dose lies" in detail
    assert "Against usual care" not in detail
    assert "patients.; " not in detail
    assert "Also: how many of the similar patients had such a dose." in detail
    assert "; 96 of 214 similar patients had such a dose |" in detail
    alone = tuple(replace(o, similar_patients=None) for o in ranges)
    given = replace(given, advice=replace(given.advice, options=alone))
    assert "similar patients had such a dose" not in cards(given)[0]["detail"]
    assert "Against usual care" in cards(inputs(BETTER_FOR_PATIENT))[0]["detail"]


def test_an_order_names_drug_patient_and_dose() -> None:
    resource = cards(inputs(BETTER_FOR_PATIENT))[0]["suggestions"][0]["actions"][0]["resource"]
    assert resource["status"] == "draft"
    assert resource["subject"] == {"reference": "Patient/p-1"}
    assert resource["medicationCodeableConcept"]["coding"] == [{"system": RXNORM, "code": "111"}]
    assert resource["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 16


def test_what_is_about_to_be_ordered_gets_its_dose_or_is_replaced() -> None:
    first, second = cards(inputs(BETTER_FOR_PATIENT, draft("111")))[0]["suggestions"]
    assert first["label"] == "Set the dose: low start, 16 mg a week"
    assert [one["type"] for one in first["actions"]] == ["update"]
    assert first["actions"][0]["resource"]["id"] == "draft-111"
    assert second["label"] == "Order medium start, 25 mg a week in place of low start"
    assert [one["type"] for one in second["actions"]] == ["delete", "create"]
    assert second["actions"][0]["resourceId"] == "MedicationRequest/draft-111"


def test_ordering_what_is_forbidden_is_critical_and_what_is_worse_a_warning() -> None:
    critical, answer = cards(inputs(BETTER_FOR_PATIENT, draft("333")))
    assert critical["summary"] == "Not for this patient: high start."
    assert critical["indicator"] == "critical"
    assert critical["detail"].startswith("Rule W-03 forbids it with amiodarone")
    assert answer["indicator"] == "info"
    given = inputs(BETTER_FOR_PATIENT, draft("222"))
    low, medium, *others = given.advice.options
    options = (low, replace(medium, standing=WORSE), *others)
    given = replace(given, advice=replace(given.advice, options=options))
    warning, _ = cards(given)
    assert warning["summary"] == "Medium start is shown to be worse than usual care."
    assert warning["indicator"] == "warning"


def test_a_dose_is_suggested_where_the_drug_is_known_by_a_code() -> None:
    given = replace(inputs(DOSE_ONLY), drug=WARFARIN)
    suggestion = cards(given)[0]["suggestions"][0]
    assert suggestion["label"] == "Order warfarin, predicted dose 16 mg a week"
    ordered = {**draft(""), "id": "w", "medicationCodeableConcept": WARFARIN.concept()}
    given = replace(inputs(DOSE_ONLY, ordered), drug=WARFARIN)
    assert (
        cards(given)[0]["suggestions"][0]["label"]
        == "Set the dose: warfarin, predicted dose 16 mg a week"
    )


def test_a_demonstration_and_an_unsigned_model_say_so() -> None:
    card = cards(replace(inputs(BETTER_FOR_PATIENT), is_demo=True, is_signed=False))[0]
    assert card["summary"].startswith("Demonstration: Low start, 16 mg a week")
    assert card["detail"].startswith(
        "- **Demonstration: not for the care of patients.**\n"
        "- **The model that answers has no trusted signature.**\n\n"
    )


def test_what_was_not_available_stands_first() -> None:
    given = replace(inputs(BETTER_FOR_PATIENT), not_there=("Not available: results <b>.",))
    assert cards(given)[0]["detail"].startswith("- **Not available: results &lt;b>.**")


def test_a_launch_link_carries_the_answer() -> None:
    launch, page = cards(replace(inputs(BETTER_FOR_PATIENT), has_launch=True))[0]["links"]
    assert (launch["type"], launch["appContext"], page["type"]) == ("smart", "a-1", "absolute")


def test_a_long_headline_is_cut_after_a_word() -> None:
    given = inputs(BETTER_FOR_PATIENT)
    long = replace(given, advice=replace(given.advice, headline="dose " * 60))
    summary = cards(long)[0]["summary"]
    assert summary.endswith("dose…")
    assert len(summary) < 140
