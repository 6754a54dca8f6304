"""The verdict on a challenger: every requirement, whether it holds, and why."""

import numpy as np
from jaxtyping import Int64
from scipy.stats import norm

from posology.evaluation.gate.requirement import GateVerdict, Requirement
from posology.evaluation.intervals import Interval, wilson_interval
from posology.lifecycle.gate.calibration import calibration_change
from posology.lifecycle.gate.clustered_mean import ClusteredMean, clustered_mean
from posology.lifecycle.gate.evidence import (
    Coverage,
    GateEvidence,
    Predicted,
    Safety,
    SinceFirst,
)
from posology.lifecycle.gate.harm_bound import judge_bound
from posology.lifecycle.gate.plan import GatePlan

VALUE = "value"
SIDE_LEVEL = 0.05
"""Level of the bounds that can only close the gate. Our choice."""
GROUP_LEVEL = 0.10
"""Level at which a group is called worse, all groups together: a loss in a small group shows late,
so that this errs on the side of closing. Our choice."""
MIN_GROUP = 50
"""Patients of a group from which on it is judged. Our choice."""


def judge(
    evidence: GateEvidence, plan: GatePlan, alpha: float, rng: np.random.Generator
) -> GateVerdict:
    """Judge a challenger at one look.

    Only the value can be approved by chance; every other requirement can only close the gate.

    Args:
        evidence: on fresh patients.
        plan: fixed before the first look.
        alpha: level of this look (`next_alpha`).
        rng: of the resampled patients.
    """
    gain = clustered_mean(evidence.gain, evidence.subject)
    found = [_value(evidence, gain, plan, alpha), *_safety(evidence.safety, plan)]
    if evidence.predicted is not None:
        found.append(_calibration(evidence.predicted, plan, rng))
    found += [_coverage(one, plan) for one in evidence.coverage]
    for name, score in evidence.harms.items():
        found.append(_harm(name, clustered_mean(score, evidence.subject), plan))
    for name, harm in evidence.unestimated.items():
        found.append(judge_bound(name, harm, plan.harm_margin, SIDE_LEVEL))
    if evidence.since_first is not None:
        found.append(_drift(evidence.since_first, evidence.subject, plan))
    if evidence.groups:
        found.append(_groups(evidence))
    return GateVerdict(tuple(found))


def _value(
    evidence: GateEvidence, gain: ClusteredMean, plan: GatePlan, alpha: float
) -> Requirement:
    if alpha <= 0:
        reason = (
            f"All {plan.looks} looks of the plan are used up: nothing can be approved any more. A "
            "new plan is a new decision about the risk of ever approving a bad model."
        )
        return Requirement(VALUE, False, reason, None, plan.least_gain)
    if gain.patients < plan.patients:
        reason = (
            f"{gain.patients:,} of {max(evidence.fresh, gain.patients):,} fresh patients can be "
            "judged (their outcome is known, and their options were given to patients like "
            f"them), and the plan needs {plan.patients:,}: wait for more."
        )
        return Requirement(VALUE, False, reason, None, plan.least_gain)
    if not evidence.differs.any():
        reason = "The challenger chooses as the champion does, for every fresh patient."
        return Requirement(VALUE, False, reason, Interval(0.0, 0.0, 0.0), plan.least_gain)
    low, high = gain.lower(alpha), gain.upper(alpha)
    holds = low > plan.least_gain
    verb = "is" if holds else "is not"
    reason = (
        f"The gain over the champion is {gain.value:+.4f} ({low:+.4f} to {high:+.4f} at the level "
        f"{alpha:.2g} of this look), over {gain.patients:,} fresh patients, of whom "
        f"{evidence.differs.mean():.1%} would be treated otherwise: its lower bound {verb} above "
        f"{plan.least_gain:g}."
    )
    return Requirement(VALUE, holds, reason, Interval(gain.value, low, high), plan.least_gain)


def _safety(safety: Safety, plan: GatePlan) -> list[Requirement]:
    forbidden = Requirement(
        "safety",
        safety.forbidden == 0 and safety.same_rules,
        f"The largest probability of a forbidden option is {safety.forbidden:g}; it must be 0."
        + ("" if safety.same_rules else " The challenger has other safety rules."),
        Interval(safety.forbidden, safety.forbidden, safety.forbidden),
        0.0,
    )
    change = safety.unknown_challenger - safety.unknown_champion
    unknown = Requirement(
        "unknown_rules",
        change <= plan.unknown_margin,
        f"An option of which a safety rule cannot be settled is chosen for "
        f"{safety.unknown_challenger:.1%} of patients, by the champion for "
        f"{safety.unknown_champion:.1%}; at most {plan.unknown_margin:.1%} more is accepted.",
        Interval(change, change, change),
        plan.unknown_margin,
    )
    return [forbidden, unknown]


def _calibration(predicted: Predicted, plan: GatePlan, rng: np.random.Generator) -> Requirement:
    change = calibration_change(predicted, rng)
    limit = plan.calibration_margin**2
    reach = float(norm.ppf(1 - SIDE_LEVEL)) * change.error
    interval = Interval(change.value, change.value - reach, change.value + reach)
    holds = interval.high <= limit
    reason = (
        f"Predicted and observed probabilities differ by {change.challenger:.3f} (root mean square "
        f"of ten groups), the champion's by {change.champion:.3f}; the upper bound of the change "
        f"of the square, {interval.high:.5f}, {'is' if holds else 'is not'} within {limit:.5f}."
    )
    return Requirement("calibration", holds, reason, interval, limit)


def _coverage(coverage: Coverage, plan: GatePlan) -> Requirement:
    least = coverage.nominal - plan.coverage_margin
    if not coverage.of:
        reason = f"No fresh patient shows whether the {coverage.name} intervals hold."
        return Requirement("coverage", False, reason, None, least)
    low, high = wilson_interval(coverage.held, coverage.of)
    share = coverage.held / coverage.of
    reason = (
        f"{coverage.nominal:.0%} intervals of the {coverage.name} held {share:.1%} ({low:.1%} to "
        f"{high:.1%}) of {coverage.of:,}; the lower bound must be at least {least:.1%}."
    )
    return Requirement("coverage", low >= least, reason, Interval(share, low, high), least)


def _harm(name: str, change: ClusteredMean, plan: GatePlan) -> Requirement:
    if not np.isfinite(change.value):
        reason = f"{name}: no fresh patient can show whether it grows; wait for more."
        return Requirement("harm", False, reason, None, plan.harm_margin)
    low, high = change.lower(SIDE_LEVEL), change.upper(SIDE_LEVEL)
    holds = high <= plan.harm_margin
    reason = (
        f"{name}: the change against the champion is {change.value:+.4f}, at most {high:+.4f} with "
        f"95 % confidence; up to {plan.harm_margin:+g} is accepted."
    )
    interval = Interval(change.value, low, high)
    return Requirement("harm", holds, reason, interval, plan.harm_margin)


def _drift(
    since: SinceFirst, subject: Int64[np.ndarray, " decision"], plan: GatePlan
) -> Requirement:
    """Nothing is shown to be worse than with the first champion, whatever each step allowed."""
    gain = clustered_mean(since.gain, subject)
    if not np.isfinite(gain.value):
        reason = "No fresh patient can show what changed since the first champion."
        return Requirement("drift", True, reason, None, 0.0)
    low, high = gain.lower(SIDE_LEVEL), gain.upper(SIDE_LEVEL)
    lowest = {
        name: clustered_mean(change, subject).lower(SIDE_LEVEL)
        for name, change in since.harms.items()
    }
    grown = [
        f"{name} grew by at least {least:.4f}"
        for name, least in lowest.items()
        if least > plan.harm_margin
    ]
    margin = f"more than {plan.harm_margin:+g}"
    harms = f"no harm is shown to have grown by {margin}"
    if grown:
        harms = f"{' and '.join(grown)}, {margin}"
    reason = (
        f"Against the first champion the gain is {gain.value:+.4f} ({low:+.4f} to {high:+.4f}; the "
        f"upper bound must not be below 0), and {harms}."
    )
    holds = high >= 0 and not grown
    return Requirement("drift", holds, reason, Interval(gain.value, low, high), 0.0)


def _groups(evidence: GateEvidence) -> Requirement:
    """No group is clearly worse: no upper bound below 0, at GROUP_LEVEL / groups."""
    means = {
        name: clustered_mean(evidence.gain[members], evidence.subject[members])
        for name, members in evidence.groups.items()
    }
    judged = {n: mean for n, mean in means.items() if mean.patients >= MIN_GROUP}
    left = len(means) - len(judged)
    too_small = f" {left} of {len(means)} groups are too small to judge." if left else ""
    if not judged:
        reason = (
            f"No group has {MIN_GROUP} fresh patients: none can be shown to be worse, none to be "
            "as well off."
        )
        return Requirement("groups", True, reason, None, 0.0)
    level = GROUP_LEVEL / len(judged)
    worst = min(judged, key=lambda name: judged[name].upper(level))
    mean = judged[worst]
    interval = Interval(mean.value, mean.lower(level), mean.upper(level))
    holds = interval.high >= 0
    reason = (
        f"{'No group is clearly worse' if holds else 'A group is clearly worse'}: lowest is "
        f"{worst}, {mean.value:+.4f} ({interval.low:+.4f} to {interval.high:+.4f}, "
        f"{mean.patients:,} patients).{too_small}"
    )
    return Requirement("groups", holds, reason, interval, 0.0)
