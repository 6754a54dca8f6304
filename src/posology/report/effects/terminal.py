"""An effect study on the terminal: values, average effects, overlap."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
from posology.report.effects.text import describe_personalisation
from posology.report.text import Scale, format_p, format_share

_NAME_WIDTH = 17
"""Least width of names, so that on a terminal of 80 columns their words are not cut."""


def render_effects(results: EffectStudy, scale: Scale) -> Group:
    """Value of every rule, average effects and overlap; the rest is in the report."""
    parts: list[Table | Text] = []
    if results.rule_values:
        parts += _rule_values(results, scale)
    if results.option_effects:
        parts.append(_option_effects(results, scale))
    if results.abstention is not None:
        parts.append(_single_patients(results.abstention, results.verdict.comparator_name))
    overlap = _table(
        "Overlap", "Option", "Received by", "Effective sample size", "Propensity outside 5-95 %"
    )
    for o in results.verdict.overlap.options:
        overlap.add_row(
            f"{o.name}, not judged: {o.reason}" if o.reason else o.name,
            f"{o.patients:,}",
            f"{o.effective_sample_size:,.0f}",
            format_share(o.extreme_share),
        )
    h = results.heterogeneity
    note = (
        f"Outcomes in {scale.unit}. Heterogeneity of effects: slope {h.slope:.2f}, "
        f"{format_p(h.p)}.{describe_personalisation(results)} No patient is evaluated with a rule "
        "learned from them."
    )
    return Group(*parts, overlap, Text(note, style="dim"))


def _rule_values(results: EffectStudy, scale: Scale) -> list[Table | Text]:
    """The value of each rule, then the reasons why one is not stated."""
    reference = results.verdict.reference_name
    table = _table(
        "Value of following a rule",
        "Rule",
        "Mean outcome",
        "Gain over the best single option",
        f"Gain over {reference}",
        "Effective sample size",
    )
    notes: list[Table | Text] = []
    for v in results.rule_values:
        gains = (v.gain, v.reference_gain)
        table.add_row(
            v.rule,
            scale.format_estimate(v.value) if v.value.value == v.value.value else "not stated",
            *("not stated" if g.value != g.value else scale.format_difference(g) for g in gains),
            f"{v.effective_sample_size:,.0f}",
        )
        if v.reason:
            notes.append(Text(f"{v.rule}: {v.reason}."))
        if v.restricted_share:
            share = format_share(v.restricted_share)
            notes.append(
                Text(f"{v.rule}: at {share} of decisions it would choose an option not judged.")
            )
    return [table, *notes]


def _option_effects(results: EffectStudy, scale: Scale) -> Table:
    """Average effect of each option; in a trial nothing is said of confounding."""
    title = f"Average effect against {results.verdict.comparator_name}"
    is_confounded = any(o.confounder_strength for o in results.option_effects)
    strengths = ("E-value (of the limit)", "Gamma of the limit") if is_confounded else ()
    table = _table(title, "Option", "Difference (95 %)", *strengths)
    for o in results.option_effects:
        s = o.confounder_strength
        cells = (f"{s.e_value:.2f} ({s.e_value_limit:.2f})", f"{s.gamma:.2f}") if s else ()
        table.add_row(o.effect.option, scale.format_difference(o.effect.effect), *cells)
    return table


def _single_patients(abstention: Abstention, best: str) -> Table:
    """Share of patients for whom an option is clearly better or worse."""
    title = f"Effect for one patient against {best}: intervals that exclude 0"
    table = _table(title, "Option", "Clearly better", "Clearly worse", "No reliable difference")
    for o in abstention.options:
        neither = format_share(1 - o.better_share - o.worse_share)
        table.add_row(o.option, format_share(o.better_share), format_share(o.worse_share), neither)
    return table


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(heads):
        width = None if at else _NAME_WIDTH
        table.add_column(head, justify="right" if at else "left", min_width=width)
    return table
