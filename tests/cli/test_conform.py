import asyncio
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from posology.cli import app
from posology.conformance import examine as module
from posology.conformance.calls.converse import Play
from posology.conformance.examine import Examination, examine_with
from posology.errors import UserError
from tests.builders.asgi_client import AsgiClient
from tests.builders.reference_cds_service import ReferenceService


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["conform", *map(str, words)], catch_exceptions=False)


def serve(monkeypatch: pytest.MonkeyPatch, service: ReferenceService) -> list[Play]:
    """Let the command test this service in place of one on the network."""
    played: list[Play] = []

    def examine(url: str, play: Play, report: Callable[[str, int], None]) -> Examination:
        played.append(play)
        return asyncio.run(examine_with(AsgiClient(service), url, play, report))

    monkeypatch.setattr(module, "examine", examine)
    return played


def test_a_correct_service_exits_with_0_and_writes_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, ReferenceService())
    done = run("http://127.0.0.1", "--json", tmp_path / "a.json", "--html", tmp_path / "a.html")
    assert done.exit_code == 0
    assert "No SHALL failed: " in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    body = json.loads((tmp_path / "a.json").read_text())
    assert body["url"] == "http://127.0.0.1/cds-services"
    assert "<h1>No SHALL failed" in (tmp_path / "a.html").read_text()


def test_a_failed_shall_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, ReferenceService(edit_reply=lambda body: {"card": body["cards"]}))
    done = run("http://127.0.0.1")
    assert done.exit_code == 1
    assert "1 SHALL failed" in done.output


def test_a_key_is_made_and_then_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("--make-key", tmp_path)
    assert "Issuer:      https://conform.posology.example" in done.output
    kid = json.loads((tmp_path / "jwks.json").read_text())["keys"][0]["kid"]
    assert f"Key id:      {kid}" in done.output
    played = serve(monkeypatch, ReferenceService(hooks=()))
    run("http://127.0.0.1", "--token-key", tmp_path / "conform-key.pem", "--issuer", "https://me")
    assert played[0].key is not None
    assert (played[0].key.issuer, played[0].key.jwk["kid"]) == ("https://me", kid)


def test_a_key_that_was_left_alone_gets_its_key_set(tmp_path: Path) -> None:
    run("--make-key", tmp_path)
    before = (tmp_path / "jwks.json").read_bytes(), (tmp_path / "conform-key.pem").read_bytes()
    (tmp_path / "jwks.json").unlink()
    run("--make-key", tmp_path)
    assert before == (
        (tmp_path / "jwks.json").read_bytes(),
        (tmp_path / "conform-key.pem").read_bytes(),
    )
    with pytest.raises(UserError, match="is there already; name another folder"):
        run("--make-key", tmp_path)


def test_the_address_is_needed() -> None:
    with pytest.raises(UserError, match="URL is missing; give the base URL"):
        run()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package httpx.*install \S+serve"):
        run("http://127.0.0.1")
