"""The effect page: one HTML file that needs no network and no script."""

from pathlib import Path

from posology.report.effects import design_sections, patient_sections, result_sections
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
    study, results = content.study, content.results
    scale = Scale(content.unit, 100.0 if content.is_binary else 1.0)
    items = tripod_items(study, bool(results.subgroups), bool(results.harms))
    sections = (
        design_sections.target_trial(study, content.unit),
        result_sections.options(results, scale, study.assignment.randomised),
        result_sections.rule(results, scale),
        result_sections.trajectories(content.trajectory_value),
        patient_sections.heterogeneity(results, scale),
        patient_sections.single_patients(results, scale),
        result_sections.harms(results),
        design_sections.overlap(results),
        design_sections.balance(results),
        design_sections.unmeasured_confounding(results, study.assignment.randomised),
        patient_sections.groups(results, scale),
        result_sections.stability(results, scale),
        design_sections.learning(content.learning),
    )
    return EffectPage(
        study=study,
        headline=results.verdict.headline[:1].upper() + results.verdict.headline[1:] + ".",
        notes=tuple(note[:1].upper() + note[1:] + "." for note in results.verdict.notes),
        caution=CAUTION,
        evidence=content.evidence,
        sections=tuple(section for section in sections if section is not None),
        methods=describe_methods(content),
        references=REFERENCES,
        covariates=content.covariates,
        items=items,
        n_reported=sum(bool(item.where) for item in items if item.number != "+"),
        footer=content.footer,
    )
