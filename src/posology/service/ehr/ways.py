"""How each key of the prefetch is sent: whole, or as record systems fail to send it."""

from typing import Any

from posology.language.catalogue import deferred

WHOLE, WITHHELD, NONE, FAILED = "whole", "withheld", "none", "failed"
FIRST_PAGE, LATE, DAMAGED = "first_page", "late", "damaged"
WAYS = (
    (WHOLE, deferred("sent")),
    (WITHHELD, deferred("not sent")),
    (NONE, deferred("null: there are none")),
    (FAILED, deferred("an error in its place")),
    (FIRST_PAGE, deferred("the first page only")),
    (LATE, deferred("not sent, and fetched late")),
    (DAMAGED, deferred("damaged")),
)
"""Names and words."""
LATE_SECONDS = 3.0
"""How late: beyond the two seconds that our service waits."""


def send_as(way: str, value: Any) -> tuple[bool, Any]:
    """Whether the key is sent at all, and its value."""
    if way in {WITHHELD, LATE}:
        return False, None
    if way == NONE:
        return True, None
    if way == FAILED:
        issue = {"severity": "error", "code": "timeout", "diagnostics": "the search timed out"}
        return True, {"resourceType": "OperationOutcome", "issue": [issue]}
    if way == FIRST_PAGE and isinstance(value, dict) and value.get("resourceType") == "Bundle":
        first = value.get("entry", [])[:1]
        following = {"relation": "next", "url": "https://ehr.invalid/fhir?page=2"}
        return True, value | {"entry": first, "total": 250, "link": [following]}
    if way == DAMAGED:
        return True, {"resourceType": "Bundle", "entry": ["x", None]}
    return True, value
