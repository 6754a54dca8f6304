"""What every response of a CDS Hooks service must satisfy: CDS Hooks 2.0, and the twelve
invariants of its 3.0 ballot (HL7/cds-hooks, input/fsh/invariants)."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

INDICATORS = ("info", "warning", "critical")


def check_response(body: dict[str, Any]) -> None:
    """Assert all of it."""
    assert set(body) <= {"cards", "systemActions"}
    assert isinstance(body["cards"], list)
    for card in body["cards"]:
        assert_nothing_empty(card)
        _check_card(card)


def assert_nothing_empty(value: Any) -> None:
    """No null, "", [] or {} at any depth."""
    assert value is not None
    assert value not in ("", [], {})
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        assert_nothing_empty(item)


def _check_card(card: dict[str, Any]) -> None:
    UUID(card["uuid"])
    assert 0 < len(card["summary"]) < 140
    assert card["indicator"] in INDICATORS
    assert not re.search(r"<[a-zA-Z!/]", card["detail"])
    assert card["source"]["label"]
    _check_url(card["source"]["url"])
    _check_coding(card["source"]["topic"])
    for reason in card["overrideReasons"]:
        _check_coding(reason)
        assert reason["display"]  # cds-resp-4
    for link in card["links"]:
        assert link["type"] in ("absolute", "smart")
        _check_url(link["url"])
        assert link["label"]
        assert link["type"] == "smart" or "appContext" not in link  # cds-resp-3
    suggestions = card.get("suggestions", [])
    assert not suggestions or card["selectionBehavior"] in ("at-most-one", "any")  # cds-resp-6
    if card.get("selectionBehavior") == "at-most-one":  # cds-resp-1
        assert sum(one.get("isRecommended", False) for one in suggestions) <= 1
    for suggestion in suggestions:
        _check_suggestion(suggestion)


def _check_suggestion(suggestion: dict[str, Any]) -> None:
    UUID(suggestion["uuid"])
    assert suggestion["label"]
    for action in suggestion["actions"]:
        assert action["type"] in ("create", "update", "delete")
        assert action["description"]  # cds-resp-5
        if action["type"] == "delete":  # cds-resp-2
            assert action["resourceId"]
            assert "resource" not in action
        else:
            check_made_resource(action["resource"])


def check_made_resource(resource: dict[str, Any]) -> None:
    """Labelled AIAST, with Provenance, Device and model card; contained ones without a label."""
    assert "AIAST" in [one["code"] for one in resource["meta"]["security"]]
    kinds = {one["resourceType"]: one for one in resource["contained"]}
    assert {"Provenance", "Device", "DocumentReference"} <= set(kinds)
    assert all("meta" not in one for one in resource["contained"])  # dom-4, dom-5
    provenance = kinds["Provenance"]
    assert provenance["target"] == [{"reference": "#"}]
    assert provenance["agent"][0]["who"]["reference"] == f"#{kinds['Device']['id']}"
    named = provenance["entity"][0]["what"]["reference"]
    assert named == f"#{kinds['DocumentReference']['id']}"


def _check_url(text: str) -> None:
    parts = urlsplit(text)
    assert parts.scheme in ("http", "https")
    assert parts.netloc


def _check_coding(coding: dict[str, Any]) -> None:
    assert isinstance(coding["code"], str)
    assert isinstance(coding["system"], str)
