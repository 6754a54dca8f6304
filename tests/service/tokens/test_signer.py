"""A token made on the command line is accepted once, for its address alone."""

import asyncio
import stat
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from posology.cli.serve import serve
from posology.errors import UserError
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.settings import Settings
from posology.service.tokens.identify import identify_system
from posology.service.tokens.key_sets import TrustedIssuer
from posology.service.tokens.signer import read_signer
from tests.builders.service import FORM, client, deployment_of, running_app

URL = "http://posology.test"
ISSUER = "https://me.example"


def make(key: Path, address: str) -> str:
    words = ["make-token", "--issuer", ISSUER, "--for", address, "--key", str(key)]
    result = CliRunner().invoke(serve, words)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def post(app: FastAPI, token: str) -> httpx.Response:
    async def send() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        async with client(app) as http:
            return await http.post("/recommendations", json={"form": FORM}, headers=headers)

    return asyncio.run(send())


def test_a_token_of_the_command_line_opens_the_api_once(small_model: Path, tmp_path: Path) -> None:
    key = tmp_path / "caller.pem"
    token = make(key, f"{URL}/recommendations")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    hooks = CdsHooksSettings(issuers=(TrustedIssuer(ISSUER, tmp_path / "caller.jwks.json"),))
    settings = Settings(models=(), public_url=URL, allow_unsigned=True, cds_hooks=hooks)
    with running_app(small_model, tmp_path / "service", settings) as app:
        deployment = deployment_of(app)
        deployment.identify_system = identify_system(deployment.settings, deployment.store)
        assert post(app, token).status_code == 201
        assert post(app, token).status_code == 401
        assert post(app, make(key, f"{URL}/outcomes")).status_code == 401
        assert post(app, make(key, f"{URL}/recommendations")).status_code == 201


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pem"
    path.write_text("x")
    with pytest.raises(UserError, match="holds no private key without a password"):
        read_signer(path, ISSUER, "other")
