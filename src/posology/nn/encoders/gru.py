"""The gated recurrent unit, the default."""

import itertools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.ragged import packing, recur


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) over each subject's steps."""

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        self.cell = nn.GRU(width, state, batch_first=True)

    def forward(self, x: Float[Tensor, "step width"], batch: Batch) -> Float[Tensor, "step state"]:
        """States of all steps, in the order of the steps."""
        # Ours knows no mixed precision.
        torchs = x.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if torchs or int(batch.steps.max()) == 1:
            return recur(self.cell, x, batch.steps)
        pack = packing(batch.steps)
        enters, weight, bias_enters, bias = (p for _, p in self.cell.named_parameters())
        gates = F.linear(x.index_select(0, pack.row), enters, bias_enters)
        return _Recurrence.apply(gates, weight, bias, pack.alive).index_select(0, pack.back)


class _Recurrence(torch.autograd.Function):
    """torch's GRU on a CPU, without padding and without its cost quadratic in steps.

    torch walks packed steps by slices of one tensor, and its gradient of a slice is as large as
    the tensor. Here what a step's gradient needs is worked out for all steps at once, and W's
    gradient is one product. Equations as in torch.nn.GRU:
    r, z = sigmoid(i + W h + b), n = tanh(i_n + r * (W_n h + b_n)), h' = (1 - z) * n + z * h.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, alive: list[int]) -> Tensor:
        rows, state = len(gates), weight.shape[1]
        said, rz = torch.empty_like(gates), gates.new_empty(rows, 2 * state)
        new, after = gates.new_empty(rows, state), gates.new_empty(rows, state)
        h, start = gates.new_zeros(alive[0], state), 0
        for count in alive:
            now, h = slice(start, start + count), h[:count]
            w, i = torch.addmm(bias, h, weight.t(), out=said[now]), gates[now]
            both = torch.sigmoid(i[:, : 2 * state] + w[:, : 2 * state], out=rz[now])
            n = torch.addcmul(i[:, 2 * state :], both[:, :state], w[:, 2 * state :])
            torch.tanh(n, out=new[now])
            h = torch.lerp(new[now], h, both[:, state:], out=after[now])
            start += count
        ctx.save_for_backward(said, rz, new, after, weight)
        ctx.alive = alive
        return after

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        said, rz, new, after, weight = ctx.saved_tensors
        rows, state = new.shape
        before, (r, z) = _before(after, ctx.alive), rz.chunk(2, 1)
        of_new = (1 - z) * (1 - new * new)
        # What W h's gradient is for a gradient of 1 in the state: of r, z and n in turn.
        of_r = of_new * said[:, 2 * state :] * r * (1 - r)
        share = torch.stack([of_r, (before - new) * z * (1 - z), of_new * r], 1)
        whole, start = grads[0].clone(), rows
        carried = whole.new_zeros(ctx.alive[0], state)
        for count in reversed(ctx.alive):
            start -= count
            now = slice(start, start + count)
            g = whole[now].add_(carried[:count])
            mine = share[now].mul_(g[:, None]).view(count, -1)
            torch.addmm(g * z[now], mine, weight, out=carried[:count])
        hidden = share.view(rows, -1)
        entering = torch.cat([hidden[:, : 2 * state], whole * of_new], 1)
        return entering, hidden.t() @ before, hidden.sum(0), None


def _before(after: Float[Tensor, "step state"], alive: list[int]) -> Float[Tensor, "step state"]:
    """The state that each step began with."""
    starts = itertools.accumulate(alive[:-1], initial=0)
    follow = [after[start : start + n] for start, n in zip(starts, alive[1:], strict=False)]
    return torch.cat([torch.zeros_like(after[: alive[0]]), *follow])
