"""Recommend for one patient, and write the blank form that describes one."""

import datetime
import math
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group

from posology import artifact
from posology.advice.eligibility import check_eligibility
from posology.advice.evidence_words import describe_evidence
from posology.advice.form.blank import blank_form
from posology.advice.form.build import build_study_form
from posology.advice.form.field import Form
from posology.advice.form.patient_reading import NOTHING_TO_SAY, PatientReading
from posology.advice.inputs import AdviceInputs
from posology.advice.recommend import recommend as advise
from posology.advice.typical_patient import typical_facts
from posology.advice.why.answer import add_reasons, with_unrecorded
from posology.advice.why.evidence import WhyEvidence, read_why
from posology.advice.why.unknown import with_unknown
from posology.artifact import Artifact
from posology.domain.history import History
from posology.domain.policy import AllowedMask
from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.recommendation.recommendation import ModelLabel, Recommendation, as_sent
from posology.domain.safety_rules.check import check_safety
from posology.domain.safety_rules.facts import VisibleFacts
from posology.domain.safety_rules.fixed import fix_rules
from posology.domain.study import Study
from posology.errors import UserError
from posology.language.catalogue import ENGLISH, current_language, in_language, tr
from posology.language.numbers import number
from posology.report.patient.terminal import render_advice
from posology.workflows.advice.keys import PLANS
from posology.workflows.advice.patient_evidence import (
    guideline_answers,
    not_judged_words,
    patient_evidence,
    stored_evidence,
    usual_dose,
)
from posology.workflows.advice.reasons import compared_by
from posology.workflows.gate.protection import describe_protection
from posology.workflows.patient import (
    Patient,
    encode_with_facts,
    facts_of,
    form_of,
    seen_doses,
    today,
    uncertainty_of,
)
from posology.workflows.pharmacogenomics.advice import PgxOptions, add_genes
from posology.workflows.results import Row, render_text, rows_to_table, to_plain_json

_WITHOUT_MODEL = (
    "Written from a study file: which values a policy knows, and which facts need a date, only the "
    "form of that policy says (`posology template MODEL`)."
)


@dataclass(frozen=True, slots=True)
class RecommendResult:
    """The recommendation for one patient, and how their file was read."""

    recommendation: Recommendation
    study: Study
    digest: str
    """The saved policy's version."""
    reading: PatientReading = NOTHING_TO_SAY
    """What must be said first: facts not used, beyond what the model saw, or assumed."""
    study_evidence: StudyEvidence | None = None
    """What the effect study found when the policy was fitted."""
    dose_evidence: DoseEvidence | None = None
    """The same where the right dose is known."""
    language: str = ENGLISH
    """Of the answer's sentences, and of its page and text."""

    @property
    def rows(self) -> list[Row]:
        """One row an option, in the order shown."""
        return [asdict(option) for option in as_sent(self.recommendation).options]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, in the published schema; no number is NaN or infinite.

        The schema is `posology/domain/recommendation/recommendation.schema.json`.
        """
        body = {
            "reading": asdict(self.reading),
            **asdict(as_sent(self.recommendation)),
            "study_evidence": None if self.study_evidence is None else asdict(self.study_evidence),
            "dose_evidence": None if self.dose_evidence is None else asdict(self.dose_evidence),
        }
        return to_plain_json(body)

    def summary(self) -> str:
        """The answer, its options and dose, and what is not recorded, as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        with in_language(self.language):
            return render_advice(self.recommendation)

    def report(self, path: str | Path) -> None:
        """Write the page that a clinician reads, as one HTML file."""
        from posology.report.patient.page import write_patient_page  # only a page needs templates

        with in_language(self.language):
            write_patient_page(self.recommendation, Path(path))


def recommend(
    model: str | Path | Artifact,
    patient: Patient,
    at: str | None = None,
    pgx: PgxOptions | None = None,
    reasons: bool = True,
    unknown: tuple[str, ...] = (),
) -> RecommendResult:
    """Advice for one patient: options against the reference, doses, and what is not known.

    Its sentences are in the language of `in_language`, by default in English.

    Args:
        at: date of the decision, such as `2026-11-27`; nothing after it is visible. By default that
            of the form, or of the last event of records.
        pgx: tables of pharmacogenomic guidelines: their recommendations are among the findings, and
            an option that they forbid is never advised.
        reasons: whether the answer says why; without, it is made in less time.
        unknown: of records, prefixes of needed facts that nobody knows (`may_be_unknown` of the
            study): they are answered without them. A form says it itself.
    """
    loaded = as_artifact(model)
    history, reading, visible = encode_with_facts(loaded, patient, at, unknown)
    inputs = _with_eligibility(
        gather_inputs(loaded, history, reading), loaded.study, visible, reading
    )
    inputs = add_genes(inputs, loaded, patient, history, pgx)
    allowed = _allowed(loaded, inputs)
    answers = guideline_answers(loaded, history, allowed, reading.unread)
    inputs = replace(inputs, guideline=answers)
    advice = advise(loaded.policy, loaded.study, history, inputs)
    kept = _why_of(loaded)
    known = kept if reasons else None
    if known is not None:
        assert inputs.checked is not None
        fixed = fix_rules(loaded.study, loaded.policy.profile, inputs.checked)
        values = compared_by(loaded, advice, inputs.evidence, fixed)
        advice = add_reasons(advice, loaded.policy, history, known, values)
    facts = () if kept is None else kept.facts
    patient_at_hand = loaded.policy, history
    advice = with_unrecorded(advice, loaded.study, patient_at_hand, facts)
    advice = with_unknown(advice, loaded.study, patient_at_hand, reading.unknown, facts)
    if PLANS in loaded.evidence:
        from posology.workflows.plans.outlook import add_plans  # only plans need their learner

        advice = add_plans(advice, loaded, history)
    stored = stored_evidence(loaded)
    evidence = stored.study, stored.dose
    return RecommendResult(
        advice, loaded.study, loaded.digest, reading, *evidence, current_language()
    )


def _with_eligibility(
    inputs: AdviceInputs, study: Study, visible: VisibleFacts, reading: PatientReading
) -> AdviceInputs:
    """The inputs with whether the study is for this patient."""
    found = check_eligibility(study, visible, reading.age)
    return replace(
        inputs,
        visible=visible,
        checked=check_safety(study, visible),
        eligibility=found,
        required=inputs.required or found.required,
        callouts=(*inputs.callouts, *found.undecided),
    )


def _allowed(model: Artifact, inputs: AdviceInputs) -> AllowedMask:
    """Options that neither safety rules, by all of the patient's events, nor genes forbid."""
    assert inputs.checked is not None
    by_genes = [name in inputs.forbidden for name in model.study.formulary.names]
    return ~(inputs.checked.forbidden | np.array([by_genes]))


@lru_cache(maxsize=8)
def _why_of(model: Artifact) -> WhyEvidence | None:
    return read_why(model.evidence)


def gather_inputs(model: Artifact, history: History, reading: PatientReading) -> AdviceInputs:
    """What the saved policy's evidence adds to its prediction for this patient.

    Every part of the answer beside the policy's own prediction is plugged in here.
    """
    return AdviceInputs(
        label=label_of(model),
        time=reading.decision or _date(history),
        seen=seen_doses(model),
        facts=facts_of(model),
        uncertainty=uncertainty_of(model),
        callouts=(
            *filter(None, [describe_protection(model.evidence)]),
            *reading.not_used,
            *reading.beyond,
            *reading.assumed,
        ),
        known=reading.known,
        required=reading.required,
        evidence=patient_evidence(model, history),
        dose_evidence=stored_evidence(model).dose,
        not_judged=not_judged_words(model),
        usual_dose=usual_dose(model),
    )


def label_of(model: Artifact) -> ModelLabel:
    """Which model answers, and on what evidence."""
    study, evidence = model.study, model.evidence
    learned_from = ""
    if "train" in evidence:
        learned_from = tr("Learned from {count} decisions.").format(
            count=number(f"{evidence['train']:,}")
        )
    stored = stored_evidence(model)
    return ModelLabel(
        study=study.name,
        title=study.title,
        purpose=study.purpose,
        not_for=study.not_for,
        digest=model.digest,
        learned_from=learned_from,
        evidence=describe_evidence(stored.study, stored.dose, study.rules),
    )


def _date(history: History) -> str:
    """Date of the patient's last step; today if nothing has a date."""
    day = float(history.time[-1])
    if math.isnan(day):
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day // 1))).isoformat()


def template(study: str | Path | Study | Artifact, typical: bool = False) -> dict[str, Any]:
    """A blank patient as JSON values: every fact null, until you fill it in.

    From a saved policy, with units, limits and the values that the policy knows; with `typical`,
    filled in with means and most frequent values of its training patients.
    """
    if isinstance(study, str | Path) and (Path(study) / "policy.json").exists():
        study = artifact.load(Path(study))
    if isinstance(study, Artifact):
        form = form_of(study)
        return blank_form(form) | ({"facts": _typical(study, form)} if typical else {})
    if typical:
        raise UserError(
            f"posology template {study}: --typical needs the folder of a policy, which knows its "
            "training patients."
        )
    body = blank_form(build_study_form(study if isinstance(study, Study) else _read(study)))
    return body | {"how": [_WITHOUT_MODEL, *body["how"]]}


def _typical(model: Artifact, form: Form) -> dict[str, Any]:
    """Every fact of the form: that of a typical training patient, or null."""
    facts = facts_of(model)
    if facts is None:
        raise UserError(
            "posology template --typical: the policy was saved without what its training patients "
            "had; fit it again."
        )
    known = typical_facts(form, model.policy.profile, facts, today().date())
    return {field.name: known.get(field.name) for field in form.fields if field.is_listed}


def _read(study: str | Path) -> Study:
    from posology.cohorts.study.reader import read_study  # only a study file needs its checks

    return read_study(study)


def as_artifact(model: str | Path | Artifact) -> Artifact:
    """The saved policy itself, or the one of the folder."""
    return model if isinstance(model, Artifact) else artifact.load(Path(model))
