"""What the page's template prints, computed beforehand, so that the template only prints."""

from typing import Any

from posology.evaluation import classification
from posology.evaluation.table1 import dose_error as dosing
from posology.evaluation.table1.comparison import Table1, is_variant
from posology.evaluation.table1.headline import write_headline
from posology.evaluation.table1.metrics import LOWER_IS_BETTER, ranking_scores
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, SubgroupRow
from posology.report.curves import drawn_learning
from posology.report.svg import svg
from posology.report.table1 import plots
from posology.report.table1 import text as words
from posology.report.table1.content import CaseStudy, ReportContent

_EVALUATION = (
    "Accuracy, macro precision, recall and F1 and the macro one-vs-rest area under the ROC curve "
    "score each model's probability that an option is effective; the reward is the exact "
    "expectation of the option it would choose; the dose error and the share within 20 % score its "
    "one dose before rounding.",
    "Intervals are the middle 95 % of a bootstrap that draws patients, not decisions, with "
    "replacement. All models are scored on the same draws, so each difference is paired.",
    "Accuracy is tested by McNemar's test (mid-p) where each patient has one decision; everything "
    "else by the paired bootstrap, whose p is never below 2 / (draws + 1). p values of each metric "
    "are corrected over the baselines by Holm's method. A difference is called a win or a loss "
    "only where the corrected p is under 0.05, so an interval that just leaves out 0 can still be "
    "a tie.",
    f"Groups of fewer than {MIN_SUBGROUP_SIZE} decisions are counted and not judged. Subgroup "
    "intervals are not corrected for their number.",
)
_REFERENCES = (
    "Efron B, Tibshirani R. An Introduction to the Bootstrap. Chapman and Hall, 1993.",
    "Fagerland MW, Lydersen S, Laake P. The McNemar test for binary matched-pairs data: mid-p and "
    "asymptotic are better than exact conditional. BMC Med Res Methodol 2013;13:91.",
    "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "Van Calster B, and others. Calibration: the Achilles heel of predictive analytics. "
    "BMC Medicine 2019;17:230.",
)
_VERDICTS = {
    "better": "better",
    "worse": "worse",
    "tie": "no significant difference",
    "untested": "",
}
_SPLITS = {
    "test": "patients held out for the test",
    "kfold": "every patient held out once",
    "site": "hospitals held out in turn",
}


def view(content: ReportContent) -> dict[str, Any]:
    """The template's variables."""
    table = content.table
    ours = content.answers[table.reference]
    names = [t.title for t in content.study.formulary.treatments]
    return {
        "study": content.study,
        "headline": write_headline(table),
        "evidence": content.evidence,
        "tables": [_table(t) for t in (table, *content.further)],
        "contrasts": _contrasts(table),
        "roc": _roc(content, names),
        "calibration": _calibration(content, names),
        "dose": _dose(content),
        "confusion": _confusion(ours.effectiveness, content.cohort.best_treatment, names),
        "groups": _groups(content),
        "learning": drawn_learning(content.learning),
        "cases": [_case(case) for case in content.cases],
        "methods": (*content.methods, *_EVALUATION),
        "references": (*content.references, *_REFERENCES),
        "attribution": content.attribution,
        "refused": content.refused,
        "refused_total": sum(count for _, count in content.refused),
        "footer": content.footer,
    }


def _drawn(figure: Any, name: str, alt: str, caption: str) -> dict[str, Any]:
    return {"svg": svg(figure, name, alt), "caption": caption}


def _table(table: Table1) -> dict[str, Any]:
    metrics, best = words.asked(table), words.best_models(table)
    own = [m for m in table.models if m == table.reference or is_variant(m, table.reference)]
    others = [m for m in table.models if m not in own]
    return {
        "split": _SPLITS.get(table.split, table.split),
        "decisions": table.decisions,
        "reference": table.reference,
        "heads": [_head(metric, table.dose_unit) for metric in metrics],
        "blocks": [
            [{"name": words.model_name(m), "code": m, "own": m == table.reference,
              "cells": [_cell(table, m, x, m in best[x]) for x in metrics]} for m in models]
            for models in (own, others) if models
        ],
        "tests": [_test_line(t) for t in table.tests if t.verdict != "untested"],
    }  # fmt: skip


def _head(metric: str, unit: str) -> dict[str, str]:
    note = "lower is better" if metric in LOWER_IS_BETTER else "higher is better"
    return {"name": words.HEADS[metric], "note": f"{unit}, {note}" if metric == "mae" else note}


def _cell(table: Table1, model: str, metric: str, is_best: bool) -> dict[str, Any]:
    row = table.row(model, metric)
    test = words.against(table, row)
    asked = test is not None and test.verdict != "untested"
    return {
        "value": words.figure(metric, row.value),
        "span": words.span(metric, row.low, row.high),
        "known": row.value == row.value,
        "best": is_best,
        "verdict": test.verdict if asked else "",
        "mark": words.MARKS[test.verdict] if asked else "",
        "said": _VERDICTS[test.verdict] if asked else "",
        "p": words.p_short(test.p_holm) if asked else "",
    }


def _test_line(test: Any) -> dict[str, Any]:
    return {
        "metric": words.HEADS[test.metric],
        "model": words.model_name(test.model),
        "difference": words.signed(test.metric, test.difference),
        "span": words.span(test.metric, test.low, test.high),
        "p": words.p_short(test.p),
        "p_holm": words.p_short(test.p_holm),
        "verdict": test.verdict,
        "mark": words.MARKS[test.verdict],
        "said": _VERDICTS[test.verdict],
        "n": test.n,
    }


def _contrasts(table: Table1) -> list[dict[str, Any]]:
    found = []
    for metric in ("mae", "accuracy", "auc", "reward"):
        tests = words.baseline_tests(table, metric)
        if not tests:
            continue
        alt = f"{words.HEADS[metric]}, {table.reference} minus each baseline: " + "; ".join(
            f"{words.model_name(t.model)} {words.signed(metric, t.difference)}, "
            f"{_VERDICTS[t.verdict]}" for t in tests
        )  # fmt: skip
        figure = plots.contrast_figure(table, metric)
        found.append(_drawn(figure, f"contrast-{metric}", alt, ""))
    return found


def _roc(content: ReportContent, names: list[str]) -> dict[str, Any] | None:
    ours = content.answers[content.table.reference]
    curves = classification.roc_curves(
        ranking_scores(ours, content.cohort), content.cohort.best_treatment
    )
    if not curves:
        return None
    alt = "ROC curves, each option against the rest; area: " + "; ".join(
        f"{names[c.treatment]} {c.auc:.3f}" for c in curves
    )
    caption = "ROC curves: each option against the rest."
    return _drawn(plots.roc_figure(curves, names), "roc", alt, caption)


def _calibration(content: ReportContent, names: list[str]) -> dict[str, Any] | None:
    found = content.calibration
    if not found:
        return None
    alt = "Observed share against stated probability; slope: " + "; ".join(
        f"{names[c.treatment]} {c.slope.value:.2f}" for c in found
    )
    caption = "Calibration: what was observed where a probability was stated, in tenths."
    figures = [
        (names[c.treatment], [f"{i.value:.2f} ({i.low:.2f} to {i.high:.2f})"
                              for i in (c.slope, c.intercept, c.ece)])
        for c in found
    ]  # fmt: skip
    drawn = _drawn(plots.calibration_figure(found, names), "calibration", alt, caption)
    return drawn | {"figures": figures}


def _dose(content: ReportContent) -> dict[str, Any] | None:
    truth = dosing.true_dose(content.cohort)
    ours = content.answers[content.table.reference]
    n = int(dosing.has_both_doses(ours.dose, truth).sum())
    if not n:
        return None
    alt = f"Predicted against true dose of {n} decisions, with a band of 20 % around equality"
    unit = content.table.dose_unit
    severity = []
    for model, answers in content.answers.items():
        counts = dosing.count_error_bands(answers.dose, truth)
        if counts.sum():
            bias = float(dosing.mean_error(answers.dose, truth)[0])
            shares = [words.share(int(c), int(counts.sum())) for c in counts]
            severity.append((words.model_name(model), shares, f"{bias:+.2f}"))
    caption = f"Each point is one patient ({n:,}); the band is 20 % to either side."
    drawn = _drawn(plots.dose_figure(ours.dose, truth, unit), "dose", alt, caption)
    return drawn | {"bands": dosing.ERROR_BANDS, "severity": severity, "unit": unit}


def _confusion(effectiveness: Any, best: Any, names: list[str]) -> dict[str, Any] | None:
    counts = classification.confusion_matrix(effectiveness, best)
    if not counts.sum():
        return None
    rows = []
    for name, row in zip(names, counts.tolist(), strict=True):
        whole = sum(row)
        cells = [(c, words.share(c, whole), c / whole if whole else 0.0) for c in row]
        rows.append((name, cells, whole))
    return {"names": names, "rows": rows}


def _groups(content: ReportContent) -> list[dict[str, Any]]:
    found = []
    for metric in dict.fromkeys(r.metric for r in content.groups):
        families = list(dict.fromkeys(r.family for r in content.groups))
        rows = [r for f in families for r in content.groups if (r.family, r.metric) == (f, metric)]
        whole = content.table.row(content.table.reference, metric).value
        unit = content.table.dose_unit if metric == "mae" else ""
        wording = plots.Wording(unit, words.HEADS[metric])
        alt = f"{words.HEADS[metric]} by group: " + "; ".join(
            f"{r.family} {r.group} {words.figure(metric, r.value)}" for r in rows if r.is_estimated
        )
        drawn = _drawn(
            plots.group_figure(rows, whole, wording), f"groups-{metric}", alt,
            f"{words.HEADS[metric]} by group with 95 % intervals; the dashed line is all patients.",
        )  # fmt: skip
        found.append(drawn | {"head": words.HEADS[metric], "rows": [_group(r) for r in rows]})
    return found


def _group(row: SubgroupRow) -> dict[str, Any]:
    value = words.figure(row.metric, row.value) if row.is_estimated else "too few to judge"
    return {
        "family": row.family, "group": row.group, "n": row.n, "judged": row.is_estimated,
        "value": value, "span": words.span(row.metric, row.low, row.high),
    }  # fmt: skip


def _case(case: CaseStudy) -> dict[str, Any]:
    options = [
        {"name": o.name, "percent": f"{100 * o.probability:.0f} %",
         "span": f"{100 * o.low:.0f} to {100 * o.high:.0f} %",
         "width": f"{100 * o.probability:.1f}", "low": f"{100 * o.low:.1f}",
         "range": f"{100 * max(o.high - o.low, 0.0):.1f}"}
        for o in case.options
    ]  # fmt: skip
    return {"case": case, "options": options}
