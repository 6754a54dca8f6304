"""`posology recommend`: advice for one patient."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def recommend(
    model: Annotated[Path, typer.Argument(help="A folder that `posology fit` or `demo` saved.")],
    patient: Annotated[
        Path, typer.Option(help="JSON from `posology template`, or MEDS Parquet with one patient.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the recommendation here as JSON.")
    ] = None,
) -> None:
    """Print ranked options with probability and interval, the dose, why, and what was unknown."""
    from posology import artifact
    from posology.advice.recommend import recommend as advise
    from posology.cohorts.patient import encode_patient
    from posology.records.sources.patient_json import read_patient
    from posology.report.patient.terminal import show

    loaded = artifact.load(model)
    history, ignored = encode_patient(read_patient(patient), loaded.study, loaded.policy.profile)
    spread = loaded.evidence.get("dose_spread")
    advice = advise(loaded.policy, loaded.study, history, ignored, spread)
    show(advice, loaded.study, loaded.digest)
    if json_file is not None:
        body = {"model": loaded.digest, **asdict(advice)}
        json_file.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
