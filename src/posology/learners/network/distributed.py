"""Several processes, one network: each takes its share of every batch (torchrun starts them)."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Int64
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def process_group(device: str) -> Generator[None]:
    """Inside, the processes that torchrun started know one another; alone it does nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def process_count() -> int:
    """How many processes learn together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_main_process() -> bool:
    """Whether this process is the one that writes files."""
    return process_count() == 1 or dist.get_rank() == 0


def distribute(network: nn.Module) -> nn.Module:
    """The network itself, or one whose gradients are averaged over all processes."""
    return (
        DistributedDataParallel(network, find_unused_parameters=True)
        if process_count() > 1
        else network
    )


def local_rows(
    rows: Int64[np.ndarray, " subject"],
) -> tuple[Int64[np.ndarray, " mine"], float]:
    """This process's rows of a batch, and what its mean loss counts for in the average.

    Every process learns from the same order, so together they descend what one process alone
    would, where every subject has as many known labels; a batch too small to share goes to all.
    """
    world = process_count()
    if world == 1 or len(rows) < world:
        return rows, 1.0
    mine = np.array_split(rows, world)[dist.get_rank()]
    return mine, world * len(mine) / len(rows)
