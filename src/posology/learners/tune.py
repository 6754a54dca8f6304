"""Hyper-parameters by random search and successive halving, on the validation split alone."""

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

_TRIALS, _SEARCH = "trials.jsonl", "search.json"

ENCODERS: tuple[EncoderName, ...] = ("gru", "lstm", "transformer", "cnn")


@dataclass(frozen=True, slots=True)
class Search:
    """How many recipes are tried and how soon they are given up."""

    trials: int = 16
    first_epochs: int = 2
    """Epochs of every trial, after which the first are given up."""
    kept_share: float = 1 / 3
    """Of the trials that go on at each rung, for 1 / share times as many epochs: successive
    halving (Jamieson and Talwalkar 2016, arXiv:1502.07943, figure 3)."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a recipe reached by an epoch."""

    number: int
    epoch: int
    score: float
    """Validation score, lower is better."""
    seconds: float


def draw_recipes(start: Recipe, search: Search) -> list[Recipe]:
    """The recipes of a search: the one it starts from, and random ones around it. Ranges: ours."""
    rng = np.random.default_rng(search.seed)
    return [start, *(_drawn(start, rng, n) for n in range(1, search.trials))]


def _drawn(start: Recipe, rng: np.random.Generator, number: int) -> Recipe:
    def one(*of: int | float) -> int | float:
        return of[int(rng.integers(len(of)))]

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    first = start.supervised
    sizes = replace(
        first.sizes,
        width=int(one(64, 128, 256)),
        state=int(one(32, 64, 128)),
        hidden=int(one(128, 256, 512)),
        layers=int(one(1, 1, 2)),
        dropout=float(one(0.0, 0.1, 0.2, 0.3, 0.4)),
        event_dropout=float(one(0.0, 0.0, 0.1, 0.2)),
        encoder=ENCODERS[int(rng.integers(len(ENCODERS)))],
        history_summary=bool(rng.integers(2)),
    )
    training = replace(
        first.training,
        learning_rate=between(2e-4, 4e-3),
        weight_decay=between(0.01, 1.0),
        batch=int(one(32, 64, 128, 256)),
        epochs=int(first.training.epochs * one(1, 1, 2)),
    )
    prior = between(30.0, 3000.0)
    return replace(
        start,
        name=f"trial-{number}",
        supervised=replace(first, sizes=sizes, training=training, prior=prior),
    )


def run_search(
    tried: list[Recipe], train: Cohort, validation: Cohort, search: Search, folder: Path
) -> Iterator[Trial]:
    """Each trial at the end of each rung; `chosen` has the best of them afterwards.

    What is done stands in the folder, one JSON line a trial and rung, and is not done again; a
    trial that was cut short goes on from its last epoch. UserError where it holds another search.
    """
    done = _done(tried, search, folder)
    running, epochs = list(range(len(tried))), search.first_epochs
    longest = max(recipe.supervised.training.epochs for recipe in tried)
    while running:
        reached: dict[int, float] = {}
        for number in running:
            trial = done.get((number, epochs))
            if trial is None:
                trial = _run(tried[number], train, validation, (number, epochs, folder))
                with (folder / _TRIALS).open("a") as lines:
                    lines.write(json.dumps(asdict(trial)) + "\n")
            reached[number] = trial.score
            yield trial
        if epochs >= longest:
            return
        best = sorted(running, key=lambda number: reached[number])
        keep = max(round(len(running) * search.kept_share), 1)
        for number in best[keep:]:
            shutil.rmtree(folder / f"trial-{number}", ignore_errors=True)
        running, epochs = sorted(best[:keep]), min(round(epochs / search.kept_share), longest)


def best_recipe(tried: list[Recipe], trials: list[Trial]) -> Recipe:
    """The best trial of those that came furthest."""
    furthest = max(trial.epoch for trial in trials)
    best = min((t for t in trials if t.epoch == furthest), key=lambda trial: trial.score)
    return tried[best.number]


def write_recipe(recipe: Recipe, path: Path) -> None:
    """As JSON that `posology fit --recipe` takes."""
    path.write_text(json.dumps(serialize(recipe, {}), indent=1) + "\n", encoding="utf-8")


def load_recipe(name: str, seed: int, train: Cohort) -> Recipe:
    """A recipe that ships, by its name, or one of a file; `default` is ours for the cohort."""
    if name == "default":
        return recipes.recipe_for_cohort(train, seed)
    if name in recipes.BY_NAME:
        return recipes.BY_NAME[name](seed)
    return recipes.with_seed(read_recipe(Path(name)), seed)


def read_recipe(path: Path) -> Recipe:
    """A recipe of a file; settings it leaves out are the defaults. UserError names the mistake."""
    try:
        return deserialize(Recipe, json.loads(path.read_text(encoding="utf-8")), {})
    except OSError as error:
        raise UserError(
            f"--recipe {path}: is not default, histories or paper, and no file ({error.strerror})."
        ) from error
    except (ValueError, TypeError) as error:
        raise UserError(f"--recipe {path}: is not a recipe: {error}.") from error


def _run(recipe: Recipe, train: Cohort, validation: Cohort, rung: tuple[int, int, Path]) -> Trial:
    number, epochs, folder = rung
    fitting = recipe.supervised.fit_epochs(train, validation, folder / f"trial-{number}")
    score, seconds, patience = np.inf, 0.0, recipe.supervised.training.patience
    for epoch in fitting:
        seconds += epoch.seconds
        now = epoch.validation["score"]
        score = min(score, now) if patience else now  # what the finished network would have
        if epoch.number >= epochs:
            break
    fitting.close()
    return Trial(number, epochs, score, seconds)


def _done(tried: list[Recipe], search: Search, folder: Path) -> dict[tuple[int, int], Trial]:
    asked: JsonValue = {"search": asdict(search), "recipes": [serialize(r, {}) for r in tried]}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _SEARCH
    if not path.exists():
        path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
    elif json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(asked)):
        raise UserError(f"{folder}: holds another search; name a new folder.")
    ledger = folder / _TRIALS
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    trials = [Trial(**json.loads(line)) for line in lines if line.endswith("}")]
    return {(trial.number, trial.epoch): trial for trial in trials}
