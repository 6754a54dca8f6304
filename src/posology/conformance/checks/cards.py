"""Cards, their source, codings and links."""

from typing import Any

from posology.conformance.checks.suggestions import check_suggestions
from posology.conformance.checks.values import (
    is_absolute,
    is_array_of_objects,
    is_text,
    objects,
    show,
)
from posology.conformance.ledger import Ledger

Card = dict[str, Any]
LONGEST_SUMMARY = 140
"""Characters; a summary has fewer."""
INDICATORS = ("info", "warning", "critical")
LINK_TYPES = ("absolute", "smart")
_TAG = "</"


def check_cards(ledger: Ledger, cards: list[Card], where: str) -> None:
    """The cards of one reply."""
    uuids = [card["uuid"] for card in cards if isinstance(card.get("uuid"), str)]
    for number, card in enumerate(cards, 1):
        place = f"{where}, card {number}"
        if "uuid" in card:
            value = card["uuid"]
            is_own = isinstance(value, str) and is_text(value) and uuids.count(value) == 1
            what = f"uuid is {show(value)}" + (", twice in the reply" if value in uuids else "")
            ledger.expect("cds-80", is_own, place, what)
        ledger.expect("own-card-uuid", "uuid" in card, place, "the card has no uuid")
        _check_card(ledger, card, place)


def _check_card(ledger: Ledger, card: Card, place: str) -> None:
    summary = card.get("summary")
    length = len(summary) if isinstance(summary, str) else 0
    fits = is_text(summary) and length < LONGEST_SUMMARY
    what = f"{length} characters" if is_text(summary) else f"summary is {show(summary)}"
    ledger.expect("cds-83", fits, place, what)
    if "detail" in card:
        detail = card["detail"]
        ledger.expect("cds-85", isinstance(detail, str), place, f"detail is {show(detail)}")
    shown = f"{summary} {card.get('detail', '')}"
    ledger.expect("own-html", _TAG not in shown and "<br" not in shown, place, "HTML in the text")
    indicator = card.get("indicator")
    if ledger.expect(
        "cds-87", isinstance(indicator, str), place, f"indicator is {show(indicator)}"
    ):
        ledger.expect("cds-88", indicator in INDICATORS, place, f"indicator {show(indicator)}")
    _check_source(ledger, card.get("source"), place)
    check_suggestions(ledger, card, place)
    _check_reasons(ledger, card, place)
    _check_links(ledger, card, place)


def _check_source(ledger: Ledger, source: Any, place: str) -> None:
    if not ledger.expect("cds-90", isinstance(source, dict), place, f"source is {show(source)}"):
        return
    label = source.get("label")
    ledger.expect("cds-105", is_text(label), place, f"source.label is {show(label)}")
    for statement, name in (("cds-107", "url"), ("cds-111", "icon")):
        if name in source:
            value = source[name]
            ledger.expect(statement, is_absolute(value), place, f"source.{name} is {show(value)}")
    if "topic" in source:
        topic = source["topic"]
        if ledger.expect("cds-115", isinstance(topic, dict), place, f"topic is {show(topic)}"):
            _check_coding(ledger, topic, f"{place}, topic")
            if "display" in topic:
                display = topic["display"]
                what = f"display is {show(display)}"
                ledger.expect("cds-220", isinstance(display, str), f"{place}, topic", what)


def _check_coding(ledger: Ledger, coding: dict[str, Any], place: str) -> None:
    code, system = coding.get("code"), coding.get("system")
    if ledger.expect("cds-216", code not in (None, ""), place, "no code"):
        ledger.expect("cds-218", isinstance(code, str), place, f"code is {show(code)}")
    ledger.expect("cds-217", is_text(system), place, f"system is {show(system)}")


def _check_reasons(ledger: Ledger, card: Card, place: str) -> None:
    if "overrideReasons" not in card:
        return
    reasons = card["overrideReasons"]
    what = f"overrideReasons is {show(reasons)}"
    ledger.expect("cds-98", is_array_of_objects(reasons), place, what)
    for number, reason in enumerate(objects(reasons), 1):
        spot = f"{place}, override reason {number}"
        _check_coding(ledger, reason, spot)
        display = reason.get("display")
        is_there = display not in (None, "")
        ledger.expect("cds-resp-4", is_there, spot, "no display")
        if not ledger.expect("cds-100", is_there, spot, "no display"):
            continue
        if ledger.expect("cds-219", isinstance(display, str), spot, f"display {show(display)}"):
            reads = any(letter.isalpha() for letter in str(display))
            ledger.expect("cds-136", reads, spot, f"display {show(display)} has no words")


def _check_links(ledger: Ledger, card: Card, place: str) -> None:
    if "links" not in card:
        return
    links = card["links"]
    ledger.expect("cds-103", is_array_of_objects(links), place, f"links is {show(links)}")
    for number, link in enumerate(objects(links), 1):
        _check_link(ledger, link, f"{place}, link {number}")


def _check_link(ledger: Ledger, link: dict[str, Any], spot: str) -> None:
    label, url, kind = link.get("label"), link.get("url"), link.get("type")
    ledger.expect("cds-138", is_text(label), spot, f"label is {show(label)}")
    ledger.expect("cds-139", is_absolute(url), spot, f"url is {show(url)}")
    if ledger.expect("cds-141", is_text(kind), spot, f"type is {show(kind)}"):
        ledger.expect("cds-142", kind in LINK_TYPES, spot, f"type {show(kind)}")
    has_context = "appContext" in link
    what = f"appContext on a link of type {show(kind)}"
    for statement in ("cds-146", "cds-resp-3"):
        ledger.expect(statement, not has_context or kind == "smart", spot, what)
    if kind == "absolute":
        ledger.expect("cds-147", not has_context, spot, what)
    if has_context:
        context = link["appContext"]
        ledger.expect("cds-144", isinstance(context, str), spot, f"appContext {show(context)}")
