"""The section on harms and costs, each as an outcome of its own."""

from posology.evaluation.arms.raw_outcomes import RawOutcome
from posology.evaluation.effects.effect_study import EffectStudy, Harm
from posology.evaluation.intervals import Difference
from posology.report.effects.arm_sections import COMPARATOR, describe_raw
from posology.report.effects.content import Fold, RawData, Section, SectionTable
from posology.report.effects.forest import forest_cells
from posology.report.text import Scale, format_p_value

_A_TABLE = 4
"""Harms side by side in one table."""
_PER_100 = Scale("per 100 patients", 100.0)
_OWN_UNIT = Scale("", 1.0)


def harms(results: EffectStudy, raw: RawData) -> Section:
    """Each harm by option, per 100 patients; raw figures and pictures are folded."""
    text = "The study file names no harm and no cost ([[diagnosis]], [reward] costs)."
    if results.harms:
        text = (
            "Differences in harms and costs, adjusted; above 0 is more harm. A harm that no option "
            "can cause is a negative control: an effect on it would reveal confounding. Harms are "
            "not weighed against the benefit here."
        )
    missing = tuple(f"No effect on {name}: {why}." for name, why in results.not_estimable)
    if missing and not results.harms:
        text = "Effects on none of the study's harms and costs can be estimated."
    parts = [results.harms[i : i + _A_TABLE] for i in range(0, len(results.harms), _A_TABLE)]
    return Section(
        id="harms",
        short_title="Harms",
        title="What are the harms and costs?",
        paragraphs=(text, *missing),
        tables=tuple(_overview(part, raw, results) for part in parts),
        folds=tuple(
            Fold(f"{_name(h)}: counts, unadjusted and adjusted", tables=(_table(h, raw, results),))
            for h in results.harms
        ),
    )


def _overview(part: tuple[Harm, ...], raw: RawData, results: EffectStudy) -> SectionTable:
    """Adjusted differences of a few harms: a row for each option, then the rule."""
    reference = results.verdict.comparator_name
    names = [e.option for e in part[0].options]
    observed = [raw.harms.get(h.rule.outcome) for h in part]
    rows = [
        (f"{reference} ({COMPARATOR}, unadjusted)", *(_raw(o, _reference(o))[0] for o in observed)),
        *(
            (name, *(_scale(h, raw).format_difference(_effect(h, name)) for h in part))
            for name in names
        ),
        (
            f"the rule, against {results.verdict.single_reference}",
            *(_adjusted(h.rule.difference, _scale(h, raw))[0] for h in part),
        ),
    ]
    caption = (
        f"Difference from {reference}, adjusted (95 %): per 100 patients; costs in their own unit."
    )
    return SectionTable(caption, ("Option", *(_name(h) for h in part)), tuple(rows))


def _effect(harm: Harm, option: str) -> Difference:
    unknown = Difference(*[float("nan")] * 4)
    return next((e.effect for e in harm.options if e.option == option), unknown)


def _scale(harm: Harm, raw: RawData) -> Scale:
    return _PER_100 if harm.rule.outcome in raw.harms else _OWN_UNIT


def _name(harm: Harm) -> str:
    return f"{harm.rule.outcome[:1].upper()}{harm.rule.outcome[1:]}"


def _reference(observed: RawOutcome | None) -> int | None:
    return None if observed is None else observed.comparator


def _table(harm: Harm, raw: RawData, results: EffectStudy) -> SectionTable:
    """One harm: a row for each option, then the rule."""
    observed, comparator = raw.harms.get(harm.rule.outcome), results.verdict.comparator_name
    scale = _scale(harm, raw)
    rows = []
    differences: list[Difference | None] = []
    if observed is not None:
        rows.append((f"{comparator} ({COMPARATOR})", *_raw(observed, observed.comparator), "", ""))
        differences.append(Difference(0.0, 0.0, 0.0, 1.0))
    for effect in harm.options:
        index = _index(observed, effect.option)
        rows.append((effect.option, *_raw(observed, index), *_adjusted(effect.effect, scale)))
        differences.append(scale.rescale(effect.effect))
    single = results.verdict.single_reference
    rows.append((f"the rule, against {single}", "", "", *_adjusted(harm.rule.difference, scale)))
    differences.append(scale.rescale(harm.rule.difference))
    plots, axis = forest_cells(differences, higher_is_better=False)
    heads = (
        "Option",
        "Unadjusted, n/N (%)",
        "Difference, unadjusted (95 %)",
        "Difference, adjusted (95 %)",
        "p",
    )
    unit = ", per 100 patients" if observed is not None else ""
    caption = f"{_name(harm)}{unit}; differences from {comparator}."
    return SectionTable(caption, heads, tuple(rows), plots, axis)


def _index(observed: RawOutcome | None, option: str) -> int | None:
    if observed is None:
        return None
    return next((k for k, arm in enumerate(observed.arms) if arm.option == option), None)


def _raw(observed: RawOutcome | None, k: int | None) -> tuple[str, str]:
    if observed is None or k is None:
        return "", ""
    difference = observed.differences[k]
    text = "" if k == observed.comparator else _PER_100.format_difference(difference)
    return describe_raw(observed.arms[k], is_share=True), text


def _adjusted(difference: Difference, scale: Scale) -> tuple[str, str]:
    if difference.low == difference.high == 0:
        return "0", ""
    return scale.format_difference(difference), format_p_value(difference.p)
