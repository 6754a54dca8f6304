"""`posology template`: a blank patient file to fill in."""

import json
from pathlib import Path
from typing import Annotated

import typer


def template(
    study: Annotated[
        str, typer.Argument(help="A study file, a study that ships (iwpc), or a model folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write here; else to the screen.")] = None,
) -> None:
    """Write a blank patient file: JSON whose facts are null until you fill them in.

    From a model folder the file's schema lists every answer the model knows.
    """
    from posology import artifact
    from posology.cohorts.patient_template import blank_patient_file
    from posology.cohorts.study.reader import read_study

    if (Path(study) / "policy.json").exists():
        model = artifact.load(Path(study))
        body = blank_patient_file(model.study, model.policy.profile)
    else:
        body = blank_patient_file(read_study(study), None)
    text = json.dumps(body, indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"{out}: fill in what is known, leave the rest null.")
