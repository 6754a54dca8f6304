"""Table 1 on the terminal."""

import math

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.table1.comparison import Table1
from posology.report.table1.text import (
    METRIC_TITLES,
    VERDICT_MARKS,
    available_metrics,
    best_models,
    find_test,
    format_counts,
    format_metric,
)

_STYLES = {"better": "green", "worse": "red", "tie": "dim", "untested": "dim"}
_PARTS = (
    ("Which option", ("accuracy", "precision", "recall", "f1", "auc")),
    ("Dose and reward", ("mae", "within20", "reward")),
)


def render_table1(table: Table1) -> Group:
    """One row a model, each value above its 95 % interval; fits 80 columns.

    After a value: ▲ the reference is better, ▼ worse, = no significant difference.
    """
    available = available_metrics(table)
    parts = [
        _part(table, title, tuple(m for m in metrics if m in available))
        for title, metrics in _PARTS
    ]
    note = (
        f"{format_counts(table.decisions, table.subjects)}, split {table.split}; 95 % intervals. "
        f"Against each model {table.reference} is ▲ better, ▼ worse, = no significant difference "
        "(p < 0.05 after Holm over the models, for each metric alone)."
    )
    return Group(*[part for part in parts if len(part.columns) > 1], Text(note, style="dim"))


def _part(table: Table1, title: str, metrics: tuple[str, ...]) -> Table:
    best = best_models(table)
    shown = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("", overflow="fold")
    for metric in metrics:
        unit = f" ({table.dose_unit})" if metric == "mae" else ""
        shown.add_column(METRIC_TITLES[metric] + unit, justify="right", no_wrap=True)
    for model in table.models:
        cells = [_cell(table, model, metric, model in best[metric]) for metric in metrics]
        shown.add_row(
            Text(model, style="bold" if model == table.reference else ""),
            *cells,
        )
    return shown


def _cell(table: Table1, model: str, metric: str, is_best: bool) -> Text:
    row = table.row(model, metric)
    value = format_metric(metric, row.value)
    if math.isnan(row.value):
        return Text(value, style="dim")
    cell = Text(value, style="bold" if is_best else "")
    test = find_test(table, row)
    cell.append(
        f" {VERDICT_MARKS[test.verdict]}" if test else "  ", _STYLES[test.verdict] if test else ""
    )
    return cell.append(f"\n{_short_interval(metric, row.low, row.high)}", "dim not bold")


def _short_interval(metric: str, low: float, high: float) -> str:
    if metric == "within20":
        return f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{low:.2f}\N{EN DASH}{high:.2f}"
