"""A tiny run, from events to rows, and its continuation."""

import json

import numpy as np
import pytest

from benchmarks.estimands import claims
from benchmarks.estimands.draw import draw
from benchmarks.estimands.judge import judge_world
from benchmarks.estimands.run import Plan, run
from benchmarks.estimands.truth import find_truth
from benchmarks.estimands.worlds import WORLDS
from posology.errors import UserError
from posology.learners.effects.cross_fitting import HeldOutEffects

WORLD = next(w for w in WORLDS if w.name == "w03")
PLAN = Plan(draws=2, effects=0, rules=0, truth_patients=5_000)


def test_a_run_continues_where_it_was_killed(tmp_path):
    file = tmp_path / "rows.draws.jsonl"
    first = run([WORLD], PLAN, file)
    assert [set(each) for each in first.draws["w03"]] == [
        {"estimate|label|0", "estimate|label|1"}
    ] * 2
    assert abs(first.draws["w03"][1]["estimate|label|0"]) < 0.1
    rows = judge_world(WORLD, first.truths["w03"], first.draws["w03"])
    assert {row["metric"] for row in rows} >= {"bias of label 0, in standard errors"}

    whole = file.read_text()
    assert run([WORLD], PLAN, file).draws == first.draws
    assert file.read_text() == whole

    head, truth, _ = whole.splitlines()
    file.write_text(f'{head}\n{truth}\n{{"world": "w03", "fi')  # killed while writing a block
    assert run([WORLD], PLAN, file).draws == first.draws
    assert len(file.read_text().splitlines()) == 3


def test_a_file_of_another_seed_is_refused(tmp_path):
    file = tmp_path / "rows.draws.jsonl"
    file.write_text(json.dumps({"seed": 1, "worlds": "0"}) + "\n")
    with pytest.raises(UserError, match="holds draws of other worlds, another seed"):
        run([WORLD], PLAN, file)


def test_a_draw_goes_from_events_to_effects_harms_and_a_verdict(monkeypatch):
    def learned(nested, allowed, population):
        n = len(allowed)
        nobody = np.zeros(n, np.int64)
        effects = 0.01 * np.random.default_rng(0).normal(size=(n, 2))
        return HeldOutEffects(nobody + np.arange(n) % 5, effects, nobody, nobody, nobody, 0)

    monkeypatch.setattr(claims, "estimate_held_out_effects", learned)
    found = draw(WORLD, find_truth(WORLD, 5_000), (0, 1), depth=2)
    assert found["gains"] == 0.0
    assert found["estimate|gain|rule"] == 0.0
    assert found["covers|gain"] == 1.0
    assert found["treated differently"] == 0.0
    assert {"estimate|label|0", "estimate|effect|1", "covers|value", "covers|harm"} <= set(found)
    assert {"covers|effect in a group", "covers|against usual care"} <= set(found)
    assert abs(found["estimate|effect|1"]) < 0.12
    assert found["outside"] < 0.05
