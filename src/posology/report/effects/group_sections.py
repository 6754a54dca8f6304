"""The section on groups of patients: those that differ are shown, the others are folded."""

import math

from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.subgroup_gain import SubgroupBenefit, SubgroupGain
from posology.evaluation.intervals import Difference, Interval
from posology.report.effects.content import Fold, Section, SectionTable
from posology.report.effects.forest import forest_cells
from posology.report.text import Scale, format_number, format_share

_Line = tuple[SubgroupGain, SubgroupBenefit]


def groups(results: EffectStudy, scale: Scale) -> Section | None:
    """Average effects and the rule's gain by group."""
    if not results.subgroups:
        return None
    whole = {o.effect.option: o.effect.effect for o in results.option_effects}
    lines = [(g, b) for g in results.subgroups for b in g.benefits]
    differing = [line for line in lines if _differs(line[1], whole)]
    judged = len({(g.family, g.group) for g, _ in lines})
    if differing:
        text = (
            f"Of {judged} groups with enough patients, these have an interval that excludes the "
            "average effect of all patients. It is not corrected for the number of groups: a "
            "reason to look, not a finding."
        )
    else:
        text = (
            f"In none of {judged} groups with enough patients does the effect's interval exclude "
            "the average effect of all patients."
        )
    caption = f"Groups that differ from the average, {scale.unit}."
    return Section(
        id="groups",
        short_title="Groups",
        title="Does any group differ?",
        paragraphs=(text,),
        tables=(_effects(caption, differing, scale),) if differing else (),
        folds=(
            Fold(
                f"All {len(results.subgroups)} groups",
                tables=(
                    _rule_by_group(results, scale),
                    _effects(f"Average effect by group, {scale.unit}.", lines, scale),
                ),
            ),
        ),
    )


def _differs(benefit: SubgroupBenefit, whole: dict[str, Difference]) -> bool:
    """Whether the group's interval excludes the average effect of all patients."""
    average = whole.get(benefit.option)
    if average is None:
        return False
    return not benefit.observed.low <= average.value <= benefit.observed.high


def _effects(caption: str, lines: list[_Line], scale: Scale) -> SectionTable:
    rows = tuple(
        (
            f"{g.family}: {g.group}",
            f"{g.patients_in_population:,}",
            f"{b.option} against {b.comparator}",
            scale.format_difference(b.observed),
            format_number(scale.factor * b.predicted)
            + ("" if b.observed.low <= b.predicted <= b.observed.high else ", outside"),
        )
        for g, b in lines
    )
    scaled = [_rescale(b.observed, scale.factor) for _, b in lines]
    plots, axis = forest_cells(scaled)
    heads = ("Group", "Patients", "Contrast", "Effect (95 %)", "Predicted")
    return SectionTable(caption, heads, rows, plots, axis)


def _rescale(interval: Interval, factor: float) -> Interval:
    return Interval(factor * interval.value, factor * interval.low, factor * interval.high)


def _rule_by_group(results: EffectStudy, scale: Scale) -> SectionTable:
    rows = tuple(
        (
            f"{g.family}: {g.group}",
            f"{g.patients:,}",
            format_share(g.in_population / g.n) if g.n else "",
            format_share(g.differing_share),
            scale.format_estimate(g.value) if not math.isnan(g.value.value) else "",
            scale.format_difference(g.gain),
        )
        for g in results.subgroups
    )
    heads = (
        "Group",
        "Patients",
        "Analysed",
        "Rule differs",
        "Mean outcome by it (95 %)",
        "Gain (95 %)",
    )
    return SectionTable("The rule by group, in the analysis population.", heads, rows)
