"""Outcomes under plans, by drawing patients' effects and noise and going forward step by step.

This is the G-computation formula (Robins 1986) with the patient's effects drawn once a path: the
uncertainty about the patient stays the same along the path, while noise is new in each step.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.special import ndtri
from scipy.stats import qmc

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    select_plans,
)
from posology.learners.trajectories.mixed_effects import (
    MixedEffects,
    Posterior,
    posterior,
    sums_until_visit,
)
from posology.learners.trajectories.step_features import (
    apply_change,
    logged_levels,
    next_levels,
    outcome_feature,
    treatment_features,
)

TAIL = 0.05
"""Share of paths below the lower end, and above the upper end, of the interval."""
CHUNK = 400_000
"""Paths at once; bounds the memory."""


@dataclass(frozen=True, slots=True)
class PathSettings:
    """How paths are drawn."""

    draws: int = 128
    """Paths a plan; a power of two, as for any Sobol sequence."""
    seed: int = 0


def predict_paths(
    model: MixedEffects,
    trajectories: OutcomeTrajectories,
    plans: Plans,
    settings: PathSettings = PathSettings(),
) -> PlannedOutcomes:
    """Mean and 90 % interval of the outcome after each step of each plan."""
    start = plans.subject * (trajectories.outcome.shape[1] + 1) + plans.visit
    _, first, history = np.unique(start, return_index=True, return_inverse=True)
    subject, visit = plans.subject[first], plans.visit[first]
    sums = sums_until_visit(model.spec, trajectories, subject, visit)
    known = posterior(model, sums)
    levels = logged_levels(model.spec, trajectories)[subject, visit]
    horizon = plans.treatment.shape[1]
    effects, noise = _standard_draws(model, horizon, settings)
    ends = np.empty((3, len(plans), horizon))
    order = np.argsort(history, kind="stable")
    size = max(1, CHUNK // settings.draws)
    for at in range(0, len(order), size):
        rows = order[at : at + size]
        inside, of_row = np.unique(history[rows], return_inverse=True)
        drawn = _draw_effects(_at(known, inside), effects)
        now = trajectories.outcome[plans.subject[rows], plans.visit[rows]].astype(np.float32)
        paths = _go_forward(
            model, drawn[of_row], noise, now, levels[history[rows]], select_plans(plans, rows)
        )
        ends[:, rows] = _summarise(paths)
    return PlannedOutcomes(ends[0], ends[1], ends[2])


def _at(known: Posterior, rows: Int64[np.ndarray, " row"]) -> Posterior:
    return Posterior(
        known.share[rows], known.mean[rows], known.covariance[rows], known.evidence[rows]
    )


def _standard_draws(
    model: MixedEffects, horizon: int, settings: PathSettings
) -> tuple[Float64[np.ndarray, "draw one_more"], Float32[np.ndarray, "draw horizon"]]:
    """Evenly spread draws: one uniform number for the cluster, then standard normal ones."""
    p = model.spec.feature_count
    points = qmc.Sobol(1 + p + horizon, seed=settings.seed).random(settings.draws)
    points = np.clip(points, 1e-6, 1 - 1e-6)
    normal = ndtri(points[:, 1:])
    effects = np.concatenate([points[:, :1], normal[:, :p]], axis=1)
    return effects, (np.sqrt(model.noise) * normal[:, p:]).astype(np.float32)


def _draw_effects(
    known: Posterior, standard: Float64[np.ndarray, "draw one_more"]
) -> Float32[np.ndarray, "subject draw feature"]:
    cluster = (standard[:, 0] > np.cumsum(known.share, axis=1)[:, :-1, None]).sum(axis=1)
    root = np.linalg.cholesky(known.covariance)
    rows = np.arange(len(cluster))[:, None]
    deviation = np.einsum("ispq,sq->isp", root[rows, cluster], standard[:, 1:])
    return (known.mean[rows, cluster] + deviation).astype(np.float32)


def _go_forward(
    model: MixedEffects,
    effects: Float32[np.ndarray, "plan draw feature"],
    noise: Float32[np.ndarray, "draw horizon"],
    now: Float32[np.ndarray, " plan"],
    levels: Float64[np.ndarray, "plan component"],
    plans: Plans,
) -> Float32[np.ndarray, "horizon plan draw"]:
    """Outcomes along each path; levels are the same on all paths of a plan."""
    spec, draws = model.spec, effects.shape[1]
    columns = np.moveaxis(effects, 2, 0).copy()
    outcome, paths = np.repeat(now[:, None], draws, axis=1), []
    for ahead in range(plans.treatment.shape[1]):
        levels = next_levels(spec, levels, plans.treatment[:, ahead])
        treated = treatment_features(spec, levels.astype(np.float32))
        size = columns[0] + columns[1] * outcome_feature(spec, outcome) + noise[:, ahead]
        for k in range(treated.shape[1]):
            size += columns[2 + k] * treated[:, k, None]
        outcome = apply_change(spec, outcome, size)
        paths.append(outcome)
    return np.stack(paths)


def _summarise(
    paths: Float32[np.ndarray, "horizon plan draw"],
) -> Float32[np.ndarray, "three plan horizon"]:
    """Mean and both ends of the interval, over paths."""
    draws = paths.shape[2]
    tail = round(TAIL * (draws + 1))
    low, high = max(tail - 1, 0), min(draws - tail, draws - 1)
    ranked = np.partition(paths, (low, high), axis=2)
    return np.stack([paths.mean(axis=2).T, ranked[:, :, low].T, ranked[:, :, high].T])
