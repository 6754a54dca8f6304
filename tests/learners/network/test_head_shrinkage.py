"""Each target keeps as much of its head as validation patients are better off with."""

import numpy as np
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, part
from posology.learners.network.head_init import start_at_rates
from posology.learners.network.head_shrinkage import SHARES, begun, keep_what_helps
from posology.learners.network.linear_baseline import start_linearly
from posology.learners.network.losses import by_target, supervised
from posology.learners.network.supervised import Sizes, _reading, network_of
from posology.learners.network.tensors import averaged_tasks, in_batches, tensors
from tests.builders.synthetic_iwpc import cohort, with_targets


def test_what_harms_goes_and_what_helps_stays() -> None:
    split = learn_and_check()
    network, learn, check = split
    start_at_rates(network, learn.targets)
    start_linearly(network, learn, check)
    start = begun(network)
    batch, targets = next(iter(in_batches(check)))

    def losses() -> np.ndarray:
        with torch.no_grad():
            return by_target(averaged_tasks(network.eval()(batch).tasks), targets)[0].numpy()

    before = losses()
    heads = network.tasks.each()
    heads["diagnosis"].bias.data += 30.0  # says everybody has everything: harm
    with torch.no_grad():
        off = network(batch).tasks.course.mean((0, 1)) - targets.course.mean(0)
    heads["course"].bias.data -= off  # on average right: help
    moved = losses()
    ended = heads["course"].bias.detach().clone()
    keep_what_helps(network, start, check)
    after = losses()
    np.testing.assert_array_equal(heads["diagnosis"].bias.detach(), start["diagnosis"])
    torch.testing.assert_close(heads["course"].bias.detach(), ended)
    assert (after <= np.minimum(before, moved) + 1e-4).all()
    assert SHARES[0] == 0.0


def test_targets_together_are_the_losses_that_are_learned() -> None:
    network, learn, _ = learn_and_check()
    batch, targets = next(iter(in_batches(learn)))
    with torch.no_grad():
        output = network.eval()(batch)
    first = output._replace(tasks=type(output.tasks)(*(t[:, :1] for t in output.tasks)))
    parts = supervised(first, targets)
    loss, count = by_target(first.tasks, targets)
    mean = loss[:2].sum() / count[:2].sum()
    torch.testing.assert_close(mean, parts["diagnosis"])
    torch.testing.assert_close(2 * loss[2] / count[2], parts["course"])
    torch.testing.assert_close(loss[3] / count[3], parts["hazard"])


def learn_and_check():
    whole: Cohort = with_targets(cohort(200, 5))
    train, validation = part(whole, TRAIN), part(whole, VALIDATION)
    network = network_of(Sizes(16, 8, 16, 1, 2, 0.0, carried=True), train, 0)
    reading = _reading(train)
    return network, *(
        tensors(c, reading, network.config, torch.device("cpu")) for c in (train, validation)
    )
