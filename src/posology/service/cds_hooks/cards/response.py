"""Cards of an answer: what the recommendation says, and nothing that it does not say.

An answer always has a card, also where it is that no option is better, or that there is none. No
card is sent only where there is nothing to say: the study is not about this patient or order.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from posology.domain.recommendation.option import FORBIDDEN, WORSE, OptionAdvice
from posology.domain.recommendation.recommendation import ALL_FORBIDDEN
from posology.language.catalogue import tr
from posology.report.patient import words
from posology.service.cds_hooks.cards.inputs import CardInputs
from posology.service.cds_hooks.cards.markdown import escape, shorten, without_empty
from posology.service.cds_hooks.cards.override_reasons import override_reasons
from posology.service.cds_hooks.cards.suggestions import Suggestion, make_suggestions
from posology.service.cds_hooks.cards.text import DEMONSTRATION, UNSIGNED, card_detail
from posology.service.store.cards import SentCard

Json = dict[str, Any]
INFO, WARNING, CRITICAL = "info", "warning", "critical"
NOTHING_TO_SAY: Json = {"cards": []}
TOPICS = "urn:posology:study"
"""Code system of `source.topic`: the names of studies."""


def make_cards(inputs: CardInputs) -> tuple[Json, tuple[SentCard, ...]]:
    """The body of the response, and what to remember of it."""
    suggestions = make_suggestions(inputs)
    cards = [_card(inputs, one) for one in _about_orders(inputs)]
    cards.append(_answer_card(inputs, suggestions))
    sent = [SentCard(card["uuid"], {}) for card in cards[:-1]]
    sent.append(SentCard(cards[-1]["uuid"], {one.uuid: one.option for one in suggestions}))
    return {"cards": [without_empty(card) for card in cards]}, tuple(sent)


@dataclass(frozen=True, slots=True)
class _Warning:
    summary: str
    detail: str
    indicator: str


def _about_orders(inputs: CardInputs) -> list[_Warning]:
    """Warnings about what is about to be ordered: it is forbidden, or shown worse."""
    options = {option.name: option for option in inputs.advice.options}
    ordered = dict.fromkeys(d.option for d in inputs.orders.drafts if d.option)
    found = []
    for name in ordered:
        option = options.get(name)
        if option is not None and option.standing == FORBIDDEN:
            summary = tr("Not for this patient: {option}.").format(option=option.title)
            forbids = tr("A safety rule forbids it.")
            found.append(_Warning(summary, _why(option, forbids), CRITICAL))
        elif option is not None and option.standing == WORSE:
            reference = words.inside(inputs.advice.reference)
            summary = tr("{option} is shown to be worse than {reference}.").format(
                option=words.capitalise(option.title), reference=reference
            )
            found.append(_Warning(summary, _why(option, tr("See the other card.")), WARNING))
    return found


def _why(option: OptionAdvice, otherwise: str) -> str:
    return " ".join(escape(text) for text in option.remarks) or otherwise


def _card(inputs: CardInputs, warning: _Warning) -> Json:
    return _frame(inputs, warning.summary, warning.indicator) | {"detail": warning.detail}


def _answer_card(inputs: CardInputs, suggestions: tuple[Suggestion, ...]) -> Json:
    advice = inputs.advice
    first = [tr(DEMONSTRATION)] if inputs.is_demo else []
    first += [] if inputs.is_signed else [tr(UNSIGNED)]
    indicator = WARNING if advice.state == ALL_FORBIDDEN else INFO
    card = _frame(inputs, advice.headline, indicator)
    card["detail"] = card_detail(advice, (*first, *inputs.not_there))
    if suggestions:
        card["suggestions"] = [one.body for one in suggestions]
        card["selectionBehavior"] = "at-most-one"
    return card


def _frame(inputs: CardInputs, summary: str, indicator: str) -> Json:
    """What every card has."""
    model = inputs.advice.model
    if inputs.is_demo:
        summary = tr("Demonstration: {summary}").format(summary=summary)
    return {
        "uuid": str(uuid.uuid4()),
        "summary": shorten(summary),
        "indicator": indicator,
        "source": {
            "label": shorten(f"posology: {model.title}"),
            "url": f"{inputs.url}/model/{inputs.model}",
            "topic": {"system": TOPICS, "code": model.study, "display": model.title},
        },
        "overrideReasons": override_reasons(),
        "links": _links(inputs),
    }


def _links(inputs: CardInputs) -> list[Json]:
    page = f"{inputs.url}/answers/{inputs.answer}"
    links: list[Json] = [{"label": tr("Open the whole answer"), "url": page, "type": "absolute"}]
    if inputs.has_launch:
        launch = {
            "label": tr("Open the answer in the record system"),
            "url": f"{inputs.url}/smart/launch",
            "type": "smart",
            "appContext": inputs.answer,
        }
        links.insert(0, launch)
    return links
