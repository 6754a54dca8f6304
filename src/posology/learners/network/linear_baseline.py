"""Where diagnosis, progression and time to event begin: at the best sum of what is known.

The network then learns what that leaves. A sum needs few patients and has none of the network's
noise: of a harm that one patient in a hundred meets it has most of what can be told.
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
"""Of a ridge on standardised columns, against a sum over decisions; each target gets its own, the
best on validation patients."""
MAX_DECISIONS = 50_000
"""Decisions that are enough for a sum; of more, evenly spaced ones are taken."""
BLOCK, ITERATIONS = 1024, 60
"""Decisions whose histories are looked through at once; steps of the search a penalty."""

Said = Float[Tensor, "decision target"]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A sparse table, row by row."""

    column: Int64[Tensor, " entry"]
    starts: Int64[Tensor, " row"]
    """First entry of each row."""
    number: Float[Tensor, " entry"]

    def times(self, other: Float[Tensor, "column target"]) -> Float[Tensor, "row target"]:
        """The product."""
        return F.embedding_bag(
            self.column, other, self.starts, mode="sum", per_sample_weights=self.number
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known at some decisions: a column a kind of effect and code."""

    x: _Table
    turned: _Table
    """With a row a column of x."""
    targets: Targets
    """Those of the study's tasks are of these decisions alone."""


def fit_additive_head(network: Network, learn: CohortTensors, check: CohortTensors) -> None:
    """Fit the network's sum of what is known, which then stays as it is."""
    additive_head, heads = network.additive_head, network.tasks
    if additive_head is None:
        return
    codes = additive_head.effect.shape[1]
    found, constant = _best(_known(learn, codes), _known(check, codes), heads)
    with torch.no_grad():
        additive_head.effect.copy_(found[:-TIME_GAPS].reshape(additive_head.effect.shape))
        additive_head.gap.copy_(found[-TIME_GAPS:])
        shares = heads.split_by_task(constant)
        for name, head in heads.linear_heads().items():
            times = head.bias.shape[1] // len(shares[name])
            head.bias.add_(shares[name].repeat_interleave(times))
    additive_head.requires_grad_(False)


def _best(learn: _Known, check: _Known, heads: TaskHeads) -> tuple[Tensor, Tensor]:
    """Effects by column and target, and the constants; each target with its own penalty."""
    count = len(learn.x.starts)
    ones = learn.x.number.new_ones(count, 1)
    squares = replace(learn.turned, number=learn.turned.number.square())
    mean, square = learn.turned.times(ones)[:, 0] / count, squares.times(ones)[:, 0] / count
    spread = square - mean.square()
    scale = torch.where(spread > 1e-8, spread.clamp_min(1e-8).rsqrt(), 0.0)
    width = sum(heads.tasks.targets)
    w, b = mean.new_zeros(len(mean), width), mean.new_zeros(width)
    best, chosen = mean.new_full((width,), torch.inf), (w.clone(), b.clone())
    for penalty in PENALTIES:
        w, b = _fitted(learn, heads, (mean, scale), (w, b), penalty)
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


def _fitted(
    learn: _Known,
    heads: TaskHeads,
    columns: tuple[Tensor, Tensor],
    start: tuple[Tensor, Tensor],
    penalty: float,
) -> tuple[Tensor, Tensor]:
    """Effects of standardised columns, and constants, from near ones: L-BFGS on all decisions."""
    mean, scale = columns
    w, b = (tensor.clone().requires_grad_(True) for tensor in start)
    search = torch.optim.LBFGS(
        [w, b], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        with torch.no_grad():
            effect = w * scale[:, None]
            said = learn.x.times(effect) + (b - mean @ effect)
        said.requires_grad_(True)
        loss, counts = _losses(said, learn, heads)
        (slope,) = torch.autograd.grad(loss.sum(), said)
        with torch.no_grad():
            total = slope.sum(0)
            back = learn.turned.times(slope) - mean[:, None] * total
            w.grad = back * scale[:, None] + w * (penalty / counts)
            b.grad = total
            return loss.sum() + 0.5 * (w.square() * (penalty / counts)).sum()

    search.step(closure)
    return w.detach(), b.detach()


def _losses(
    said: Said, known: _Known, heads: TaskHeads
) -> tuple[Float[Tensor, " target"], Float[Tensor, " target"]]:
    """Mean loss of every target where the sum adds to where its head begins, and its decisions."""
    asked, parts = heads.tasks, heads.split_by_task(said)
    begins = {name: head.bias[0].detach().double() for name, head in heads.linear_heads().items()}
    nothing = said.new_zeros(0)
    hazard = begins.get("hazard", nothing).reshape(asked.times_to_event, asked.intervals)
    tasks = TaskOutput(
        (parts["diagnosis"] + begins.get("diagnosis", nothing))[:, None],
        (parts["progression"] + begins.get("progression", nothing))[:, None],
        (parts["hazard"][..., None] + hazard)[:, None],
    )
    loss, count = loss_by_target(tasks, known.targets)
    count = count.clamp_min(1)
    return loss / count, count


def _known(cohort: CohortTensors, codes: int) -> _Known:
    """Of evenly spaced decisions; on the device that learns, wherever the arrays lie."""
    assert cohort.source.running_stats is not None
    count = len(cohort.last_step)
    row = torch.arange(0, count, max(-(-count // MAX_DECISIONS), 1), device=cohort.last_step.device)
    ends = _replaced_at(cohort.source)
    places, numbers = [], []
    for at, block in enumerate(torch.split(row, BLOCK)):
        owner, event = _alive(cohort.source, ends, cohort.subject[block], cohort.last_step[block])
        x = event_features(cohort.source.value[event], cohort.source.running_stats[event]).double()
        column = (
            torch.arange(FEATURES_PER_CODE, device=row.device) * codes
            + cohort.source.code[event, None]
        )
        there = x != 0
        owner = (owner + at * BLOCK)[:, None].expand_as(column)
        places.append(torch.stack([owner[there], column[there]]))
        numbers.append(x[there])
    gap = cohort.source.gap[cohort.last_step[row]].double()
    at = torch.arange(len(row), device=row.device)
    places += [
        torch.stack([at, torch.full_like(at, FEATURES_PER_CODE * codes + i)])
        for i in range(TIME_GAPS)
    ]
    owner, column = torch.cat(places, 1).to(cohort.device)
    number = torch.cat([*numbers, *gap.unbind(1)]).to(cohort.device)
    whole = cohort.targets
    return _Known(
        _table(owner, column, number, len(row)),
        _table(column, owner, number, FEATURES_PER_CODE * codes + TIME_GAPS),
        replace(
            whole,
            diagnosis=whole.diagnosis[row].to(cohort.device),
            progression=whole.progression[row].to(cohort.device),
            intervals_survived=whole.intervals_survived[row].to(cohort.device),
            event_observed=whole.event_observed[row].to(cohort.device),
        ),
    )


def _table(row: Tensor, column: Tensor, number: Tensor, rows: int) -> _Table:
    order = torch.argsort(row, stable=True)
    starts = torch.searchsorted(row[order], torch.arange(rows, device=row.device))
    return _Table(column[order], starts, number[order])


def _alive(
    source: HistoryTensors, ends: Tensor, subject: Tensor, last_step: Tensor
) -> tuple[Int64[Tensor, " known"], Int64[Tensor, " known"]]:
    """The last events of every code at each decision: the decision's row here, and the event's."""
    starts = source.event_offsets[source.step_offsets[subject]]
    visible = source.event_offsets[last_step + 1] - starts
    event = ragged_range(starts, visible)
    owner = torch.repeat_interleave(torch.arange(len(subject), device=event.device), visible)
    alive = ends[event] > last_step[owner]
    return owner[alive], event[alive]


def _replaced_at(source: HistoryTensors) -> Int64[Tensor, " event"]:
    """The step at which each event's code comes again; past the last where it does not."""
    assert source.replaced is not None
    assert source.replaced_offsets is not None
    steps = len(source.gap)
    at = torch.arange(steps, device=source.code.device)
    ends = torch.full_like(source.code, steps)
    ends[source.replaced] = torch.repeat_interleave(at, torch.diff(source.replaced_offsets))
    return ends
