"""The report on effects on the terminal: values, and who could be judged."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
from posology.report.effects.text import Scale, learned, p_value, share


def show(found: EffectStudy, scale: Scale) -> Group:
    """The value of every rule, average effects, overlap; the rest stands in the report."""
    parts: list[Table | Text] = []
    if found.rule_values:
        values = _new(
            "What following a rule is worth", "Rule", "Mean outcome", "Gain over the best",
            "Effective patients",
        )  # fmt: skip
        for v in found.rule_values:
            values.add_row(v.rule, f"{scale.value(v.value.value)} ({scale.span(v.value)})",
                           scale.change(v.gain), f"{v.effective_sample_size:,.0f}")  # fmt: skip
        parts.append(values)
    if found.option_effects:
        title = f"Average effect against {found.verdict.best_single}"
        effects = _new(title, "Option", "Difference (95 %)", "E-value", "Gamma at nothing")
        for o in found.option_effects:
            effects.add_row(
                o.effect.option,
                scale.change(o.effect.effect),
                f"{o.confounder_strength.e_value:.2f}",
                f"{o.confounder_strength.gamma:.2f}",
            )
        parts.append(effects)
    if found.abstention is not None:
        parts.append(_sure(found.abstention, found.verdict.best_single))
    overlap = _new("Who speaks for an option", "Option", "Given to", "Effective", "Outside 5-95 %")
    for o in found.verdict.overlap.options:
        overlap.add_row(
            o.name, f"{o.patients:,}", f"{o.effective_sample_size:,.0f}", share(o.extreme_share)
        )
    h = found.heterogeneity
    note = (
        f"Figures are {scale.unit}. Do effects differ between patients: slope {h.slope:.2f}, "
        f"{p_value(h.p)}.{learned(found)} Nobody is judged by a rule learned from them."
    )
    return Group(*parts, overlap, Text(note, style="dim"))


def _sure(told: Abstention, best: str) -> Table:
    """Of how many patients it can be told which option is better."""
    title = f"Effect on one patient against {best}: intervals that leave out 0"
    table = _new(title, "Option", "Surely better", "Surely worse", "No reliable difference")
    for o in told.options:
        table.add_row(
            o.option,
            share(o.better_share),
            share(o.worse_share),
            share(1 - o.better_share - o.worse_share),
        )
    return table


def _new(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(heads):
        table.add_column(head, justify="right" if at else "left")
    return table
