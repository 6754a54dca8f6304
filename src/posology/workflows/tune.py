"""Search for a recipe on the validation split."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.learners import recipes
from posology.learners.recipes import Recipe
from posology.learners.tune import (
    Search,
    Trial,
    best_recipe,
    draw_recipes,
    run_search,
    write_recipe,
)
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row, rows_to_table


@dataclass(frozen=True, slots=True, eq=False)
class TuneResult:
    """The best recipe of a search, and every trial."""

    recipe: Recipe
    path: Path
    """The recipe's file, for `fit`."""
    trials: tuple[Trial, ...]
    candidates: tuple[Recipe, ...]
    """Recipes tried, in the order of their numbers."""
    study: str
    validation_decisions: int

    @property
    def rows(self) -> list[Row]:
        """Validation score of each trial at each stage."""
        names = {"study": self.study, "split": "validation", "metric": "score"}
        interval = {"low": None, "high": None, "n": self.validation_decisions}
        return [
            {**names, "model": f"trial-{t.number}", "value": t.score, **interval}
            | {"epoch": t.epoch, "seconds": t.seconds}
            for t in self.trials
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """One line a trial, then the best recipe's file."""
        lines = [f"{_describe(t)} ({self._encoder(t)})" for t in self.trials]
        return "\n".join([*lines, f"Best recipe: {self.path}"])

    def __rich__(self) -> str:
        return self.summary()

    def _encoder(self, trial: Trial) -> str:
        return self.candidates[trial.number].supervised.sizes.encoder


def tune(
    cohort: Cohort,
    folder: str | Path,
    search: Search | None = None,
    progress: Progress = no_progress,
) -> TuneResult:
    """Try recipes at random, stop the worse two thirds early, and write the best as a file.

    The trials are fitted on the training split and compared on the validation split. An
    interrupted search continues from its folder.
    """
    search = search or Search()
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    candidates = draw_recipes(recipes.recipe_for_cohort(train, search.seed), search)
    path, trials = Path(folder) / "recipe.json", []
    for trial in run_search(candidates, train, validation, search, Path(folder)):
        trials.append(trial)
        progress(_describe(trial), len(trials))
    best = best_recipe(candidates, trials)
    write_recipe(best, path)
    study = cohort.study.name
    return TuneResult(best, path, tuple(trials), tuple(candidates), study, len(validation))


def _describe(trial: Trial) -> str:
    return f"trial {trial.number}, epoch {trial.epoch}: {trial.score:.4f}"
