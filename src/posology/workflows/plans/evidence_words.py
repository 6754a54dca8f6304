"""What the figures of a plan are, on what evidence, and whether their intervals were checked."""

from posology.advice.wording.lists import listed
from posology.language.catalogue import deferred, tr, tr_count
from posology.language.numbers import number
from posology.learners.trajectories.interval_width import COVERAGE, CoverageCheck
from posology.workflows.plans.learn import PlanModel

ADJUSTED = deferred(
    "What happened to patients who were treated so: an association in records, adjusted for the "
    "values and treatments before each step (time-varying confounding). It is what the plan does "
    "only if nothing else guided treatment."
)
NOT_CHECKED = deferred(
    "Not checked: too few validation patients, or a model of an earlier version."
)


def learned_words(model: PlanModel) -> str:
    """From how many patients, in which steps."""
    text = tr(
        "{count} patients who were measured at least twice, in steps of {days} days, {steps} at "
        "most."
    )
    if not model.learned_from:
        text = tr("Measured in steps of {days} days, {steps} at most.")
    return text.format(
        count=number(f"{model.learned_from:,}"),
        days=f"{model.grid.step_days:.0f}",
        steps=model.trajectories.horizon,
    )


def checked_words(model: PlanModel) -> str:
    """How often the intervals held the value of validation patients."""
    check = model.trajectories.check
    if check is None:
        return tr(NOT_CHECKED)
    changed = model.trajectories.check_of_changes
    patients, held = number(f"{check.patients:,}"), _shares(check)
    if changed is None:
        return tr(
            "In {patients} validation patients intervals held {shares}. Under a change of "
            "treatment: not checked, too few patients changed it."
        ).format(patients=patients, shares=held)
    return tr(
        "In {patients} validation patients intervals held {shares}; in {changed} who changed their "
        "treatment {shares_changed}."
    ).format(
        patients=patients,
        shares=held,
        changed=number(f"{changed.patients:,}"),
        shares_changed=_shares(changed),
    )


def _shares(check: CoverageCheck) -> str:
    shares = [f"{100 * share:.0f}" for share in check.covered]
    text = tr_count(
        "{shares} of 100 values after step 1 (aim: {aim})",
        "{shares} of 100 values after steps 1 to {last} (aim: {aim})",
        len(shares),
    )
    return text.format(shares=listed(shares), last=len(shares), aim=f"{100 * COVERAGE:.0f}")
