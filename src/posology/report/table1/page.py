"""The Table 1 page: one HTML file that needs no network and no script."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int32

from posology.evaluation import classification
from posology.evaluation.table1 import dose_error as doses
from posology.evaluation.table1.comparison import PairedTest, Table1, is_variant
from posology.evaluation.table1.headline import write_headline
from posology.evaluation.table1.metrics import LOWER_IS_BETTER, ranking_scores
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, SubgroupRow
from posology.report.html import render_template, write_html
from posology.report.inline_figure import InlineFigure
from posology.report.plots import learning_figures
from posology.report.svg import inline_figure
from posology.report.table1 import content as parts
from posology.report.table1 import plots, text

_EVALUATION = (
    "Accuracy, macro precision, recall and F1 and the macro one-vs-rest area under the ROC curve "
    "score each model's probability that an option is effective. The reward is the exact "
    "expectation over the options that the model would choose. The dose error and the share within "
    "20 % score the predicted dose before rounding.",
    "Intervals are the middle 95 % of a bootstrap that draws patients, not decisions, with "
    "replacement. All models are scored on the same draws, so each difference is paired. Where the "
    "study splits by site, the intervals and p values of the comparison are over sites instead: "
    "the jackknife that leaves out each site, with a t distribution of one degree of freedom fewer "
    "than sites. So are those of subgroups and of calibration; the points of the calibration curve "
    "have Wilson's interval, with decisions divided by their design effect (Kish 1965).",
    "Accuracy is tested by McNemar's test (mid-p) if each patient has one decision and the study "
    "does not split by site; everything "
    "else by the paired bootstrap, whose p is never below 2 / (draws + 1). The p values of each "
    "metric are corrected over the baselines by Holm's method, and not over metrics: the headline "
    "rests on one of them, and of all others one in 20 may differ by chance. A difference is "
    "called better or worse only if the corrected p is below 0.05, so an interval that just "
    "excludes 0 can still be no significant difference.",
    f"Subgroups of fewer than {MIN_SUBGROUP_SIZE} patients are counted but not scored. Subgroup "
    "intervals are not corrected for multiple testing.",
)
_REFERENCES = (
    "Efron B, Tibshirani R. An Introduction to the Bootstrap. Chapman and Hall, 1993.",
    "Fagerland MW, Lydersen S, Laake P. The McNemar test for binary matched-pairs data: mid-p and "
    "asymptotic are better than exact conditional. BMC Med Res Methodol 2013;13:91.",
    "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "MacKinnon JG, Nielsen MO, Webb MD. Cluster-robust inference: a guide to empirical practice. "
    "J Econom 2023;232:272-299.",
    "Van Calster B, and others. Calibration: the Achilles heel of predictive analytics. "
    "BMC Medicine 2019;17:230.",
)
_HELD_OUT = {
    "test": " held out for the test",
    "kfold": ", each held out once",
    "site": " at hospitals held out in turn",
}


def write_table1_page(content: parts.Table1Content, path: Path) -> None:
    """Write the page as one HTML file, and create its folder if it does not exist."""
    write_html(render_table1_page(content), path)


def render_table1_page(content: parts.Table1Content) -> str:
    """The page's HTML; the same content always gives the same bytes."""
    return render_template("table1/page.html.j2", build_page(content))


def build_page(content: parts.Table1Content) -> parts.Table1Page:
    """Everything that the template prints."""
    table = content.table
    reference = content.predictions[table.reference]
    names = tuple(t.title for t in content.study.formulary.treatments)
    return parts.Table1Page(
        study=content.study,
        headline=write_headline(table),
        evidence=content.evidence,
        tables=tuple(_table(t) for t in (table, *content.other_splits)),
        contrasts=_contrasts(table),
        roc=_roc(content, names),
        calibration=_calibration(content, names),
        dose=_dose(content),
        confusion=_confusion(reference.effectiveness, content.cohort.best_treatment, names),
        groups=_groups(content),
        learning=learning_figures(content.learning),
        members=content.members,
        members_note=content.members_note,
        cases=tuple(parts.CaseSection(case, _bars(case)) for case in content.cases),
        methods=(*content.methods, *_EVALUATION),
        references=(*content.references, *_REFERENCES),
        attribution=content.attribution,
        rejected_rows=content.rejected_rows,
        n_rejected=sum(count for _, count in content.rejected_rows),
        footer=content.footer,
    )


def _table(table: Table1) -> parts.Table1Block:
    metrics, best = text.available_metrics(table), text.best_models(table)
    own = [m for m in table.models if m == table.reference or is_variant(m, table.reference)]
    others = [m for m in table.models if m not in own]

    def row(model: str) -> parts.ModelRow:
        cells = tuple(_cell(table, model, metric, model in best[metric]) for metric in metrics)
        return parts.ModelRow(text.model_name(model), model, model == table.reference, cells)

    return parts.Table1Block(
        whom=text.format_counts(table.decisions, table.subjects)
        + _HELD_OUT.get(table.split, f", {table.split}"),
        reference=table.reference,
        heads=tuple(_head(metric, table.dose_unit) for metric in metrics),
        blocks=tuple(tuple(row(m) for m in models) for models in (own, others) if models),
        tests=tuple(_test_row(t) for t in table.tests if t.verdict != "untested"),
    )


def _head(metric: str, unit: str) -> parts.MetricHead:
    note = "lower is better" if metric in LOWER_IS_BETTER else "higher is better"
    return parts.MetricHead(
        text.METRIC_TITLES[metric], f"{unit}, {note}" if metric == "mae" else note
    )


def _cell(table: Table1, model: str, metric: str, is_best: bool) -> parts.MetricCell:
    row = table.row(model, metric)
    test = text.find_test(table, row)
    verdict = "untested" if test is None else test.verdict
    is_tested = test is not None and verdict != "untested"
    return parts.MetricCell(
        value=text.format_metric(metric, row.value),
        interval=text.format_interval(metric, row.low, row.high),
        is_known=not math.isnan(row.value),
        is_best=is_best,
        verdict=verdict if is_tested else "",
        mark=text.VERDICT_MARKS[verdict],
        verdict_text=text.VERDICT_TITLES[verdict],
        p=text.format_p(test.p_holm) if is_tested else "",
    )


def _test_row(test: PairedTest) -> parts.ComparisonRow:
    return parts.ComparisonRow(
        metric=text.METRIC_TITLES[test.metric],
        model=text.model_name(test.model),
        difference=text.format_difference(test.metric, test.difference),
        interval=text.format_interval(test.metric, test.low, test.high),
        p=text.format_p(test.p),
        p_holm=text.format_p(test.p_holm),
        verdict=test.verdict,
        mark=text.VERDICT_MARKS[test.verdict],
        verdict_text=text.VERDICT_TITLES[test.verdict],
        n=test.n,
    )


def _contrasts(table: Table1) -> tuple[InlineFigure, ...]:
    figures = []
    for metric in ("mae", "accuracy", "auc", "reward"):
        tests = text.baseline_tests(table, metric)
        if not tests:
            continue
        differences = "; ".join(
            f"{text.model_name(t.model)} {text.format_difference(metric, t.difference)}, "
            f"{text.VERDICT_TITLES[t.verdict]}"
            for t in tests
        )
        title = f"{text.METRIC_TITLES[metric]}, {table.reference} minus each baseline"
        figure = plots.plot_contrasts(table, metric)
        figures.append(inline_figure(figure, f"contrast-{metric}", f"{title}: {differences}", ""))
    return tuple(figures)


def _roc(content: parts.Table1Content, names: Sequence[str]) -> InlineFigure | None:
    reference = content.predictions[content.table.reference]
    scores = ranking_scores(reference, content.cohort)
    curves = classification.roc_curves(scores, content.cohort.best_treatment)
    if not curves:
        return None
    alt = "ROC curves, each option against the rest; area: " + "; ".join(
        f"{names[c.treatment]} {c.auc:.3f}" for c in curves
    )
    caption = "ROC curves: each option against the rest."
    return inline_figure(plots.plot_roc(curves, names), "roc", alt, caption)


def _calibration(
    content: parts.Table1Content, names: Sequence[str]
) -> parts.CalibrationSection | None:
    if not content.calibration:
        return None
    alt = "Observed frequency against predicted probability; slope: " + "; ".join(
        f"{names[c.treatment]} {c.slope.value:.2f}" for c in content.calibration
    )
    caption = "Calibration: observed frequency by predicted probability, in tenths."
    rows = tuple(
        (
            names[c.treatment],
            tuple(
                f"{i.value:.2f} ({i.low:.2f} to {i.high:.2f})"
                for i in (c.slope, c.intercept, c.ece)
            ),
        )
        for c in content.calibration
    )
    figure = plots.plot_calibration(content.calibration, names)
    return parts.CalibrationSection(inline_figure(figure, "calibration", alt, caption), rows)


def _dose(content: parts.Table1Content) -> parts.DoseSection | None:
    correct = doses.true_dose(content.cohort)
    predicted = content.predictions[content.table.reference].dose
    n = int(doses.has_both_doses(predicted, correct).sum())
    if not n:
        return None
    unit = content.table.dose_unit
    rows = []
    for model, predictions in content.predictions.items():
        counts = doses.count_error_bands(predictions.dose, correct)
        if counts.sum():
            mean_error = float(doses.mean_error(predictions.dose, correct)[0])
            shares = tuple(text.format_share(int(c), int(counts.sum())) for c in counts)
            rows.append((text.model_name(model), shares, f"{mean_error:+.2f}"))
    alt = f"Predicted against correct dose of {n} decisions, with a band of 20 % around equality"
    caption = f"Each point is one decision ({n:,}); the band is 20 % to either side."
    figure = inline_figure(plots.plot_doses(predicted, correct, unit), "dose", alt, caption)
    return parts.DoseSection(figure, doses.ERROR_BANDS, tuple(rows), unit)


def _confusion(
    effectiveness: Float64[np.ndarray, "decision treatment"],
    best: Int32[np.ndarray, " decision"],
    names: tuple[str, ...],
) -> parts.ConfusionSection | None:
    counts = classification.confusion_matrix(effectiveness, best)
    if not counts.sum():
        return None
    rows = []
    for name, row in zip(names, counts.tolist(), strict=True):
        total = sum(row)
        cells = tuple((c, text.format_share(c, total), c / total if total else 0.0) for c in row)
        rows.append((name, cells, total))
    return parts.ConfusionSection(names, tuple(rows))


def _groups(content: parts.Table1Content) -> tuple[parts.GroupSection, ...]:
    sections = []
    families = list(dict.fromkeys(r.family for r in content.groups))
    for metric in dict.fromkeys(r.metric for r in content.groups):
        rows = [r for f in families for r in content.groups if (r.family, r.metric) == (f, metric)]
        overall = content.table.row(content.table.reference, metric).value
        title = text.METRIC_TITLES[metric]
        label = f"{title} ({content.table.dose_unit})" if metric == "mae" else title
        alt = f"{title} by subgroup: " + "; ".join(
            f"{r.family} {r.group} {text.format_metric(metric, r.value)}"
            for r in rows
            if r.is_estimated
        )
        figure = inline_figure(
            plots.plot_groups(rows, overall, label),
            f"groups-{metric}",
            alt,
            f"{title} by subgroup with 95 % intervals; the dashed line is all patients.",
        )
        sections.append(parts.GroupSection(title, figure, tuple(_group_row(r) for r in rows)))
    return tuple(sections)


def _group_row(row: SubgroupRow) -> parts.GroupRow:
    return parts.GroupRow(
        family=row.family,
        group=row.group,
        counts=text.format_counts(row.n, row.patients),
        is_estimated=row.is_estimated,
        value=text.format_metric(row.metric, row.value) if row.is_estimated else "too few patients",
        interval=text.format_interval(row.metric, row.low, row.high),
    )


def _bars(case: parts.CaseStudy) -> tuple[parts.CaseBar, ...]:
    return tuple(
        parts.CaseBar(
            name=o.name,
            percent=f"{100 * o.probability:.0f} %",
            width=f"{100 * o.probability:.1f}",
        )
        for o in case.options
    )
