"""Cox regression with one baseline per stratum; without covariates it is Kaplan-Meier's."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

_MAX_STEPS, _TOLERANCE, _MAX_RISK = 25, 1e-7, 30.0
"""Newton steps, largest change of a coefficient at the end, and bound of the linear predictor."""


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalModel:
    """S(t | stratum, x) = prod over event times u <= t of (1 - dH(u))^exp(x beta)."""

    beta: Float64[np.ndarray, " covariate"]
    times: tuple[Float64[np.ndarray, "_"], ...]
    """Distinct event times of each stratum."""
    log_survival: tuple[Float64[np.ndarray, "_"], ...]
    """Log of the baseline survival before the first and after each event time."""


def fit_survival(
    time: Float64[np.ndarray, " row"],
    is_event: Bool[np.ndarray, " row"],
    stratum: Int64[np.ndarray, " row"],
    X: Float64[np.ndarray, "row covariate"],  # noqa: N803
    ridge: float = 1e-3,
    entry: Float64[np.ndarray, " row"] | None = None,
) -> SurvivalModel:
    """Cox's partial likelihood (1972), ties by Breslow, a small ridge per row; Breslow's baselines.

    A row without the event at an event time leaves before it: events of the other kind come first.

    Args:
        entry: time from which each row is at risk (left truncation); None: from the start.
    """
    since = np.full(len(time), -np.inf) if entry is None else entry
    groups = [
        _Group((since, time), is_event, X, np.flatnonzero(stratum == s)) for s in _strata(stratum)
    ]
    beta = np.zeros(X.shape[1])
    for _ in range(_MAX_STEPS if X.shape[1] else 0):
        gradient, hessian = -ridge * len(X) * beta, ridge * len(X) * np.eye(len(beta))
        for group in groups:
            slope, curvature = group.derivatives(beta)
            gradient, hessian = gradient + slope, hessian + curvature
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < _TOLERANCE:
            break
    baselines = [group.baseline(beta) for group in groups]
    return SurvivalModel(beta, tuple(t for t, _ in baselines), tuple(s for _, s in baselines))


def survival_before(
    model: SurvivalModel,
    time: Float64[np.ndarray, " row"],
    stratum: Int64[np.ndarray, " row"],
    X: Float64[np.ndarray, "row covariate"],  # noqa: N803
    entry: Float64[np.ndarray, " row"] | None = None,
) -> Float64[np.ndarray, " row"]:
    """P(no event before `time`), S(t-), of each row; 1 in a stratum that was not fitted.

    entry: of those without the event before this time, S(t-) / S(entry-).
    """
    log_survival = np.zeros(len(time))
    for number in range(len(model.times)):
        rows = np.flatnonzero(stratum == number)
        for when, sign in ((time, 1.0), (entry, -1.0)):
            if when is not None:
                before = np.searchsorted(model.times[number], when[rows], side="left")
                log_survival[rows] += sign * model.log_survival[number][before]
    return np.exp(log_survival * np.exp(np.clip(X @ model.beta, -_MAX_RISK, _MAX_RISK)))


def _strata(stratum: Int64[np.ndarray, " row"]) -> range:
    return range(int(stratum.max(initial=-1)) + 1)


class _Group:
    """The rows of one stratum in order of time, and the sums over those still at risk."""

    def __init__(
        self,
        times: tuple[np.ndarray, np.ndarray],
        is_event: np.ndarray,
        X: np.ndarray,  # noqa: N803
        rows: np.ndarray,
    ):
        """times: of entry and exit."""
        entry, time = times
        order = rows[np.lexsort((is_event[rows], time[rows]))]
        self.X, self.time, self.is_event = X[order], time[order], is_event[order]
        self.by_entry = np.argsort(entry[order], kind="stable")
        entered = entry[order]
        # In order of entry, the first row that enters after each row's time; and in order of time
        # the first row whose time is not before each row's entry.
        self.later = np.searchsorted(entered[self.by_entry], self.time, side="right")
        self.before = np.searchsorted(self.time, entered, side="left")
        same = np.zeros(len(order), dtype=bool)
        same[1:] = (self.time[1:] == self.time[:-1]) & (self.is_event[1:] == self.is_event[:-1])
        starts = np.flatnonzero(~same)
        self.first = np.repeat(starts, np.diff(np.append(starts, len(order))))

    def _hazard(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Relative risk, sum of it over the risk set, and cumulative hazard while at risk."""
        risk = np.exp(np.clip(self.X @ beta, -_MAX_RISK, _MAX_RISK))
        at_risk = np.maximum(self._sum_at_risk(risk), risk)  # its own row is; rounding aside
        last = np.append(self.first[1:] != self.first[:-1], True)[: len(risk)]
        total = np.cumsum(self.is_event / at_risk)
        until = np.flatnonzero(last)
        hazard = np.repeat(total[until], np.diff(np.append(-1, until)))
        return risk, at_risk, hazard - np.append(0.0, total)[self.before]

    def _sum_at_risk(self, values: np.ndarray) -> np.ndarray:
        """Sum over the rows that at each row's time have entered and not left."""
        not_left = np.cumsum(values[::-1], axis=0)[::-1][self.first]
        if (self.later == len(values)).all():  # nobody enters late
            return not_left
        enter_later = np.cumsum(values[self.by_entry][::-1], axis=0)[::-1]
        nobody = np.zeros((1, *values.shape[1:]))
        return not_left - np.concatenate([enter_later, nobody])[self.later]

    def derivatives(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and negative second derivatives of the log partial likelihood."""
        risk, at_risk, hazard = self._hazard(beta)
        weight = risk * hazard
        sums = self._sum_at_risk(self.X * risk[:, None])
        means = (sums / at_risk[:, None])[self.is_event]
        gradient = self.X[self.is_event].sum(axis=0) - weight @ self.X
        return gradient, (self.X * weight[:, None]).T @ self.X - means.T @ means

    def baseline(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Event times, and the log survival at x = 0 before the first and after each of them."""
        _, at_risk, _ = self._hazard(beta)
        times, first, counts = np.unique(
            self.time[self.is_event], return_index=True, return_counts=True
        )
        share = np.minimum(counts / at_risk[self.is_event][first], 1 - 1e-9)
        return times, np.concatenate([[0.0], np.cumsum(np.log1p(-share))])
