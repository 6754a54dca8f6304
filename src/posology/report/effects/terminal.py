"""An effect study on the terminal, within 80 columns: options, rules, overlap."""

import math

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.intervals import Difference
from posology.report.effects.content import RawData
from posology.report.effects.text import describe_personalisation
from posology.report.text import Scale, begin_sentence, format_p, format_share


def render_effects(results: EffectStudy, raw: RawData, scale: Scale) -> Group:
    """Average effects, value of every rule and overlap; the rest is in the report.

    Where no option is judged, the overlap alone, which says why.
    """
    parts: list[Table | Text] = []
    if results.option_effects:
        parts.append(_option_effects(results, raw, scale))
    if not results.verdict.overlap.judged:
        return Group(_overlap(results))
    if results.rule_values:
        parts += _rule_values(results, scale)
    if results.abstention is not None:
        parts.append(_single_patients(results.abstention, results.verdict.comparator_name))
    h = results.heterogeneity
    note = (
        f"Outcomes in {scale.unit}. Heterogeneity of effects: slope {h.slope:.2f}, "
        f"{format_p(h.p)}.{describe_personalisation(results)} No patient is evaluated with a rule "
        "learned from them. Intervals of adjusted effects, and of gains of one option for all, "
        "hold for all options together (max-t); every other interval holds for itself alone."
    )
    return Group(*parts, _overlap(results), Text(note, style="dim"))


def _option_effects(results: EffectStudy, raw: RawData, scale: Scale) -> Table:
    """Average effect of each option; E-values and Gammas are in the report."""
    title = f"Average effect against {results.verdict.comparator_name} (95 % intervals)"
    table = _table(title, "Option", "Unadjusted", "Adjusted")
    for o in results.option_effects:
        table.add_row(
            o.effect.option,
            scale.format_difference(unadjusted_difference(results, raw, o.effect.option)),
            scale.format_difference(o.effect.effect),
        )
    return table


def unadjusted_difference(results: EffectStudy, raw: RawData, option: str) -> Difference:
    """The raw difference of an option from the reference."""
    names = [o.name for o in results.verdict.overlap.options]
    source = raw.curves or raw.outcome
    nothing = Difference(*[float("nan")] * 4)
    return nothing if source is None else source.differences[names.index(option)]


def _rule_values(results: EffectStudy, scale: Scale) -> list[Table | Text]:
    """The value of each rule, then the reasons why one is not stated."""
    verdict = results.verdict
    title = (
        f"Value of following a rule; gains (95 %) over the best single option of other patients, "
        f"{verdict.best_singles}, and over {verdict.reference_name}"
    )
    heads = ("Mean\noutcome", "Gain over best", f"Gain over\n{_short(verdict.reference_name)}")
    table = _table(title, "Rule", *heads)
    notes: list[Table | Text] = []
    for v in results.rule_values:
        known = not math.isnan(v.value.value)
        gains = (v.gain, v.reference_gain)
        table.add_row(
            v.rule,
            scale.format_value(v.value.value) if known else "not stated",
            *(_gain(g, scale) for g in gains),
        )
        if v.reason:
            notes.append(Text(begin_sentence(f"{v.rule}: {v.reason}.")))
        if v.restricted_share:
            share = format_share(v.restricted_share)
            notes.append(
                Text(f"{v.rule}: at {share} of decisions it would choose an option not judged.")
            )
    return [table, *notes]


def _gain(gain: Difference, scale: Scale) -> str:
    if math.isnan(gain.value):
        return "not stated"
    return "0" if gain.low == gain.high == 0 else scale.format_difference(gain)


def _short(name: str) -> str:
    """A heading that leaves room for intervals; the title has the whole name."""
    return name if len(name) <= _HEAD_WIDTH else "reference"


def _overlap(results: EffectStudy) -> Table:
    overlap = _table(
        "Overlap", "Option", "Given to", "Effective\nsample size", "Propensity\noutside 5-95 %"
    )
    for o in results.verdict.overlap.options:
        overlap.add_row(
            f"{o.name}, not judged: {o.reason}" if o.reason else o.name,
            f"{o.patients:,}",
            f"{o.effective_sample_size:,.0f}",
            format_share(o.extreme_share),
        )
    return overlap


def _single_patients(abstention: Abstention, best: str) -> Table:
    """Share of patients for whom an option is clearly better or worse."""
    title = f"Effect for one patient against {best}: intervals that exclude 0"
    table = _table(title, "Option", "Clearly\nbetter", "Clearly\nworse", "No reliable\ndifference")
    for o in abstention.options:
        neither = format_share(1 - o.better_share - o.worse_share)
        table.add_row(o.option, format_share(o.better_share), format_share(o.worse_share), neither)
    return table


_HEAD_WIDTH = 18
"""Widest heading of a column of intervals."""


def _table(title: str, *heads: str) -> Table:
    """A table whose first column wraps and whose figures never do."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(heads):
        justify = "right" if at else "left"
        table.add_column(head, justify=justify, no_wrap=bool(at), overflow="fold")
    return table
