"""What the pages of the record system show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from posology.language.catalogue import deferred, tr, tr_count
from posology.language.numbers import number
from posology.service.ehr.record_system import Call, Sent

Json = dict[str, Any]
_INDICATORS = {
    "info": deferred("Info"),
    "warning": deferred("Warning"),
    "critical": deferred("Critical"),
}
"""The indicators of CDS Hooks in words."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card's detail."""

    kind: str
    """`paragraph`, `heading`, `list` or `table`."""
    rows: tuple[tuple[str, ...], ...]
    """Of a table its rows, the first of them its head; else one text a row."""


@dataclass(frozen=True, slots=True)
class CardContent:
    """One card."""

    uuid: str
    indicator: str
    summary: str
    detail: tuple[Block, ...]
    source: str
    source_url: str
    suggestions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Id, label and the actions in words."""
    reasons: tuple[tuple[str, str], ...]
    """Number and words of each override reason."""
    links: tuple[tuple[str, str], ...]


def headline_of(call: Call) -> str:
    """What came, in one sentence."""
    sent = call.sent
    if not sent.status:
        return tr("No reply came from {address}.").format(address=sent.url)
    cards = len(cards_of(sent))
    text = tr_count(
        "The service sent {count} card (in {time} ms).",
        "The service sent {count} cards (in {time} ms).",
        cards,
    )
    if not cards:
        text = tr("The service judged, and has nothing to say (in {time} ms).")
    if sent.status != 200:
        text = tr("The service refused the call (status {status}, in {time} ms).")
    if sent.status == 412:
        text = tr(
            "The service cannot judge this patient without more data (status {status}, in {time} "
            "ms)."
        )
    time = number(f"{sent.seconds * 1000:.0f}")
    return text.format(count=cards, status=sent.status, time=time)


def no_hooks(discovered: Sent) -> str:
    """Why discovery brought no hook that can be fired, and what to do."""
    if discovered.status == 0:
        return tr(
            "The service cannot be reached. Check that it runs, and its address in ehr_services."
        )
    if discovered.status in (401, 403):
        return tr(
            "The service does not accept this record system's token. Name the issuer and the key "
            "set at /ehr/jwks.json in its settings."
        )
    if discovered.status >= 400:
        why = problem_of(discovered) or tr("it gave no reason")
        text = tr("The service refused discovery (status {status}): {why}")
        return text.format(status=discovered.status, why=why)
    return tr("The service offers no hook at the moment.")


def problem_of(sent: Sent) -> str:
    """What an OperationOutcome says; empty where none came."""
    issues = sent.reply.get("issue") if isinstance(sent.reply, dict) else None
    for issue in issues if isinstance(issues, list) else ():
        details = issue.get("details") if isinstance(issue, dict) else None
        text = details.get("text") if isinstance(details, dict) else None
        if text or (isinstance(issue, dict) and issue.get("diagnostics")):
            return str(text or issue["diagnostics"])
    return ""


def cards_of(sent: Sent) -> list[Json]:
    """The cards of a reply."""
    cards = sent.reply.get("cards") if isinstance(sent.reply, dict) else None
    return [card for card in cards or () if isinstance(card, dict)]


def card_content(card: Json) -> CardContent:
    """A card as the page shows it. Only web addresses become links."""
    source, indicator = card.get("source") or {}, str(card.get("indicator", ""))
    return CardContent(
        uuid=str(card.get("uuid", "")),
        indicator=tr(_INDICATORS.get(indicator, indicator.capitalize())) if indicator else "",
        summary=str(card.get("summary", "")),
        detail=tuple(blocks_of(str(card.get("detail", "")))),
        source=str(source.get("label", "")),
        source_url=_web(source.get("url")),
        suggestions=tuple(
            (str(one.get("uuid", "")), str(one.get("label", "")), _actions(one))
            for one in card.get("suggestions") or ()
        ),
        reasons=tuple(
            (str(number), str(one.get("display", "")))
            for number, one in enumerate(card.get("overrideReasons") or ())
        ),
        links=tuple(
            (str(one.get("label", "")), _web(one.get("url")))
            for one in card.get("links") or ()
            if _web(one.get("url"))
        ),
    )


def _actions(suggestion: Json) -> tuple[str, ...]:
    return tuple(str(one.get("description", "")) for one in suggestion.get("actions") or ())


def _web(url: object) -> str:
    is_web = isinstance(url, str) and urlsplit(url).scheme in {"http", "https"}
    return str(url) if is_web else ""


def blocks_of(markdown: str) -> Iterator[Block]:
    """The parts of a text in Markdown that cards use; whatever else stays as it was written."""
    lines = (line.strip() for line in markdown.splitlines())
    for kind, group in groupby((line for line in lines if line), _kind_of):
        if kind == "table":
            yield Block(kind, tuple(_cells(line) for line in group if set(line) - set("|-: ")))
        elif kind == "list":
            yield Block(kind, tuple((_plain(line[2:]),) for line in group))
        else:
            yield from (Block(kind, ((_plain(line.lstrip("# ")),),)) for line in group)


def _kind_of(line: str) -> str:
    if line.startswith("|"):
        return "table"
    if line.startswith(("- ", "* ")):
        return "list"
    is_bold = line.startswith("**") and line.endswith("**") and line.count("**") == 2
    return "heading" if is_bold or line.startswith("#") else "paragraph"


def _cells(line: str) -> tuple[str, ...]:
    return tuple(_plain(cell) for cell in line.strip("|").split("|"))


def _plain(text: str) -> str:
    """Without the marks of bold text and of escapes."""
    return text.replace("**", "").replace("\\", "").strip()


def as_json(value: Any) -> str:
    """A body for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)
