"""`posology outcomes add`, and an update that reads what the service recommended."""

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from posology.cli import app
from posology.evaluation.gate.requirement import GATE_CLOSED
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.returning.patients import patient_keys
from posology.service.store import DecisionRecord, open_store, save_answer, save_decision
from posology.service.work import _pack
from posology.workflows.cohorts import read_cohort
from posology.workflows.fit import fit
from tests.builders.changing_world import CHANGE, changing_events, changing_study
from tests.builders.pages import made_up_answer
from tests.builders.two_drug_records import ZERO

OLD = changing_events(1, 900, (0, 900), 3)
NEW = changing_events(10_001, 1_500, (901, CHANGE), 4)
ASKED = ZERO.replace(tzinfo=datetime.UTC) + datetime.timedelta(days=901)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A model, events, and a service that was asked about patient 10,001 before the review."""
    cohort = read_cohort(changing_study(), OLD)
    fit(cohort, "logistic", evidence_decisions=0).save(tmp_path / "model")
    for name, table in (("old", OLD), ("new", NEW)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    folder = tmp_path / "service"
    folder.mkdir()
    key = read_or_make_key(folder / KEY)
    store = open_store(f"sqlite:///{folder / 'store.sqlite'}", derive_key(key, "audit"))
    advice = {"state": "recommended", "is_ranked": True, "dose": None}
    body = _pack({"recommendation": advice | {"options": [{"name": "a", "dose": None}]}})
    key_of = patient_keys(folder, None, plain=False)
    rows = NEW.to_pylist()

    def fill(connection: Connection) -> None:
        for subject in range(10_001, 11_501):
            mine = rows[(subject - 10_001) * 6 :]
            review = next(r["time"] for r in mine if r["code"] == "REVIEW")
            at = review.replace(tzinfo=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            answer = made_up_answer("dose", at, key_of(subject), "0" * 64)
            stored = replace(answer, id=f"a{subject}", model="two", body=body)
            save_answer(connection, stored)
            if subject % 2:
                record = DecisionRecord(f"k{subject}", stored.id, "accepted", "ada", "a")
                save_decision(connection, record)

    store.write_now(fill)
    store.close()
    return tmp_path


def test_outcomes_come_back_and_the_update_knows_what_was_accepted(place: Path) -> None:
    words = ["outcomes", "add", place / "new.parquet", "--model", place / "model"]
    words += ["--service", place / "service", "--json", place / "added.json"]
    dry = CliRunner().invoke(app, list(map(str, [*words, "--dry-run"])), catch_exceptions=False)
    assert dry.output.startswith("Would be kept: 1,500; would be corrected: 0; known before: 0.")
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.output.startswith("Kept: 1,500; corrected: 0; known before: 0.")
    added = json.loads((place / "added.json").read_text())
    assert added["linked"] == {"accepted": 750, "unknown": 750}
    assert added["missing"] == 0
    words = ["update", place / "model", "--events", place / "old.parquet", "--events"]
    words += [place / "new.parquet", "--out", place / "challenger", "--json", place / "v.json"]
    words += ["--service", place / "service", "--evidence-decisions", 0, "--by", "ada"]
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == GATE_CLOSED
    verdict = json.loads((place / "v.json").read_text())
    assert 80 < verdict["caused_by_the_champion"] < 150  # of 15 % of 1,500, every second one
    assert verdict["look"] == 0  # without a registry nobody counts
    words[words.index(place / "challenger")] = place / "again"
    several = CliRunner().invoke(app, list(map(str, [*words, "--name", "three"])))
    assert str(several.exception) == "--name three: the store has answers of: two; name one."
    named = CliRunner().invoke(app, list(map(str, [*words, "--name", "two", "--plain-ids"])))
    assert named.exit_code == GATE_CLOSED
    assert "advised a patient of these events" in " ".join(named.output.split())
    assert json.loads((place / "v.json").read_text())["caused_by_the_champion"] == 0
    words[words.index(place / "again")] = place / "third"
    del words[words.index("--service") : words.index("--service") + 2]
    alone = CliRunner().invoke(app, list(map(str, [*words, "--plain-ids"])))
    assert str(alone.exception).startswith("--name, --ids, --plain-ids and --database say how")
