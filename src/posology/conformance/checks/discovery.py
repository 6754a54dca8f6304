"""What discovery must say of each service."""

from collections import Counter
from typing import Any

from posology.conformance.calls.exchange import Exchange
from posology.conformance.calls.transcript import Service, Transcript
from posology.conformance.checks.templates import check_templates
from posology.conformance.checks.values import is_array_of_objects, is_text, show
from posology.conformance.ledger import Ledger


def check_discovery(ledger: Ledger, transcript: Transcript) -> None:
    """Statements 4 to 13, 16, 29, 36, 55 to 59 and 211."""
    first = transcript.discovery[0]
    if not ledger.expect("cds-4", not first.absent, "discovery", f"GET has {first.outcome()}"):
        return
    _check_availability(ledger, transcript.discovery)
    ledger.expect("cds-13", first.status == 200, "discovery", first.outcome())
    body = first.body
    services = body.get("services") if isinstance(body, dict) else None
    ledger.expect(
        "cds-6",
        is_array_of_objects(services),
        "discovery",
        f"services is {show(services)}" if isinstance(body, dict) else "the body is no object",
    )
    for number, service in enumerate(transcript.services, 1):
        check_service(ledger, service, f"discovery, service {number}")
    _check_addresses(ledger, transcript)
    _check_same_id(ledger, transcript.services)
    for exchange in transcript.discovery[:1]:
        for name in exchange.repeated:
            if any(name in templates_of(service) for service in transcript.services):
                ledger.expect("cds-36", False, "discovery", f"the key {name!r} stands twice")


def templates_of(service: Service) -> dict[str, Any]:
    """The prefetch templates of an entry; none where they are no object."""
    templates = service.get("prefetch")
    return templates if isinstance(templates, dict) else {}


def _check_availability(ledger: Ledger, calls: list[Exchange]) -> None:
    for exchange, when in zip(calls, ("first", "last"), strict=False):
        ledger.expect(
            "cds-5",
            exchange.succeeded,
            f"discovery, {when} call of the run",
            exchange.outcome(),
        )


def check_service(ledger: Ledger, service: Service, where: str) -> None:
    """One entry of discovery."""
    for statement, name in (("cds-7", "hook"), ("cds-9", "description"), ("cds-10", "id")):
        value: Any = service.get(name)
        ledger.expect(statement, is_text(value), where, f"{name} is {show(value)}")
    title = service.get("title")
    ledger.expect("cds-8", is_text(title), where, f"title is {show(title)}")
    if "prefetch" in service:
        check_templates(ledger, service, where)


def _check_addresses(ledger: Ledger, transcript: Transcript) -> None:
    for call in transcript.of_kind("all data"):
        what = f"POST has {call.exchange.outcome()}"
        ledger.expect("cds-16", not call.exchange.absent, call.where, what)


def _check_same_id(ledger: Ledger, services: list[Service]) -> None:
    ids = Counter(str(service.get("id")) for service in services)
    pairs = Counter((str(service.get("id")), str(service.get("hook"))) for service in services)
    for name, times in ids.items():
        if times > 1:
            twice = [hook for (ident, hook), n in pairs.items() if ident == name and n > 1]
            what = f"{name} stands twice for {', '.join(twice)}: which one is meant?"
            ledger.expect("cds-211", not twice, "discovery", what)
