"""What was seen of each statement, and the verdict that follows."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from posology.conformance.statements import STATEMENTS, Statement

Verdict = Literal["passed", "failed", "not observable", "not applicable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a statement does not hold."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one statement.

    Attributes:
        seen: places where the statement could be checked.
        faults: those of them where it does not hold.
        reason: why it was not checked; empty where it was.
    """

    statement: Statement
    verdict: Verdict
    seen: int
    faults: tuple[Fault, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Ledger:
    """Collects, during the checks, what held and what did not."""

    seen: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def expect(self, statement: str, holds: bool, where: str, what: str) -> bool:
        """Note that a statement could be checked here, and whether it holds."""
        if statement not in STATEMENTS:
            raise KeyError(statement)
        self.seen[statement] += 1
        if not holds:
            self.faults.setdefault(statement, []).append(Fault(where, what))
        return holds

    def skip(self, statement: str, reason: str) -> None:
        """Say why a statement does not apply in this run."""
        self.reasons[STATEMENTS[statement].id] = reason

    def findings(self) -> tuple[Finding, ...]:
        """One finding a statement, in the order of the report."""
        return tuple(self._finding(statement) for statement in STATEMENTS.values())

    def _finding(self, statement: Statement) -> Finding:
        faults = tuple(self.faults.get(statement.id, ()))
        seen = self.seen[statement.id]
        if faults:
            return Finding(statement, "failed", seen, faults)
        if seen:
            return Finding(statement, "passed", seen)
        if statement.unseen:
            return Finding(statement, "not observable", 0, (), statement.unseen)
        reason = self.reasons.get(statement.id, statement.absent)
        return Finding(statement, "not applicable", 0, (), reason or "the run ended before it")
