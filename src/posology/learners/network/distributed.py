"""Data-parallel training: each process that torchrun starts takes its share of every batch."""

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
    """Connect the processes that torchrun started; does nothing in a single process."""
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
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_main_process() -> bool:
    """Whether this process is the one that writes files."""
    return process_count() == 1 or dist.get_rank() == 0


def distribute(network: nn.Module) -> nn.Module:
    """Wrap the network so that gradients are averaged over all processes, if there are several."""
    if process_count() == 1:
        return network
    return DistributedDataParallel(network, find_unused_parameters=True)


def local_rows(
    rows: Int64[np.ndarray, " subject"],
) -> tuple[Int64[np.ndarray, " local"], float]:
    """Return this process's rows of a batch and the weight of its mean loss in the average.

    Every process has the same order of subjects, so together they minimise the loss of a single
    process, if each subject has as many known labels. A batch too small to split goes to all.
    """
    world = process_count()
    if world == 1 or len(rows) < world:
        return rows, 1.0
    local = np.array_split(rows, world)[dist.get_rank()]
    return local, world * len(local) / len(rows)
