"""How figures are written, alike on the page and on the screen."""

from posology.evaluation.table1.comparison import MetricRow, PairedTest, Table1, is_variant
from posology.evaluation.table1.headline import MODEL_TITLES
from posology.evaluation.table1.metrics import LOWER_IS_BETTER, METRICS

HEADS = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "auc": "AUC-ROC",
    "mae": "Dose error",
    "within20": "Within 20\u00a0%",
    "reward": "Reward",
}
NOT_ASKED = "not asked"
MARKS = {"better": "▲", "worse": "▼", "tie": "=", "untested": ""}
"""Of posology against the model of the row; a shape, so that colour alone says nothing."""


def model_name(model: str) -> str:
    """A model at the head of a row, without the article of a sentence."""
    text = MODEL_TITLES.get(model, model.replace("_", " ")).removeprefix("the ")
    return text[:1].upper() + text[1:]


def figure(metric: str, value: float) -> str:
    """A figure in its metric's own form."""
    if value != value:
        return NOT_ASKED
    if metric == "within20":
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if metric == "mae" else f"{value:.3f}"


def span(metric: str, low: float, high: float) -> str:
    """The 95 % interval of a figure."""
    if low != low:
        return ""
    if metric == "within20":
        return f"{100 * low:.1f} to {100 * high:.1f}"
    digits = 2 if metric == "mae" else 3
    return f"{low:.{digits}f} to {high:.{digits}f}"


def signed(metric: str, value: float) -> str:
    """A difference, with its sign."""
    if value != value:
        return NOT_ASKED
    if metric == "within20":
        return f"{100 * value:+.1f} %"
    return f"{value:+.2f}" if metric == "mae" else f"{value:+.3f}"


def p_short(p: float) -> str:
    """A p value in a table's cell."""
    if p != p:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def share(part: int, whole: int) -> str:
    """A percentage without decimals."""
    return f"{100 * part / whole:.0f} %" if whole else ""


def best_models(table: Table1) -> dict[str, frozenset[str]]:
    """The models of the best figure of each metric, as printed."""
    found = {}
    for metric in METRICS:
        rows = [r for r in table.rows if r.metric == metric and r.value == r.value]
        pick = min if metric in LOWER_IS_BETTER else max
        top = figure(metric, pick(r.value for r in rows)) if rows else None
        found[metric] = frozenset(r.model for r in rows if figure(metric, r.value) == top)
    return found


def asked(table: Table1) -> tuple[str, ...]:
    """The metrics that any model answers."""
    return tuple(
        m for m in METRICS if any(r.metric == m and r.value == r.value for r in table.rows)
    )


def against(table: Table1, row: MetricRow) -> PairedTest | None:
    """The reference's test against the model of a row; None for the reference itself."""
    return None if row.model == table.reference else table.test(row.model, row.metric)


def baseline_tests(table: Table1, metric: str) -> list[PairedTest]:
    """The reference against each baseline that answers the metric."""
    return [
        t
        for t in table.tests
        if t.metric == metric
        and t.verdict != "untested"
        and not is_variant(t.model, table.reference)
    ]
