"""`posology fit`: events and a study become a policy."""

import time
from pathlib import Path
from typing import Annotated

import typer


def fit(
    study: Annotated[
        str, typer.Argument(help="A study file, a study that ships (iwpc), or a cohort's folder.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new folder for the policy.")] = Path("model"),
    recipe: Annotated[
        str,
        typer.Option(
            help="default, histories (for patients with a past), paper, or a recipe file."
        ),
    ] = "default",
    seed: Annotated[int, typer.Option(help="The same seed gives the same policy.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the learning curves here.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Keep the run here; if it was killed, go on from here.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Weights from `posology pretrain` to begin with.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:1; else what the recipe says.")
    ] = None,
) -> None:
    """Learn a policy in two phases and save it; the test split is not touched."""
    from posology import artifact
    from posology.cli.learning import learned
    from posology.cli.measures import measured_spread, write_measures
    from posology.cli.progress import CONSOLE, watch
    from posology.cli.read_cohort import read_cohort
    from posology.domain.cohort import TRAIN, VALIDATION, part
    from posology.errors import UserError
    from posology.learners.network.distributed import is_main_process, process_group
    from posology.learners.network.pretrain import load_pretrained
    from posology.learners.recipes import on
    from posology.learners.tune import recipe_of

    started = time.perf_counter()
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    cohort = read_cohort(study, events)
    asked = cohort.study
    train, validation = part(cohort, TRAIN), part(cohort, VALIDATION)
    CONSOLE.print(f"{len(train)} decisions to learn from, {len(validation)} to choose by.")
    chosen = recipe_of(recipe, seed, train)
    chosen = on(chosen, device) if device else chosen
    sizes = chosen.supervised.sizes
    begun = load_pretrained(start, sizes, cohort.profile) if start is not None else None
    with process_group(chosen.supervised.device):
        first, curve1 = watch(
            chosen.supervised.fit_epochs(
                train, validation, resume and resume / "supervised", begun
            ),
            "first phase: supervised",
            chosen.supervised.training.epochs,
        )
        policy, curve2 = watch(
            chosen.reinforcement.fit_epochs(
                first, train, validation, resume and resume / "reinforcement"
            ),
            "second phase: reinforcement",
            chosen.reinforcement.training.epochs,
        )
        if not is_main_process():
            return
    counts = {"seed": seed, "train": len(train), "validation": len(validation)}
    curves = learned({"first phase: supervised": curve1, "second phase: reinforcement": curve2})
    spread = measured_spread(policy, validation)
    evidence = {"recipe": recipe, **counts, **spread, "learning": curves}
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
