"""`posology tune`: a search for a recipe, on the validation split alone."""

import time
from pathlib import Path
from typing import Annotated

import typer


def tune(
    study: Annotated[
        str, typer.Argument(help="A study file, a study that ships (iwpc), or a cohort's folder.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the search; one that was cut short goes on.")
    ] = Path("tuned"),
    trials: Annotated[int, typer.Option(min=2, help="Recipes tried, the default one first.")] = 16,
    first: Annotated[int, typer.Option(min=1, help="Epochs before the first are given up.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed tries the same recipes.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every trial here as rows of JSON.")
    ] = None,
) -> None:
    """Try recipes at random, give the worse two thirds up early, and write the best as a file.

    Trials learn from the training split and are compared on the validation split: the test split
    is not touched, and no figure of the search says how good the recipe is.
    """
    from posology.cli.measures import write_measures
    from posology.cli.progress import CONSOLE, bars, one_thread
    from posology.cli.read_cohort import read_cohort
    from posology.domain.cohort import TRAIN, VALIDATION, part
    from posology.learners import recipes
    from posology.learners.tune import Search, chosen, drawn, tuning, write_recipe

    started = time.perf_counter()
    one_thread()
    cohort = read_cohort(study, events)
    train, validation = part(cohort, TRAIN), part(cohort, VALIDATION)
    CONSOLE.print(f"{len(train)} decisions to learn from, {len(validation)} to choose by.")
    search = Search(trials, first, seed=seed)
    tried = drawn(recipes.ours(train, seed), search)
    done = []
    with bars() as progress:
        task = progress.add_task("tuning", total=None, said="")
        for trial in tuning(tried, train, validation, search, out):
            done.append(trial)
            said = f"trial {trial.number}, epoch {trial.epoch}: {trial.score:.4f}"
            progress.update(task, advance=1, said=said)
            CONSOLE.print(f"{said} ({tried[trial.number].supervised.sizes.encoder})")
    write_recipe(chosen(tried, done), out / "recipe.json")
    CONSOLE.print(f"Best recipe: {out / 'recipe.json'}\n"
                  f"Next: posology fit {study} --recipe {out / 'recipe.json'}")  # fmt: skip
    if json_file is not None:
        rows = [
            {"study": cohort.study.name, "model": f"trial-{t.number}", "split": "validation",
             "metric": "score", "value": t.score, "low": None, "high": None, "n": len(validation),
             "epoch": t.epoch, "seconds": t.seconds}
            for t in done
        ]  # fmt: skip
        write_measures(json_file, rows, started, seed)
