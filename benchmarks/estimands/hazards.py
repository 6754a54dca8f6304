"""Hazards of the product's own loss against the true ones of the same patients.

The loss of a time-to-event head is right if its gradient at the true hazards has mean 0, however
patients leave for recorded reasons. Observed over expected events says so in a readable unit.
"""

import numpy as np
import torch

from benchmarks.estimands.courses import Courses, rates
from benchmarks.estimands.truth import chance
from benchmarks.estimands.worlds import World
from posology.domain.cohort import Cohort
from posology.domain.study import INTERVALS
from posology.learners.network.losses import hazard_nll
from posology.learners.network.tensors import survival_intervals


def hazard_errors(
    world: World, courses: Courses, cohort: Cohort, rows: np.ndarray
) -> dict[str, float]:
    """Observed over expected events minus 1, in either half of the window's days at risk."""
    if world.kind == "value_in_range":
        return {}
    event_rate = rates(world, courses.state, courses.option).event[rows]
    h = np.clip(chance(event_rate[:, None], _days(world)[None, :]), 1e-12, 1 - 1e-12)
    survived, observed = survival_intervals(cohort)
    logits = torch.tensor(np.log(h / (1 - h)), requires_grad=True)
    known, happened = torch.as_tensor(survived), torch.as_tensor(observed)
    hazard_nll(logits[:, None, None, :], known, happened).sum().backward()
    assert logits.grad is not None
    events = (survived == np.arange(INTERVALS)) & observed
    expected = (events + logits.grad.numpy()).sum(axis=0)
    first = np.arange(INTERVALS) < _first_interval(world) + (INTERVALS - _first_interval(world)) / 2
    return {
        f"estimate|hazard|{name}": float(events[:, part].sum() / expected[part].sum() - 1)
        for name, part in (("early", first), ("late", ~first))
    }


def _days(world: World) -> np.ndarray:
    """Days of each interval in which the window is open."""
    ends = np.linspace(0, world.window, INTERVALS + 1)
    if world.resolution == "day":  # a day's events are recorded as its beginning
        ends = np.where(ends > 0, ends + 1, ends)
    opens = world.grace + (1.0 if world.resolution == "day" and world.grace else 0.0)
    return np.diff(np.maximum(ends, opens))


def _first_interval(world: World) -> int:
    return int(np.argmax(_days(world) > 0))
