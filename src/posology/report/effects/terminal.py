"""An effect study on the terminal: values, average effects, overlap."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
from posology.report.effects.text import describe_personalisation
from posology.report.text import Scale, format_p, format_share


def render_effects(results: EffectStudy, scale: Scale) -> Group:
    """Value of every rule, average effects and overlap; the rest is in the report."""
    parts: list[Table | Text] = []
    if results.rule_values:
        values = _table(
            "Value of following a rule",
            "Rule",
            "Mean outcome",
            "Gain over the best",
            "Effective sample size",
        )
        for v in results.rule_values:
            values.add_row(
                v.rule,
                scale.format_estimate(v.value),
                scale.format_difference(v.gain),
                f"{v.effective_sample_size:,.0f}",
            )
        parts.append(values)
    if results.option_effects:
        title = f"Average effect against {results.verdict.best_single}"
        effects = _table(
            title, "Option", "Difference (95 %)", "E-value (of the limit)", "Gamma of the limit"
        )
        for o in results.option_effects:
            effects.add_row(
                o.effect.option,
                scale.format_difference(o.effect.effect),
                f"{o.confounder_strength.e_value:.2f} ({o.confounder_strength.e_value_limit:.2f})",
                f"{o.confounder_strength.gamma:.2f}",
            )
        parts.append(effects)
    if results.abstention is not None:
        parts.append(_single_patients(results.abstention, results.verdict.best_single))
    overlap = _table(
        "Overlap", "Option", "Received by", "Effective sample size", "Propensity outside 5-95 %"
    )
    for o in results.verdict.overlap.options:
        overlap.add_row(
            o.name,
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
        table.add_column(head, justify="right" if at else "left")
    return table
