"""`posology predict`: diagnoses, numbers and times to come."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from posology.artifact import Artifact
    from posology.domain.cohort import Cohort


def predict(
    model: Annotated[Path, typer.Argument(help="A folder that `posology fit` saved.")],
    patient: Annotated[
        Path,
        typer.Argument(
            help="JSON from `posology template`, MEDS Parquet of one patient, or a cohort's folder."
        ),
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the predictions here, one line a decision.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="Of a cohort: train, validation, test or all.")
    ] = "test",
) -> None:
    """Tell what is to come: each diagnosis, each number, and the risk of each event through time.

    For one patient now, or for every decision of a cohort built for the model's study.
    """
    from posology import artifact
    from posology.cohorts.storage.arrays import is_cohort, load_cohort
    from posology.domain.policy import OutcomePredictor
    from posology.errors import UserError

    loaded = artifact.load(model)
    study = loaded.study
    if not isinstance(loaded.policy, OutcomePredictor) or not (
        study.diagnosis or study.progression or study.time_to_event
    ):
        raise UserError(
            f"{model}: foretells nothing: its study `{study.name}` has no [[diagnosis]], "
            "[[progression]] or [[time_to_event]]; add one and fit it again."
        )
    if is_cohort(patient):
        _cohort(loaded, load_cohort(patient), split, json_file)
    else:
        _patient(loaded, patient, json_file)


def _patient(loaded: "Artifact", patient: Path, json_file: Path | None) -> None:
    from posology.advice.forecast import forecast
    from posology.cohorts.patient import encode_patient
    from posology.domain.policy import OutcomePredictor
    from posology.records.sources.patient_json import read_patient
    from posology.report.patient.forecast_terminal import print_forecast

    assert isinstance(loaded.policy, OutcomePredictor)
    history, ignored = encode_patient(read_patient(patient), loaded.study, loaded.policy.profile)
    now = history.step_offsets[1:2] - 1
    outlook = next(forecast(loaded.policy, loaded.study, history, now))
    print_forecast(outlook, loaded.study, loaded.digest)
    if json_file is not None:
        body = {"model": loaded.digest, "ignored": ignored, **asdict(outlook)}
        json_file.write_text(json.dumps(body) + "\n", encoding="utf-8")


def _cohort(loaded: "Artifact", whole: "Cohort", split: str, json_file: Path | None) -> None:
    import numpy as np

    from posology.advice.forecast import BATCH_SIZE, forecast
    from posology.cli.progress import CONSOLE, bars
    from posology.domain.cohort import SPLITS, part
    from posology.domain.policy import OutcomePredictor
    from posology.domain.serialization import serialize
    from posology.errors import UserError
    from posology.report.patient.forecast_terminal import print_totals

    assert isinstance(loaded.policy, OutcomePredictor)
    if split not in (*SPLITS, "all"):
        raise UserError(f"--split {split}: unknown; it is train, validation, test or all.")
    same = [{}, {}]
    told = [
        serialize(p, a) for p, a in zip((loaded.policy.profile, whole.profile), same, strict=True)
    ]
    if told[0] != told[1] or any((same[0][k] != same[1][k]).any() for k in same[0]):
        raise UserError(
            "the cohort is encoded in another vocabulary than the model's: fit on this cohort, or "
            "give the cohort that the model was fitted on."
        )
    cohort = whole if split == "all" else part(whole, SPLITS.index(split))
    lines = json_file.open("w", encoding="utf-8") if json_file is not None else None
    expected = []
    with bars() as progress:
        task = progress.add_task("predicting", total=len(cohort), said="")
        history, last = cohort.history, cohort.last_step
        for row, outlook in enumerate(forecast(loaded.policy, loaded.study, history, last)):
            if lines:
                subject = int(history.subject_id[cohort.subject[row]])
                when = float(cohort.time[row]) if cohort.time is not None else None
                body = {"model": loaded.digest, "subject_id": subject, "time": when}
                lines.write(json.dumps({**body, **asdict(outlook)}) + "\n")
            risks = [risk.probability for risk in outlook.diagnosis]
            numbers = [course.expected for course in outlook.progression]
            expected.append(risks + numbers + [c.risk[-1] for c in outlook.time_to_event])
            if row % BATCH_SIZE == 0:
                progress.update(task, completed=row, said=f"{row:,} of {len(cohort):,}")
    if lines:
        lines.close()
    print_totals(_totals(cohort, np.array(expected)), len(cohort), CONSOLE)


def _totals(cohort: "Cohort", expected: "np.ndarray") -> list[tuple[str, float, float | None]]:
    """Mean expectation of the decisions whose truth is known, beside the mean truth.

    What is censored has no mean, so of a time to event only the expectation is told.
    """
    import numpy as np

    study, rows = cohort.study, []
    asked = (*study.diagnosis, *study.progression)
    nothing = np.zeros((len(cohort), 0))
    known = [nothing if c is None else c for c in (cohort.diagnosis, cohort.progression)]
    came = np.concatenate(known, axis=1)
    for i, target in enumerate(asked):
        there = ~np.isnan(came[:, i])
        said = expected[there, i] if there.any() else expected[:, i]
        truth = float(came[there, i].mean()) if there.any() else None
        rows.append((target.name, float(said.mean()), truth))
    for i, target in enumerate(study.time_to_event, start=len(asked)):
        rows.append((f"{target.name}, by day {target.within_days:g}", expected[:, i].mean(), None))
    return rows
