"""One decision between two options, whose effect on every patient is known: five ways to fail.

Our own equations, small enough for anyone to rebuild. Covariates are eight standard normal
numbers; `hidden` is confounded by a ninth that nobody records.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.errors import UserError

SCENARIOS = ("rct", "obs", "obs_low", "obs_hidden", "null")
"""A trial, clinicians with reasons, clinicians who hardly ever differ, with reasons that nobody
recorded, and a trial of a treatment that helps everybody alike."""
HIDDEN_LOG_ODDS = 1.2
"""Log-odds of treatment, and outcome, that one standard deviation of the hidden reason adds."""

Column = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What is recorded, and behind it what nobody could know."""

    covariates: Float64[np.ndarray, "subject feature"]
    treatment: Int64[np.ndarray, " subject"]
    """0 or 1."""
    outcome: Column
    """Higher is better; standard deviation 1 around its expectation."""
    propensity: Column
    """True probability of option 1, the hidden reason included."""
    expected: Float64[np.ndarray, "subject treatment"]
    """Mean outcome under each option, the hidden reason included."""


def draw(scenario: str, n: int, rng: np.random.Generator) -> Sample:
    """Patients of one of SCENARIOS."""
    if scenario not in SCENARIOS:
        raise UserError(f"scenario {scenario!r}: choose one of {', '.join(SCENARIOS)}")
    x, hidden = rng.normal(size=(n, 8)), rng.normal(size=n)
    if scenario != "obs_hidden":
        hidden = np.zeros(n)
    propensity = 1 / (1 + np.exp(-_log_odds(scenario, x, hidden)))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    base = baseline(x) + HIDDEN_LOG_ODDS * hidden
    tau = np.full(n, 0.3) if scenario == "null" else effect(x)
    expected = np.column_stack([base, base + tau])
    outcome = expected[np.arange(n), treatment] + rng.normal(size=n)
    return Sample(x, treatment, outcome, propensity, expected)


def baseline(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """Mean outcome under option 0, but for the hidden reason."""
    return x[:, 0] + 0.8 * x[:, 1] + 1.5 * np.maximum(x[:, 2], 0) + 0.5 * x[:, 3] * x[:, 4]


def effect(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """What option 1 adds: 0.25 on average; the best rule adds 0.519 to option 0 for all."""
    return 0.5 + np.tanh(1.5 * x[:, 0]) - 0.8 * (x[:, 5] > 0.5) + 0.4 * x[:, 2]


def regret(sample: Sample, chosen: Int64[np.ndarray, " subject"]) -> float:
    """Mean outcome lost against the best option of each patient."""
    return float((sample.expected.max(axis=1) - sample.expected[np.arange(len(chosen)), chosen])
                 .mean())  # fmt: skip


def _log_odds(scenario: str, x: np.ndarray, hidden: Column) -> Column:
    match scenario:
        case "obs":
            return 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2]
        case "obs_low":
            return 2.6 * x[:, 0] - 2.0 * x[:, 1] + 1.2 * x[:, 2]
        case "obs_hidden":
            return 0.6 * x[:, 0] - 0.5 * x[:, 1] + HIDDEN_LOG_ODDS * hidden
    return np.zeros(len(x))
