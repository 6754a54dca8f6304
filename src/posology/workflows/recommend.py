"""Recommend for one patient, and write the blank file that describes one."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from rich.panel import Panel

from posology import artifact
from posology.advice.recommend import recommend as advise
from posology.artifact import Artifact
from posology.cohorts.patient import encode_patient
from posology.cohorts.patient_template import blank_patient_file
from posology.domain.history import History
from posology.domain.recommendation import Recommendation
from posology.domain.study import Study
from posology.records.sources.patient_json import parse_patient, read_patient
from posology.report.patient.terminal import recommendation_panel
from posology.workflows.cohorts import as_study
from posology.workflows.results import Row, render_text, rows_to_table

Patient: TypeAlias = str | Path | dict[str, Any] | pa.Table
"""A filled-in `template` or its file, or the MEDS events of one patient, a file or a table."""


@dataclass(frozen=True, slots=True)
class RecommendResult:
    """Ranked options for one patient, with the reasons and what was unknown."""

    recommendation: Recommendation
    study: Study
    digest: str
    """The saved policy's version."""

    @property
    def rows(self) -> list[Row]:
        """One row an option, best first."""
        return [asdict(option) for option in self.recommendation.options]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"model": self.digest, **asdict(self.recommendation)}

    def summary(self) -> str:
        """Options, dose, reasons and what was unknown as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Panel:
        return recommendation_panel(self.recommendation, self.study, self.digest)


def recommend(model: str | Path | Artifact, patient: Patient) -> RecommendResult:
    """Rank the options for one patient, with probabilities, the dose and the reasons."""
    loaded = as_artifact(model)
    history, ignored = encode(loaded, patient)
    spread = loaded.evidence.get("dose_spread")
    advice = advise(loaded.policy, loaded.study, history, ignored, spread)
    return RecommendResult(advice, loaded.study, loaded.digest)


def template(study: str | Path | Study | Artifact) -> dict[str, Any]:
    """A blank patient as JSON values: every fact null, until you fill it in.

    From a saved policy, its schema lists every value that the policy knows.
    """
    if isinstance(study, str | Path) and (Path(study) / "policy.json").exists():
        study = artifact.load(Path(study))
    if isinstance(study, Artifact):
        return blank_patient_file(study.study, study.policy.profile)
    return blank_patient_file(as_study(study), None)


def as_artifact(model: str | Path | Artifact) -> Artifact:
    """The saved policy itself, or the one of the folder."""
    return model if isinstance(model, Artifact) else artifact.load(Path(model))


def encode(model: Artifact, patient: Patient) -> tuple[History, tuple[str, ...]]:
    """The patient's history up to now, and the codes that the policy does not know."""
    if isinstance(patient, dict):
        events = parse_patient(patient, "patient")
    elif isinstance(patient, pa.Table):
        events = patient
    else:
        events = read_patient(Path(patient))
    return encode_patient(events, model.study, model.policy.profile)
