"""The report in 80 columns: the verdict, what failed and where, then everything else."""

import textwrap
from collections.abc import Iterator

from posology import __version__
from posology.conformance.examine import Examination
from posology.conformance.ledger import Finding, Verdict
from posology.conformance.statements import Level

WIDTH = 80
_SHOWN = 3
"""Places of a fault that are shown; the rest are counted."""
_INDENT = " " * 21


def verdict_of(examination: Examination) -> str:
    """The result in one sentence."""
    faults = len(examination.faults)
    found = {name: _count(examination, name, "SHALL") for name in VERDICTS}
    start = "No SHALL failed" if not faults else f"{faults} SHALL failed"
    return (
        f"{start}: {found['passed']} passed, {found['not applicable']} did not apply, "
        f"{found['not observable']} cannot be seen from outside."
    )


VERDICTS: tuple[Verdict, ...] = ("failed", "passed", "not applicable", "not observable")


def _count(examination: Examination, verdict: Verdict, level: Level) -> int:
    return sum(
        finding.verdict == verdict and finding.statement.level == level
        for finding in examination.findings
    )


def report_text(examination: Examination) -> str:
    """The whole report, with a newline at its end."""
    return "\n".join(_lines(examination)) + "\n"


def _lines(examination: Examination) -> Iterator[str]:
    yield f"posology conform {__version__}, CDS Hooks 2.0"
    yield examination.url
    at = f"{examination.at:%Y-%m-%d %H:%M} UTC"
    yield f"{at}, {examination.requests} requests in {examination.seconds:.1f} s"
    yield from textwrap.wrap(
        "Services: " + ("; ".join(examination.services) or "none"),
        WIDTH,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    yield ""
    yield from textwrap.wrap(verdict_of(examination), WIDTH)
    yield ""
    yield f"{'':10}{'passed':>10}{'failed':>10}{'not applicable':>18}{'not observable':>18}"
    for level in ("SHALL", "SHOULD", "ADVICE"):
        passed, failed = (_count(examination, v, level) for v in ("passed", "failed"))
        absent, unseen = (
            _count(examination, v, level) for v in ("not applicable", "not observable")
        )
        yield f"{level:10}{passed:>10}{failed:>10}{absent:>18}{unseen:>18}"
    for verdict in VERDICTS:
        found = [f for f in examination.findings if f.verdict == verdict]
        if found:
            yield ""
            yield verdict.upper()
        for finding in found:
            yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    statement = finding.statement
    head = f"{statement.id:14}{statement.level:7}"
    yield from textwrap.wrap(statement.about, WIDTH, initial_indent=head, subsequent_indent=_INDENT)
    for fault in finding.faults[:_SHOWN]:
        yield from _wrapped(f"{fault.where}: {fault.what}")
    more = len(finding.faults) - _SHOWN
    if more > 0:
        yield from _wrapped(f"and {more} more of {finding.seen}")
    if finding.reason:
        yield from _wrapped(finding.reason)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )
