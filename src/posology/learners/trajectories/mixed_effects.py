"""A mixed-effects model of each step's change, with a mixture of normals for the patients' effects.

change = features . effects of the patient + noise; the effects of a patient are constant, and over
patients they follow a mixture of normal distributions whose mean depends on the statics. Fitted by
expectation-maximisation (Laird and Ware 1982, Biometrics 38:963; mixtures: Verbeke and Lesaffre
1996, JASA 91:217). Treatments may depend on everything that was observed before: the likelihood
conditions on it, so time-varying confounding by the observed history needs no weights.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.outcome_trajectories import OutcomeTrajectories, select_subjects
from posology.learners.trajectories.step_features import (
    StepSpec,
    change,
    features,
    is_usable,
    logged_levels,
    next_levels,
)

RIDGE = 1e-9
"""Added to every variance of effects, of features about 1 in size, on the scale of the change."""


@dataclass(frozen=True, slots=True, eq=False)
class StepSums:
    """Sums over the steps of each patient: all that the model needs of them."""

    count: Float64[np.ndarray, " subject"]
    products: Float64[np.ndarray, "subject feature feature"]
    changes: Float64[np.ndarray, "subject feature"]
    """Features times change."""
    squares: Float64[np.ndarray, " subject"]
    statics: Float64[np.ndarray, "subject static"]
    """With a first column of ones."""


@dataclass(frozen=True, slots=True, eq=False)
class MixedEffects:
    """The fitted model."""

    spec: StepSpec
    share: Float64[np.ndarray, " cluster"]
    """Of patients, in each normal distribution."""
    mean: Float64[np.ndarray, "cluster static feature"]
    """Mean effects as a linear function of the statics (first: a constant)."""
    covariance: Float64[np.ndarray, "cluster feature feature"]
    noise: float
    """Variance of a change around its expectation."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is known of patients' effects: a mixture of normal distributions for each."""

    share: Float64[np.ndarray, "subject cluster"]
    mean: Float64[np.ndarray, "subject cluster feature"]
    covariance: Float64[np.ndarray, "subject cluster feature feature"]
    evidence: Float64[np.ndarray, " subject"]
    """Logarithm of the probability density of the patient's changes."""


def step_table(
    spec: StepSpec, trajectories: OutcomeTrajectories
) -> tuple[Float64[np.ndarray, "subject step feature"], Float64[np.ndarray, "subject step"]]:
    """Features and change of each step; zeros where a step cannot be used."""
    t = trajectories
    levels = next_levels(spec, logged_levels(spec, t)[:, :-1], t.treatment)
    usable = is_usable(spec, t)
    outcome = np.where(np.isnan(t.outcome), 1.0, t.outcome)
    x = features(spec, outcome[:, :-1], levels) * usable[:, :, None]
    r = np.where(usable, change(spec, outcome[:, :-1], outcome[:, 1:]), 0.0)
    return x, r


def sum_steps(spec: StepSpec, trajectories: OutcomeTrajectories) -> StepSums:
    """Sums over all steps of each patient."""
    x, r = step_table(spec, trajectories)
    return StepSums(
        count=x[:, :, 0].sum(axis=1),
        products=np.einsum("itp,itq->ipq", x, x, optimize=True),
        changes=np.einsum("itp,it->ip", x, r),
        squares=np.einsum("it,it->i", r, r),
        statics=_with_constant(trajectories),
    )


def sums_until_visit(
    spec: StepSpec,
    trajectories: OutcomeTrajectories,
    subject: np.ndarray,
    visit: np.ndarray,
) -> StepSums:
    """Sums over the steps before a visit, for pairs of a subject and a visit."""
    x, r = step_table(spec, trajectories)

    def until(per_step: np.ndarray) -> np.ndarray:
        running = np.zeros((len(x), x.shape[1] + 1, *per_step.shape[2:]))
        np.cumsum(per_step, axis=1, out=running[:, 1:])
        return running[subject, visit]

    return StepSums(
        count=until(x[:, :, 0]),
        products=until(x[:, :, :, None] * x[:, :, None, :]),
        changes=until(x * r[:, :, None]),
        squares=until(r * r),
        statics=_with_constant(trajectories)[subject],
    )


def _with_constant(t: OutcomeTrajectories) -> np.ndarray:
    return np.concatenate([np.ones((len(t), 1)), t.statics], axis=1)


def posterior(model: MixedEffects, sums: StepSums) -> Posterior:
    """Effects of patients given their steps."""
    clusters, found = len(model.share), []
    for k in range(clusters):
        prior = np.linalg.inv(model.covariance[k])
        center = sums.statics @ model.mean[k]
        precision = sums.products / model.noise + prior
        covariance = np.linalg.inv(precision)
        pull = sums.changes / model.noise + center @ prior
        mean = np.einsum("ipq,iq->ip", covariance, pull)
        fit = sums.squares / model.noise + np.einsum("ip,pq,iq->i", center, prior, center)
        fit = fit - np.einsum("ip,ip->i", mean, pull)
        volume = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(prior)[1]
        density = -0.5 * (fit + volume + sums.count * np.log(2 * np.pi * model.noise))
        found.append((np.log(model.share[k]) + density, mean, covariance))
    log_joint = np.stack([f[0] for f in found], axis=1)
    highest = log_joint.max(axis=1, keepdims=True)
    evidence = highest[:, 0] + np.log(np.exp(log_joint - highest).sum(axis=1))
    return Posterior(
        share=np.exp(log_joint - evidence[:, None]),
        mean=np.stack([f[1] for f in found], axis=1),
        covariance=np.stack([f[2] for f in found], axis=1),
        evidence=evidence,
    )


def fit_mixed_effects(
    spec: StepSpec,
    trajectories: OutcomeTrajectories,
    clusters: int,
    rng: np.random.Generator,
    iterations: int = 60,
    shrinkage: float = 0.0,
) -> MixedEffects:
    """Fit by expectation-maximisation, first on at most 2,500 patients.

    Args:
        shrinkage: of the statics' influence on the mean effects; 1 halves that of a static with
            variance 1.
    """
    most = 2_500
    few = trajectories
    if len(trajectories) > most:
        few = select_subjects(trajectories, rng.choice(len(trajectories), most, replace=False))
    sums = sum_steps(spec, few)
    model = _start(spec, sums, clusters, rng)
    model = _maximise(model, sums, iterations, shrinkage)
    if few is trajectories:
        return model
    return _maximise(model, sum_steps(spec, trajectories), iterations // 6, shrinkage)


def _start(spec: StepSpec, sums: StepSums, clusters: int, rng: np.random.Generator) -> MixedEffects:
    """All clusters around the pooled regression, apart from one another by chance."""
    p = spec.feature_count
    total = sums.products.sum(axis=0) + 1e-6 * np.eye(p)
    pooled = np.linalg.solve(total, sums.changes.sum(axis=0))
    misfit = sums.squares.sum() - pooled @ sums.changes.sum(axis=0)
    noise = float(misfit / sums.count.sum())
    typical = np.sqrt(noise / np.maximum(np.diag(total) / sums.count.sum(), 1e-9))
    mean = np.zeros((clusters, sums.statics.shape[1], p))
    mean[:, 0] = pooled + (clusters > 1) * typical * rng.normal(size=(clusters, p))
    covariance = np.broadcast_to(np.diag(typical**2), (clusters, p, p)).copy()
    return MixedEffects(spec, np.full(clusters, 1 / clusters), mean, covariance, noise / 2)


def _maximise(
    model: MixedEffects, sums: StepSums, iterations: int, shrinkage: float
) -> MixedEffects:
    p = sums.changes.shape[1]
    for _ in range(iterations):
        known = posterior(model, sums)
        w, m = known.share, known.mean
        weight = w.sum(axis=0) + 1e-3
        mean, covariance = np.empty_like(model.mean), np.empty_like(model.covariance)
        misfit = float(sums.squares.sum())
        for k in range(len(weight)):
            s = sums.statics * w[:, k, None]
            ridge = len(s) * np.diag([1e-6] + [1e-6 + shrinkage] * (s.shape[1] - 1))
            mean[k] = np.linalg.solve(s.T @ sums.statics + ridge, s.T @ m[:, k])
            away = m[:, k] - sums.statics @ mean[k]
            spread = np.einsum("i,ipq->pq", w[:, k], known.covariance[:, k])
            spread += (away * w[:, k, None]).T @ away
            covariance[k] = spread / weight[k] + RIDGE * np.eye(p)
            second = known.covariance[:, k] + m[:, k, :, None] * m[:, k, None, :]
            misfit += np.einsum("i,ipq,ipq->", w[:, k], second, sums.products, optimize=True)
            misfit -= 2 * np.einsum("i,ip,ip->", w[:, k], m[:, k], sums.changes, optimize=True)
        noise = max(misfit / float(sums.count.sum()), 1e-12)
        model = MixedEffects(model.spec, weight / weight.sum(), mean, covariance, noise)
    return model
