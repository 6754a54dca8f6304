"""Suggestions of a card, and their actions; system actions have the same shape."""

from typing import Any

from posology.conformance.checks.values import is_array_of_objects, is_text, objects, show
from posology.conformance.ledger import Ledger

SELECTIONS = ("at-most-one", "any")
ACTIONS = ("create", "update", "delete")
ACTION_SELECTIONS = ("all", "any", "at-most-one")
NEEDED = {
    "MedicationRequest": ("status", "intent", "subject"),
    "ServiceRequest": ("status", "intent", "subject"),
    "Appointment": ("status", "participant"),
}
"""Elements that FHIR R4 wants of a resource that orders something: without them it is a part."""


def check_suggestions(ledger: Ledger, card: dict[str, Any], place: str) -> None:
    """The suggestions of one card, and how many of them may be chosen."""
    suggestions = card.get("suggestions")
    selection = card.get("selectionBehavior")
    if "suggestions" in card:
        what = f"suggestions is {show(suggestions)}"
        ledger.expect("cds-92", is_array_of_objects(suggestions), place, what)
    if suggestions:
        for statement in ("cds-93", "cds-resp-6"):
            ledger.expect(statement, "selectionBehavior" in card, place, "no selectionBehavior")
    if "selectionBehavior" in card:
        what = f"selectionBehavior is {show(selection)}"
        if ledger.expect("cds-96", isinstance(selection, str), place, what):
            ledger.expect("cds-95", selection in SELECTIONS, place, what)
    marked = sum(one.get("isRecommended") is True for one in objects(suggestions))
    if selection == "at-most-one" and suggestions:
        ledger.expect("cds-resp-1", marked <= 1, place, f"{marked} suggestions are recommended")
    for number, suggestion in enumerate(objects(suggestions), 1):
        _check_suggestion(ledger, suggestion, f"{place}, suggestion {number}")


def _check_suggestion(ledger: Ledger, suggestion: dict[str, Any], spot: str) -> None:
    label = suggestion.get("label")
    ledger.expect("cds-117", is_text(label), spot, f"label is {show(label)}")
    if "uuid" in suggestion:
        value = suggestion["uuid"]
        ledger.expect("cds-119", is_text(value), spot, f"uuid is {show(value)}")
    if "isRecommended" in suggestion:
        value = suggestion["isRecommended"]
        ledger.expect("cds-121", isinstance(value, bool), spot, f"isRecommended is {show(value)}")
    behavior = suggestion.get("actionSelectionBehavior")
    is_known = behavior is None or behavior in ACTION_SELECTIONS
    ledger.expect("cds-resp-7", is_known, spot, f"actionSelectionBehavior {show(behavior)}")
    if "actions" not in suggestion:
        return
    actions = suggestion["actions"]
    ledger.expect("cds-124", is_array_of_objects(actions), spot, f"actions is {show(actions)}")
    for number, action in enumerate(objects(actions), 1):
        check_action(ledger, action, f"{spot}, action {number}")
        has_words = "description" in action
        ledger.expect("cds-resp-5", has_words, f"{spot}, action {number}", "no description")


def check_action(ledger: Ledger, action: dict[str, Any], spot: str) -> None:
    """One action of a suggestion or of the system."""
    kind, words = action.get("type"), action.get("description")
    ledger.expect("cds-127", kind in ACTIONS, spot, f"type is {show(kind)}")
    ledger.expect("cds-128", is_text(words), spot, f"description is {show(words)}")
    resource = action.get("resource")
    if kind == "delete":
        _check_delete(ledger, action, spot)
    elif "resource" in action:
        is_resource = isinstance(resource, dict) and is_text(resource.get("resourceType"))
        ledger.expect("cds-130", is_resource, spot, f"resource is {show(resource)}")
    if kind == "create":
        ledger.expect("cds-131", "resource" in action, spot, "no resource")
    if kind == "update":
        lacks = missing_elements(resource)
        ledger.expect("cds-132", not lacks, spot, f"the resource lacks {lacks}")
    if "resourceId" in action:
        ident = action["resourceId"]
        ledger.expect("cds-135", isinstance(ident, str), spot, f"resourceId is {show(ident)}")


def _check_delete(ledger: Ledger, action: dict[str, Any], spot: str) -> None:
    has_resource, has_id = "resource" in action, "resourceId" in action
    ledger.expect("cds-133", not has_resource, spot, "the delete has a resource")
    ledger.expect("cds-134", has_id, spot, "no resourceId")
    ledger.expect("cds-resp-2", has_id and not has_resource, spot, "not a resourceId alone")


def missing_elements(resource: Any) -> str:
    """What a resource that is updated lacks to be whole; empty where it is whole."""
    if not isinstance(resource, dict):
        return "everything"
    wanted = ("resourceType", "id", *NEEDED.get(str(resource.get("resourceType")), ()))
    return ", ".join(name for name in wanted if name not in resource)
