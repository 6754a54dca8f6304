"""The gated recurrent unit, the default encoder, with its own recurrence on a CPU."""

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
        """Return the state of every step, in the order of the steps."""
        # `_Recurrence` does not support mixed precision.
        use_torch = x.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if use_torch or int(batch.steps.max()) == 1:
            return run_cell(self.cell, x, batch.steps)
        weights = (p for _, p in self.cell.named_parameters())
        return _Recurrence.apply(x, pack_steps(batch.steps), *weights)


class _Recurrence(torch.autograd.Function):
    """torch's GRU on a CPU, without padding and without a cost quadratic in the number of steps.

    torch processes packed steps as slices of one tensor, and the gradient of a slice is as large as
    the tensor. Here the factors of a step's gradient are computed for all steps at once, and W's
    gradient is one product. Equations as in torch.nn.GRU, with i the input's part and h = 0 at
    first:
    r, z = sigmoid(i + W h + b), n = tanh(i_n + r * (W_n h + b_n)), h' = (1 - z) * n + z * h.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, pack: PackedOrder, *weights: Tensor) -> Tensor:
        w_input, weight, bias_input, bias = weights
        x = x.index_select(0, pack.order)
        gates = F.linear(x, w_input, bias_input)
        rows, state = len(gates), weight.shape[1]
        hidden_part, rz = torch.empty_like(gates), gates.new_empty(rows, 2 * state)
        new, after = gates.new_empty(rows, state), gates.new_empty(rows, state)
        h, weight_t = gates.new_zeros(pack.batch_sizes[0], state), weight.t()
        hidden_part[: pack.batch_sizes[0]] = bias  # W 0 + b
        sizes = [2 * state, state]
        parts = (
            *gates.split(sizes, 1),
            hidden_part,
            *hidden_part.split(sizes, 1),
            *rz.chunk(2, 1),
            rz,
            new,
            after,
        )
        for step, views in enumerate(zip(*(p.split(pack.batch_sizes) for p in parts), strict=True)):
            i, i_new, w, w_rz, w_new, r, z, both, n, now = views
            h = h[: len(n)]
            if step:
                torch.addmm(bias, h, weight_t, out=w)
            torch.sigmoid(i + w_rz, out=both)
            torch.tanh(torch.addcmul(i_new, r, w_new), out=n)
            h = torch.lerp(n, h, z, out=now)
        ctx.save_for_backward(
            x, w_input, weight, hidden_part, rz, new, after, pack.order, pack.inverse
        )
        ctx.batch_sizes = pack.batch_sizes
        return after.index_select(0, pack.inverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w_input, weight, hidden_part, rz, new, after, order, inverse = ctx.saved_tensors
        rows, state = new.shape
        before, (r, z) = _states_before(after, ctx.batch_sizes), rz.chunk(2, 1)
        closed = 1 - z
        d_new = closed * (1 - new * new)
        # Gradient with respect to W h for a unit gradient of the state: of r, z and n in turn.
        d_hidden_new = d_new * r
        d_r = d_hidden_new * hidden_part[:, 2 * state :] * (1 - r)
        local = torch.stack([d_r, (before - new) * z * closed, d_hidden_new], 1)
        d_state, d_hidden = grads[0].index_select(0, order), local.view(rows, -1)
        carry = d_state.new_zeros(ctx.batch_sizes[0], state)
        parts = (d_state, local, d_hidden, z)
        views = list(zip(*(p.split(ctx.batch_sizes) for p in parts), strict=True))
        for step in reversed(range(len(views))):
            g, local_step, flat, update = views[step]
            c = carry[: len(g)]
            g += c
            local_step *= g[:, None]
            if step:
                torch.addmm(g * update, flat, weight, out=c)
        d_gates = torch.cat([d_hidden[:, : 2 * state], d_state * d_new], 1)
        d_x = (d_gates @ w_input).index_select(0, inverse)
        d_weights = d_gates.t() @ x, d_hidden.t() @ before, d_gates.sum(0), d_hidden.sum(0)
        return d_x, None, *d_weights


def _states_before(
    after: Float[Tensor, "step state"], batch_sizes: list[int]
) -> Float[Tensor, "step state"]:
    """The state before each packed step; 0 before a run's first step."""
    starts = itertools.accumulate(batch_sizes[:-1], initial=0)
    follow = [after[start : start + n] for start, n in zip(starts, batch_sizes[1:], strict=False)]
    return torch.cat([torch.zeros_like(after[: batch_sizes[0]]), *follow])
