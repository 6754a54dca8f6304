"""Suggestions of a card: orders that a clinician may accept with one press.

Of options, only what is shown better is suggested. Of a study about a dose, which compares no
options, the predicted dose is, and is named so. Either needs a code of the drug in the study. No
option is suggested that is ordered already, unless its dose is another.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from posology.domain.formulary import Treatment
from posology.domain.recommendation.option import BETTER, DoseAdvice, OptionAdvice
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
)
from posology.language.catalogue import tr
from posology.records.sources.fhir.coding import SYSTEMS
from posology.report.patient import words
from posology.service.cds_hooks.cards.inputs import CardInputs
from posology.service.cds_hooks.orders import DraftOrder
from posology.service.fhir.medication_request import Drug, OrderFor, drug_of, new_order, with_dose
from posology.service.fhir.transparency import with_transparency

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One suggestion, and the option that it stands for."""

    body: Json
    option: str
    """Name of the option; `dose` for the study's single dose."""

    @property
    def uuid(self) -> str:
        """Its id, which feedback names."""
        return str(self.body["uuid"])


def make_suggestions(inputs: CardInputs) -> tuple[Suggestion, ...]:
    """The suggestions; at most one of them may be accepted."""
    advice = inputs.advice
    if advice.state == DOSE_ONLY and advice.dose is not None and inputs.drug is not None:
        drug = inputs.drug
        known = next((d for d in inputs.orders.drafts if _is_drug(d, drug)), None)
        body = _dose_suggestion(inputs, drug, advice.dose, known)
        return (Suggestion(body, "dose"),)
    if advice.state not in (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE):
        return ()
    found = []
    for option in advice.options:
        body = _option_suggestion(inputs, option) if option.standing == BETTER else None
        if body is not None:
            if advice.state == BETTER_FOR_PATIENT and not found:
                body["isRecommended"] = True
            found.append(Suggestion(body, option.name))
    return tuple(found)


def _is_drug(draft: DraftOrder, drug: Drug) -> bool:
    return f"{SYSTEMS.get(drug.system, drug.system)}//{drug.code}" in draft.codes


def _dose_suggestion(
    inputs: CardInputs, drug: Drug, dose: DoseAdvice, draft: DraftOrder | None
) -> Json:
    text = tr("{drug}, predicted dose {dose}")
    text = text.format(drug=drug.title, dose=words.dose_words(dose))
    if draft is not None and draft.reference:
        return _body(_set_words(text), [_update(inputs, draft, dose, text)])
    return _body(_order_words(text), [_create(inputs, drug, dose, text)])


def _option_suggestion(inputs: CardInputs, option: OptionAdvice) -> Json | None:
    """Order the option, set its dose, or replace another option that is about to be ordered."""
    by_name = {t.name: t for t in inputs.study.formulary.treatments}
    treatment = by_name.get(option.name)
    drugs = () if treatment is None else _drugs(treatment, by_name)
    if not drugs:
        return None
    dose = option.dose if len(drugs) == 1 else None
    text = option.title if dose is None else f"{option.title}, {words.dose_words(dose)}"
    drafted = [d for d in inputs.orders.drafts if d.option and d.reference]
    same = next((d for d in drafted if d.option == option.name), None)
    if same is not None:
        if dose is None:
            return None
        return _body(_set_words(text), [_update(inputs, same, dose, text)])
    creates = [_create(inputs, drug, dose, text) for drug in drugs]
    if not drafted:
        return _body(_order_words(text), creates)
    titles = {t.name: t.title for t in inputs.study.formulary.treatments}
    removed = f" {tr('and')} ".join(dict.fromkeys(titles[d.option] for d in drafted))
    deletes = [
        {
            "type": "delete",
            "description": tr("Do not order {option}").format(option=titles[d.option]),
            "resourceId": d.reference,
        }
        for d in drafted
    ]
    swap = tr("Order {option} in place of {others}").format(option=text, others=removed)
    return _body(swap, [*deletes, *creates])


def _order_words(text: str) -> str:
    return tr("Order {option}").format(option=text)


def _set_words(text: str) -> str:
    return tr("Set the dose: {option}").format(option=text)


def _drugs(treatment: Treatment, by_name: dict[str, Treatment]) -> tuple[Drug, ...]:
    """The drugs of an option, all of them; () if one has no code."""
    parts = [by_name[name] for name in treatment.together] or [treatment]
    drugs = [drug_of(part.codes, part.title) for part in parts]
    return tuple(drug for drug in drugs if drug is not None) if all(drugs) else ()


def _body(label: str, actions: list[Json]) -> Json:
    return {"label": label, "uuid": str(uuid.uuid4()), "actions": actions}


def _create(inputs: CardInputs, drug: Drug, dose: DoseAdvice | None, text: str) -> Json:
    context = inputs.call.context
    order = OrderFor(context.patientId, context.encounterId or "", inputs.made_at)
    resource = _labelled(inputs, new_order(drug, dose, order))
    return {"type": "create", "description": _order_words(text), "resource": resource}


def _update(inputs: CardInputs, draft: DraftOrder, dose: DoseAdvice, text: str) -> Json:
    resource = _labelled(inputs, with_dose(draft.resource, dose))
    return {"type": "update", "description": _set_words(text), "resource": resource}


def _labelled(inputs: CardInputs, resource: Json) -> Json:
    card = f"{inputs.url}/model/{inputs.model}"
    fhir = f"{inputs.url}/fhir"
    return with_transparency(resource, inputs.advice.model, card, inputs.made_at, fhir)
