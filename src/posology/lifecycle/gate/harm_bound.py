"""A harm whose change cannot be estimated, such as one that nobody had, judged by its bounds.

That no patient of N had it does not say that nobody will: by the rule of three up to 3 / N may
(Hanley and Lippman-Hand 1983, doi:10.1001/jama.1983.03330370053031). Each model has such a bound,
of the patients who were treated as it would have; where both are as well known, the challenger
cannot be blamed for what nobody knows, and where it moves to what is known of few, it can.
"""

from dataclasses import dataclass

from scipy.stats import beta

from posology.evaluation.gate.requirement import Requirement

_NAME = "harm"


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known of a harm in patients treated as a model would treat them."""

    size: float
    """How many patients they are worth after weighting."""
    share: float = 0.0
    """Weighted share of them who had it."""
    unknown: float = 0.0
    """Share of the model's choices that are options of which the harm is known of nobody."""

    def upper(self, alpha: float) -> float:
        """One-sided upper bound of the risk (Clopper and Pearson 1934, at the effective size)."""
        had = self.share * self.size
        alive = self.size - had
        known = float(beta.ppf(1 - alpha, had + 1, alive)) if alive > 0 else 1.0
        return (1 - self.unknown) * known + self.unknown


@dataclass(frozen=True, slots=True)
class UnestimatedHarm:
    """A harm, and what is known of it under each model."""

    why: str
    """Why its change cannot be estimated."""
    champion: Followed
    challenger: Followed
    largest: float = 1.0
    """What the harm counts where it happens: 1, or its cost in the reward's unit."""


def judge_bound(name: str, harm: UnestimatedHarm, margin: float, alpha: float) -> Requirement:
    """Whether the challenger's bound is at most the margin above the champion's."""
    before, after = (
        harm.largest * followed.upper(alpha) for followed in (harm.champion, harm.challenger)
    )
    reason = (
        f"{name}: {harm.why.rstrip('.')}, so that its change cannot be estimated. With "
        f"{1 - alpha:.0%} confidence it is at most {after:.4f} under the challenger (as known of "
        f"{harm.challenger.size:.0f} patients treated so) and {before:.4f} under the champion "
        f"({harm.champion.size:.0f}); up to {margin:+g} more is accepted."
    )
    return Requirement(_NAME, after - before <= margin, reason, None, margin)
