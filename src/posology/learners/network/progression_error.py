"""How far a number to come may lie from what was expected."""

from dataclasses import replace

import numpy as np
import torch

from posology.learners.network.policy import Reading
from posology.learners.network.tensors import CohortTensors, in_batches
from posology.nn.network import Network

SHARE = 0.95
"""Of the numbers to come that lie no further away."""


def with_course_error(reading: Reading, network: Network, validation: CohortTensors) -> Reading:
    """The reading with each measure's distance, from patients who were not learned from.

    Split conformal prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116, algorithm 2):
    the distance that SHARE of validation numbers keep; None where they are too few to tell.
    """
    if not reading.course_center:
        return reading
    off = []
    with torch.no_grad():
        for batch, targets in in_batches(validation):
            off.append((network(batch).tasks.course.mean(1) - targets.course).abs())
    far = torch.cat(off).double().cpu().numpy() * np.array(reading.course_spread)
    return replace(reading, course_error=tuple(_reached(column) for column in far.T))


def _reached(distance: np.ndarray) -> float | None:
    known = np.sort(distance[~np.isnan(distance)])
    rank = int(np.ceil(SHARE * (len(known) + 1)))
    return float(known[rank - 1]) if rank <= len(known) else None
