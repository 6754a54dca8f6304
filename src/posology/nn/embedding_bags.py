"""Weighted sums of a table's rows over each step's events, with a gradient gathered by code."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.nn.ragged import step_of_row


def sum_embeddings(
    tables: tuple[Float[Tensor, "code width"], ...],
    code: Int64[Tensor, " event"],
    starts: Int64[Tensor, " step"],
    weights: tuple[Float[Tensor, " event"], ...],
) -> Float[Tensor, "step width"]:
    """Sum over the tables of each step's events' rows, by weight; weights have no gradient."""
    if code.device.type == "cpu":
        return _Bags.apply(code, starts, weights, *tables)
    return _sum(tables, code, starts, weights)


class _Bags(torch.autograd.Function):
    """Embedding bags whose gradient is embedding bags again: each code's are the steps it stood at.

    torch's own sorts the codes once a table, and adds event by event into a table of zeros.
    """

    @staticmethod
    def forward(
        ctx: Any, code: Tensor, starts: Tensor, weights: tuple[Tensor, ...], *tables: Tensor
    ) -> Tensor:
        ctx.save_for_backward(code, starts, *weights)
        ctx.codes = len(tables[0])
        return _sum(tables, code, starts, weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        code, starts, *weights = ctx.saved_tensors
        order = torch.from_numpy(_by_code(code.numpy(), ctx.codes))
        step = step_of_row(starts, len(starts), len(code)).index_select(0, order)
        counts = torch.bincount(code, minlength=ctx.codes)
        turned = (step, torch.cumsum(counts, 0).sub_(counts))
        found = [_sum((grads[0],), *turned, (w.index_select(0, order),)) for w in weights]
        return None, None, None, *found


def _sum(
    tables: tuple[Tensor, ...],
    code: Int64[Tensor, " event"],
    starts: Int64[Tensor, " step"],
    weights: tuple[Float[Tensor, " event"], ...],
) -> Float[Tensor, "step width"]:
    said = [
        F.embedding_bag(code, table, starts, mode="sum", per_sample_weights=weight)
        for table, weight in zip(tables, weights, strict=True)
    ]
    return said[0] if len(said) == 1 else torch.stack(said).sum(0)


def _by_code(code: Int64[np.ndarray, " event"], codes: int) -> Int64[np.ndarray, " event"]:
    """Rows in order of their codes; numpy sorts 16 bits by radix, ten times as fast."""
    return np.argsort(code.astype(np.uint16) if codes <= 2**16 else code, kind="stable")
