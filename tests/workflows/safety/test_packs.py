"""`posology safety check` and `posology safety seal`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.cohorts.study.packs.read import read_pack
from posology.cohorts.study.reader import read_study, shipped_study_path
from posology.domain.formulary import Treatment
from posology.errors import StudyError
from posology.workflows.safety.packs import check_packs, seal_pack
from tests.builders.safety_packs import pack, rule, write

EXAMPLE = shipped_study_path("clinic").with_name("type-2-diabetes.json")


def test_sealing_makes_a_pack_readable_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(pack()))
    dry = seal_pack(path, dry_run=True)
    assert not dry.written
    assert "sha256" not in path.read_text()
    run = CliRunner().invoke(app, ["safety", "seal", str(path), "--json", str(tmp_path / "out")])
    assert run.exit_code == 0
    assert json.loads((tmp_path / "out").read_text())["sha256"] == dry.sha256
    assert read_pack(path).sha256 == dry.sha256
    assert "is sealed already" in str(seal_pack(path).__rich__())


def test_what_is_no_pack_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(pack(licence=None)))
    with pytest.raises(StudyError, match="needs the key `licence`"):
        seal_pack(path)


def test_packs_that_contradict_and_packs_that_are_old_are_shown(tmp_path: Path) -> None:
    likes = rule(name="likes-b", kind="recommendation", effect="recommend")
    first = write(pack(), tmp_path, "first.json")
    other = pack(likes, name="other", date="2020-01-01", expires="2021-01-01")
    second = write(other, tmp_path, "second.json")
    found = tmp_path / "found.json"
    run = CliRunner().invoke(
        app, ["safety", "check", str(first), str(second), "--json", str(found)]
    )
    assert run.exit_code == 0, run.output
    body = json.loads(found.read_text())
    assert [row["expired"] for row in body["packs"]] == [False, True]
    assert body["conflicts"] == [
        "made-up: b-kidney and other: likes-b say different things of drug B (forbid and "
        "recommend) if both apply."
    ]
    assert "2021-01-01, expired" in run.output


def test_limits_of_two_packs_that_differ_are_a_conflict(tmp_path: Path) -> None:
    five, six = (rule(effect="limit", dose={"at_most": most, "unit": "mg/d"}) for most in (5, 6))
    paths = [
        write(pack(five), tmp_path, "five.json"),
        write(pack(six, name="six"), tmp_path, "six.json"),
    ]
    assert "(limit and limit)" in check_packs(paths).conflicts[0]
    same = write(pack(five, name="same"), tmp_path, "same.json")
    assert check_packs([paths[0], same]).conflicts == ()


def test_options_that_no_rule_concerns_are_named() -> None:
    found = check_packs([EXAMPLE], "clinic")
    assert found.without_rules == ()
    assert found.rows[0]["rules_that_concern_the_study"] == found.rows[0]["rules"]
    assert "nobody" in found.summary(), "an example that nobody reviewed says so"
    assert found.to_frame().num_rows == 1


def test_options_are_named_and_the_checksum_is_said_to_be_right() -> None:
    found = check_packs([EXAMPLE], "clinic")
    assert "the content is as it was sealed (sha256 " in found.summary()
    (path, study) = (EXAMPLE, read_study("clinic"))
    more = Treatment("insulin", "insulin (glargine)", ("DRUG//RXNORM//274783",))
    formulary = replace(study.formulary, treatments=(*study.formulary.treatments, more))
    assert check_packs([path], replace(study, formulary=formulary)).without_rules == (
        "insulin (glargine)",
    )
