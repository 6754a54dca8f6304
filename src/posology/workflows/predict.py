"""Predict diagnoses, values and times to events, for one patient or for a cohort."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.table import Table

from posology.advice.forecast import BATCH_SIZE, forecast
from posology.advice.form.patient_reading import PatientReading
from posology.artifact import Artifact
from posology.cohorts.storage.arrays import is_cohort, load_cohort
from posology.domain.cohort import SPLITS, Cohort, select_split
from posology.domain.forecast import Forecast
from posology.domain.policy import OutcomePredictor
from posology.domain.profile import Profile
from posology.domain.serialization import serialize
from posology.domain.study import Study
from posology.errors import RecordError, UserError
from posology.learners.features.rewards import diagnosis_weights
from posology.records.io.drafts import draft_file, write_whole
from posology.report.patient.forecast_terminal import forecast_panel, reading_lines, totals_table
from posology.workflows.patient import Patient, encode
from posology.workflows.progress import Progress, no_progress
from posology.workflows.recommend import as_artifact
from posology.workflows.results import Row, render_text, rows_to_table, to_plain_json


@dataclass(frozen=True, slots=True)
class PatientForecast:
    """Predictions for one patient now."""

    forecast: Forecast
    reading: PatientReading
    """What must be said first: facts not used, beyond what the model saw, or assumed."""
    study: Study
    digest: str

    @property
    def rows(self) -> list[Row]:
        """One row a target: the mean prediction; of an event, its risk at the end of the window."""
        names = _target_names(self.study)
        values = _expectations(self.forecast)
        return [{"name": n, "expected": v} for n, v in zip(names, values, strict=True)]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"model": self.digest, "reading": asdict(self.reading), **asdict(self.forecast)}

    def summary(self) -> str:
        """Every target with its horizon and interval as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        panel = forecast_panel(self.forecast, self.study, self.digest)
        return Group(*reading_lines(self.reading), panel)


@dataclass(frozen=True, slots=True, eq=False)
class CohortForecast:
    """Mean predictions for every decision of a cohort."""

    cohort: Cohort
    """The decisions that were predicted."""
    expected: np.ndarray
    """One row a decision, one column a target."""
    digest: str

    @property
    def rows(self) -> list[Row]:
        """One row a target: mean prediction, and mean of the observed where it is known."""
        return [
            {"name": name, "expected": expected, "observed": observed}
            for name, expected, observed in _compare_means(self.cohort, self.expected)
        ]

    def to_frame(self) -> pa.Table:
        """One row a decision: subject, time, and a column for each target."""
        c = self.cohort
        columns: dict[str, Any] = {"subject_id": c.history.subject_id[c.subject]}
        if c.time is not None:
            columns["time"] = c.time
        columns |= dict(zip(_target_names(c.study), self.expected.T, strict=True))
        return pa.table(columns)

    def summary(self) -> str:
        """Mean predictions next to the observed means as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Table:
        return totals_table(_compare_means(self.cohort, self.expected), len(self.cohort))


def predict(
    model: str | Path | Artifact,
    patient: Patient | Cohort,
    split: str = "test",
    path: str | Path | None = None,
    progress: Progress = no_progress,
) -> PatientForecast | CohortForecast:
    """Predict every target of the study, for one patient now or for each decision of a cohort.

    Args:
        model: a saved policy whose study has targets to predict.
        patient: one patient, or a cohort (or its folder).
        split: of a cohort: train, validation, test or all.
        path: write the predictions here, one JSON line a decision.
        progress: called with the decisions done.
    """
    loaded = as_artifact(model)
    _check_has_targets(loaded)
    if isinstance(patient, str | Path) and is_cohort(Path(patient)):
        patient = load_cohort(Path(patient))
    if isinstance(patient, Cohort):
        return _predict_cohort(loaded, patient, split, path, progress)
    result = _predict_patient(loaded, patient)
    if path is not None:
        text = json.dumps(to_plain_json(result.to_json())) + "\n"
        write_whole(Path(path), text)
    return result


def _check_has_targets(model: Artifact) -> None:
    study = model.study
    has_targets = study.diagnosis or study.progression or study.time_to_event
    if not isinstance(model.policy, OutcomePredictor) or not has_targets:
        raise UserError(
            f"the policy predicts no outcomes: its study `{study.name}` has no [[diagnosis]], "
            "[[progression]] or [[time_to_event]]; add one and fit it again."
        )


def _predict_patient(model: Artifact, patient: Patient) -> PatientForecast:
    assert isinstance(model.policy, OutcomePredictor)
    history, reading = encode(model, patient)
    if reading.required:
        raise RecordError(" ".join((*reading.required, "Enter it and ask again.")))
    now = history.step_offsets[1:2] - 1
    prediction = next(forecast(model.policy, model.study, history, now))
    return PatientForecast(prediction, reading, model.study, model.digest)


def _predict_cohort(
    model: Artifact, whole: Cohort, split: str, path: str | Path | None, progress: Progress
) -> CohortForecast:
    assert isinstance(model.policy, OutcomePredictor)
    if split not in (*SPLITS, "all"):
        raise UserError(f"--split {split}: unknown; it is train, validation, test or all.")
    if not _is_same_profile(model.policy.profile, whole.profile):
        raise UserError(
            "the cohort is encoded in another vocabulary than the model's: fit on this cohort, or "
            "name the cohort that the model was fitted on."
        )
    cohort = whole if split == "all" else select_split(whole, SPLITS.index(split))
    history, expected = cohort.history, []
    predicted = forecast(model.policy, model.study, history, cohort.last_step)
    with _open_or_none(path) as lines:
        for row, prediction in enumerate(predicted):
            if lines is not None:
                subject = int(history.subject_id[cohort.subject[row]])
                when = float(cohort.time[row]) if cohort.time is not None else None
                body = {"model": model.digest, "subject_id": subject, "time": when}
                lines.write(json.dumps(to_plain_json({**body, **asdict(prediction)})) + "\n")
            expected.append(_expectations(prediction))
            if row % BATCH_SIZE == 0:
                progress(f"{row:,} of {len(cohort):,}", row, len(cohort))
    return CohortForecast(cohort, np.array(expected), model.digest)


@contextmanager
def _open_or_none(path: str | Path | None) -> Generator[IO[str] | None]:
    if path is None:
        yield None
        return
    with draft_file(Path(path)) as draft, draft.open("w", encoding="utf-8") as file:
        yield file


def _is_same_profile(first: Profile, second: Profile) -> bool:
    arrays: tuple[dict[str, np.ndarray], ...] = ({}, {})
    plain = [serialize(p, a) for p, a in zip((first, second), arrays, strict=True)]
    return plain[0] == plain[1] and all(
        np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0]
    )


def _expectations(forecast: Forecast) -> list[float]:
    """The mean prediction of each target; of an event, its risk at the end of the window."""
    risks = [risk.probability for risk in forecast.diagnosis]
    values = [value.expected for value in forecast.progression]
    return risks + values + [curve.risk[-1] for curve in forecast.time_to_event]


def _target_names(study: Study) -> list[str]:
    names = [target.name for target in (*study.diagnosis, *study.progression)]
    return names + [f"{t.name}, by day {t.within_days:g}" for t in study.time_to_event]


def _compare_means(cohort: Cohort, expected: np.ndarray) -> list[tuple[str, float, float | None]]:
    """Mean prediction and observed mean of each target, over decisions whose truth is known.

    Of diagnoses both are weighted for follow-up: an event is known sooner than its absence. The
    time to an event may be censored, so it has no observed mean.
    """
    study, names = cohort.study, _target_names(cohort.study)
    rows: list[tuple[str, float, float | None]] = []
    empty = np.zeros((len(cohort), 0))
    known = [empty if c is None else c for c in (cohort.diagnosis, cohort.progression)]
    observed = np.concatenate(known, axis=1)
    weight = np.concatenate([diagnosis_weights(cohort), np.ones_like(known[1])], axis=1)
    for i in range(len(study.diagnosis) + len(study.progression)):
        counts = weight[:, i] * ~np.isnan(observed[:, i])
        if not counts.any():
            rows.append((names[i], float(expected[:, i].mean()), None))
            continue
        truth = float(np.average(np.nan_to_num(observed[:, i]), weights=counts))
        rows.append((names[i], float(np.average(expected[:, i], weights=counts)), truth))
    for i in range(len(rows), len(names)):
        rows.append((names[i], float(expected[:, i].mean()), None))
    return rows
