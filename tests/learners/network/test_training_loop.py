"""An interrupted run resumes exactly; batches are bounded by their steps."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.errors import UserError
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised, run_to_end
from posology.learners.network.training_loop import Training
from posology.nn.batch import split_by_budget
from tests.builders.synthetic_iwpc import cohort, with_targets

LEARNER = Supervised(
    Sizes(16, 8, 16, 1, 4, 0.2),
    Training(batch=16, epochs=5, cosine=True, weight_decay=0.1, patience=3),
)


@pytest.fixture(scope="module")
def data() -> tuple[Cohort, Cohort]:
    c = cohort(120, 2)
    return select_split(c, TRAIN), select_split(c, VALIDATION)


def assert_same_weights(a: NetworkPolicy, b: NetworkPolicy) -> None:
    other = b.network.state_dict()
    for name, tensor in a.network.state_dict().items():
        assert torch.equal(tensor, other[name]), name


def without_time(line: dict) -> dict:
    return {k: v for k, v in line.items() if k not in ("seconds", "steps_per_second")}


@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_a_resumed_run_equals_an_uninterrupted_one(
    data: tuple[Cohort, Cohort], tmp_path: Path, killed_after: int
) -> None:
    whole = run_to_end(LEARNER.fit_epochs(*data, tmp_path / "whole"))
    killed = LEARNER.fit_epochs(*data, tmp_path / "killed")
    for _ in range(killed_after):
        next(killed)
    killed.close()
    with (tmp_path / "killed" / "epochs.jsonl").open("a") as lines:
        lines.write('{"number": 99}\n')  # killed between an epoch's line and its state
    resumed = run_to_end(LEARNER.fit_epochs(*data, tmp_path / "killed"))
    assert_same_weights(whole, resumed)
    lines = [
        [json.loads(line) for line in (tmp_path / run / "epochs.jsonl").read_text().splitlines()]
        for run in ("whole", "killed")
    ]
    assert [without_time(x) for x in lines[0]] == [without_time(x) for x in lines[1]]
    assert lines[0][0]["steps_per_second"] > 0
    assert sorted(p.suffix for p in (tmp_path / "killed").iterdir()) == [
        ".json",
        ".jsonl",
        ".safetensors",
    ]


def test_a_run_with_tasks_resumes_too(data: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    """Its additive head is fitted again before it resumes, to the same weights."""
    learner = replace(LEARNER, sizes=replace(LEARNER.sizes, history_summary=True))
    targets = [with_targets(c) for c in data]
    whole = learner.fit(*targets)
    killed = learner.fit_epochs(*targets, tmp_path)
    next(killed)
    killed.close()
    assert_same_weights(whole, run_to_end(learner.fit_epochs(*targets, tmp_path)))


def test_the_second_phase_resumes_too(data: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    first = LEARNER.fit(*data)
    second = Reinforcement(Training(batch=16, epochs=4, patience=0), train_all=True)
    whole = second.fit(first, *data)
    killed = second.fit_epochs(first, *data, tmp_path)
    next(killed), next(killed)
    killed.close()
    assert_same_weights(whole, run_to_end(second.fit_epochs(first, *data, tmp_path)))


def test_a_finished_run_yields_its_epochs_again(
    data: tuple[Cohort, Cohort], tmp_path: Path
) -> None:
    whole = run_to_end(LEARNER.fit_epochs(*data, tmp_path))
    again = list(LEARNER.fit_epochs(*data, tmp_path))
    assert [epoch.number for epoch in again] == [1, 2, 3, 4, 5]
    assert_same_weights(whole, run_to_end(LEARNER.fit_epochs(*data, tmp_path)))


def test_writing_checkpoints_does_not_change_the_run(
    data: tuple[Cohort, Cohort], tmp_path: Path
) -> None:
    assert_same_weights(LEARNER.fit(*data), run_to_end(LEARNER.fit_epochs(*data, tmp_path)))


def test_other_settings_raise(data: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    run_to_end(LEARNER.fit_epochs(*data, tmp_path))
    other = replace(LEARNER, training=replace(LEARNER.training, epochs=6, seed=4))
    with pytest.raises(UserError) as caught:
        run_to_end(other.fit_epochs(*data, tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}: contains a run with other settings (epochs, seed); name a new "
        "folder, or use the same settings to resume that run."
    )


def test_a_flipped_bit_of_a_checkpoint_is_refused(
    data: tuple[Cohort, Cohort], tmp_path: Path
) -> None:
    killed = LEARNER.fit_epochs(*data, tmp_path)
    next(killed), next(killed)
    killed.close()
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        for at in range(7, len(content), len(content) // 9):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(UserError, match="is damaged or of another version"):
                next(LEARNER.fit_epochs(*data, tmp_path))
        path.write_bytes(content)
    assert next(LEARNER.fit_epochs(*data, tmp_path)).number == 1


def test_a_digit_that_changes_no_number_is_noticed(
    data: tuple[Cohort, Cohort], tmp_path: Path
) -> None:
    """0.10000000000000001 is 0.1: the digest of the values alone does not see it."""
    killed = LEARNER.fit_epochs(*data, tmp_path)
    next(killed)
    killed.close()
    path = tmp_path / "state.json"
    text = path.read_text()
    changed = re.sub(r'("best_score": )([0-9.]+)', r"\g<1>\g<2>0000000000000000000000001", text)
    assert changed != text
    assert json.loads(changed) == json.loads(text)
    path.write_text(changed)
    with pytest.raises(UserError, match=r"state.json: is damaged or of another version"):
        next(LEARNER.fit_epochs(*data, tmp_path))


def test_another_network_raises(data: tuple[Cohort, Cohort], tmp_path: Path) -> None:
    run_to_end(LEARNER.fit_epochs(*data, tmp_path))
    other = replace(LEARNER, sizes=replace(LEARNER.sizes, encoder="lstm"))
    with pytest.raises(UserError, match="contains a run of another network or cohort"):
        run_to_end(other.fit_epochs(*data, tmp_path))


def test_deterministic_mode_runs_and_is_restored(data: tuple[Cohort, Cohort]) -> None:
    strict = replace(LEARNER, training=replace(LEARNER.training, deterministic=True, epochs=1))
    assert_same_weights(strict.fit(*data), strict.fit(*data))
    assert not torch.are_deterministic_algorithms_enabled()


def test_gpu_settings_change_nothing_on_a_cpu(data: tuple[Cohort, Cohort]) -> None:
    one = replace(LEARNER, training=replace(LEARNER.training, epochs=1))
    fast = replace(one, training=replace(one.training, mixed_precision=True, compile_trunk=True))
    assert_same_weights(one.fit(*data), fast.fit(*data))


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 9), st.integers(1, 60))
def test_runs_contain_every_row_and_respect_the_budget(
    cost: list[int], most: int, budget: int
) -> None:
    rows = np.arange(len(cost))
    runs = split_by_budget(np.array(cost, dtype=np.int64), most, budget)
    assert [int(r) for run in runs for r in rows[run]] == rows.tolist()
    for run in runs:
        mine = cost[run]
        assert 1 <= len(mine) <= most
        assert len(mine) == 1 or sum(mine) <= budget
    for first, second in itertools.pairwise(runs):
        assert first.stop - first.start == most or sum(cost[first]) + cost[second.start] > budget


def test_a_smaller_budget_of_steps_changes_the_batches(data: tuple[Cohort, Cohort]) -> None:
    """The same patients in other batches give other weights."""
    small = replace(LEARNER, training=replace(LEARNER.training, batch_steps=8, epochs=1))
    usual = replace(LEARNER, training=replace(LEARNER.training, epochs=1))
    with pytest.raises(AssertionError):
        assert_same_weights(small.fit(*data), usual.fit(*data))
