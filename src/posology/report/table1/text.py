"""How Table 1's figures are written, the same on the page and on the terminal."""

import math

from posology.evaluation.table1.comparison import MetricRow, PairedTest, Table1, is_variant
from posology.evaluation.table1.headline import MODEL_TITLES
from posology.evaluation.table1.metrics import LOWER_IS_BETTER, METRICS

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "auc": "AUC-ROC",
    "mae": "Dose error",
    "within20": "Within 20\u00a0%",
    "reward": "Reward",
}
NOT_AVAILABLE = "n/a"
VERDICT_MARKS = {"better": "▲", "worse": "▼", "tie": "=", "untested": ""}
"""Of the reference against the model of a row; shapes, so that colour alone carries no meaning."""
VERDICT_TITLES = {
    "better": "better",
    "worse": "worse",
    "tie": "no significant difference",
    "untested": "",
}


def model_name(model: str) -> str:
    """A model's name at the head of a row."""
    text = MODEL_TITLES.get(model, model.replace("_", " ")).removeprefix("the ")
    return text[:1].upper() + text[1:]


def format_metric(metric: str, value: float) -> str:
    """A value with its metric's unit and decimals."""
    if math.isnan(value):
        return NOT_AVAILABLE
    if metric == "within20":
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if metric == "mae" else f"{value:.3f}"


def format_interval(metric: str, low: float, high: float) -> str:
    """A 95 % interval, `low to high`."""
    if math.isnan(low):
        return ""
    if metric == "within20":
        return f"{100 * low:.1f} to {100 * high:.1f}"
    digits = 2 if metric == "mae" else 3
    return f"{low:.{digits}f} to {high:.{digits}f}"


def format_difference(metric: str, value: float) -> str:
    """A difference with its sign."""
    if math.isnan(value):
        return NOT_AVAILABLE
    if metric == "within20":
        return f"{100 * value:+.1f} %"
    return f"{value:+.2f}" if metric == "mae" else f"{value:+.3f}"


def format_p(p: float) -> str:
    """A p value for a table's cell."""
    if math.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def format_counts(decisions: int, patients: int) -> str:
    """Decisions and patients; patients alone where each has one decision."""
    if decisions == patients:
        return f"{patients:,} patients"
    return f"{decisions:,} decisions of {patients:,} patients"


def format_share(part: int, whole: int) -> str:
    """A percentage without decimals."""
    return f"{100 * part / whole:.0f} %" if whole else ""


def best_models(table: Table1) -> dict[str, frozenset[str]]:
    """The models with the best printed value of each metric."""
    best = {}
    for metric in METRICS:
        rows = [r for r in table.rows if r.metric == metric and not math.isnan(r.value)]
        pick = min if metric in LOWER_IS_BETTER else max
        top = format_metric(metric, pick(r.value for r in rows)) if rows else None
        best[metric] = frozenset(r.model for r in rows if format_metric(metric, r.value) == top)
    return best


def available_metrics(table: Table1) -> tuple[str, ...]:
    """The metrics that at least one model has a value of."""
    return tuple(
        m for m in METRICS if any(r.metric == m and not math.isnan(r.value) for r in table.rows)
    )


def find_test(table: Table1, row: MetricRow) -> PairedTest | None:
    """The reference's test against the model of a row; None for the reference itself."""
    return None if row.model == table.reference else table.test(row.model, row.metric)


def baseline_tests(table: Table1, metric: str) -> list[PairedTest]:
    """The reference's tests against every baseline that has a value of the metric."""
    return [
        t
        for t in table.tests
        if t.metric == metric
        and t.verdict != "untested"
        and not is_variant(t.model, table.reference)
    ]
