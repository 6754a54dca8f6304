"""The value of whole trajectories in words and rows, the same on the page and on the terminal."""

from collections.abc import Iterator

import numpy as np

from posology.evaluation.off_policy.harm_budgets import describe_finding
from posology.evaluation.off_policy.pareto import HEAVY
from posology.evaluation.off_policy.support import Estimate, Refusal
from posology.evaluation.off_policy.trajectory_value import TABLES, TrajectoryValue
from posology.report.text import Scale

TITLE = "Value over whole trajectories"
HEADS = ("Policy", "Estimator", "Mean (95 %)", "Gain (95 %)", "ESS")
_ESTIMATORS = {
    "odr": "DR by state code",
    "sdr": "DR by state",
    "dr": "doubly robust",
    "wdr": "weighted DR",
    "wis": "weighted IS",
}
_SCALE = Scale("", 1.0)


def trajectory_rows(value: TrajectoryValue) -> list[tuple[str, ...]]:
    """Usual care, then the policy by each estimator."""
    usual = _SCALE.format_estimate(value.usual_care)
    rows = [("usual care", "observed", usual, "", f"{value.patients:,}")]
    for each in value.estimates:
        mean, gain = "not reported", ""
        if each.value is not None and each.gain is not None:
            mean = _SCALE.format_estimate(each.value)
            gain = _SCALE.format_difference(each.gain)
        estimator = _ESTIMATORS[each.result.estimator]
        rows.append((each.policy, estimator, mean, gain, f"{each.result.effective_size:,.0f}"))
    return rows


def refusal_reasons(value: TrajectoryValue) -> list[str]:
    """Why an estimate is not reported, each reason once, and which one may mislead."""
    reasons = (
        f"{each.policy}: {each.result.reason}."
        for each in value.estimates
        if isinstance(each.result, Refusal)
    )
    return [*dict.fromkeys(reasons), *_heavy_tails(value)]


def _heavy_tails(value: TrajectoryValue) -> Iterator[str]:
    """Which reported intervals may be too narrow, as the heaviest weights were not yet seen."""
    for each in value.estimates:
        if isinstance(each.result, Estimate) and each.result.pareto_k > HEAVY:
            name = _ESTIMATORS[each.result.estimator]
            yield (
                f"{each.policy}, {name}: the weights have a heavy tail (Pareto k "
                f"{each.result.pareto_k:.2f}, above {HEAVY:g}), and the interval may be too narrow."
            )


def budget_lines(value: TrajectoryValue) -> list[str]:
    """What the policy costs of each harm budget."""
    return [describe_finding(found.to_json()) for found in value.budgets]


def describe_estimates(value: TrajectoryValue) -> str:
    """The patients behind the estimates, and what the columns mean."""
    until, lost = "to the last", "followed to the end of their trajectory"
    if np.isfinite(value.horizon):
        until = f"over {value.horizon:,.0f} days"
        lost = "followed so long, and are stood for by those alike who were"
    has_tables = any(each.result.estimator == TABLES for each in value.estimates)
    tables = "with tables of state codes, " if has_tables else ""
    return (
        f"{value.patients:,} patients of the test split, {value.decisions:.1f} decisions each; "
        f"{value.excluded:,} more were not {lost}. Sum of the study's rewards from the first "
        f"decision {until}; gains are over usual care, on the same patients. Estimators: doubly "
        f"robust (DR) with weights of states, {tables}with weights of whole trajectories, with "
        "these normalised, and weighted importance sampling (IS). ESS: "
        "effective sample size. Unmeasured confounding is not corrected."
    )
