"""What whole courses earn, in words and rows: the same on the page and on the terminal."""

from posology.evaluation.off_policy.support import Refusal
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.effects.text import Scale

TITLE = "What whole courses earn"
HEADS = ("Followed", "Estimate", "Mean (95 %)", "Gain (95 %)", "Effective")
_NAMES = {"dr": "doubly robust", "wdr": "normalised", "wis": "weighted"}
_SCALE = Scale("", 1.0)


def rows(found: TrajectoryValue) -> list[tuple[str, ...]]:
    """Usual care, then the policy by each estimator."""
    usual = f"{_SCALE.value(found.usual_care.value)} ({_SCALE.span(found.usual_care)})"
    told = [("usual care", "as it was", usual, "", f"{found.patients:,}")]
    for each in found.estimates:
        value, gain = "not stated", ""
        if each.value is not None and each.gain is not None:
            value = f"{_SCALE.value(each.value.value)} ({_SCALE.span(each.value)})"
            gain = _SCALE.change(each.gain)
        name = _NAMES[each.result.estimator]
        told.append((each.policy, name, value, gain, f"{each.result.effective_size:,.0f}"))
    return told


def reasons(found: TrajectoryValue) -> list[str]:
    """Why what is refused is, each reason once."""
    said = (
        f"{each.policy}: {each.result.reason}."
        for each in found.estimates
        if isinstance(each.result, Refusal)
    )
    return list(dict.fromkeys(said))


def note(found: TrajectoryValue) -> str:
    """On whom, and what the figures mean."""
    return (
        f"{found.patients:,} patients of the test split, {found.decisions:.1f} decisions each; "
        f"{found.excluded:,} more were not followed to their course's end. In the study's reward, "
        "from the first decision to the last; gains are over usual care, on the same patients. "
        "Estimates: doubly robust, the same with normalised weights, and whole courses weighted. "
        "Records of care hide reasons that no weight mends."
    )
