"""SIGKILL at random moments of promote, rollback and `outcomes add`: nothing is lost or doubled.

python -m benchmarks.kill_over_time --kills 200 --json out/kill_over_time.json

A child process works and is killed after a random time; it reports each change through a pipe once
it is done. After each kill the registry must name a champion whose files are whole, with every
reported change in its history; the store must hold every reported outcome once.
"""

import argparse
import datetime
import itertools
import os
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from sqlalchemy import select

from benchmarks.rows import row, write
from posology.domain.study import Study
from posology.lifecycle.registry.changes import (
    Author,
    VersionFacts,
    add_version,
    promote,
    roll_back,
)
from posology.lifecycle.registry.state import read_registry
from posology.lifecycle.registry.versions import verify_version
from posology.records.io.checksums import write_checksums
from posology.records.schema import EVENTS
from posology.service.keys import KEY, derive_key, read_or_make_key
from posology.service.returning.add_outcomes import Question, add_outcomes
from posology.service.returning.patients import patient_keys
from posology.service.store import StoredAnswer, open_store, save_answer, verify_audit
from posology.service.store.existing import existing_store
from posology.service.store.tables import OUTCOMES

_LONGEST = 0.03
"""Seconds from the last change to the kill, at most: as long as a change takes, or more."""
_BATCH, _PATIENTS = 20, 5
_READY = -1
_ASKED = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
KILLER = Author("benchmark", "a kill test")


@dataclass(frozen=True, slots=True)
class Found:
    """What was wrong after the kills."""

    kills: int
    reported: int
    """Changes, or batches of outcomes, that the child reported as done."""
    lost: int
    doubled: int
    invalid: int
    """Kills after which there was no valid champion, or the audit log did not verify."""


def run_and_kill(
    work: Callable[[], Iterator[int]], seconds: float, rng: random.Random
) -> list[int]:
    """The numbers that a child's work reported until it was killed.

    That is at most so many seconds after it was ready, or had done up to three changes.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            for number in work():
                os.write(writing, f"{number}\n".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [pipe.readline() for _ in range(1 + rng.randrange(4))]  # the first one: it is ready
        time.sleep(rng.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines += pipe.read().splitlines(keepends=True)
    return [int(line) for line in lines[1:] if line.endswith(b"\n")]


def make_registry(folder: Path, versions: int = 4) -> Path:
    """A registry of small versions, the first one champion."""
    for number in range(versions):
        model = folder / f"model-{number}"
        model.mkdir(parents=True)
        (model / "policy.json").write_text(f"version {number}" * 1_000)
        write_checksums(model)
        add_version(folder / "registry", model, VersionFacts("kill", "0", "0"), KILLER)
    registry = read_registry(folder / "registry")
    promote(registry, next(iter(registry.versions)), KILLER)
    return registry.folder


def kill_changes(folder: Path, kills: int, rng: random.Random) -> Found:
    """Promote and roll back until killed, so many times."""
    place = make_registry(folder)

    def work() -> Iterator[int]:
        own = random.Random(os.getpid())
        yield _READY
        while True:
            registry = read_registry(place)
            others = [v for v in registry.versions if v != registry.champion]
            if len(registry.champions) > 1 and own.random() < 0.5:
                entry = roll_back(registry, KILLER)
            else:
                entry = promote(registry, own.choice(others), KILLER, without_gate=True)
            yield entry.number

    reported: set[int] = set()
    lost, invalid = 0, 0
    for _ in range(kills):
        reported |= set(run_and_kill(work, _LONGEST, rng))
        try:
            registry = read_registry(place)
            verify_version(place, registry.champion)
        except (ValueError, IndexError):
            invalid += 1
            continue
        lost += len(reported - {entry.number for entry in registry.entries})
    numbers = [entry.number for entry in read_registry(place).entries]
    return Found(kills, len(reported), lost, len(numbers) - len(set(numbers)), invalid)


def kill_outcomes(folder: Path, study: Study, kills: int, rng: random.Random) -> Found:
    """Add outcomes until killed, so many times; after each kill the same batches come again."""
    _make_store(folder)
    question = Question("kill", study, patient_keys(folder, None, plain=False))
    done = 0
    with existing_store(folder) as store:  # once here, so that no child loads modules
        add_outcomes(store, question, _outcomes(study, 0), dry_run=True)

    def work() -> Iterator[int]:
        with existing_store(folder) as store:
            yield _READY
            for batch in itertools.count(max(done - 1, 0)):  # the last one is sent again
                add_outcomes(store, question, _outcomes(study, batch), dry_run=False)
                yield batch

    invalid = 0
    for _ in range(kills):
        batches = run_and_kill(work, 2 * _LONGEST, rng)
        done = max([done, *(batch + 1 for batch in batches)])
        with existing_store(folder) as store:
            invalid += bool(store.read_now(verify_audit, store.key).problem)
    with existing_store(folder) as store:
        columns = (OUTCOMES.c.key, OUTCOMES.c.version)
        kept = store.read_now(lambda c: [tuple(r) for r in c.execute(select(*columns))])
    expected = done * _BATCH
    keys = {key for key, _ in kept}
    doubled = len(kept) - len(keys)
    return Found(kills, done, max(expected - len(keys), 0), doubled, invalid)


def _make_store(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key = read_or_make_key(folder / KEY)
    store = open_store(f"sqlite:///{folder / 'store.sqlite'}", derive_key(key, "audit"))
    key_of = patient_keys(folder, None, plain=False)
    for subject in range(_PATIENTS):
        answer = StoredAnswer(
            id=f"a{subject}",
            made_at="2026-01-01T00:00:00.000000Z",
            model="kill",
            digest="0" * 64,
            patient_key=key_of(subject),
            state="dose",
            headline="",
            asked_by="benchmark",
            door="api",
            door_reference="",
            is_demo=False,
            milliseconds=0.0,
            body=None,
            given=None,
        )
        store.write_now(save_answer, answer)
    store.close()


def _outcomes(study: Study, batch: int) -> pa.Table:
    """Outcomes of one batch, each at a moment of its own within the study's window."""
    code = study.outcome.codes[0]
    rows = [
        {
            "subject_id": number % _PATIENTS,
            "time": _ASKED + datetime.timedelta(hours=1, seconds=batch * _BATCH + number),
            "code": code,
            "numeric_value": 35.0,
            "text_value": None,
            "unit": None,
        }
        for number in range(_BATCH)
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)


def main() -> None:
    """Kill, print and write; exit code 1 if anything was lost, doubled or invalid."""
    from posology.cohorts.study.reader import read_study

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    started, rng, rows = time.time(), random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        found = {
            "registry": kill_changes(Path(scratch) / "changes", args.kills, rng),
            "outcomes": kill_outcomes(
                Path(scratch) / "outcomes", read_study("iwpc"), args.kills, rng
            ),
        }
    for name, one in found.items():
        for metric in Found.__slots__:
            rows.append(row(name, "posology", "test", metric, getattr(one, metric), n=one.kills))
    write(args.json, rows, args.seed, started)
    if any(one.lost or one.doubled or one.invalid for one in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
