"""`posology pretrain`: weights from all training patients, for studies with few decisions."""

import time
from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    study: Annotated[
        str, typer.Argument(help="A study file, a study that ships (iwpc), or a cohort's folder.")
    ],
    out: Annotated[Path, typer.Option(help="A new file for the weights.")],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Whose sizes: default, histories, paper, or a recipe file.")
    ] = "histories",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training patients.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the learning curve here.")
    ] = None,
) -> None:
    """Learn what each next step holds, from every step of the training patients alone."""
    from dataclasses import replace

    from posology.cli.measures import write_measures
    from posology.cli.progress import CONSOLE, one_thread, watch
    from posology.cli.read_cohort import read_cohort
    from posology.domain.cohort import TRAIN, VALIDATION, part
    from posology.errors import UserError
    from posology.learners.network.pretrain import Pretraining, save_pretrained
    from posology.learners.tune import recipe_of

    started = time.perf_counter()
    one_thread()
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new file.")
    cohort = read_cohort(study, events)
    train, validation = part(cohort, TRAIN), part(cohort, VALIDATION)
    sizes = recipe_of(recipe, seed, train).supervised.sizes
    learner = Pretraining(sizes)
    learner = replace(learner, training=replace(learner.training, epochs=epochs, seed=seed))
    network, curve = watch(learner.fit_epochs(train, validation), "next steps", epochs)
    save_pretrained(network, sizes, cohort.profile, out)
    CONSOLE.print(
        f"Weights saved in {out}\nNext: posology fit {study} --recipe {recipe} --start {out}"
    )
    if json_file is not None:
        rows = [
            {"study": cohort.study.name, "model": "pretraining", "split": "validation",
             "metric": name, "value": value, "low": None, "high": None,
             "n": len(validation.history.subject_id), "epoch": epoch.number}
            for epoch in curve
            for name, value in epoch.validation.items()
        ]  # fmt: skip
        write_measures(json_file, rows, started, seed)
