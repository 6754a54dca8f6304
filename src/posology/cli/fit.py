"""`posology fit`: events and a study become a policy."""

import time
from pathlib import Path
from typing import Annotated

import typer


def fit(
    study: Annotated[str, typer.Argument(help="A study file, or a study that ships (iwpc).")],
    events: Annotated[Path, typer.Option(help="MEDS events: a Parquet file or a folder of them.")],
    out: Annotated[Path, typer.Option(help="A new folder for the policy.")],
    recipe: Annotated[str, typer.Option(help="default or paper.")] = "default",
    seed: Annotated[int, typer.Option(help="The same seed gives the same policy.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the learning curves here.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Keep the run here; if it was killed, go on from here.")
    ] = None,
) -> None:
    """Learn a policy in two phases and save it; the test split is not touched."""
    import pyarrow.parquet as pq

    from posology import artifact
    from posology.cli.measures import write_measures
    from posology.cli.progress import CONSOLE, watch
    from posology.cohorts.build import build_cohort
    from posology.cohorts.study_file import read_study
    from posology.domain.cohort import TRAIN, VALIDATION, part
    from posology.errors import UserError
    from posology.learners import recipes
    from posology.learners.distributed import is_first, joined

    started = time.perf_counter()
    if recipe not in ("default", "paper"):
        raise UserError(f"--recipe {recipe}: unknown; it is default or paper.")
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    if not events.exists():
        raise UserError(f"--events {events}: no such file or folder.")
    asked = read_study(study)
    cohort = build_cohort(pq.read_table(events), asked)
    train, validation = part(cohort, TRAIN), part(cohort, VALIDATION)
    CONSOLE.print(f"{len(train)} decisions to learn from, {len(validation)} to choose by.")
    chosen = recipes.default(seed) if recipe == "default" else recipes.paper(seed)
    with joined(chosen.supervised.device):
        first, curve1 = watch(
            chosen.supervised.fitting(train, validation, resume and resume / "supervised"),
            "first phase: supervised",
            chosen.supervised.training.epochs,
        )
        policy, curve2 = watch(
            chosen.reinforcement.fitting(
                first, train, validation, resume and resume / "reinforcement"
            ),
            "second phase: reinforcement",
            chosen.reinforcement.training.epochs,
        )
        if not is_first():
            return
    evidence = {"recipe": recipe, "seed": seed, "train": len(train), "validation": len(validation)}
    artifact.save(policy, asked, evidence, out)
    CONSOLE.print(f"Policy saved in {out}")
    if json_file is not None:
        rows = [
            {"study": asked.name, "model": "posology", "split": "validation", "metric": name}
            | {"value": value, "low": None, "high": None, "n": len(validation)}
            | {"phase": phase, "epoch": epoch.number}
            for phase, curve in (("supervised", curve1), ("reinforcement", curve2))
            for epoch in curve
            for name, value in epoch.validation.items()
        ]
        write_measures(json_file, rows, started, seed)
