"""Recommend for one patient, and write the blank form that describes one."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Group

from posology import artifact
from posology.advice.form.blank import blank_form
from posology.advice.form.build import build_study_form
from posology.advice.form.patient_reading import NOTHING_TO_SAY, PatientReading
from posology.advice.recommend import recommend as advise
from posology.artifact import Artifact
from posology.domain.recommendation.ranking import Recommendation
from posology.domain.study import Study
from posology.report.patient.terminal import reading_lines, recommendation_panel
from posology.workflows.patient import Patient, encode, form_of, seen_doses
from posology.workflows.results import Row, render_text, rows_to_table

_WITHOUT_MODEL = (
    "Written from a study file: which values a policy knows, and which facts need a date, only the "
    "form of that policy says (`posology template MODEL`)."
)


@dataclass(frozen=True, slots=True)
class RecommendResult:
    """Ranked options for one patient, with the reasons and what was unknown."""

    recommendation: Recommendation
    study: Study
    digest: str
    """The saved policy's version."""
    reading: PatientReading = NOTHING_TO_SAY
    """What must be said first: facts not used, beyond what the model saw, or assumed."""

    @property
    def rows(self) -> list[Row]:
        """One row an option, best first."""
        return [asdict(option) for option in self.recommendation.options]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        reading = {"reading": asdict(self.reading)}
        return {"model": self.digest, **reading, **asdict(self.recommendation)}

    def summary(self) -> str:
        """Options, dose, reasons and what was unknown as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        panel = recommendation_panel(self.recommendation, self.study, self.digest)
        return Group(*reading_lines(self.reading), panel)


def recommend(model: str | Path | Artifact, patient: Patient) -> RecommendResult:
    """Rank the options for one patient, with probabilities, the dose and the reasons."""
    loaded = as_artifact(model)
    history, reading = encode(loaded, patient)
    advice = advise(
        loaded.policy,
        loaded.study,
        history,
        dose_half_width=loaded.evidence.get("dose_spread"),
        seen=seen_doses(loaded),
    )
    return RecommendResult(advice, loaded.study, loaded.digest, reading)


def template(study: str | Path | Study | Artifact) -> dict[str, Any]:
    """A blank patient as JSON values: every fact null, until you fill it in.

    From a saved policy, with units, limits and the values that the policy knows.
    """
    if isinstance(study, str | Path) and (Path(study) / "policy.json").exists():
        study = artifact.load(Path(study))
    if isinstance(study, Artifact):
        return blank_form(form_of(study))
    body = blank_form(build_study_form(study if isinstance(study, Study) else _read(study)))
    return body | {"how": [_WITHOUT_MODEL, *body["how"]]}


def _read(study: str | Path) -> Study:
    from posology.cohorts.study.reader import read_study  # only a study file needs its checks

    return read_study(study)


def as_artifact(model: str | Path | Artifact) -> Artifact:
    """The saved policy itself, or the one of the folder."""
    return model if isinstance(model, Artifact) else artifact.load(Path(model))
