"""The gated recurrent unit, the default."""

import itertools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.ragged import PackedOrder, pack_steps, run_cell


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
            return run_cell(self.cell, x, batch.steps)
        weights = (p for _, p in self.cell.named_parameters())
        return _Recurrence.apply(x, pack_steps(batch.steps), *weights)


class _Recurrence(torch.autograd.Function):
    """torch's GRU on a CPU, without padding and without its cost quadratic in steps.

    torch walks packed steps by slices of one tensor, and its gradient of a slice is as large as
    the tensor. Here what a step's gradient needs is worked out for all steps at once, and W's
    gradient is one product. Equations as in torch.nn.GRU, i being what enters and h 0 at first:
    r, z = sigmoid(i + W h + b), n = tanh(i_n + r * (W_n h + b_n)), h' = (1 - z) * n + z * h.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, pack: PackedOrder, *weights: Tensor) -> Tensor:
        enters, weight, bias_enters, bias = weights
        x = x.index_select(0, pack.order)
        gates = F.linear(x, enters, bias_enters)
        rows, state = len(gates), weight.shape[1]
        said, rz = torch.empty_like(gates), gates.new_empty(rows, 2 * state)
        new, after = gates.new_empty(rows, state), gates.new_empty(rows, state)
        h, across = gates.new_zeros(pack.batch_sizes[0], state), weight.t()
        said[: pack.batch_sizes[0]] = bias  # W 0 + b
        sizes = [2 * state, state]
        parts = (
            *gates.split(sizes, 1),
            said,
            *said.split(sizes, 1),
            *rz.chunk(2, 1),
            rz,
            new,
            after,
        )
        for step, views in enumerate(zip(*(p.split(pack.batch_sizes) for p in parts), strict=True)):
            i, i_new, w, w_rz, w_new, r, z, both, n, now = views
            h = h[: len(n)]
            if step:
                torch.addmm(bias, h, across, out=w)
            torch.sigmoid(i + w_rz, out=both)
            torch.tanh(torch.addcmul(i_new, r, w_new), out=n)
            h = torch.lerp(n, h, z, out=now)
        ctx.save_for_backward(x, enters, weight, said, rz, new, after, pack.order, pack.inverse)
        ctx.alive = pack.batch_sizes
        return after.index_select(0, pack.inverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, enters, weight, said, rz, new, after, row, back = ctx.saved_tensors
        rows, state = new.shape
        before, (r, z) = _before(after, ctx.alive), rz.chunk(2, 1)
        closed = 1 - z
        of_new = closed * (1 - new * new)
        # What W h's gradient is for a gradient of 1 in the state: of r, z and n in turn.
        of_reset = of_new * r
        of_r = of_reset * said[:, 2 * state :] * (1 - r)
        share = torch.stack([of_r, (before - new) * z * closed, of_reset], 1)
        whole, hidden = grads[0].index_select(0, row), share.view(rows, -1)
        carried = whole.new_zeros(ctx.alive[0], state)
        views = list(zip(*(p.split(ctx.alive) for p in (whole, share, hidden, z)), strict=True))
        for step in reversed(range(len(views))):
            g, mine, flat, kept = views[step]
            c = carried[: len(g)]
            g += c
            mine *= g[:, None]
            if step:
                torch.addmm(g * kept, flat, weight, out=c)
        entering = torch.cat([hidden[:, : 2 * state], whole * of_new], 1)
        of_x = (entering @ enters).index_select(0, back)
        of_weights = entering.t() @ x, hidden.t() @ before, entering.sum(0), hidden.sum(0)
        return of_x, None, *of_weights


def _before(after: Float[Tensor, "step state"], alive: list[int]) -> Float[Tensor, "step state"]:
    """The state that each step began with."""
    starts = itertools.accumulate(alive[:-1], initial=0)
    follow = [after[start : start + n] for start, n in zip(starts, alive[1:], strict=False)]
    return torch.cat([torch.zeros_like(after[: alive[0]]), *follow])
