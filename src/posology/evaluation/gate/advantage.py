"""What an evaluation on unseen patients showed of a policy, as requirements of a gate."""

import textwrap

import numpy as np

from posology.evaluation.effects.verdict_sentence import PLAIN, Unit
from posology.evaluation.gate.requirement import GateVerdict, Requirement
from posology.evaluation.intervals import Interval, decimals_of_width
from posology.evaluation.off_policy.harm_budgets import BudgetFinding, describe_finding

VALUE, HARM, SAFETY, SUPPORT, CALIBRATION = "value", "harm", "safety", "support", "calibration"
BUDGET = "budget"
"""Names of requirements, as they stand in JSON; a harm's is `harm: NAME`, a budget's likewise."""
MAX_UNJUDGED = 0.05
"""Largest share of decisions at which the policy may give an option whose effect cannot be judged.
Our choice."""
MAX_CALIBRATION_GAP = 0.1
"""Largest gap between the mean predicted and observed probability of the options given. Our choice:
a wider gap would change how a clinician reads a probability."""


def require_gain(
    gain: Interval | None, over: str, why_not: str = "", unit: Unit = PLAIN
) -> Requirement:
    """The gain is above 0, the limits of its 95 % interval included.

    Args:
        gain: of the policy over the reference; None where it could not be estimated.
        over: name of the reference.
        why_not: why it could not be estimated.
        unit: of the gain, in the reason.
    """
    if gain is None or np.isnan([gain.value, gain.low]).any():
        reason = f"The gain over {over} is not shown: {why_not or 'it could not be estimated'}."
        return Requirement(VALUE, False, reason, None, 0.0)
    holds = gain.low > 0
    shown = "is above 0" if holds else "is not shown to be above 0"
    reason = f"The gain over {over} {shown}: {_state(gain, unit)}."
    return Requirement(VALUE, holds, reason, gain, 0.0)


def require_no_more_harm(harm: str, change: Interval, over: str) -> Requirement:
    """A harm is not shown to be more frequent, or greater, than under the reference."""
    holds = bool(change.low <= 0)
    shown = "is not shown to be greater" if holds else "is greater"
    reason = f"{harm} {shown} than under {over}: change {_state(change)}."
    return Requirement(f"{HARM}: {harm}", holds, reason, change, 0.0)


def require_budget(found: BudgetFinding) -> Requirement:
    """A harm is shown to stay within its budget: the upper bound of its rate is at most that."""
    reason = describe_finding(found.to_json())
    bound = None
    if np.isfinite(found.upper):
        bound = Interval(found.rate, np.nan, found.upper)
    return Requirement(f"{BUDGET}: {found.name}", found.is_held, reason, bound, found.at_most)


def refuse_harm(harm: str, why_not: str) -> Requirement:
    """Of a harm that the study names nothing is known: this does not hold."""
    return Requirement(f"{HARM}: {harm}", False, f"Nothing can be said of {harm}: {why_not}.")


def require_safety(forbidden: int, decisions: int, rules: int) -> Requirement:
    """No decision gives an option that the study's safety rules forbid."""
    if not rules:
        return Requirement(SAFETY, True, "The study has no safety rules.")
    reason = (
        f"{forbidden:,} of {decisions:,} decisions give an option that the study's {rules} safety "
        f"rules forbid."
    )
    return Requirement(SAFETY, forbidden == 0, reason, None, 0.0)


def require_support(unjudged: float) -> Requirement:
    """The policy seldom gives an option whose effect these patients cannot show."""
    holds = unjudged <= MAX_UNJUDGED
    reason = (
        f"At {100 * unjudged:.1f} % of decisions the policy gives an option that cannot be judged "
        f"(at most {100 * MAX_UNJUDGED:.0f} %): the gain is that of the policy without them."
    )
    if not unjudged:
        reason = "The policy gives only options that can be judged."
    return Requirement(SUPPORT, holds, reason, None, MAX_UNJUDGED)


def require_calibration(gap: Interval) -> Requirement:
    """Predicted probabilities of the options given lie near the observed share, on average."""
    holds = bool(max(-gap.low, gap.high) <= MAX_CALIBRATION_GAP)
    shown = "lie" if holds else "are not shown to lie"
    reason = (
        f"Predicted probabilities {shown} within {MAX_CALIBRATION_GAP:g} of the observed share, on "
        f"average: {_state(gap)}."
    )
    return Requirement(CALIBRATION, holds, reason, gap, MAX_CALIBRATION_GAP)


def describe_gate(verdict: GateVerdict, width: int = 80) -> str:
    """The verdict, then each requirement below the one before, in lines of `width` columns."""
    state = "open" if verdict.is_open else "closed"
    lines = [
        textwrap.fill(
            f"  {'holds' if each.holds else 'FAILS'}  {each.reason}",
            width,
            subsequent_indent=" " * 9,
            break_on_hyphens=False,
        )
        for each in verdict.requirements
    ]
    return "\n".join([f"Gate: {state}", *lines])


def _state(interval: Interval, unit: Unit = PLAIN) -> str:
    """The estimate with its interval, with the decimals of the tables."""
    value, low, high = (unit.factor * x for x in (interval.value, interval.low, interval.high))
    digits = max(decimals_of_width(high - low), int(unit.factor == 100))
    written = f"{value:+.{digits}f}"
    written = written if written.strip("+-0.") else written[1:]  # no minus zero
    return f"{written} ({low:.{digits}f} to {high:.{digits}f}) {unit.name}".strip()
