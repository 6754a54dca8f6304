"""Placement of a cohort's arrays: on the training device if they fit, otherwise in main memory."""

import logging

import torch

from posology.domain.history import History

MAX_MEMORY_SHARE = 0.5
"""Share of the device's free memory that arrays may take; the rest is for the network, its
gradients and the batches. Our choice."""

_LOG = logging.getLogger("posology")


def cohort_bytes(history: History, columns: int, decisions: int) -> int:
    """Return the bytes of a cohort's arrays on a device: 64-bit indices and 32-bit numbers."""
    events, steps = len(history.code), len(history.time)
    return events * (8 + 4) + steps * (8 + 8) + decisions * (4 * 8 + 4 * columns)


def choose_device(size: int, device: torch.device, free: int | None = None) -> torch.device:
    """Return the device if `size` bytes fit in its free memory, else the CPU; log the choice.

    free: free bytes of the device; None queries it.
    """
    if device.type == "cpu":
        return device
    if free is None:
        free = torch.cuda.mem_get_info(device)[0]
    fits = size <= MAX_MEMORY_SHARE * free
    _LOG.info(
        "cohort of %.2f GB %s: %.2f GB of %s are free",
        size / 1e9,
        f"is placed on {device}" if fits else "stays in main memory, its batches are streamed",
        free / 1e9,
        device,
    )
    return device if fits else torch.device("cpu")
