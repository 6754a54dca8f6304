"""The value of whole trajectories on the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.trajectories.text import (
    HEADS,
    TITLE,
    budget_lines,
    describe_estimates,
    refusal_reasons,
    trajectory_rows,
)


def render_trajectory_value(value: TrajectoryValue) -> Group:
    """Usual care, then the policy by each estimator, then why estimates are not reported."""
    table = Table(title=TITLE, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(HEADS):
        table.add_column(head, justify="right" if at > 1 else "left", no_wrap=True)
    for row in trajectory_rows(value):
        table.add_row(*row)
    reasons = (Text(reason) for reason in refusal_reasons(value))
    budgets = (Text(line) for line in budget_lines(value))
    return Group(table, *budgets, *reasons, Text(describe_estimates(value), style="dim"))
