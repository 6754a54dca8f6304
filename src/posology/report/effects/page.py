"""The effect page: one HTML file that needs no network and no script."""

from pathlib import Path

from posology.report.effects import design_sections as design
from posology.report.effects import patient_sections as patients
from posology.report.effects import result_sections as results
from posology.report.effects.content import EffectContent, EffectPage
from posology.report.effects.methods import CAUTION, REFERENCES, describe_methods
from posology.report.effects.text import Scale
from posology.report.html import render_template, write_html
from posology.report.tripod import tripod_items


def write_effect_page(content: EffectContent, path: Path) -> None:
    """Write the page as one HTML file, and create its folder if it does not exist."""
    write_html(render_effect_page(content), path)


def render_effect_page(content: EffectContent) -> str:
    """The page's HTML; the same content always gives the same bytes."""
    return render_template("effects/page.html.j2", build_page(content))


def build_page(content: EffectContent) -> EffectPage:
    """Everything that the template prints."""
    study, found = content.study, content.results
    scale = Scale(content.unit, 100.0 if content.is_binary else 1.0)
    items = tripod_items(study, bool(found.subgroups), bool(found.harms))
    sections = (
        design.target_trial(study, content.unit),
        results.options(found, scale, study.assignment.randomised),
        results.rule(found, scale),
        results.trajectories(content.trajectory_value),
        patients.heterogeneity(found, scale),
        patients.single_patients(found, scale),
        results.harms(found),
        design.overlap(found),
        design.balance(found),
        design.unmeasured_confounding(found, study.assignment.randomised),
        patients.groups(found, scale),
        results.stability(found, scale),
        design.learning(content.learning),
    )
    return EffectPage(
        study=study,
        headline=found.verdict.sentence[:1].upper() + found.verdict.sentence[1:] + ".",
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
