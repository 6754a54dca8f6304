"""An answer without a needed fact: what that does to the dose, first of all and in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float64

from posology.advice.amounts import dose_ends
from posology.advice.amounts import span as interval
from posology.advice.why.explain import predict_single_dose
from posology.advice.why.facts import Fact, FactValue
from posology.advice.why.what_if import WhatIf, predict_what_ifs
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import listed
from posology.advice.wording.titles import small_first
from posology.domain.codes import display_name
from posology.domain.history import History
from posology.domain.policy import Policy
from posology.domain.recommendation.findings import MissingFact
from posology.domain.recommendation.option import DoseAdvice
from posology.domain.recommendation.recommendation import ABSTAINED, Recommendation
from posology.domain.study import Study
from posology.language.catalogue import tr
from posology.language.numbers import number

_MOST_TOGETHER = 4
"""Unknown facts that are varied together: 16 corners. Our choice."""
_TAIL = 0.05
"""Share of the training patients on either side whose values are not tried. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class DosedWithout:
    """The only patient of a history, dosed by a policy without facts that are not known."""

    policy: Policy
    history: History
    dose: DoseAdvice

    def doses(self, cases: Sequence[WhatIf]) -> Float64[np.ndarray, " case"]:
        """The dose of each case, within what the data support."""
        predict = predict_single_dose(self.policy, self.dose.supported)
        step = int(self.history.step_offsets[1]) - 1
        profile = self.policy.profile
        return predict_what_ifs(predict, self.history, profile, step, cases)[0][:, 0]


def with_unknown(
    advice: Recommendation,
    study: Study,
    patient: tuple[Policy, History],
    codes: Sequence[str],
    facts: Sequence[Fact],
) -> Recommendation:
    """The answer that begins with the facts that are not known, and how far its dose may be off.

    Args:
        codes: prefixes of the needed facts of which the form says that they are not known.
        facts: the model's facts with the values that training patients had; may be empty.
    """
    if not codes or advice.state in ABSTAINED:
        return advice
    names = [display_name(code, study.names).partition(", ")[0] for code in codes]
    policy, history = patient
    rows = [policy.profile.rows((code,)) for code in codes]
    found = [next((f for f in facts if set(f.rows) & own), None) for own in rows]
    sentences = [tr("{fact} is not known.").format(fact=_upper(fact_name(name))) for name in names]
    spans: dict[str, str] = {}
    if advice.dose is not None:
        dosed = DosedWithout(policy, history, advice.dose)
        effects = [_effect(dosed, fact) for fact in found]
        sentences = [f"{s} {words}" for s, (words, _) in zip(sentences, effects, strict=True)]
        spans = {name: span for name, (_, span) in zip(names, effects, strict=True) if span}
        known = [fact for fact in found if fact is not None and fact.values]
        if 1 < len(known) <= _MOST_TOGETHER:
            sentences.append(_together(dosed, known))
    head = advice.headline
    head = small_first(head) if head.startswith(("This ", "No ")) else head
    return replace(
        advice,
        headline=tr("{facts} not known: {headline}").format(
            facts=_upper(listed([fact_name(name) for name in names])), headline=head
        ),
        callouts=(*sentences, *advice.callouts),
        missing=tuple(
            _needed(fact, spans) if fact.fact in names else fact for fact in advice.missing
        ),
    )


def _needed(fact: MissingFact, spans: Mapping[str, str]) -> MissingFact:
    """A missing fact as needed, with the same range of doses as the sentence that comes first."""
    span = spans.get(fact.fact)
    known = tr("If it were known, the dose would most likely be {span}.")
    help_ = known.format(span=span) if span else fact.would_help
    return replace(fact, is_required=True, would_help=help_)


def _effect(dosed: DosedWithout, fact: Fact | None) -> tuple[str, str]:
    """Which value the dose stands for and what it would be over others; and that range alone."""
    unit = dosed.dose.unit
    if fact is None or not fact.values:
        text = tr(
            "This model was saved without what that does to the dose: fit it again to see it."
        )
        return text, ""
    values = _usual_values(fact)
    doses = dosed.doses([(), *(((fact, value),) for value in values)])
    now, doses = float(doses[0]), doses[1:]
    if not np.isfinite(doses).all():
        return tr("What that does to the dose cannot be worked out."), ""
    numbers = np.array([np.nan if v.number is None else v.number for v in values])
    low, high = float(doses.min()), float(doses.max())
    span = _span(low, high, unit)
    if np.isnan(numbers).any():
        text = tr("With the values that training patients had, the dose would be {span}.")
        return text.format(span=span), span
    first = _number(fact, float(numbers.min())).partition(" ")[0]
    last = _number(fact, float(numbers.max()), 9)
    others = tr("With {first} to {last}, as nine in ten training patients had, it would be {span}.")
    others = others.format(first=first, last=last, span=span)
    return f"{_stands_for(fact, numbers, doses, now)}{others}", span


def _span(low: float, high: float, unit: str) -> str:
    return f"{interval(*dose_ends(low, high))} {unit}"


def _stands_for(fact: Fact, numbers: np.ndarray, doses: np.ndarray, now: float) -> str:
    """The value with which the dose would be the same, between those that training had."""
    away = doses - now
    cross = np.flatnonzero(away[:-1] * away[1:] <= 0)
    if not len(cross) or np.ptp(away) == 0:
        return ""
    at = int(cross[0])
    step = away[at + 1] - away[at]
    part = 0.0 if step == 0 else -away[at] / step
    value = numbers[at] + part * (numbers[at + 1] - numbers[at])
    text = tr("The dose is that for about {value}.")
    return f"{text.format(value=_number(fact, value, 5))} "


def _together(dosed: DosedWithout, facts: Sequence[Fact]) -> str:
    """The dose over the corners: of each fact the values with the lowest and the highest dose."""
    ends = []
    for fact in facts:
        values = _usual_values(fact)
        alone = dosed.doses([((fact, value),) for value in values])
        ends.append((values[alone.argmin()], values[alone.argmax()]))
    cases = [tuple(zip(facts, corner, strict=True)) for corner in product(*ends)]
    doses = dosed.doses(cases)
    low, high = float(doses.min()), float(doses.max())
    text = tr("Together they could make it {span}.")
    return text.format(span=_span(low, high, dosed.dose.unit))


def _usual_values(fact: Fact) -> list[FactValue]:
    """The values in order, without those of the lowest and the highest twentieth of patients."""
    ordered = sorted(fact.values, key=lambda value: value.number or 0.0)
    if any(value.number is None for value in ordered):
        return ordered
    upto = np.cumsum([value.share for value in ordered])
    return [
        value
        for value, end in zip(ordered, upto / upto[-1], strict=True)
        if end > _TAIL and end - value.share / upto[-1] < 1 - _TAIL
    ]


def _number(fact: Fact, value: float, year: int = 0) -> str:
    """The number with its unit; `year`: the one of a decade that stands for it, 0 to 9."""
    if fact.age_as == "decades":
        return tr("{years} years").format(years=f"{10 * value + year:.0f}")
    size = number(f"{value:.0f}" if value >= 20 else f"{value:.2g}")
    return f"{size} {fact.unit}".strip()


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
