"""Restricted mean event-free time under censoring, and its pseudo-values."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.causal.trial import Column
from posology.errors import UserError


def restricted_mean_time(
    time: Column, event_observed: Bool[np.ndarray, " decision"], horizon: float
) -> float:
    """Area under the Kaplan-Meier curve up to the horizon: mean event-free time."""
    return float(_areas(np.ones((1, len(time))), time, event_observed, horizon)[0])


def pseudo_values(
    time: Column,
    event_observed: Bool[np.ndarray, " decision"],
    horizon: float,
    stratum: Int64[np.ndarray, " decision"],
) -> Column:
    """Jackknife pseudo-values of the restricted mean, within strata.

    Andersen, Hansen and Klein 2004 (doi:10.1007/s10985-004-4771-0). Their means are the
    restricted means, so that they are used as ordinary outcomes. Strata are the options, so that
    censoring may differ between them. UserError if no patient was followed to the horizon.
    """
    values = np.empty(len(time))
    for s in np.unique(stratum):
        rows = np.flatnonzero(stratum == s)
        if time[rows].max() < horizon:
            raise UserError(
                f"option {s}: no patient was followed for {horizon:g}, the longest for "
                f"{time[rows].max():g}; choose a shorter horizon"
            )
        n = len(rows)
        whole = restricted_mean_time(time[rows], event_observed[rows], horizon)
        for block in np.array_split(np.arange(n), max(1, n * n // 2_000_000)):
            left = np.ones((len(block), n))
            left[np.arange(len(block)), block] = 0.0
            out = _areas(left, time[rows], event_observed[rows], horizon)
            values[rows[block]] = n * whole - (n - 1) * out
    return values


def _areas(
    weights: Float64[np.ndarray, "replicate decision"],
    time: Column,
    event: Bool[np.ndarray, " decision"],
    horizon: float,
) -> Float64[np.ndarray, " replicate"]:
    order = np.argsort(time, kind="stable")
    times, first = np.unique(time[order], return_index=True)
    w = weights[:, order]
    events = np.add.reduceat(w * event[order], first, axis=1)
    ending = np.add.reduceat(w, first, axis=1)
    at_risk = ending[:, ::-1].cumsum(axis=1)[:, ::-1]
    survival = np.cumprod(1 - events / np.maximum(at_risk, 1e-12), axis=1)
    edges = np.minimum(np.concatenate([[0.0], times, [max(horizon, times[-1])]]), horizon)
    height = np.hstack([np.ones((len(w), 1)), survival])
    return height @ np.diff(edges)
