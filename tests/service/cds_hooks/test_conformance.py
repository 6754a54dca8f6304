"""Our own service under `posology conform`: no fault, with everything that a card can have."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from posology.conformance.calls.converse import Play
from posology.conformance.calls.patient import made_up_patient
from posology.conformance.calls.token_key import TokenKey, new_key
from posology.conformance.examine import Examination, examine_with
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT
from posology.service import answering
from posology.service.cds_hooks import answer_call
from posology.service.cds_hooks.population import ReadPatient
from posology.service.tokens.identify import identify_system
from posology.service.work import Done
from posology.workflows.recommend import RecommendResult
from tests.builders.asgi_client import AsgiClient
from tests.builders.hook_calls import draft, study
from tests.builders.own_cds_service import FHIR, ORIGIN, URL, own_service
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of


@pytest.fixture(scope="module")
def key() -> TokenKey:
    return new_key()


@pytest.fixture
def app(small_model: Path, tmp_path: Path, key: TokenKey) -> Iterator[FastAPI]:
    """The service that allows the tester, and wants its tokens."""
    with own_service(small_model, tmp_path, key) as running:
        deployment = deployment_of(running)
        deployment.identify_system = identify_system(deployment.settings)
        yield running


def answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option is shown better for whoever is asked about: the door is tested, not the model."""

    result = RecommendResult(ADVICE_BY_STATE[BETTER_FOR_PATIENT], study(), "")
    advice = result.recommendation
    done = Done(advice.state, advice.headline, b"{}", b"", b"", 1.0)
    monkeypatch.setattr(answering, "unpack_result", lambda _stored, _model: result)
    monkeypatch.setattr(answer_call, "read_job", lambda _job: ReadPatient(({}, ()), True))
    monkeypatch.setattr(answering, "answer_job", lambda _job: done)


def examine(app: FastAPI, key: TokenKey) -> Examination:
    order = draft("111", "conform-patient")
    play = Play(
        resources=[*made_up_patient(), order],
        key=key,
        fhir_server=FHIR,
        origin=ORIGIN,
        huge=5_000_000,
        repeats=3,  # the median: one slow call of a busy machine does not decide
        burst=2,
    )
    return asyncio.run(examine_with(AsgiClient(app), URL, play))


def test_our_service_has_no_fault(
    app: FastAPI, key: TokenKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_at_once(monkeypatch)
    examination = examine(app, key)
    assert [f for f in examination.findings if f.verdict == "failed"] == []
    verdicts = Counter(f.verdict for f in examination.findings)
    assert verdicts["passed"] >= 100, [
        f.statement.id for f in examination.findings if f.verdict == "not applicable"
    ]
