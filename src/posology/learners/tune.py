"""Random search for hyper-parameters with successive halving, on the validation split."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.serialization import JsonValue, deserialize, serialize
from posology.errors import UserError
from posology.learners import recipes
from posology.learners.recipes import Recipe
from posology.nn.encoders import EncoderName
from posology.records.io.documents import parse_json
from posology.records.io.drafts import write_whole

_TRIALS, _SEARCH = "trials.jsonl", "search.json"

ENCODERS: tuple[EncoderName, ...] = ("gru", "lstm", "transformer", "cnn")


@dataclass(frozen=True, slots=True)
class Search:
    """Number of recipes, and when the worse ones stop."""

    trials: int = 16
    first_epochs: int = 2
    """Epochs of every trial before the first ones stop."""
    kept_share: float = 1 / 3
    """Share of trials that continue at each rung, for 1 / share times as many epochs: successive
    halving (Jamieson and Talwalkar 2016, arXiv:1502.07943, figure 3)."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """Validation result of a recipe after a number of epochs."""

    number: int
    epoch: int
    score: float
    """Validation score, lower is better."""
    seconds: float


def draw_recipes(start: Recipe, search: Search) -> list[Recipe]:
    """The recipes of a search: `start` and random variations of it. The ranges are our choice."""
    rng = np.random.default_rng(search.seed)
    return [start, *(_draw_recipe(start, rng, n) for n in range(1, search.trials))]


def _draw_recipe(start: Recipe, rng: np.random.Generator, number: int) -> Recipe:
    def choose(*options: int | float) -> int | float:
        return options[int(rng.integers(len(options)))]

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    first = start.supervised
    sizes = replace(
        first.sizes,
        width=int(choose(64, 128, 256)),
        state=int(choose(32, 64, 128)),
        hidden=int(choose(128, 256, 512)),
        layers=int(choose(1, 1, 2)),
        dropout=float(choose(0.0, 0.1, 0.2, 0.3, 0.4)),
        event_dropout=float(choose(0.0, 0.0, 0.1, 0.2)),
        encoder=ENCODERS[int(rng.integers(len(ENCODERS)))],
        history_summary=bool(rng.integers(2)),
    )
    training = replace(
        first.training,
        learning_rate=log_uniform(2e-4, 4e-3),
        weight_decay=log_uniform(0.01, 1.0),
        batch=int(choose(32, 64, 128, 256)),
        epochs=int(first.training.epochs * choose(1, 1, 2)),
    )
    prior = log_uniform(30.0, 3000.0)
    return replace(
        start,
        name=f"trial-{number}",
        supervised=replace(first, sizes=sizes, training=training, prior=prior),
    )


def run_search(
    candidates: list[Recipe], train: Cohort, validation: Cohort, search: Search, folder: Path
) -> Iterator[Trial]:
    """Run the search and yield each trial at the end of each rung.

    The folder records every result as a line of JSON. An interrupted search resumes from there, and
    an interrupted trial from its last epoch. UserError where the folder holds another search.
    """
    results = _read_results(candidates, search, folder)
    running, epochs = list(range(len(candidates))), search.first_epochs
    longest = max(recipe.supervised.training.epochs for recipe in candidates)
    while running:
        scores: dict[int, float] = {}
        for number in running:
            trial = results.get((number, epochs))
            if trial is None:
                trial = _run(candidates[number], train, validation, (number, epochs, folder))
                with (folder / _TRIALS).open("a") as lines:
                    lines.write(json.dumps(asdict(trial)) + "\n")
            scores[number] = trial.score
            yield trial
        if epochs >= longest:
            return
        best = sorted(running, key=lambda number: scores[number])
        n_kept = max(round(len(running) * search.kept_share), 1)
        for number in best[n_kept:]:
            shutil.rmtree(folder / f"trial-{number}", ignore_errors=True)
        running, epochs = sorted(best[:n_kept]), min(round(epochs / search.kept_share), longest)


def best_recipe(candidates: list[Recipe], trials: list[Trial]) -> Recipe:
    """The recipe of the best trial among those with the most epochs."""
    furthest = max(trial.epoch for trial in trials)
    best = min((t for t in trials if t.epoch == furthest), key=lambda trial: trial.score)
    return candidates[best.number]


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write the recipe as JSON for `posology fit --recipe`."""
    write_whole(path, json.dumps(serialize(recipe, {}), indent=1) + "\n")


def load_recipe(name: str, seed: int, train: Cohort) -> Recipe:
    """The shipped recipe of this name, or the recipe in this file; `default` suits the cohort."""
    if name == "default":
        return recipes.recipe_for_cohort(train, seed)
    if name in recipes.BY_NAME:
        return recipes.BY_NAME[name](seed)
    return recipes.with_seed(read_recipe(Path(name)), seed)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; omitted settings keep their defaults. UserError names the mistake."""
    try:
        return deserialize(Recipe, parse_json(path.read_text(encoding="utf-8")), {})
    except OSError as error:
        raise UserError(
            f"--recipe {path}: is neither default, histories or paper, nor a file "
            f"that can be read ({error.strerror})."
        ) from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f"--recipe {path}: is not a recipe: {error}.") from error


def _run(recipe: Recipe, train: Cohort, validation: Cohort, rung: tuple[int, int, Path]) -> Trial:
    number, epochs, folder = rung
    epochs_of_fit = recipe.supervised.fit_epochs(train, validation, folder / f"trial-{number}")
    score, seconds, patience = np.inf, 0.0, recipe.supervised.training.patience
    for epoch in epochs_of_fit:
        seconds += epoch.seconds
        current = epoch.validation["score"]
        score = min(score, current) if patience else current  # the score of the epoch that is kept
        if epoch.number >= epochs:
            break
    epochs_of_fit.close()
    return Trial(number, epochs, score, seconds)


def _read_results(
    candidates: list[Recipe], search: Search, folder: Path
) -> dict[tuple[int, int], Trial]:
    settings: JsonValue = {
        "search": asdict(search),
        "recipes": [serialize(r, {}) for r in candidates],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _SEARCH
    if not path.exists():
        write_whole(path, json.dumps(settings, indent=1) + "\n")
    elif json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
        raise UserError(f"{folder}: contains another search; choose a new folder.")
    results = folder / _TRIALS
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    trials = [Trial(**json.loads(line)) for line in lines if line.endswith("}")]
    return {(trial.number, trial.epoch): trial for trial in trials}
