"""`posology fit`: events and a study become a policy."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posology.domain.cohort import Cohort


def fit(
    study: Annotated[
        str, typer.Argument(help="A study file, a study that ships (iwpc), or a cohort's folder.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new folder for the policy.")] = Path("model"),
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
    from posology import artifact
    from posology.cli.measures import write_measures
    from posology.cli.progress import CONSOLE, watch
    from posology.domain.cohort import TRAIN, VALIDATION, part
    from posology.errors import UserError
    from posology.learners import recipes
    from posology.learners.distributed import is_first, joined

    started = time.perf_counter()
    if recipe not in ("default", "paper"):
        raise UserError(f"--recipe {recipe}: unknown; it is default or paper.")
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    cohort = cohort_of(study, events)
    asked = cohort.study
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


def cohort_of(study: str, events: Path | None) -> "Cohort":
    """The cohort of a folder, or of a study and events."""
    import pyarrow.parquet as pq

    from posology.cohorts.build import build_cohort
    from posology.cohorts.chunks import event_files
    from posology.cohorts.store import is_cohort, load_cohort
    from posology.cohorts.study_file import read_study
    from posology.errors import UserError

    if is_cohort(Path(study)):
        if events is not None:
            raise UserError(f"{study} is a cohort already; leave --events out.")
        return load_cohort(Path(study))
    if events is None:
        raise UserError("--events is missing: a study needs events, a cohort's folder does not.")
    if not events.exists():
        raise UserError(f"--events {events}: no such file or folder.")
    columns = ["subject_id", "time", "code", "numeric_value"]
    return build_cohort(pq.read_table(event_files(events), columns=columns), read_study(study))
