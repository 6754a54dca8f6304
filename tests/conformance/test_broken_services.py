"""Every check can fail: the reference service broken in one place fails exactly that check."""

import asyncio

import pytest

from posology.conformance.calls.converse import Play
from posology.conformance.calls.token_key import TokenKey
from posology.conformance.checks import replies
from posology.conformance.examine import examine_with
from posology.conformance.statements import STATEMENTS
from tests.builders.asgi_client import AsgiClient
from tests.builders.broken_cds_services import BROKEN, Broken
from tests.builders.free_address import free_address

ORIGIN = "https://ehr.example"
ALWAYS = frozenset({"cds-177"})
"""The reference service wants no token unless a test needs one."""


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_one_fault_fails_one_check(
    broken: Broken, key: TokenKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = broken.service()
    has_tokens = "tokens" in broken.opens
    if has_tokens:
        service.keys, service.issuer = {key.jwk["kid"]: key.jwk}, key.issuer
        service.hooks = service.hooks if "calls" in broken.opens else ()
    if "no time" in broken.opens:
        monkeypatch.setattr(replies, "ANSWER_SECONDS", 0.0)
    play = Play(
        key=key if has_tokens else None,
        fhir_server=free_address() if "fhir" in broken.opens else "",
        origin=ORIGIN if "browser" in broken.opens else "",
        huge=40_000,
        repeats=1,
        burst=2,
    )
    examination = asyncio.run(examine_with(AsgiClient(service), broken.url, play))
    failed = {f.statement.id: f.faults for f in examination.findings if f.verdict == "failed"}
    for expected in ALWAYS if not has_tokens else ():
        failed.pop(expected, None)
    assert failed.keys() == broken.fails, failed


def test_every_check_is_seen_to_fail() -> None:
    seen = {statement for broken in BROKEN for statement in broken.fails}
    checked = {name for name, statement in STATEMENTS.items() if not statement.unseen}
    assert checked - seen == set()
    assert seen - checked == set()
