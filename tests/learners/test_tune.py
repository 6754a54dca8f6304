"""Random search with successive halving: which trials stop, and resuming after an interruption."""

from dataclasses import replace
from pathlib import Path

import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.errors import UserError
from posology.learners import tune
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.recipes import Recipe, with_seed
from posology.learners.tune import (
    Search,
    best_recipe,
    draw_recipes,
    read_recipe,
    run_search,
    write_recipe,
)
from tests.builders.synthetic_iwpc import cohort

TRAINED, CHOSEN_BY = (select_split(cohort(80, 3), split) for split in (TRAIN, VALIDATION))


def small(rate: float) -> Recipe:
    training = Training(rate, batch=32, epochs=6, patience=0)
    return Recipe("small", Supervised(Sizes(8, 4, 8, 1, 2, 0.0), training))


RATES = (1e-6, 1e-2, 1e-5, 3e-2, 1e-4, 1e-6)
SEARCH = Search(trials=6, first_epochs=2)


def test_two_thirds_stop_at_each_rung_and_the_best_is_chosen(tmp_path: Path) -> None:
    recipes = [small(rate) for rate in RATES]
    trials = list(run_search(recipes, TRAINED, CHOSEN_BY, SEARCH, tmp_path))
    assert [t.epoch for t in trials] == [2] * 6 + [6] * 2
    by_score = sorted(trials[:6], key=lambda t: t.score)
    assert {t.number for t in trials[6:]} == {t.number for t in by_score[:2]}
    best = min(trials[6:], key=lambda t: t.score)
    assert best_recipe(recipes, trials) is recipes[best.number]
    epochs = list(recipes[best.number].supervised.fit_epochs(TRAINED, CHOSEN_BY))
    scores = [t.score for t in trials if t.number == best.number]
    assert scores == [epochs[1].validation["score"], epochs[5].validation["score"]]


def test_an_interrupted_search_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [small(rate) for rate in RATES]
    whole = list(run_search(recipes, TRAINED, CHOSEN_BY, SEARCH, tmp_path / "whole"))
    cut = run_search(recipes, TRAINED, CHOSEN_BY, SEARCH, tmp_path / "cut")
    first = [next(cut) for _ in range(4)]
    cut.close()
    ran, run = [], tune._run
    monkeypatch.setattr(
        tune, "_run", lambda *args: ran.append((args[3][0], args[3][1])) or run(*args)
    )
    rest = list(run_search(recipes, TRAINED, CHOSEN_BY, SEARCH, tmp_path / "cut"))
    assert [(t.number, t.epoch, t.score) for t in rest] == [
        (t.number, t.epoch, t.score) for t in whole
    ]
    assert rest[:4] == first
    assert ran == [(t.number, t.epoch) for t in whole[4:]]


def test_a_folder_with_another_search_is_an_error(tmp_path: Path) -> None:
    next(run_search([small(1e-2), small(1e-3)], TRAINED, CHOSEN_BY, SEARCH, tmp_path))
    with pytest.raises(UserError, match="contains another search; choose a new folder"):
        next(run_search([small(1e-2), small(1e-4)], TRAINED, CHOSEN_BY, SEARCH, tmp_path))


def test_a_random_recipe_survives_writing_and_reading(tmp_path: Path) -> None:
    recipes = draw_recipes(small(1e-3), Search(trials=12, seed=4))
    assert recipes[0] == small(1e-3)
    assert len({repr(r) for r in recipes}) == 12
    for recipe in recipes:
        write_recipe(recipe, tmp_path / "recipe.json")
        assert read_recipe(tmp_path / "recipe.json") == recipe
    assert with_seed(recipes[0], 7).supervised.training == replace(
        recipes[0].supervised.training, seed=7
    )


def test_mistakes_in_a_recipe_are_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    with pytest.raises(UserError, match="is neither default, histories or paper, nor a file"):
        read_recipe(path)
    path.write_text('{"name": "x", "supervised": {"sizes": {"encoder": "rnn"}}}')
    with pytest.raises(UserError, match=r"recipe\.json: is not a recipe: 'rnn' is not a"):
        read_recipe(path)
    path.write_text('{"name": "x", "supervized": {}}')
    with pytest.raises(UserError, match="has the fields"):
        read_recipe(path)
