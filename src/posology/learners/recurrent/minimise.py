"""Batches of patients without end, and steps of Adam on them."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from posology.learners.recurrent.dataset import Batch, SequenceData, gather, random_batches
from posology.learners.recurrent.network import RecurrentEnsemble
from posology.learners.recurrent.schedule import Schedule

WARM_UP, CLIP = 50, 5.0
"""Batches in which the rate rises to its full height, and the largest norm of a gradient."""


def minimise(
    network: RecurrentEnsemble,
    loss: Callable[[Batch], Tensor],
    batches: Iterator[Batch],
    steps: int,
    schedule: Schedule,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Adam with weight decay over `steps` of the batches; the rate falls along a cosine."""
    network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for step, batch in enumerate(islice(batches, steps)):
        factor = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        optimizer.param_groups[0]["lr"] = schedule.learning_rate * factor
        optimizer.zero_grad(set_to_none=True)
        loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        after_step()


def endless_batches(
    data: SequenceData,
    size: int,
    rng: np.random.Generator,
    after_pass: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Pass after pass over the patients in random order."""
    while True:
        for patients in random_batches(data, size, rng):
            yield gather(data, patients)
        after_pass()
