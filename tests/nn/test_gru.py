"""The recurrence on a CPU equals torch's, values and gradients, one patient at a time."""

import pytest
import torch

from posology.nn.encoders.gru import GRU
from tests.nn.test_network import asked_of


@pytest.mark.parametrize("steps", [[1, 2, 17, 2, 5], [3, 3, 3], [40]])
def test_equals_torch_one_by_one(steps: list[int]) -> None:
    torch.manual_seed(0)
    ours, lengths = GRU(6, 4).double(), torch.tensor(steps)
    x = torch.randn(sum(steps), 6, dtype=torch.float64, requires_grad=True)
    wanted = torch.randn(sum(steps), 4, dtype=torch.float64)
    batch = asked_of(lengths, list(range(len(steps))), [n - 1 for n in steps])
    alone = torch.cat([ours.cell(part[None])[0][0] for part in torch.split(x, steps)])
    found = ours(x, batch)
    torch.testing.assert_close(found, alone)
    inputs = (x, *ours.parameters())
    for a, b in zip(
        torch.autograd.grad((found * wanted).sum(), inputs),
        torch.autograd.grad((alone * wanted).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_without_a_gradient() -> None:
    gru = GRU(6, 4)
    batch = asked_of(torch.tensor([2, 5]), [0, 1], [1, 4])
    with torch.no_grad():
        assert not gru(torch.randn(7, 6), batch).requires_grad
