"""The effect page: one HTML file that needs no network and no script."""

from pathlib import Path

from posology.report.effects import (
    arm_sections,
    design_sections,
    group_sections,
    harm_sections,
    patient_sections,
    question_sections,
    result_sections,
)
from posology.report.effects.content import EffectContent, EffectPage
from posology.report.effects.methods import CAUTION, REFERENCES, describe_methods
from posology.report.html import render_template, write_html
from posology.report.text import Scale
from posology.report.tripod import tripod_items


def write_effect_page(content: EffectContent, path: Path) -> None:
    """Write the page as one HTML file, and create its folder if it does not exist."""
    write_html(render_effect_page(content), path)


def render_effect_page(content: EffectContent) -> str:
    """The page's HTML; the same content always gives the same bytes."""
    return render_template("effects/page.html.j2", build_page(content))


def build_page(content: EffectContent) -> EffectPage:
    """Everything that the template prints."""
    study, results, raw = content.study, content.results, content.raw
    randomised = study.assignment.randomised
    scale = Scale(content.unit, 100.0 if content.is_binary else 1.0)
    items = tripod_items(study, bool(results.subgroups), bool(results.harms))
    sections = (
        question_sections.question(content, results.verdict.comparator_name),
        question_sections.baseline(content),
        arm_sections.outcomes(study, results, raw, scale),
        harm_sections.harms(results, raw),
        result_sections.rule(results, scale),
        result_sections.trajectories(content.trajectory_value),
        patient_sections.heterogeneity(results, scale, randomised),
        group_sections.groups(results, scale),
        design_sections.overlap(results, content.excluded, randomised),
        design_sections.learning(content.learning),
    )
    verdict = results.verdict
    return EffectPage(
        study=study,
        is_saved_policy=content.is_saved_policy,
        is_randomised=randomised,
        headline=_sentence(verdict.headline),
        notes=tuple(_sentence(note) for note in verdict.notes),
        estimand=content.estimand,
        caution=CAUTION,
        evidence=content.evidence,
        warnings=content.warnings,
        sections=tuple(section for section in sections if section is not None),
        methods=describe_methods(content),
        references=REFERENCES,
        covariates=content.covariates,
        items=items,
        n_reported=sum(bool(item.where) for item in items if item.number != "+"),
        footer=content.footer,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
