"""The report as JSON."""

from typing import Any

from posology import __version__
from posology.conformance.examine import Examination
from posology.conformance.report.text import verdict_of


def report_json(examination: Examination) -> dict[str, Any]:
    """Everything that was found; `findings` has one entry a statement."""
    return {
        "tester": f"posology {__version__}",
        "specification": "CDS Hooks 2.0",
        "url": examination.url,
        "at": examination.at.isoformat(timespec="seconds"),
        "verdict": verdict_of(examination),
        "services": list(examination.services),
        "requests": examination.requests,
        "seconds": round(examination.seconds, 3),
        "findings": [
            {
                "id": finding.statement.id,
                "level": finding.statement.level,
                "about": finding.statement.about,
                "source": finding.statement.source,
                "verdict": finding.verdict,
                "seen": finding.seen,
                "faults": [{"where": f.where, "what": f.what} for f in finding.faults],
                "reason": finding.reason,
            }
            for finding in examination.findings
        ],
    }
