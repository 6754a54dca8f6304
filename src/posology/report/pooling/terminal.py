"""Pooled effects on the terminal, within 80 columns."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.domain.statistics.study_summary import OPTION, POLICY
from posology.evaluation.pooling.pool import PooledEffect, PooledStudy
from posology.evaluation.pooling.words import describe_pooled
from posology.report.pooling.text import (
    describe_heterogeneity,
    describe_scope,
    effect_scale,
    hospital_difference,
)
from posology.report.text import Scale


def render_pooled(study: PooledStudy) -> Group:
    """Each comparison of all patients in words and with its hospitals; then every other in a line.

    Rules that were learned in each hospital and groups have a line; the page has their hospitals.
    """
    whole = [e for e in study.effects if not e.outcome.group and e.kind in (OPTION, POLICY)]
    parts: list[Text | Table] = [Text(describe_scope(study), style="bold")]
    parts += [Text(f"Note: {note}") for note in study.notes]
    for effect in whole:
        parts += [_one(effect), Text(" ".join(describe_pooled(effect)))]
        if effect.pooled is not None:
            parts.append(Text(describe_heterogeneity(effect, effect_scale(effect)), style="dim"))
    others = [e for e in study.effects if e not in whole and e.pooled is not None]
    if others:
        parts.append(_others(others))
    return Group(*parts)


def _one(effect: PooledEffect) -> Table:
    scale = effect_scale(effect)
    title = f"{effect.outcome.name}: {effect.title} against {effect.against_title}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Hospital", overflow="fold")
    table.add_column("Effect (95 %)", justify="right", no_wrap=True)
    table.add_column("Weight", justify="right", no_wrap=True)
    weights = effect.pooled.weights if effect.pooled else (1.0,)
    for hospital, weight in zip(effect.hospitals, weights, strict=True):
        estimate = scale.format_difference(hospital_difference(hospital))
        table.add_row(hospital.hospital, estimate, f"{100 * weight:.0f} %")
    for name, reason in effect.missing:
        table.add_row(f"{name}: {reason}", "", "")
    if effect.pooled is not None:
        table.add_row(
            "all hospitals", scale.format_difference(effect.pooled.mean), "", style="bold"
        )
        if effect.pooled.prediction is not None:
            reach = scale.format_interval(effect.pooled.prediction)
            table.add_row("another hospital", reach, "")
    return table


def _others(effects: list[PooledEffect]) -> Table:
    table = Table(
        title="Groups, guidelines and rules",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("Comparison", overflow="fold")
    table.add_column("All hospitals (95 %)", justify="right", no_wrap=True)
    table.add_column("Differ, p", justify="right", no_wrap=True)
    for effect in effects:
        scale: Scale = effect_scale(effect)
        group = f"{effect.outcome.family}: {effect.outcome.group}, " if effect.outcome.group else ""
        assert effect.pooled is not None
        table.add_row(
            f"{group}{effect.title} against {effect.against_title}",
            scale.format_difference(effect.pooled.mean),
            f"{effect.pooled.q_p:.2g}",
        )
    return table
