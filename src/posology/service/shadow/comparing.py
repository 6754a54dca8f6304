"""A challenger's answer to a question that was answered, made in its own process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from posology.domain.formulary import is_in_range
from posology.domain.recommendation.recommendation import ABSTAINED, DOSE_ONLY
from posology.domain.study import Study
from posology.errors import UserError
from posology.service.store.shadows import REFUSED
from posology.service.work import Job, answer_job, load_model, unpack


@dataclass(frozen=True, slots=True)
class Advised:
    """What an answer puts first, for a comparison."""

    state: str
    option: str
    """Name of the option; of an answer that is a dose, the option whose range holds it; empty where
    no option stands first."""
    dose: float | None
    """In the study's unit; None where there is no answer."""


@dataclass(frozen=True, slots=True)
class ShadowJob:
    """A question for the challenger, and what was answered to it."""

    job: Job
    answered: bytes
    """As `work.pack_result` packed it."""


@dataclass(frozen=True, slots=True)
class Shadowed:
    """Both answers in short."""

    challenger: Advised
    champion: Advised
    milliseconds: float
    stored: bytes | None


def shadow_job(question: ShadowJob) -> Shadowed:
    """Ask the challenger, and read from both answers what they put first."""
    study = load_model(question.job.folder, question.job.digest).study
    champion = advised(unpack(question.answered)["recommendation"], study)
    try:
        done = answer_job(question.job)
    except UserError:  # it needs a fact, or a range, that the model in use does not
        return Shadowed(Advised(REFUSED, "", None), champion, 0.0, None)
    challenger = advised(unpack(done.stored)["recommendation"], study)
    return Shadowed(challenger, champion, done.milliseconds, done.stored)


def advised(advice: Mapping[str, Any], study: Study) -> Advised:
    """What a stored recommendation puts first."""
    state, options = advice["state"], advice["options"]
    if state in ABSTAINED:
        return Advised(state, "", None)
    if state == DOSE_ONLY:
        dose = None if advice["dose"] is None else advice["dose"]["dose"]
        return Advised(state, "" if dose is None else _class_of(dose, study), dose)
    first = options[0] if advice["is_ranked"] and options else None
    given = advice["dose"] or (None if first is None else first["dose"])
    name = "" if first is None else first["name"]
    return Advised(state, name, None if given is None else given["dose"])


def _class_of(dose: float, study: Study) -> str:
    """The option whose range holds the dose; empty if none does."""
    for option in study.formulary.treatments:
        if option.dose is not None and is_in_range(np.array([dose]), option.dose)[0]:
            return option.name
    return ""
