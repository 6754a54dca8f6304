"""One thing that was checked, whether it is well, and what to do if not."""

from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.workflows.results import render_text

Status = Literal["good", "note", "problem"]
GOOD: Status = "good"
NOTE: Status = "note"
"""Worth knowing; nothing fails for it."""
PROBLEM: Status = "problem"
"""A command will fail until it is mended."""

_MARKS = {GOOD: ("✓", "green"), NOTE: ("·", "yellow"), PROBLEM: ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    part: str
    """What it belongs to: machine, packages, extras, model, ..."""
    status: Status
    finding: str
    """What was found, as a sentence."""
    mend: str = ""
    """What to do; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything that was checked, in order."""

    checks: tuple[Check, ...]

    @property
    def problems(self) -> int:
        """Number of checks that are problems."""
        return sum(check.status == PROBLEM for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        names = ("part", "status", "finding", "mend")
        return {
            "problems": self.problems,
            "checks": [{name: getattr(check, name) for name in names} for check in self.checks],
        }

    def summary(self) -> str:
        """All of it as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        table = Table.grid(padding=(0, 1))
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        part = ""
        for check in self.checks:
            mark, color = _MARKS[check.status]
            text = Text(check.finding)
            if check.mend:
                text.append(f"\n→ {check.mend}", style="bold")
            table.add_row(Text(mark, color), check.part if check.part != part else "", text)
            part = check.part
        count = self.problems
        last = f"{count} problem{'s' * (count != 1)}." if count else "No problems."
        return Group(table, Text(last, "bold red" if count else "bold green"))
