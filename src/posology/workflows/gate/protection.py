"""Whether a learned policy or usual care is used over many decisions, and how that is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posology.evaluation.off_policy.harm_budgets import describe_finding
from posology.language.catalogue import deferred, tr
from posology.language.kept import in_other_words

EVIDENCE = "protection"
"""Key in a saved policy's evidence."""
BUDGETS = "budgets"
"""Key of what the policy costs of each harm budget."""
_REASONS = (
    (
        r"only (?P<patients>\d+) validation patients were followed to the end of their trajectory, "
        r"(?P<needed>\d+) are needed",
        deferred(
            "only {patients} validation patients were followed to the end of their trajectory, "
            "{needed} are needed"
        ),
    ),
    (
        r"only (?P<patients>\d+) validation patients were followed, (?P<needed>\d+) are needed",
        deferred("only {patients} validation patients were followed, {needed} are needed"),
    ),
    (
        r"only (?P<alike>\d+) of (?P<patients>\d+) validation patients count as treated like that, "
        r"(?P<needed>\d+) are needed",
        deferred(
            "only {alike} of {patients} validation patients count as treated like that, {needed} "
            "are needed"
        ),
    ),
    (
        r"gain (?P<gain>\S+), at least (?P<low>\S+) with (?P<percent>\d+) % confidence, on "
        r"(?P<patients>\d+) validation patients",
        deferred(
            "gain {gain}, at least {low} with {percent} % confidence, on {patients} validation "
            "patients"
        ),
    ),
    (
        r"no policy was shown to hold every harm budget, namely (?P<harms>.+)",
        deferred("no policy was shown to hold every harm budget, namely {harms}"),
    ),
)
"""The reasons against a policy that `fit` keeps, in English."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What was found on validation patients, and what is used because of it."""

    is_used: bool
    """Whether the learned policy is used; else it is usual care."""
    reason: str
    """One sentence, for people."""
    gain: float | None = None
    low: float | None = None
    """Lower bound of the gain: it lies above the true gain with a chance of at most 5 %."""
    patients: int = 0
    effective: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As kept with the policy."""
        return {
            "used": self.is_used,
            "reason": self.reason,
            "gain": self.gain,
            "low": self.low,
            "patients": self.patients,
            "effective": self.effective,
        }


def describe_protection(evidence: Mapping[str, Any]) -> str:
    """The sentence that `fit` and every recommendation show; empty where there is nothing to say.

    `evidence` is a saved policy's.
    """
    found = evidence.get(EVIDENCE)
    if found is None or found["used"]:
        return ""
    return tr(
        "These options are ranked by how usual they are: no policy was shown to be better than "
        "usual care ({reason})."
    ).format(reason=in_other_words(found["reason"], _REASONS) or found["reason"])


def describe_evidence(evidence: Mapping[str, Any]) -> list[str]:
    """Lines for `fit`: why this method, what is better than usual care, budgets and warnings."""
    lines = [evidence["reason"]] if "reason" in evidence else []
    protection = evidence.get(EVIDENCE)
    if protection is not None and protection["used"]:
        lines.append(f"Better than usual care: {protection['reason']}.")
    lines += [describe_finding(found) for found in evidence.get(BUDGETS, [])]
    return [*lines, *(f"Warning: {text}" for text in evidence["warnings"])]
