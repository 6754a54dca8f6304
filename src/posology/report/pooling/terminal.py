"""Pooled effects on the terminal, one table within 80 columns; the page has each hospital.

Folded, it has the comparisons with the reference in all patients, and those that differ between
hospitals; a study of five options and six groups has some 200 others.
"""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.domain.statistics.study_summary import HARM
from posology.evaluation.pooling.pool import PooledEffect, PooledStudy
from posology.evaluation.pooling.words import (
    DIFFER_P,
    HETEROGENEOUS,
    describe_pooled,
    heterogeneity_kind,
)
from posology.report.pooling.text import describe_scope, effect_scale
from posology.report.text import format_p_value, format_share

_LEGEND = (
    "Another hospital: where the true effect of a hospital that is not here lies in 95 %. I²: "
    f"share of the variation that is not chance. * The hospitals differ (p below {DIFFER_P:g}): "
    "the average holds for none of them in particular. Without it no difference is shown; few "
    "hospitals may be too few to see one. Each hospital, what is held back and how far hospitals "
    "differ: --report or --json."
)
_FOLDED = "{number} more, of pairs of options and of groups, do not differ: --all or --json."


def render_pooled(study: PooledStudy, every: bool = False) -> Group:
    """What the first comparison shows in words, then comparisons in rows; `every`: all of them."""
    parts: list[Text | Table] = [Text(describe_scope(study), style="bold")]
    parts += [Text(f"Note: {note}") for note in study.notes]
    if not study.effects:
        return Group(*parts, Text("Nothing is shared by two hospitals."))
    shown = [effect for effect in study.effects if every or _is_shown(study, effect)]
    folded = len(study.effects) - len(shown)
    more = [Text(_FOLDED.format(number=f"{folded:,}"))] if folded else []
    return Group(
        *parts,
        Text(" ".join(describe_pooled(study.effects[0]))),
        _table(shown, len(study.hospitals)),
        *more,
        Text(_LEGEND, style="dim"),
    )


def _is_shown(study: PooledStudy, effect: PooledEffect) -> bool:
    """Whether the folded table has it: the reference's, of all patients, or one that differs."""
    if heterogeneity_kind(effect) == HETEROGENEOUS:
        return True
    return not effect.outcome.group and effect.against == study.summaries[0].analysis.reference


def _table(effects: Sequence[PooledEffect], hospitals: int) -> Table:
    """Comparisons under the name and unit of their outcome."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Comparison", overflow="fold")
    table.add_column("All hospitals (95 %)", justify="right")
    table.add_column("Another hospital", justify="right")
    table.add_column("I², p", justify="right")
    for title, of_outcome in groupby(effects, _outcome_title):
        table.add_row(Text(title, style="bold"))
        for effect in of_outcome:
            table.add_row(*_row(effect, hospitals))
        table.add_section()
    return table


def _outcome_title(effect: PooledEffect) -> str:
    """`bleeding (percentage points, lower is better)`, with the group."""
    outcome = effect.outcome
    unit = effect_scale(effect).unit
    side = "lower is better" if outcome.role == HARM else ""
    known = ", ".join(part for part in (unit, side) if part)
    group = f", {outcome.family}: {outcome.group}" if outcome.group else ""
    return f"{outcome.name}{group} ({known})" if known else f"{outcome.name}{group}"


def _row(effect: PooledEffect, hospitals: int) -> tuple[str, str, str, str]:
    """Comparison, pooled difference, prediction, heterogeneity."""
    number, pooled, scale = len(effect.hospitals), effect.pooled, effect_scale(effect)
    few = f" ({number} of {hospitals} hospitals)" if 1 < number < hospitals else ""
    name = f"  {effect.title} against {effect.against_title}{few}"
    if pooled is None:
        return name, f"{effect.hospitals[0].hospital} alone", "", ""
    mark = "*" if heterogeneity_kind(effect) == HETEROGENEOUS else " "
    return (
        name,
        scale.format_difference(pooled.mean),
        scale.format_interval(pooled.prediction) if pooled.prediction else "",
        f"{format_share(pooled.i_squared)}, {format_p_value(pooled.q_p)}{mark}",
    )
