"""Two processes learn the same weights as one."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.learners.network.distributed import local_rows, process_group
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from tests.builders.synthetic_iwpc import cohort

LEARNER = Supervised(
    Sizes(16, 8, 16, 1, 4, 0.0), Training(batch=16, epochs=2, patience=0, clip=0.5)
)


def learn(rank: int, world: int, port: int, out: Path) -> None:
    """One process of several, as torchrun would start it."""
    import os

    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    c = cohort(90, 4)
    with process_group("cpu"):
        policy = LEARNER.fit(select_split(c, TRAIN), select_split(c, VALIDATION))
    weights = {name: t.numpy() for name, t in policy.network.state_dict().items()}
    save_file(weights, out / f"{rank}.safetensors")


def test_two_processes_give_the_weights_of_one(tmp_path: Path) -> None:
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    except OSError:
        pytest.skip("no loopback address can be bound here")
    torch.multiprocessing.spawn(learn, (2, port, tmp_path), nprocs=2)
    c = cohort(90, 4)
    alone = LEARNER.fit(select_split(c, TRAIN), select_split(c, VALIDATION)).network.state_dict()
    both = [load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1)]
    start = replace(LEARNER, training=replace(LEARNER.training, epochs=1, learning_rate=0.0))
    before = start.fit(select_split(c, TRAIN), select_split(c, VALIDATION)).network.state_dict()
    assert any((before[name] - alone[name]).abs().max() > 1e-3 for name in alone)
    for name, tensor in alone.items():
        np.testing.assert_array_equal(both[0][name], both[1][name])
        np.testing.assert_allclose(both[0][name], tensor, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_single_process_gets_the_whole_batch() -> None:
    rows = np.arange(5)
    mine, share = local_rows(rows)
    assert mine is rows
    assert share == 1.0
