"""Our own service under `posology conform`: no fault, with everything that a card can have."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
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
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.settings import Settings
from posology.service.tokens.identify import identify_system
from posology.service.tokens.key_sets import TrustedIssuer
from posology.service.work import Done
from posology.workflows.recommend import RecommendResult
from tests.builders.asgi_client import AsgiClient
from tests.builders.free_address import free_address
from tests.builders.hook_calls import draft, study
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import deployment_of, running_app

URL = "http://127.0.0.1:8000"
ORIGIN = "https://ehr.example"
FHIR = free_address()


@pytest.fixture(scope="module")
def key() -> TokenKey:
    return new_key()


@pytest.fixture
def app(small_model: Path, tmp_path: Path, key: TokenKey) -> Iterator[FastAPI]:
    """The service with the study of the drugs of `hook_calls`, which trusts the tester."""
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [key.jwk]}))
    hooks = CdsHooksSettings(
        issuers=(TrustedIssuer(key.issuer, keys),), origins=(ORIGIN,), fhir_servers=(FHIR,)
    )
    settings = Settings(models=(), public_url=URL, allow_unsigned=True, cds_hooks=hooks)
    with running_app(small_model, tmp_path / "service", settings) as running:
        deployment = deployment_of(running)
        deployment.identify_system = identify_system(deployment.settings)
        served = deployment.models.current["warfarin"]
        model = replace(served.artifact, study=study())
        deployment.models.current["warfarin"] = replace(served, artifact=model)
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
        repeats=1,
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
