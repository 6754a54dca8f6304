"""Fit of the additive head by ridge regression, before descent.

The network then learns the remainder. An additive model needs few patients: for a harm that affects
one patient in a hundred it predicts most of what can be predicted.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.learners.network.losses import Targets, loss_by_target
from posology.learners.network.tensors import CohortTensors
from posology.nn.additive_head import FEATURES_PER_CODE, TIME_GAPS, event_features
from posology.nn.batch import HistoryTensors
from posology.nn.heads import TaskHeads, TaskOutput
from posology.nn.network import Network
from posology.nn.ragged import ragged_range

PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0)
"""Candidate ridge penalties on standardised columns, against a sum over decisions; each target gets
the one that validates best."""
MAX_DECISIONS = 50_000
"""Decisions to fit on; of more, evenly spaced ones are used."""
BLOCK, ITERATIONS = 1024, 60
"""Decisions per block when columns are built; L-BFGS iterations per penalty."""


@dataclass(frozen=True, slots=True, eq=False)
class _SparseMatrix:
    """A sparse matrix, row by row."""

    column: Int64[Tensor, " entry"]
    starts: Int64[Tensor, " row"]
    """First entry of each row."""
    number: Float[Tensor, " entry"]

    def times(self, other: Float[Tensor, "column target"]) -> Float[Tensor, "row target"]:
        """Return the matrix product."""
        return F.embedding_bag(
            self.column, other, self.starts, mode="sum", per_sample_weights=self.number
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Features and targets of some decisions; one column per feature and code."""

    x: _SparseMatrix
    x_t: _SparseMatrix
    """Transpose of x."""
    targets: Targets
    """The targets of the tasks are those of these decisions only."""


def fit_additive_head(network: Network, learn: CohortTensors, check: CohortTensors) -> None:
    """Fit the network's additive head, if any, and freeze it."""
    head, heads = network.additive_head, network.tasks
    if head is None:
        return
    codes = head.effect.shape[1]
    effect, constant = _fit_best(_build_data(learn, codes), _build_data(check, codes), heads)
    with torch.no_grad():
        head.effect.copy_(effect[:-TIME_GAPS].reshape(head.effect.shape))
        head.gap.copy_(effect[-TIME_GAPS:])
        shares = heads.split_by_task(constant)
        for name, task in heads.linear_heads().items():
            times = task.bias.shape[1] // len(shares[name])
            task.bias.add_(shares[name].repeat_interleave(times))
    head.requires_grad_(False)


def _fit_best(learn: _Data, check: _Data, heads: TaskHeads) -> tuple[Tensor, Tensor]:
    """Effects by column and target, and constants, at each target's best penalty."""
    count = len(learn.x.starts)
    ones = learn.x.number.new_ones(count, 1)
    squares = replace(learn.x_t, number=learn.x_t.number.square())
    mean, square = learn.x_t.times(ones)[:, 0] / count, squares.times(ones)[:, 0] / count
    spread = square - mean.square()
    scale = torch.where(spread > 1e-8, spread.clamp_min(1e-8).rsqrt(), 0.0)
    width = sum(heads.tasks.targets)
    w, b = mean.new_zeros(len(mean), width), mean.new_zeros(width)
    best, chosen = mean.new_full((width,), torch.inf), (w.clone(), b.clone())
    for penalty in PENALTIES:
        w, b = _fit(learn, heads, (mean, scale), (w, b), penalty)
        effect = w * scale[:, None]
        constant = b - mean @ effect
        loss, _ = _losses(check.x.times(effect) + constant, check, heads)
        better = loss < best
        best = torch.where(better, loss, best)
        chosen = (
            torch.where(better, effect, chosen[0]),
            torch.where(better, constant, chosen[1]),
        )
    return chosen


def _fit(
    learn: _Data,
    heads: TaskHeads,
    columns: tuple[Tensor, Tensor],
    start: tuple[Tensor, Tensor],
    penalty: float,
) -> tuple[Tensor, Tensor]:
    """Effects of standardised columns, and constants, by L-BFGS from `start`."""
    mean, scale = columns
    w, b = (tensor.clone().requires_grad_(True) for tensor in start)
    search = torch.optim.LBFGS(
        [w, b], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        with torch.no_grad():
            effect = w * scale[:, None]
            predicted = learn.x.times(effect) + (b - mean @ effect)
        predicted.requires_grad_(True)
        loss, counts = _losses(predicted, learn, heads)
        (slope,) = torch.autograd.grad(loss.sum(), predicted)
        with torch.no_grad():
            total = slope.sum(0)
            back = learn.x_t.times(slope) - mean[:, None] * total
            w.grad = back * scale[:, None] + w * (penalty / counts)
            b.grad = total
            return loss.sum() + 0.5 * (w.square() * (penalty / counts)).sum()

    search.step(closure)
    return w.detach(), b.detach()


def _losses(
    predicted: Float[Tensor, "decision target"], data: _Data, heads: TaskHeads
) -> tuple[Float[Tensor, " target"], Float[Tensor, " target"]]:
    """Mean loss of every target if `predicted` is added to its head's bias, and its label count."""
    tasks, parts = heads.tasks, heads.split_by_task(predicted)
    bias = {name: head.bias[0].detach().double() for name, head in heads.linear_heads().items()}
    empty = predicted.new_zeros(0)
    hazard = bias.get("hazard", empty).reshape(tasks.times_to_event, tasks.intervals)
    output = TaskOutput(
        (parts["diagnosis"] + bias.get("diagnosis", empty))[:, None],
        (parts["progression"] + bias.get("progression", empty))[:, None],
        (parts["hazard"][..., None] + hazard)[:, None],
    )
    loss, count = loss_by_target(output, data.targets)
    count = count.clamp_min(1)
    return loss / count, count


def _build_data(cohort: CohortTensors, codes: int) -> _Data:
    """Features and targets of evenly spaced decisions, on the training device."""
    assert cohort.source.running_stats is not None
    count = len(cohort.last_step)
    row = torch.arange(0, count, max(-(-count // MAX_DECISIONS), 1), device=cohort.last_step.device)
    ends = _replacement_steps(cohort.source)
    places, numbers = [], []
    for at, block in enumerate(torch.split(row, BLOCK)):
        owner, event = _last_events(
            cohort.source, ends, cohort.subject[block], cohort.last_step[block]
        )
        x = event_features(cohort.source.value[event], cohort.source.running_stats[event]).double()
        column = (
            torch.arange(FEATURES_PER_CODE, device=row.device) * codes
            + cohort.source.code[event, None]
        )
        nonzero = x != 0
        owner = (owner + at * BLOCK)[:, None].expand_as(column)
        places.append(torch.stack([owner[nonzero], column[nonzero]]))
        numbers.append(x[nonzero])
    gap = cohort.source.gap[cohort.last_step[row]].double()
    at = torch.arange(len(row), device=row.device)
    places += [
        torch.stack([at, torch.full_like(at, FEATURES_PER_CODE * codes + i)])
        for i in range(TIME_GAPS)
    ]
    owner, column = torch.cat(places, 1).to(cohort.device)
    number = torch.cat([*numbers, *gap.unbind(1)]).to(cohort.device)
    whole = cohort.targets
    return _Data(
        _sparse_matrix(owner, column, number, len(row)),
        _sparse_matrix(column, owner, number, FEATURES_PER_CODE * codes + TIME_GAPS),
        replace(
            whole,
            diagnosis=whole.diagnosis[row].to(cohort.device),
            diagnosis_weight=whole.diagnosis_weight[row].to(cohort.device),
            progression=whole.progression[row].to(cohort.device),
            intervals_survived=whole.intervals_survived[row].to(cohort.device),
            event_observed=whole.event_observed[row].to(cohort.device),
        ),
    )


def _sparse_matrix(row: Tensor, column: Tensor, number: Tensor, rows: int) -> _SparseMatrix:
    order = torch.argsort(row, stable=True)
    starts = torch.searchsorted(row[order], torch.arange(rows, device=row.device))
    return _SparseMatrix(column[order], starts, number[order])


def _last_events(
    source: HistoryTensors, ends: Tensor, subject: Tensor, last_step: Tensor
) -> tuple[Int64[Tensor, " known"], Int64[Tensor, " known"]]:
    """The last events of every code at each decision: rows of the block's decisions and events."""
    starts = source.event_offsets[source.step_offsets[subject]]
    visible = source.event_offsets[last_step + 1] - starts
    event = ragged_range(starts, visible)
    owner = torch.repeat_interleave(torch.arange(len(subject), device=event.device), visible)
    is_last = ends[event] > last_step[owner]
    return owner[is_last], event[is_last]


def _replacement_steps(source: HistoryTensors) -> Int64[Tensor, " event"]:
    """The step at which each event's code recurs; the number of steps where it does not."""
    assert source.replaced is not None
    assert source.replaced_offsets is not None
    steps = len(source.gap)
    at = torch.arange(steps, device=source.code.device)
    ends = torch.full_like(source.code, steps)
    ends[source.replaced] = torch.repeat_interleave(at, torch.diff(source.replaced_offsets))
    return ends
