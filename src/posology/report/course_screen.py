"""The value of whole courses on the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.course_value import CourseValue
from posology.evaluation.effective_sample import Refusal
from posology.report.effect_words import Scale

_NAMES = {"dr": "doubly robust", "wdr": "normalised", "wis": "weighted"}
SCALE = Scale("", 1.0)


def show(found: CourseValue) -> Group:
    """Usual care, then the policy by each estimator; beneath, why what is refused is."""
    table = Table(
        title="What whole courses earn", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for at, head in enumerate(("Followed", "Estimate", "Mean (95 %)", "Gain", "Effective")):
        table.add_column(head, justify="right" if at > 1 else "left", no_wrap=True)
    usual = f"{SCALE.value(found.usual.value)} ({SCALE.span(found.usual)})"
    table.add_row("usual care", "as it was", usual, "", f"{found.patients:,}")
    reasons = {}
    for each in found.followed:
        value, gain = "not stated", ""
        if each.value is not None and each.gain is not None:
            value = f"{SCALE.value(each.value.value)} ({SCALE.span(each.value)})"
            gain = SCALE.change(each.gain)
        if isinstance(each.said, Refusal):
            reasons[each.way, each.said.reason] = f"{each.way}: {each.said.reason}."
        name = _NAMES[each.said.estimator]
        table.add_row(each.way, name, value, gain, f"{each.said.effective:,.0f}")
    note = (
        f"{found.patients:,} patients of the test split, {found.decisions:.1f} decisions each; "
        f"{found.left_out:,} more were not followed to their course's end. In the study's reward, "
        "from the first decision to the last; gains are over usual care, on the same patients. "
        "Estimates: doubly robust, the same with normalised weights, and whole courses weighted. "
        "Records of care hide reasons that no weight mends."
    )
    return Group(table, *(Text(reason) for reason in reasons.values()), Text(note, style="dim"))
