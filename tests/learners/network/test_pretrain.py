"""Pre-training: what it learns, what it hands on, and that it fits the network it is given to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.errors import UserError
from posology.learners.network.pretrain import (
    Pretraining,
    load_pretrained,
    save_pretrained,
    shared_weights,
)
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.nn.network import Network
from tests.builders.synthetic_iwpc import cohort

SIZES = Sizes(16, 8, 16, 1, 2, 0.0, history_summary=True)
WHOLE = cohort(160, 4)
TRAINED, CHOSEN_BY = select_split(WHOLE, TRAIN), select_split(WHOLE, VALIDATION)


def learned() -> tuple[Network, list]:
    learner = Pretraining(SIZES, Training(1e-2, batch=32, epochs=6, patience=0))
    fitting, curve = learner.fit_epochs(TRAINED, CHOSEN_BY), []
    while True:
        try:
            curve.append(next(fitting))
        except StopIteration as end:
            return end.value, curve


def test_the_loss_of_the_next_step_falls() -> None:
    _, curve = learned()
    assert curve[-1].validation["codes"] < 0.8 * curve[0].validation["codes"]


def test_a_network_starts_from_the_weights_of_the_file(tmp_path: Path) -> None:
    network, _ = learned()
    save_pretrained(network, SIZES, WHOLE.profile, tmp_path / "start")
    start = load_pretrained(tmp_path / "start", SIZES, WHOLE.profile)
    for name, weight in shared_weights(network).items():
        torch.testing.assert_close(start[name], weight, atol=0, rtol=0)
    still = Supervised(SIZES, Training(1e-12, batch=32, epochs=1, patience=0))
    fitting = still.fit_epochs(TRAINED, CHOSEN_BY, None, start)
    try:
        while True:
            next(fitting)
    except StopIteration as end:
        state = end.value.network.state_dict()
    assert {name.split(".")[0] for name in start} == {"events", "encoder", "attention", "trunk"}
    for name, weight in start.items():
        torch.testing.assert_close(state[name], weight, atol=1e-6, rtol=0)


def test_weights_of_another_network_or_vocabulary_are_refused(tmp_path: Path) -> None:
    network, _ = learned()
    save_pretrained(network, SIZES, WHOLE.profile, tmp_path / "start")
    with pytest.raises(UserError, match=r"has other sizes than the recipe \(width\)"):
        load_pretrained(tmp_path / "start", replace(SIZES, width=32), WHOLE.profile)
    other = replace(WHOLE.profile, codes=WHOLE.profile.codes[::-1])
    with pytest.raises(UserError, match="was pretrained on another vocabulary"):
        load_pretrained(tmp_path / "start", SIZES, other)
    with pytest.raises(UserError, match="cannot be read"):
        load_pretrained(tmp_path / "none", SIZES, WHOLE.profile)


def test_patients_of_one_step_teach_nothing_and_are_refused() -> None:
    history = TRAINED.history
    steps = np.arange(history.step_offsets[-1] + 1)
    alone = replace(history, step_offsets=steps, subject_id=steps[:-1])
    learner = Pretraining(SIZES, Training(1e-2, batch=32, epochs=1, patience=0))
    with pytest.raises(UserError, match="No training patient has two dated steps"):
        next(learner.fit_epochs(replace(TRAINED, history=alone), CHOSEN_BY))
