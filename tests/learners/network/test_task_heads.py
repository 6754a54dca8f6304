"""Shrinkage of the task heads, and the losses that decide it."""

import numpy as np
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.learners.network.linear_baseline import fit_additive_head
from posology.learners.network.losses import loss_by_target, supervised
from posology.learners.network.supervised import Sizes, build_network, fit_decoding
from posology.learners.network.task_heads import (
    SHRINKAGES,
    init_heads_at_rates,
    initial_biases,
    shrink_heads,
)
from posology.learners.network.tensors import (
    average_tasks,
    cohort_to_tensors,
    iterate_batches,
)
from tests.builders.synthetic_iwpc import cohort, with_targets


def test_harmful_changes_are_removed_and_helpful_ones_stay() -> None:
    network, learn, check = untrained_network()
    init_heads_at_rates(network, learn.targets)
    fit_additive_head(network, learn, check)
    start = initial_biases(network)
    batch, targets = next(iter(iterate_batches(check)))

    def losses() -> np.ndarray:
        with torch.no_grad():
            return loss_by_target(average_tasks(network.eval()(batch).tasks), targets)[0].numpy()

    before = losses()
    heads = network.tasks.linear_heads()
    heads["diagnosis"].bias.data += 30.0  # predicts every condition for every patient: harmful
    with torch.no_grad():
        off = network(batch).tasks.progression.mean((0, 1)) - targets.progression.mean(0)
    heads["progression"].bias.data -= off  # right on average: helpful
    moved = losses()
    ended = heads["progression"].bias.detach().clone()
    shrink_heads(network, start, check)
    after = losses()
    np.testing.assert_array_equal(heads["diagnosis"].bias.detach(), start["diagnosis"])
    torch.testing.assert_close(heads["progression"].bias.detach(), ended)
    assert (after <= np.minimum(before, moved) + 1e-4).all()
    assert SHRINKAGES[0] == 0.0


def test_losses_by_target_add_up_to_the_training_losses() -> None:
    network, learn, _ = untrained_network()
    batch, targets = next(iter(iterate_batches(learn)))
    with torch.no_grad():
        output = network.eval()(batch)
    first = output._replace(tasks=type(output.tasks)(*(t[:, :1] for t in output.tasks)))
    parts = supervised(first, targets)
    loss, count = loss_by_target(first.tasks, targets)
    mean = loss[:2].sum() / count[:2].sum()
    torch.testing.assert_close(mean, parts["diagnosis"])
    torch.testing.assert_close(2 * loss[2] / count[2], parts["course"])
    torch.testing.assert_close(loss[3] / count[3], parts["hazard"])


def untrained_network():
    whole: Cohort = with_targets(cohort(200, 5))
    train, validation = select_split(whole, TRAIN), select_split(whole, VALIDATION)
    network = build_network(Sizes(16, 8, 16, 1, 2, 0.0, history_summary=True), train, 0)
    reading = fit_decoding(train)
    return network, *(
        cohort_to_tensors(c, reading, network.config, torch.device("cpu"))
        for c in (train, validation)
    )
