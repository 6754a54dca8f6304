"""From a folder of events to a folder of arrays: one pass in order, memory bounded by a setting."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from posology.cohorts.build import build_cohort, cohort_of, must_learn, rows_of
from posology.cohorts.chunks import COLUMNS, all_codes, event_files, whole_subjects
from posology.cohorts.decide import Decided, Flow, decide, joined, merged
from posology.cohorts.encode import Tally, added, compact, fit_profile
from posology.cohorts.flow import flow_of
from posology.cohorts.part import Part, feature_codes, part_of
from posology.cohorts.store import Writer, load_cohort, save_cohort
from posology.cohorts.stream import stream
from posology.cohorts.study_codes import must_occur
from posology.cohorts.truth import with_truth
from posology.domain.cohort import PER_DECISION, SPLITS, Cohort
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError, UserError
from posology.records.meds_folder import read_splits

ROWS = 2_000_000
"""Events in memory at once; about 0.6 GB of arrays and copies."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a cohort is built."""

    rows: int = ROWS
    truth: Path | None = None
    """A simulator's truth, joined to the test split as `best`, `rewards` and `logged`."""


def build_folder(study: Study, events: Path, out: Path, asked: Asked | None = None) -> Cohort:
    """Build the cohort into a new folder and load it from there.

    A study whose profile refits formulas is built in memory, as the refit wants all at once.
    """
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    asked = asked or Asked()
    files, split = event_files(events), _split_file(events, study)
    out.parent.mkdir(parents=True, exist_ok=True)
    if study.profile.refit:
        cohort = build_cohort(pq.read_table(files, columns=list(COLUMNS)), study, split)
        save_cohort(cohort, out)
        return load_cohort(out)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _build(study, (files, split), draft, asked)
        (draft / "whole").rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load_cohort(out)


def dry_run(study: Study, events: Path, rows: int = ROWS) -> dict:
    """Who would be in the cohort and what came of it, before anything is built."""
    files, split = event_files(events), _split_file(events, study)
    codes = all_codes(files)
    must_occur(codes, study)
    parts, flows = [], []
    for table in whole_subjects(files, rows):
        decided, flow = decide(stream(table, codes), study, split)
        parts.append(decided)
        flows.append(flow)
    return flow_of(study, _once(joined(parts)), merged(flows))


def _split_file(events: Path, study: Study) -> dict[int, int] | None:
    """What the records' split file says, where the study splits by it."""
    if study.split.by != "file":
        return None
    told = read_splits(events)
    if told is None:
        raise RecordError(
            f"{events}: has no metadata/subject_splits.parquet, by which study {study.name} "
            "splits; add it, or choose another `by` in [split]."
        )
    return {subject: SPLITS.index(name) for subject, name in told.items()}


def _build(
    study: Study, records: tuple[list[Path], dict[int, int] | None], draft: Path, asked: Asked
) -> None:
    files, split = records
    codes = all_codes(files)
    must_occur(codes, study)
    decided, flows, total = [], [], None
    paths: list[Path] = []
    for table in whole_subjects(files, asked.rows):
        part = part_of(stream(table, codes), study, split)
        decided.append(part.decided)
        flows.append(part.flow)
        total = part.tally if total is None else added(total, part.tally)
        paths.append(_put_aside(part, draft / f"{len(paths):06d}"))
    if total is None:
        raise RecordError(f"{files[0].parent}: holds no events.")
    told = _once(joined(decided)), merged(flows)
    writer, profile = _assemble(study, (draft, paths), (codes, total), told)
    _columns(writer, profile, study, told, asked.truth)


def _assemble(
    study: Study,
    where: tuple[Path, list[Path]],
    known: tuple[tuple[str, ...], Tally],
    told: tuple[Decided, Flow],
) -> tuple[Writer, Profile]:
    """One vocabulary for all chunks, which then follow each other in the whole."""
    (draft, paths), (codes, total) = where, known
    must_learn(told[0], told[1].points, study)
    features = feature_codes(codes, study)
    profile = fit_profile(total, features, study)
    row = rows_of(features, profile)
    writer = Writer(draft / "whole")
    subjects, steps, events = 0, 0, 0
    writer.append("history.event_offsets", np.zeros(1, np.int64))
    writer.append("history.step_offsets", np.zeros(1, np.int64))
    for history, subject, last_step in _taken_back(paths):
        small, last = compact(history, last_step, row)
        writer.append("history.code", small.code)
        writer.append("history.value", small.value)
        writer.append("history.time", small.time)
        writer.append("history.subject_id", small.subject_id)
        writer.append("history.event_offsets", small.event_offsets[1:] + events)
        writer.append("history.step_offsets", small.step_offsets[1:] + steps)
        writer.append("subject", subject + subjects)
        writer.append("last_step", last + steps)
        subjects += len(small.subject_id)
        steps += len(small.time)
        events += len(small.code)
    return writer, profile


def _columns(
    writer: Writer, profile: Profile, study: Study, told: tuple[Decided, Flow], truth: Path | None
) -> None:
    """What was done and what came of it, beside the histories that are written."""
    decided, flow = told
    whole = writer.mapped()
    history = History(**{f.name: whole[f"history.{f.name}"] for f in fields(History)})
    cohort = cohort_of(decided, (study, profile, history), whole["subject"], whole["last_step"])
    if truth is not None:
        cohort = with_truth(cohort, decided, truth)
    for name in PER_DECISION:
        column = getattr(cohort, name)
        if column is not None:
            writer.append(name, column)
    writer.close(study, profile, flow_of(study, decided, flow))


def _put_aside(part: Part, folder: Path) -> Path:
    """A chunk's history on disk until the vocabulary is known."""
    folder.mkdir()
    for f in fields(History):
        np.save(folder / f.name, getattr(part.history, f.name))
    np.save(folder / "subject", part.subject)
    np.save(folder / "last_step", part.last_step)
    return folder


def _taken_back(paths: list[Path]) -> Iterator[tuple[History, np.ndarray, np.ndarray]]:
    for folder in paths:
        history = History(**{f.name: np.load(folder / f"{f.name}.npy") for f in fields(History)})
        yield history, np.load(folder / "subject.npy"), np.load(folder / "last_step.npy")
        shutil.rmtree(folder)


def _once(decided: Decided) -> Decided:
    """Raise RecordError where a subject came back after its chunk was closed."""
    ids = decided.subject_id
    starts = ids[np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1))]
    twice, counts = np.unique(starts, return_counts=True)
    if (counts > 1).any():
        raise RecordError(
            f"subject {twice[counts > 1][0]} stands in two places of the events; "
            "`posology ingest --meds` brings each subject together."
        )
    return decided
