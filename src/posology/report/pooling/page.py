"""The page of pooled effects: a forest plot for each comparison, one HTML file."""

from dataclasses import dataclass
from pathlib import Path

from posology.domain.statistics.study_summary import GUIDELINE, HARM, LEARNED, POLICY
from posology.evaluation.intervals import Difference, Interval
from posology.evaluation.pooling.pool import PooledEffect, PooledStudy
from posology.evaluation.pooling.words import describe_pooled
from posology.report.effects.content import SectionTable
from posology.report.effects.forest import forest_cells
from posology.report.html import render_template, write_html
from posology.report.patient.words import MINUS, capitalise
from posology.report.pooling.text import (
    describe_heterogeneity,
    describe_scope,
    effect_scale,
    hospital_difference,
)
from posology.report.text import Scale

METHODS = (
    "Each hospital estimated its effects with its own patients by doubly robust scores; only "
    "estimates, standard errors and counts came here, no patient.",
    "Random effects, tau by restricted maximum likelihood; intervals of the mean by Hartung, "
    "Knapp, Sidik and Jonkman, never narrower than with known variances; interval of tau by "
    "Q-profile; what another hospital may expect by Higgins, Thompson and Spiegelhalter. Hospitals "
    "are said to differ where Cochran's Q has p below 0.05. Intervals are not corrected for the "
    "number of comparisons.",
    "A hospital that holds back an estimate, as too few patients had the outcome, is missing: "
    "where an outcome is rare, those that are left had it more often, and the pooled figure may be "
    "too high.",
)


@dataclass(frozen=True, slots=True, eq=False)
class PoolContent:
    """What the page reports."""

    study: PooledStudy
    footer: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison with its hospitals."""

    title: str
    sentences: tuple[str, ...]
    heterogeneity: str
    table: SectionTable
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoolSection:
    """Comparisons under one heading."""

    id: str
    title: str
    comparisons: tuple[Comparison, ...]
    is_folded: bool


@dataclass(frozen=True, slots=True)
class PoolPage:
    """The variables of the page's template."""

    title: str
    headline: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[PoolSection, ...]
    hospitals: SectionTable
    methods: tuple[str, ...]
    footer: tuple[tuple[str, str], ...]


def write_pool_page(content: PoolContent, path: Path) -> None:
    """Write the page as one HTML file, and create its folder if it does not exist."""
    write_html(render_pool_page(content), path)


def render_pool_page(content: PoolContent) -> str:
    """The page's HTML; the same content always gives the same bytes."""
    study = content.study
    rules = (POLICY, LEARNED, GUIDELINE)
    whole = [e for e in study.effects if not e.outcome.group]
    benefits = [e for e in whole if e.outcome.role != HARM]
    sections = (
        _section("options", "The options", [e for e in benefits if e.kind not in rules]),
        _section("rules", "Policies, rules, guidelines", [e for e in benefits if e.kind in rules]),
        _section("harms", "Harms and costs", [e for e in whole if e.outcome.role == HARM]),
        _section("groups", "Groups", [e for e in study.effects if e.outcome.group], True),
    )
    first = whole[0] if whole else None
    page = PoolPage(
        title=study.summaries[0].study.title,
        headline=describe_pooled(first)[0] if first else "Nothing is shared by two hospitals.",
        sentences=describe_pooled(first)[1:] if first else (),
        notes=(describe_scope(study), *study.notes),
        sections=tuple(section for section in sections if section.comparisons),
        hospitals=_hospitals(study),
        methods=METHODS,
        footer=content.footer,
    )
    return render_template("pooling/page.html.j2", page)


def _section(
    name: str, title: str, effects: list[PooledEffect], is_folded: bool = False
) -> PoolSection:
    return PoolSection(name, title, tuple(_comparison(e) for e in effects), is_folded)


def _comparison(effect: PooledEffect) -> Comparison:
    scale, pooled = effect_scale(effect), effect.pooled
    names = [h.hospital for h in effect.hospitals]
    estimates: list[Difference | Interval] = [hospital_difference(h) for h in effect.hospitals]
    weights = [f"{100 * w:.0f} %" for w in (pooled.weights if pooled else (1.0,))]
    if pooled is not None:
        names.append("All hospitals")
        estimates.append(pooled.mean)
        weights.append("")
        if pooled.prediction is not None:
            names.append("Another hospital")
            estimates.append(pooled.prediction)
            weights.append("")
    rows = tuple(
        (name, _figure(name, estimate, scale), weight)
        for name, estimate, weight in zip(names, estimates, weights, strict=True)
    )
    plots, axis = forest_cells([_scaled(e, scale) for e in estimates], effect.outcome.role != HARM)
    where = f", {effect.outcome.family}: {effect.outcome.group}" if effect.outcome.group else ""
    unit = f", {scale.unit}" if scale.unit else ""
    return Comparison(
        title=capitalise(f"{effect.title} against {effect.against_title}"),
        sentences=describe_pooled(effect),
        heterogeneity=describe_heterogeneity(effect, scale),
        table=SectionTable(
            capitalise(f"{effect.outcome.name}{where}{unit}"),
            ("Hospital", "Effect (95 %)", "Weight"),
            rows,
            plots,
            axis,
        ),
        missing=tuple(f"{name}: {reason}." for name, reason in effect.missing),
    )


def _figure(name: str, estimate: Difference | Interval, scale: Scale) -> str:
    is_other = name == "Another hospital"
    text = scale.format_interval(estimate) if is_other else scale.format_difference(estimate)
    return text.replace("-", MINUS)


def _scaled(estimate: Difference | Interval, scale: Scale) -> Interval:
    f = scale.factor
    return Interval(f * estimate.value, f * estimate.low, f * estimate.high)


def _hospitals(study: PooledStudy) -> SectionTable:
    heads = ("Hospital", "Patients", "Analysed", "Adjusted for", "Propensities")
    rows = tuple(
        (
            name,
            _count(s.patients),
            _count(s.analysed),
            _covariates(len(s.analysis.covariates)),
            "known, as randomised" if s.analysis.randomised else s.analysis.propensity,
        )
        for name, s in zip(study.hospitals, study.summaries, strict=True)
    )
    return SectionTable("", heads, rows)


def _covariates(count: int) -> str:
    return f"{count} covariate{'' if count == 1 else 's'}"


def _count(count: int | None) -> str:
    return "suppressed" if count is None else f"{count:,}"
