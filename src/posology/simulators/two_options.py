"""One decision between two options with known effects, in five scenarios.

Our own equations. Covariates are eight standard normal variables; scenario `obs_hidden` is
confounded by a ninth that is not recorded.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.errors import UserError

SCENARIOS = ("rct", "obs", "obs_low", "obs_hidden", "null")
"""A randomised trial; observational data with confounding, with low overlap, and with hidden
confounding; and a randomised trial of a treatment with the same effect on every patient."""
HIDDEN_LOG_ODDS = 1.2
"""Change of the treatment's log-odds, and of the outcome, per SD of the hidden confounder."""

Column = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Recorded data, with the true propensity and expected outcomes."""

    covariates: Float64[np.ndarray, "subject feature"]
    treatment: Int64[np.ndarray, " subject"]
    """0 or 1."""
    outcome: Column
    """Higher is better; standard deviation 1 around its expectation."""
    propensity: Column
    """True probability of option 1, including the hidden confounder."""
    expected: Float64[np.ndarray, "subject treatment"]
    """Mean outcome under each option, including the hidden confounder."""


def draw_sample(scenario: str, n: int, rng: np.random.Generator) -> Sample:
    """Patients of one of SCENARIOS."""
    if scenario not in SCENARIOS:
        raise UserError(f"scenario {scenario!r}: choose one of {', '.join(SCENARIOS)}")
    x, hidden = rng.normal(size=(n, 8)), rng.normal(size=n)
    if scenario != "obs_hidden":
        hidden = np.zeros(n)
    propensity = 1 / (1 + np.exp(-_log_odds(scenario, x, hidden)))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    base = baseline_outcome(x) + HIDDEN_LOG_ODDS * hidden
    tau = np.full(n, 0.3) if scenario == "null" else treatment_effect(x)
    expected = np.column_stack([base, base + tau])
    outcome = expected[np.arange(n), treatment] + rng.normal(size=n)
    return Sample(x, treatment, outcome, propensity, expected)


def baseline_outcome(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """Mean outcome under option 0, without the hidden confounder."""
    return x[:, 0] + 0.8 * x[:, 1] + 1.5 * np.maximum(x[:, 2], 0) + 0.5 * x[:, 3] * x[:, 4]


def treatment_effect(x: Float64[np.ndarray, "subject feature"]) -> Column:
    """Effect of option 1: 0.25 on average; the best rule gains 0.519 over option 0 for all."""
    return 0.5 + np.tanh(1.5 * x[:, 0]) - 0.8 * (x[:, 5] > 0.5) + 0.4 * x[:, 2]


def regret(sample: Sample, chosen: Int64[np.ndarray, " subject"]) -> float:
    """Mean loss of outcome compared with the best option of each patient."""
    obtained = sample.expected[np.arange(len(chosen)), chosen]
    return float((sample.expected.max(axis=1) - obtained).mean())


def _log_odds(scenario: str, x: np.ndarray, hidden: Column) -> Column:
    match scenario:
        case "obs":
            return 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2]
        case "obs_low":
            return 2.6 * x[:, 0] - 2.0 * x[:, 1] + 1.2 * x[:, 2]
        case "obs_hidden":
            return 0.6 * x[:, 0] - 0.5 * x[:, 1] + HIDDEN_LOG_ODDS * hidden
    return np.zeros(len(x))
