"""The recurrence on a CPU equals torch's GRU, values and gradients, one patient at a time."""

import pytest
import torch

from posology.nn.encoders.gru import GRU
from tests.builders.network_inputs import batch_without_events


@pytest.mark.parametrize("steps", [[1, 2, 17, 2, 5], [3, 3, 3], [40]])
def test_states_and_gradients_equal_torchs(steps: list[int]) -> None:
    torch.manual_seed(0)
    ours, lengths = GRU(6, 4).double(), torch.tensor(steps)
    x = torch.randn(sum(steps), 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(sum(steps), 4, dtype=torch.float64)
    batch = batch_without_events(lengths, list(range(len(steps))), [n - 1 for n in steps])
    expected = torch.cat([ours.cell(part[None])[0][0] for part in torch.split(x, steps)])
    states = ours(x, batch)
    torch.testing.assert_close(states, expected)
    inputs = (x, *ours.parameters())
    for a, b in zip(
        torch.autograd.grad((states * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_states_without_a_gradient_require_none() -> None:
    gru = GRU(6, 4)
    batch = batch_without_events(torch.tensor([2, 5]), [0, 1], [1, 4])
    with torch.no_grad():
        assert not gru(torch.randn(7, 6), batch).requires_grad
