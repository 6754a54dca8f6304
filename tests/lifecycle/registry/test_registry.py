"""Versions, champion and challenger of a registry; its history is append-only and checked."""

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from posology.errors import RecordError, UserError
from posology.lifecycle.registry.changes import (
    Author,
    add_version,
    drop_challenger,
    promote,
    roll_back,
    shadow,
)
from posology.lifecycle.registry.history import HISTORY, Entry, append_entry
from posology.lifecycle.registry.state import Registry, read_registry
from posology.lifecycle.registry.versions import folder_of
from tests.builders.registries import (
    FACTS,
    SOMEBODY,
    made_up_registry,
    made_up_version,
    open_the_gate,
)

FORCED = Author("ada", "a test")


def again(registry: Registry) -> Registry:
    return read_registry(registry.folder)


def test_versions_become_champion_and_come_back_in_order(tmp_path: Path) -> None:
    registry, (a, b, c) = made_up_registry(tmp_path, 3)
    assert (registry.champion, registry.challenger) == ("", "")
    promote(registry, a[:8], SOMEBODY)
    promote(open_the_gate(again(registry), b), b, SOMEBODY)
    promote(again(registry), c, FORCED, without_gate=True)
    assert again(registry).champions == (a, b, c)
    roll_back(again(registry), SOMEBODY)
    assert again(registry).champion == b
    roll_back(again(registry), SOMEBODY)
    assert again(registry).champions == (a,)
    with pytest.raises(UserError, match="no other version was champion before"):
        roll_back(again(registry), SOMEBODY)
    forced = [e.details["without_gate"] for e in again(registry).entries if e.action == "promote"]
    assert forced == [False, False, True]


def test_a_rollback_may_name_an_earlier_champion_only(tmp_path: Path) -> None:
    registry, (a, b, c, d) = made_up_registry(tmp_path, 4)
    for digest in (a, b, c):
        promote(again(registry), digest, FORCED, without_gate=True)
    for version in (c, d):
        with pytest.raises(UserError) as wrong:
            roll_back(again(registry), SOMEBODY, version)
        assert str(wrong.value) == (
            f"version {version[:8]}: was not champion before this one; {b[:8]}, {a[:8]} was."
        )
    roll_back(again(registry), SOMEBODY, a[:10])
    assert again(registry).champions == (a,)


def test_a_closed_gate_keeps_a_version_out_unless_forced_with_a_reason(tmp_path: Path) -> None:
    registry, (a, b) = made_up_registry(tmp_path, 2)
    promote(registry, a, SOMEBODY)
    with pytest.raises(UserError, match=f"version {b[:8]}: the gate was not open for it against"):
        promote(again(registry), b, SOMEBODY)
    with pytest.raises(UserError, match="--without-gate: give a --reason"):
        promote(again(registry), b, SOMEBODY, without_gate=True)
    assert again(registry).champion == a


def test_a_gate_that_was_open_against_another_champion_does_not_count(tmp_path: Path) -> None:
    registry, (a, b, c) = made_up_registry(tmp_path, 3)
    promote(registry, a, SOMEBODY)
    registry = open_the_gate(open_the_gate(again(registry), b), c)
    promote(registry, b, SOMEBODY)
    with pytest.raises(UserError, match="the gate was not open"):
        promote(again(registry), c, SOMEBODY)


def test_a_challenger_answers_until_it_is_dropped_replaced_or_promoted(tmp_path: Path) -> None:
    registry, (a, b, c) = made_up_registry(tmp_path, 3)
    promote(registry, a, SOMEBODY)
    shadow(again(registry), b, SOMEBODY)
    assert again(registry).challenger == b
    shadow(again(registry), c, SOMEBODY)
    drop_challenger(again(registry), SOMEBODY)
    assert again(registry).challenger == ""
    with pytest.raises(UserError, match="has no challenger"):
        drop_challenger(again(registry), SOMEBODY)
    shadow(again(registry), b, SOMEBODY)
    promote(again(registry), b, FORCED, without_gate=True)
    assert (again(registry).champion, again(registry).challenger) == (b, "")
    for wrong, text in ((b, "is the champion"), ("zz", "no version begins so")):
        with pytest.raises(UserError, match=text):
            shadow(again(registry), wrong, SOMEBODY)


def test_which_version_was_champion_on_a_date(tmp_path: Path) -> None:
    registry, (a, b) = made_up_registry(tmp_path, 2)
    promote(registry, a, SOMEBODY)
    promote(again(registry), b, FORCED, without_gate=True)
    days = [f"2026-0{1 + n // 2}-1{n % 2}T00:00:00.000000Z" for n in range(4)]
    dated = [replace(e, at=day) for e, day in zip(again(registry).entries, days, strict=True)]
    registry = Registry(registry.folder, tuple(dated))

    def on(text: str) -> str:
        return registry.champion_on(datetime.datetime.fromisoformat(text))

    assert on("2026-02-09T23:00:00+00:00") == ""
    assert on("2026-02-10T12:00:00+00:00") == a
    assert on("2026-02-11T00:30:00+01:00") == a
    assert on("2026-02-11T00:00:00+00:00") == b


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    dry = Author("ada", dry_run=True)
    model = made_up_version(tmp_path / "model", "first")
    add_version(tmp_path / "registry", model, FACTS, dry)
    assert not (tmp_path / "registry").exists()
    registry, (a, b) = made_up_registry(tmp_path, 2)
    promote(registry, a, dry)
    shadow(registry, b, dry)
    assert again(registry).entries == registry.entries


def test_a_change_of_the_history_is_noticed(tmp_path: Path) -> None:
    registry, (a, _) = made_up_registry(tmp_path, 2)
    promote(registry, a, SOMEBODY)
    first = registry.folder / HISTORY / "000001.json"
    body = json.loads(first.read_text())
    first.write_text(json.dumps(body | {"by": "eve"}, indent=1, sort_keys=True))
    with pytest.raises(UserError, match=r"000002\.json: was changed after it was written"):
        again(registry)
    first.unlink()
    with pytest.raises(UserError, match=r"000001\.json: is missing"):
        again(registry)


def test_a_version_that_was_changed_is_never_promoted(tmp_path: Path) -> None:
    registry, (a, b) = made_up_registry(tmp_path, 2)
    (folder_of(registry.folder, a) / "policy.json").write_text("other")
    with pytest.raises(RecordError, match=r"policy\.json: does not match its checksum"):
        promote(registry, a, SOMEBODY)
    for path in folder_of(registry.folder, b).iterdir():
        path.unlink()
    folder_of(registry.folder, b).rmdir()
    with pytest.raises(UserError, match="is missing; restore the registry from a copy"):
        promote(registry, b, SOMEBODY)


def test_two_writers_at_once_cannot_both_win(tmp_path: Path) -> None:
    registry, (a, b) = made_up_registry(tmp_path, 2)
    promote(registry, a, SOMEBODY)
    with pytest.raises(UserError, match="was changed by somebody else meanwhile"):
        promote(registry, b, FORCED, without_gate=True)


def test_a_version_is_added_once_and_of_the_same_study(tmp_path: Path) -> None:
    registry, _ = made_up_registry(tmp_path, 1)
    with pytest.raises(UserError, match=r"model-0: is in .* already, as version"):
        add_version(registry.folder, tmp_path / "model-0", FACTS, SOMEBODY)
    other = made_up_version(tmp_path / "other", "other")
    with pytest.raises(UserError, match="one registry holds one model"):
        add_version(registry.folder, other, replace(FACTS, study="heparin"), SOMEBODY)
    with pytest.raises(UserError, match="holds something else"):
        add_version(tmp_path / "model-0", other, FACTS, SOMEBODY)


def test_what_a_killed_run_left_is_finished_or_ignored(tmp_path: Path) -> None:
    registry, (a,) = made_up_registry(tmp_path, 1)
    (registry.folder / HISTORY / ".half.draft").write_text('{"action": "pro')
    model = made_up_version(tmp_path / "late", "late")
    shadowed = folder_of(registry.folder, "0" * 64).parent
    assert len(list(shadowed.iterdir())) == 1
    orphan = add_version(registry.folder, model, FACTS, SOMEBODY)
    (registry.folder / HISTORY / "000002.json").unlink()  # killed before its entry
    assert list(again(registry).versions) == [a]
    assert add_version(registry.folder, model, FACTS, SOMEBODY).digest == orphan.digest


def test_an_entry_keeps_what_was_said(tmp_path: Path) -> None:
    registry, (a,) = made_up_registry(tmp_path, 1)
    written = append_entry(
        registry.folder, Entry("judge", a, "ada", "µ and ü", {"gate": "closed"}), 1
    )
    assert again(registry).entries[-1] == written
    assert (written.number, written.reason) == (2, "µ and ü")


def test_a_first_addition_that_was_killed_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "registry" / HISTORY).mkdir(parents=True)
    model = made_up_version(tmp_path / "model", "first")
    entry = add_version(tmp_path / "registry", model, FACTS, SOMEBODY)
    assert list(read_registry(tmp_path / "registry").versions) == [entry.digest]


def test_a_file_that_is_no_entry_is_named(tmp_path: Path) -> None:
    registry, _ = made_up_registry(tmp_path, 1)
    (registry.folder / HISTORY / "000002.json").write_text("5")
    with pytest.raises(UserError, match=r"000002\.json: is no entry of a registry"):
        again(registry)
