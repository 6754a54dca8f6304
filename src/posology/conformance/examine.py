"""The tester as one call: speak with a service, check the transcript, say what was found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from posology.conformance.calls.converse import Play, converse
from posology.conformance.calls.exchange import Caller, Client
from posology.conformance.calls.token_key import valid_token
from posology.conformance.calls.transcript import Transcript
from posology.conformance.checks.discovery import check_discovery
from posology.conformance.checks.feedback import check_feedback
from posology.conformance.checks.replies import check_replies
from posology.conformance.checks.robustness import check_robustness
from posology.conformance.checks.trust import check_trust
from posology.conformance.ledger import Finding, Ledger
from posology.errors import UserError

TIMEOUT = 15.0
"""Seconds to wait for one reply."""
PATH = "/cds-services"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    Attributes:
        url: address of discovery.
        services: id and hook of each service offered.
        requests: requests sent.
        seconds: duration of the run.
    """

    url: str
    at: datetime
    services: tuple[str, ...]
    requests: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Statements of level SHALL that failed."""
        return tuple(
            finding
            for finding in self.findings
            if finding.verdict == "failed" and finding.statement.level == "SHALL"
        )


def examine(
    url: str, play: Play, report: Callable[[str, int], None] = lambda _purpose, _done: None
) -> Examination:
    """Test the service whose discovery is at this URL, over the network.

    Args:
        url: the base URL, with or without /cds-services.
        report: called with the purpose of each request and how many were sent.
    """

    async def run() -> Examination:
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
            return await examine_with(client, url, play, report)

    return asyncio.run(run())


async def examine_with(
    client: Client,
    url: str,
    play: Play,
    report: Callable[[str, int], None] = lambda _purpose, _done: None,
) -> Examination:
    """The same through a client of the caller's, for a service in the same process."""
    base = address_of_discovery(url)
    key = play.key
    sign = None if key is None else lambda endpoint: valid_token(key, endpoint)
    caller = Caller(client, base, sign, report=report)
    started = time.perf_counter()
    transcript = await converse(caller, play)
    seconds = time.perf_counter() - started
    offered = (f"{s.get('id')} on {s.get('hook')}" for s in transcript.services)
    return Examination(
        base,
        datetime.now(UTC),
        tuple(offered),
        len(caller.exchanges),
        seconds,
        judge(transcript, key is not None),
    )


def judge(transcript: Transcript, has_key: bool) -> tuple[Finding, ...]:
    """A finding for every statement."""
    ledger = Ledger()
    check_discovery(ledger, transcript)
    check_replies(ledger, transcript)
    check_trust(ledger, transcript, has_key)
    check_robustness(ledger, transcript)
    check_feedback(ledger, transcript)
    return ledger.findings()


def address_of_discovery(url: str) -> str:
    """The URL of discovery; UserError where it is no HTTP address."""
    base = url.rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise UserError(f"{url}: is no address of a service; give http://... or https://...")
    return base if base.endswith(PATH) else base + PATH
