"""What the figures of a plan are, on what evidence, and whether their intervals were checked."""

from posology.learners.trajectories.interval_width import COVERAGE, CoverageCheck
from posology.workflows.plans.learn import PlanModel

ADJUSTED = (
    "What happened to patients who were treated so: an association in records, adjusted for the "
    "values and treatments before each step (time-varying confounding). It is what the plan does "
    "only if nothing else guided treatment."
)
NOT_CHECKED = "Not checked: too few validation patients, or a model of an earlier version."


def learned_words(model: PlanModel) -> str:
    """From how many patients, in which steps."""
    steps = f"steps of {model.grid.step_days:.0f} days, {model.trajectories.horizon} at most"
    if not model.learned_from:
        return f"Measured in {steps}."
    return f"{model.learned_from:,} patients who were measured at least twice, in {steps}."


def checked_words(model: PlanModel) -> str:
    """How often the intervals held the value of validation patients."""
    check = model.trajectories.check
    if check is None:
        return NOT_CHECKED
    changed = model.trajectories.check_of_changes
    words = f"In {check.patients:,} validation patients intervals held {_shares(check)}"
    if changed is None:
        return f"{words}. Under a change of treatment: not checked, too few patients changed it."
    return f"{words}; in {changed.patients:,} who changed their treatment {_shares(changed)}."


def _shares(check: CoverageCheck) -> str:
    shares = [f"{100 * share:.0f}" for share in check.covered]
    listed = " and ".join(part for part in (", ".join(shares[:-1]), shares[-1]) if part)
    steps = "step 1" if len(shares) == 1 else f"steps 1 to {len(shares)}"
    return f"{listed} of 100 values after {steps} (aim: {100 * COVERAGE:.0f})"
