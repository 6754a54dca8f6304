"""How far a number to come may lie from what was expected."""

from dataclasses import replace

import numpy as np
import torch

from posology.learners.network.policy import Decoding
from posology.learners.network.tensors import CohortTensors, iterate_batches
from posology.nn.network import Network

COVERAGE = 0.95
"""Of the numbers to come that lie no further away."""


def with_progression_error(
    reading: Decoding, network: Network, validation: CohortTensors
) -> Decoding:
    """The reading with each measure's distance, from patients who were not learned from.

    Split conformal prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116, algorithm 2):
    the distance that SHARE of validation numbers keep; None where they are too few to tell.
    """
    if not reading.progression_center:
        return reading
    off = []
    with torch.no_grad():
        for batch, targets in iterate_batches(validation):
            off.append((network(batch).tasks.progression.mean(1) - targets.progression).abs())
    far = torch.cat(off).double().cpu().numpy() * np.array(reading.progression_spread)
    return replace(reading, progression_error=tuple(_reached(column) for column in far.T))


def _reached(distance: np.ndarray) -> float | None:
    known = np.sort(distance[~np.isnan(distance)])
    rank = int(np.ceil(COVERAGE * (len(known) + 1)))
    return float(known[rank - 1]) if rank <= len(known) else None
