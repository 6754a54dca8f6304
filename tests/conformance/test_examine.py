"""The tester on the correct reference service, and where there is nothing to test."""

import asyncio
from collections import Counter

import httpx
import pytest

from posology.conformance.calls.converse import Play
from posology.conformance.calls.token_key import TokenKey
from posology.conformance.examine import Examination, address_of_discovery, examine, examine_with
from posology.errors import UserError
from tests.builders.free_address import free_address
from tests.builders.reference_cds_service import ReferenceService

ORIGIN = "https://ehr.example"


@pytest.fixture(scope="module")
def closed(key: TokenKey) -> Examination:
    """Everything that can be tried, through httpx, on a service that wants tokens."""
    service = ReferenceService(
        keys={key.jwk["kid"]: key.jwk},
        issuer=key.issuer,
        origins=(ORIGIN,),
        hooks=("patient-view", "order-sign"),
    )
    play = Play(key=key, fhir_server=free_address(), origin=ORIGIN, huge=40_000, repeats=1)

    async def run() -> Examination:
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport) as client:
            return await examine_with(client, "https://dose.example/", play)

    return asyncio.run(run())


def test_a_correct_service_has_no_fault(closed: Examination) -> None:
    assert [f for f in closed.findings if f.verdict == "failed"] == []
    assert Counter(f.verdict for f in closed.findings) == {"passed": 122, "not observable": 3}
    assert closed.services == ("dose-advisor on patient-view", "dose-advisor on order-sign")
    assert closed.url == "https://dose.example/cds-services"


def test_every_passed_statement_was_seen_somewhere(closed: Examination) -> None:
    assert all((f.seen > 0) == (f.verdict == "passed") for f in closed.findings)


def test_an_open_service_says_why_tokens_do_not_apply(key: TokenKey) -> None:
    async def run() -> Examination:
        transport = httpx.ASGITransport(ReferenceService(hooks=()))
        async with httpx.AsyncClient(transport=transport) as client:
            return await examine_with(client, "http://127.0.0.1", Play(key=key))

    found = {f.statement.id: f for f in asyncio.run(run()).findings}
    assert found["cds-201"].verdict == "not applicable"
    assert found["cds-201"].reason == "the service wants no token"
    assert found["cds-177"].verdict == "failed"
    assert found["cds-83"].reason.startswith("no card came")


@pytest.mark.parametrize(
    ("service", "has_key", "mend"),
    [
        (ReferenceService(keys={}), False, "make a key with posology conform --make-key"),
        (ReferenceService(keys={}), True, "allow the tester's issuer and key set"),
    ],
)
def test_a_closed_door_ends_the_run_with_the_mend(
    service: ReferenceService, has_key: bool, mend: str, key: TokenKey
) -> None:
    async def run() -> Examination:
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport) as client:
            return await examine_with(
                client, "http://127.0.0.1", Play(key=key if has_key else None)
            )

    with pytest.raises(UserError, match=f"discovery answers status 401.*{mend}"):
        asyncio.run(run())


def test_nobody_there_is_an_error_that_names_the_address() -> None:
    address = free_address()
    with pytest.raises(UserError, match=r"/cds-services: no reply \(ConnectError\)"):
        examine(address, Play())


def test_a_fhir_server_elsewhere_cannot_be_played() -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(ReferenceService())
        play = Play(fhir_server="http://192.0.2.1:80/fhir", huge=1_000, repeats=1, burst=1)
        async with httpx.AsyncClient(transport=transport) as client:
            await examine_with(client, "http://127.0.0.1", play)

    with pytest.raises(UserError, match=r"--fhir-server http://192.0.2.1:80/fhir: cannot listen"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a.example", "http://a.example/cds-services"),
        ("http://a.example/", "http://a.example/cds-services"),
        ("https://a.example/x/cds-services/", "https://a.example/x/cds-services"),
    ],
)
def test_the_base_or_discovery_may_be_given(url: str, address: str) -> None:
    assert address_of_discovery(url) == address


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UserError, match="ftp://a: is no address of a service"):
        address_of_discovery("ftp://a")
