"""`posology conform` on our own service, broken in one place for each SHALL: it sees the fault."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from posology.conformance.calls.converse import Play
from posology.conformance.calls.patient import made_up_patient
from posology.conformance.calls.token_key import TokenKey, new_key
from posology.conformance.examine import examine_with
from posology.conformance.statements import STATEMENTS
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT
from posology.service.cds_hooks import answer_call, discovery, routes
from posology.service.cds_hooks.population import ReadPatient
from tests.builders.asgi_client import AsgiClient
from tests.builders.broken_own_services import OWN_FAULTS, OwnFault, nothing
from tests.builders.hook_calls import draft
from tests.builders.own_cds_service import (
    FHIR,
    ORIGIN,
    EditedService,
    RememberedService,
    own_service,
)
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of
from tests.conformance.statements.test_matrix import SERVICE, UNSEEN

OPEN = "cds-177"
"""A variant that is not about tokens wants none."""


@pytest.fixture(scope="module")
def key() -> TokenKey:
    return new_key()


@pytest.fixture(scope="module")
def shared_app(
    small_model: Path, tmp_path_factory: pytest.TempPathFactory, key: TokenKey
) -> Iterator[FastAPI]:
    with own_service(small_model, tmp_path_factory.mktemp("own"), key) as running:
        yield running


@pytest.fixture(scope="module")
def remembered(shared_app: FastAPI) -> RememberedService:
    """The app for variants that differ in what is sent, not in what is done inside."""
    return RememberedService(shared_app)


@pytest.fixture
def app(shared_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The app at one hook, which answers at once and stores nothing."""

    async def canned(*_question: object) -> Any:
        return ANSWER

    async def forget(*_write: object) -> tuple[int, int]:
        return 1, 0

    async def read(*_patient: object) -> ReadPatient:
        return ReadPatient(({}, ()), True)

    store = SimpleNamespace(write=forget, key=b"")
    monkeypatch.setattr(answer_call, "answer", canned)
    monkeypatch.setattr(answer_call, "read_patient", read)
    for module in (discovery, routes):
        monkeypatch.setattr(module, "HOOKS", ("order-sign",))
    monkeypatch.setattr(deployment_of(shared_app), "store", store)
    return shared_app


@dataclass(frozen=True)
class Canned:
    """An answer as `answering.answer` gives it."""

    result: Any
    id: str = "answer-1"
    made_at: datetime = datetime(2026, 11, 28, tzinfo=UTC)
    model: str = "warfarin"
    is_demo: bool = False
    is_signed: bool = True


ANSWER = Canned(SimpleNamespace(recommendation=ADVICE_BY_STATE[BETTER_FOR_PATIENT]))


def failed(app: Any, fault: OwnFault, key: TokenKey) -> dict[str, Any]:
    """What `conform` finds wrong, by the id of the statement."""
    play = Play(
        resources=[*made_up_patient(), draft("111", "conform-patient")],
        key=key if "tokens" in fault.opens else None,
        fhir_server=FHIR if "fhir" in fault.opens else "",
        origin=ORIGIN if "browser" in fault.opens else "",
        huge=40_000,
        repeats=1,
        burst=1,
    )
    examination = asyncio.run(examine_with(AsgiClient(app), fault.url, play))
    return {f.statement.id: f.faults for f in examination.findings if f.verdict == "failed"}


@pytest.mark.parametrize("fault", OWN_FAULTS, ids=lambda fault: fault.name)
def test_a_broken_variant_fails_its_statement_and_no_other(
    app: FastAPI,
    remembered: RememberedService,
    fault: OwnFault,
    key: TokenKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "tokens" in fault.opens and "calls" not in fault.opens:
        monkeypatch.setattr(discovery, "HOOKS", ())
    fault.patch(monkeypatch, deployment_of(app))
    is_inside = fault.patch is not nothing
    found = failed(app if is_inside else EditedService(remembered, fault.edit), fault, key)
    if "tokens" not in fault.opens:
        found.pop(OPEN, None)
    assert found.keys() == fault.fails, found


def test_there_is_a_broken_variant_for_each_shall() -> None:
    broken = {statement for fault in OWN_FAULTS for statement in fault.fails}
    wanted = {f"cds-{row}" for row in SERVICE}
    assert wanted - broken == {f"cds-{row}" for row in UNSEEN & set(SERVICE)}
    binding = {name for name, one in STATEMENTS.items() if one.level == "SHALL" and not one.unseen}
    assert {
        one for one in binding - broken if one.startswith("cds-") and one[4:].isdigit()
    } == set()
