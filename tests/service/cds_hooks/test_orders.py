from typing import Any

import pytest

from posology.service.cds_hooks.orders import Orders, read_orders
from posology.service.cds_hooks.requests import HookCall
from posology.service.errors import BadRequestError
from tests.builders.hook_calls import RXNORM, call, draft, study


def orders(*drafts: dict[str, Any], about: tuple[str, ...] = ()) -> Orders:
    body = call("order-sign")
    body["context"]["draftOrders"]["entry"] = [{"resource": one} for one in drafts]
    return read_orders(HookCall.model_validate(body), study(), about)


@pytest.mark.parametrize(
    ("drafts", "is_about", "options"),
    [
        ([draft("111")], True, ["low"]),
        ([draft("999")], False, [""]),
        ([draft("999"), draft("222")], True, ["", "medium"]),
        ([draft("")], True, [""]),  # the drug is not stated yet
        ([{"resourceType": "ServiceRequest", "id": "s"}], False, []),
        ([], False, []),
    ],
)
def test_a_study_speaks_only_about_its_drugs(
    drafts: list[dict[str, Any]], is_about: bool, options: list[str]
) -> None:
    found = orders(*drafts)
    assert (found.is_about_study, [one.option for one in found.drafts]) == (is_about, options)


def test_drugs_may_be_named_in_the_settings() -> None:
    assert orders(draft("999"), about=(f"{RXNORM}|999",)).is_about_study


def test_of_selected_orders_only_those_count() -> None:
    body = call("order-select")
    body["context"]["draftOrders"]["entry"] += [{"resource": draft("222")}]
    found = read_orders(HookCall.model_validate(body), study(), ())
    assert [one.option for one in found.drafts] == ["low"]


def test_a_drug_may_be_contained_or_stand_in_the_bundle() -> None:
    medication = {"resourceType": "Medication", "id": "m"}
    medication["code"] = {"coding": [{"system": RXNORM, "code": "222"}]}  # type: ignore[assignment]
    inside = {**draft(""), "contained": [medication], "medicationReference": {"reference": "#m"}}
    beside = {**draft(""), "medicationReference": {"reference": "Medication/m"}}
    assert [one.option for one in orders(inside).drafts] == ["medium"]
    assert [one.option for one in orders(beside, medication).drafts] == ["medium"]


def test_drafts_of_another_patient_are_refused() -> None:
    with pytest.raises(BadRequestError, match="MedicationRequest: one that was sent is not about"):
        orders(draft("111", patient="p-2"))


def test_drafts_that_are_no_bundle_are_refused() -> None:
    body = call("order-sign")
    body["context"]["draftOrders"] = {"resourceType": "Patient"}
    with pytest.raises(BadRequestError, match=r"context.draftOrders is no Bundle\."):
        read_orders(HookCall.model_validate(body), study(), ())
