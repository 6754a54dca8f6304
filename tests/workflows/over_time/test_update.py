"""From a changed world to a challenger, its verdict and its promotion, with a real small model."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.evaluation.gate.requirement import GATE_CLOSED
from posology.lifecycle.advice_log import ACCEPTED, AdviceLog
from posology.lifecycle.learned_from import EVIDENCE as LEARNED_FROM
from posology.lifecycle.learned_from import to_days
from posology.lifecycle.registry.changes import Author, promote
from posology.lifecycle.registry.history import PLAN, Entry, append_entry
from posology.lifecycle.registry.state import read_registry
from posology.workflows.cohorts import read_cohort
from posology.workflows.fit import fit
from posology.workflows.over_time.looks import looks_of, plan_of
from posology.workflows.over_time.preview import preview_update
from posology.workflows.over_time.registry import add_model
from posology.workflows.over_time.update import (
    Learning,
    NewRecords,
    judge_again,
    update,
)
from tests.builders.changing_world import CHANGE, changing_events, changing_study

ADA = Author("ada", "a test")
FEW = Learning(evidence_decisions=0)
OLD = changing_events(1, 1_500, (0, 900), 3)
SAME = changing_events(10_001, 3_000, (901, CHANGE), 4)
CHANGED = changing_events(20_001, 3_000, (CHANGE, CHANGE + 60), 5)
LATER = changing_events(30_001, 2_000, (CHANGE + 61, CHANGE + 90), 6)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("champion") / "model"
    fit(read_cohort(changing_study(), OLD), "logistic", evidence_decisions=0).save(folder)
    return folder


@pytest.fixture
def registry(champion: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "registry"
    added = add_model(folder, champion, ADA)
    promote(read_registry(folder), added.entry.digest, ADA)
    return folder


def records(*tables: pa.Table, advice: AdviceLog | None = None) -> NewRecords:
    return NewRecords(pa.concat_tables(tables), advice)


def test_a_changed_world_gives_a_challenger_that_passes_and_is_promoted(
    registry: Path, tmp_path: Path
) -> None:
    before = read_registry(registry).champion
    result = update(registry, records(OLD, CHANGED), tmp_path / "new", ADA, FEW)
    value = result.verdict.requirements[0]
    assert result.verdict.is_open
    assert value.estimate is not None
    assert value.estimate.low <= 0.2 <= value.estimate.high  # half of the patients gain 0.4
    assert value.estimate.low > 0.08
    kept = read_registry(registry)
    assert kept.versions[result.challenger].details["parent"] == before
    assert kept.passed_gate(result.challenger)
    assert [look.showed_gain for look in looks_of(kept)] == [True]
    assert kept.entries[-1].details["requirements"][0]["reason"] == value.reason
    promote(kept, result.challenger, ADA)
    assert read_registry(registry).champion == result.challenger


def test_an_unchanged_world_leaves_the_gate_closed_and_each_look_is_counted(
    registry: Path, tmp_path: Path
) -> None:
    result = update(registry, records(OLD, SAME), tmp_path / "new", ADA, FEW)
    assert not result.verdict.is_open
    again = judge_again(registry, result.challenger[:8], records(OLD, SAME, CHANGED), ADA)
    assert (result.look, again.look) == (1, 2)
    kept = read_registry(registry)
    assert len(looks_of(kept)) == 2
    assert plan_of(kept) == result.plan
    with pytest.raises(UserError, match="the gate was not open"):
        promote(kept, result.challenger, ADA)


def test_later_patients_join_those_who_were_kept_for_judging(
    registry: Path, tmp_path: Path
) -> None:
    first = update(registry, records(OLD, CHANGED), tmp_path / "new", ADA, FEW)
    again = judge_again(registry, first.challenger, records(OLD, CHANGED, LATER), ADA)
    judged = [len(np.unique(r.evidence.subject)) for r in (first, again)]
    assert 300 < judged[0] < 600  # 15 % of 3,000
    assert judged[1] == judged[0] + 2_000


def test_a_dry_run_counts_patients_and_gives_no_verdict(registry: Path, tmp_path: Path) -> None:
    events = pa.concat_tables([OLD, CHANGED])
    preview = preview_update(registry, events)
    result = update(registry, NewRecords(events), tmp_path / "new", ADA, FEW)
    assert preview.fresh == len(np.unique(result.evidence.subject))
    assert preview.learned_from_new + preview.replayed == result.learned["patients"]
    assert (preview.look, preview.alpha) == (result.look, result.alpha)
    again = preview_update(registry, pa.concat_tables([events, LATER]), result.challenger[:8])
    assert (again.fresh, again.learned_from_new, again.look) == (preview.fresh + 2_000, 0, 2)
    entries = read_registry(registry).entries
    pq.write_table(events, tmp_path / "events.parquet")
    words = ["update", registry, "--events", tmp_path / "events.parquet", "--out"]
    words += [tmp_path / "dry", "--dry-run", "--json", tmp_path / "dry.json"]
    shown = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert "Nothing is learned, judged or written: this is a dry run." in shown.output
    assert json.loads((tmp_path / "dry.json").read_text())["fresh"] == preview.fresh
    assert read_registry(registry).entries == entries
    assert not (tmp_path / "dry").exists()


def test_old_decisions_can_be_left_out_of_learning(
    champion: Path, registry: Path, tmp_path: Path
) -> None:
    """The same fresh patients judge, and the model says what it learned from."""
    events = pa.concat_tables([OLD, SAME])
    until = artifact.load(champion).evidence[LEARNED_FROM]["until"]
    since = float(np.floor(to_days(until))) + 1
    day = str(np.datetime64(int(since), "D"))
    everything = preview_update(registry, events)
    preview = preview_update(registry, events, since=since)
    learning = replace(FEW, since=since)
    result = update(registry, NewRecords(events), tmp_path / "new", ADA, learning)
    assert preview.learned_from_new + preview.replayed == result.learned["patients"]
    assert (preview.replayed, preview.fresh) == (0, everything.fresh)
    assert everything.replayed > 1_000
    with pytest.raises(UserError, match="--learn-since 2089-01-01: leaves no decision of training"):
        update(registry, NewRecords(events), tmp_path / "x", ADA, replace(FEW, since=43_465.0))
    pq.write_table(events, tmp_path / "events.parquet")
    words = ["update", registry, "--events", tmp_path / "events.parquet", "--dry-run"]
    words += ["--out", tmp_path / "dry", "--learn-since", day]
    shown = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert f"{preview.learned_from_new:,} new patients and 0 old" in shown.output
    words = ["update", registry, "--events", tmp_path / "events.parquet", "--judge", "abc"]
    refused = CliRunner().invoke(app, list(map(str, [*words, "--learn-since", day])))
    assert str(refused.exception) == (
        "--learn-since: is of learning, and --judge learns nothing; leave one out."
    )


def test_what_was_recommended_is_accounted_for(registry: Path, tmp_path: Path) -> None:
    subjects = np.arange(20_001, 23_001)
    first = changing_days(CHANGED)
    log = AdviceLog(
        subject_id=subjects,
        time=np.array([first[s] for s in subjects.tolist()], float),
        option=np.zeros(len(subjects), np.int64),
        accepted=np.full(len(subjects), ACCEPTED, np.int8),
        probability=np.full(len(subjects), np.nan),
    )
    result = update(registry, records(OLD, CHANGED, advice=log), tmp_path / "new", ADA, FEW)
    assert result.evidence.caused == result.to_json()["caused_by_the_champion"] > 300
    assert result.verdict.is_open


def changing_days(events: pa.Table) -> dict[int, float]:
    """Day of each subject's review, since 1970."""
    rows = events.filter(pa.compute.equal(events["code"], "REVIEW"))
    days = rows["time"].to_numpy().astype("datetime64[D]").astype(int)
    return dict(zip(rows["subject_id"].to_pylist(), days.tolist(), strict=True))


def test_a_model_that_does_not_say_what_it_learned_from_is_refused(
    champion: Path, tmp_path: Path
) -> None:
    loaded = artifact.load(champion)
    silent = {k: v for k, v in loaded.evidence.items() if k != "learned_from"}
    artifact.save(loaded.policy, loaded.study, silent, tmp_path / "silent")
    with pytest.raises(UserError, match="does not say until when it learned"):
        update(tmp_path / "silent", records(OLD, CHANGED), tmp_path / "new", ADA, FEW)
    with pytest.raises(
        UserError,
        match=r"hold no fresh patient to judge on: the champion learned until \d{4}-\d\d-\d\d",
    ):
        update(champion, records(OLD), tmp_path / "none", ADA, FEW)


def test_a_network_starts_from_the_champion_s_weights(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posology.learners.network import reinforcement, supervised, training_loop

    starts = []

    def no_epoch(model, counts, loss, validate, training, run):
        starts.append({n: t.detach().clone() for n, t in model.state_dict().items()})
        few = replace(training, epochs=0)
        yield from training_loop.train_epochs(model, counts, loss, validate, few, run)

    for phase in (supervised, reinforcement):
        monkeypatch.setattr(phase, "train_epochs", no_epoch)
    first: Cohort = read_cohort(changing_study(), OLD.slice(0, 1_800))
    fit(first, "network", evidence_decisions=0).save(tmp_path / "network")
    starts.clear()
    update(
        tmp_path / "network",
        records(OLD.slice(0, 1_800), CHANGED.slice(0, 3_600)),
        tmp_path / "new",
        ADA,
    )
    weights = artifact.load(tmp_path / "network").policy.network.state_dict()
    name = next(n for n in weights if n.startswith("encoder."))
    assert (starts[0][name] == weights[name]).all()


def test_the_command_says_why_and_ends_with_the_gate_s_code(registry: Path, tmp_path: Path) -> None:
    for name, table in (("old", OLD), ("new", SAME)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    words = ["update", registry, "--events", tmp_path / "old.parquet", "--by", "ada"]
    words += ["--events", tmp_path / "new.parquet", "--out", tmp_path / "challenger"]
    words += ["--json", tmp_path / "verdict.json", "--evidence-decisions", 0]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == GATE_CLOSED
    assert "The gate is closed for" in result.output
    body = json.loads((tmp_path / "verdict.json").read_text())
    assert (body["gate"], body["look"], body["looks"]) == ("closed", 1, 120)
    nothing = CliRunner().invoke(app, list(map(str, words[:4])))
    assert str(nothing.exception) == (
        "posology update: add --out with a new folder, or --judge VERSION."
    )


def test_a_look_at_too_few_patients_spends_nothing(registry: Path, tmp_path: Path) -> None:
    first = update(registry, records(OLD, CHANGED), tmp_path / "new", ADA, FEW)
    stricter = replace(first.plan, patients=10_000)
    kept = read_registry(registry)
    append_entry(
        registry,
        Entry(PLAN, "", ADA.by, "more patients", {"settings": asdict(stricter)}),
        len(kept.entries),
    )
    again = judge_again(registry, first.challenger, records(OLD, CHANGED, LATER), ADA)
    assert again.look == 0
    assert not again.verdict.is_open
    assert looks_of(read_registry(registry)) == []
    assert "fresh patients can be judged" in again.verdict.requirements[0].reason
