"""The options of a recommendation, usual care and no change among them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posology.advice.amounts import whole_shares
from posology.advice.comparisons import (
    Comparison,
    PatientEvidence,
    compare_option,
    compare_reference,
)
from posology.advice.inputs import AdviceInputs
from posology.advice.prediction import PatientPrediction
from posology.advice.safety import remarks_of
from posology.advice.wording import titles
from posology.domain.recommendation.evidence import ProbabilityBin
from posology.domain.recommendation.option import (
    BETTER,
    FORBIDDEN,
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    REFERENCE,
    WORSE,
    Estimate,
    OptionAdvice,
)
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number

USUAL_CARE, NO_CHANGE = "usual_care", "no_change"
_NO_CHANGE = deferred("Always possible. What comes of it was not estimated in this study.")
GIVES = deferred("Of 100 patients with all these facts, usual care gives")
CHANCE = deferred("In the trial, chance decided")
USUAL_DOSE = deferred("The usual dose is")
"""How usual care's remarks begin: the shares it gives; a trial's; the study's one dose."""
"""How the remark of usual care begins that a model of the treatments given predicts."""
_OWN_USUAL_CARE = ("usual care", "standard of care", "standard care", "übliche versorgung")
"""Titles by which a study names usual care as one of its options, in English or German."""
_SHOWN = 3
"""Options of usual care that are named."""


def list_options(
    study: Study,
    prediction: PatientPrediction,
    inputs: AdviceInputs,
    given: Sequence[int | None] = (),
) -> tuple[OptionAdvice, ...]:
    """Each option in the study's order, then usual care, if it is none of them, and no change.

    `given`: patients like this one who were given each option; empty if not measured.
    """
    rows = [_option(study, prediction, inputs, k) for k in range(len(study.formulary.treatments))]
    if study.outcome.kind == "dose_class":
        rows = _of_one_class(rows)
    if given:
        rows = [replace(row, similar_patients=n) for row, n in zip(rows, given, strict=True)]
    no_change = OptionAdvice(
        NO_CHANGE,
        tr(titles.NO_CHANGE),
        NOT_ESTIMATED,
        None,
        None,
        (),
        None,
        None,
        (tr(_NO_CHANGE),),
    )
    usual = _usual_care(study, inputs)
    is_option = usual.standing != REFERENCE and any(_is_usual_care(row.title) for row in rows)
    return (*rows, *(() if is_option else (usual,)), no_change)


def _is_usual_care(title: str) -> bool:
    return title.casefold() in _OWN_USUAL_CARE


def in_order(options: tuple[OptionAdvice, ...], is_ranked: bool) -> tuple[OptionAdvice, ...]:
    """Best first if ranked; else equals in the study's order, the reference first.

    What is shown to be worse, not estimated or forbidden stands last.
    """
    if not is_ranked:
        groups = {REFERENCE: 0, BETTER: 1, NO_CLEAR_DIFFERENCE: 1, WORSE: 2, NOT_ESTIMATED: 3}
        return tuple(sorted(options, key=lambda o: groups.get(o.standing, 4)))

    def rank(option: OptionAdvice) -> tuple[int, float]:
        if option.standing in (NOT_ESTIMATED, FORBIDDEN):
            return (1 if option.standing == NOT_ESTIMATED else 2), 0.0
        return 0, 0.0 if option.difference is None else -option.difference.value

    return tuple(sorted(options, key=rank))


def without_estimates(option: OptionAdvice) -> OptionAdvice:
    """The option of an answer that was not given: forbidden, or not estimated."""
    standing = FORBIDDEN if option.standing == FORBIDDEN else NOT_ESTIMATED
    return replace(option, standing=standing, outcome=None, difference=None, harms=())


def _option(
    study: Study, prediction: PatientPrediction, inputs: AdviceInputs, k: int
) -> OptionAdvice:
    treatment, share = study.formulary.treatments[k], float(prediction.chosen[k])
    name, title = treatment.name, treatment.title
    if not prediction.allowed[k]:
        why = remarks_of(title, inputs.safety)
        return OptionAdvice(name, title, FORBIDDEN, None, None, (), None, None, why, share)
    found = _compare(prediction, inputs, k)
    return OptionAdvice(
        name=name,
        title=title,
        standing=found.standing,
        outcome=found.outcome,
        difference=found.difference,
        harms=found.harms,
        dose=prediction.option_doses[k],
        similar_patients=None,
        remarks=(found.remark,) if found.remark else (),
        choice_share=share,
    )


def _of_one_class(rows: list[OptionAdvice]) -> list[OptionAdvice]:
    """Of 100 patients, how many need each class: whole numbers that sum to 100.

    One class is right for each, so where all are estimated one by one their counts are scaled.
    """
    outcomes = [row.outcome for row in rows if row.outcome is not None]
    if len(outcomes) < len(rows) or sum(outcome.value for outcome in outcomes) <= 0:
        return rows
    whole = whole_shares([outcome.value for outcome in outcomes])
    return [
        replace(row, outcome=Estimate(n, min(o.low, n), max(o.high, n)))
        for row, o, n in zip(rows, outcomes, map(float, whole), strict=True)
    ]


def _compare(prediction: PatientPrediction, inputs: AdviceInputs, k: int) -> Comparison:
    if inputs.evidence is not None:
        return compare_option(inputs.evidence, k)
    if inputs.dose_evidence is not None and inputs.dose_evidence.calibration:
        mean = float(prediction.effectiveness[k].mean())
        return Comparison(NOT_ESTIMATED, _calibrated(inputs.dose_evidence.calibration, mean))
    return Comparison(NOT_ESTIMATED)


def _calibrated(bins: tuple[ProbabilityBin, ...], probability: float) -> Estimate:
    """Of 100 patients with such a probability, in how many the class was right."""
    predicted = [b.predicted for b in bins]
    columns = [[getattr(b.observed, part) for b in bins] for part in ("value", "low", "high")]
    return Estimate(*(float(np.interp(probability, predicted, column)) for column in columns))


def _usual_care(study: Study, inputs: AdviceInputs) -> OptionAdvice:
    evidence = inputs.evidence
    found = Comparison(NOT_ESTIMATED)
    title, remarks = tr(titles.USUAL_CARE), []
    if evidence is not None:
        if evidence.reference is None:
            found = compare_reference(evidence)
            remarks += [found.remark] if found.remark else []
        if evidence.study.is_randomised:
            if evidence.reference is None:
                title = tr(titles.MIX)
            remarks.append(tr("In the trial, chance decided which option was given."))
        else:
            remarks.append(_usual_shares(study, evidence))
    if inputs.usual_dose is not None and study.dose is not None:
        text = tr("The usual dose is {dose} {unit}.")
        dose = number(f"{inputs.usual_dose:g}")
        remarks.append(text.format(dose=dose, unit=study.dose.unit))
    return OptionAdvice(
        USUAL_CARE,
        title,
        found.standing,
        found.outcome,
        found.difference,
        found.harms,
        None,
        None,
        tuple(remarks),
    )


def _usual_shares(study: Study, evidence: PatientEvidence) -> str:
    """What patients like this one are given."""
    shares = evidence.outcomes.usual_shares
    order = np.argsort(-shares, kind="stable")[:_SHOWN]
    options = [treatment.title for treatment in study.formulary.treatments]
    whole = whole_shares(shares.tolist())
    named = [f"{whole[k]} {options[k]}" for k in order if shares[k] >= 0.05]
    text = tr("Of 100 patients with all these facts, usual care gives {counts}.")
    return text.format(counts=", ".join(named))
