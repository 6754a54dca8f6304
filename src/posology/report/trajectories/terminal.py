"""The value of whole courses on the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.trajectories.text import HEADS, TITLE, note, reasons, rows


def show(found: TrajectoryValue) -> Group:
    """Usual care, then the policy by each estimator; beneath, why what is refused is."""
    table = Table(title=TITLE, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for at, head in enumerate(HEADS):
        table.add_column(head, justify="right" if at > 1 else "left", no_wrap=True)
    for row in rows(found):
        table.add_row(*row)
    why = (Text(reason) for reason in reasons(found))
    return Group(table, *why, Text(note(found), style="dim"))
