"""`posology serve MODEL` is `posology serve run MODEL`; its other commands stand beside it."""

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.errors import UserError
from posology.service import server
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.settings import Settings
from posology.service.store import AuditEvent, StoredAnswer, append_event, open_store, save_answer
from posology.service.store.existing import address_of

OLD_ANSWER = StoredAnswer(
    *("a1", "2026-01-01T00:00:00.000000Z", "warfarin", "d" * 64, "p1", "dose", "Give 35 mg."),
    *("ehr", "api", "ref", False, 1.0, b"body", b"given"),
)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which a server would have been started."""
    started: list[Settings] = []
    monkeypatch.setattr(
        server, "run_server", lambda settings, opens_browser=False: started.append(settings)
    )
    return started


def run(*words: str | Path) -> BaseException | None:
    return CliRunner().invoke(app, ["serve", *map(str, words)]).exception


def test_a_model_and_options_become_settings(served: list[Settings], tmp_path: Path) -> None:
    assert run(tmp_path / "warfarin", "--port", "8123", "--workers", "2") is None
    assert run("run", tmp_path / "warfarin", "--allow-unsigned") is None
    assert [model.name for model in served[0].models] == ["warfarin"]
    assert (served[0].port, served[0].workers, served[0].allow_unsigned) == (8123, 2, False)
    assert served[1].allow_unsigned
    assert run(tmp_path / "warfarin", "--challenger", tmp_path / "other") is None
    assert [m.challenger for m in served[0].models + served[2].models] == [None, tmp_path / "other"]


def test_a_demonstration_says_so(served: list[Settings], tmp_path: Path) -> None:
    assert run(tmp_path / "warfarin", "--demo", "--folder", tmp_path / "d") is None
    assert (served[0].is_demo, served[0].folder) == (True, tmp_path / "d")


def test_what_is_missing_is_named(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = run()
    assert isinstance(error, UserError)
    assert str(error) == "posology serve: name a model's folder, or models in --settings FILE."
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    error = run(tmp_path)
    assert str(error) == (
        'posology serve: needs uvicorn; install them with: pip install ".[serve]" in a clone, '
        '"FILE.whl[serve]" with a wheel.'
    )
    assert served == []


def test_the_audit_log_is_verified_and_exported(tmp_path: Path) -> None:
    key = derive_key(read_or_make_key(tmp_path / KEY), "audit")
    store = open_store(address_of(tmp_path, ""), key)
    head = store.write_now(append_event, key, AuditEvent("answer", "ehr"))
    store.close()
    assert run("audit", "verify", "--folder", tmp_path, "--head", head) is None
    error = run("audit", "verify", "--folder", tmp_path, "--head", "f" * 64)
    assert "no row has the hash noted before: rows were cut off" in str(error)
    out = tmp_path / "audit.ndjson"
    assert run("audit", "export", "--folder", tmp_path, "--out", out) is None
    assert out.read_text().count("AuditEvent") == 1


def test_old_facts_are_counted_first_and_erased_on_yes(tmp_path: Path) -> None:
    key = derive_key(read_or_make_key(tmp_path / KEY), "audit")
    store = open_store(address_of(tmp_path, ""), key)
    store.write_now(save_answer, OLD_ANSWER)
    store.close()
    counted = CliRunner().invoke(app, ["serve", "erase", "--days", "30", "--folder", str(tmp_path)])
    assert "Would be erased: the facts of 1 answers and 0 comments" in counted.output
    assert "Nothing is erased yet" in counted.output
    assert run("erase", "--days", "30", "--folder", tmp_path, "--yes") is None
    again = CliRunner().invoke(app, ["serve", "erase", "--days", "30", "--folder", str(tmp_path)])
    assert "Would be erased: the facts of 0 answers" in again.output
    assert run("audit", "verify", "--folder", tmp_path) is None


def test_a_golden_patient_that_is_no_form_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "patient.json").write_text("{")
    error = run("sign", tmp_path, "--key", tmp_path / "k", "--patient", tmp_path / "patient.json")
    assert isinstance(error, UserError)
    assert "patient.json" in str(error)
    monkeypatch.setattr("posology.workflows.patient.read_given", lambda _path: (None, ()))
    error = run("sign", tmp_path, "--key", tmp_path / "k", "--patient", tmp_path / "patient.json")
    assert "patient.json: holds records; a golden patient is a filled-in form" in str(error)
