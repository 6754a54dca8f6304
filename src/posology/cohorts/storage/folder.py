"""From a folder of events to a folder of arrays: one pass in order, memory bounded by a setting."""

import shutil
import tempfile
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from posology.cohorts.build import (
    assemble_cohort,
    build_cohort,
    check_training_decisions,
    vocabulary_rows,
)
from posology.cohorts.decisions.decision_table import (
    DecisionTable,
    PatientFlow,
    concatenate_decisions,
    extract_decisions,
    merge_flows,
)
from posology.cohorts.decisions.flow_diagram import summarize_flow
from posology.cohorts.encode import (
    CodeStatistics,
    fit_profile,
    merge_statistics,
    place_statistics,
    remap_codes,
    with_descriptions,
)
from posology.cohorts.events.chunks import COLUMNS, distinct_codes, event_files, subject_chunks
from posology.cohorts.events.kidney import add_kidney_events
from posology.cohorts.events.stream import sort_events, subject_runs
from posology.cohorts.part import feature_codes
from posology.cohorts.storage.arrays import CohortWriter, load_cohort, save_cohort
from posology.cohorts.storage.cached_parts import (
    Shard,
    build_shard,
    list_shards,
    part_files,
    read_counts,
    read_history,
    remove_stale_shards,
    settings_hash,
    shard_codes,
)
from posology.cohorts.storage.known_truth import join_truth
from posology.cohorts.storage.parallel import Progress, run_parallel
from posology.cohorts.study.code_check import check_codes_occur
from posology.domain.cohort import DECISION_COLUMNS, SPLITS, Cohort
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError, UserError
from posology.records.meds_dataset import read_codes, read_splits

ROWS_PER_CORE = 2_000_000
"""Events that a core holds at once; about 0.6 GB of arrays and copies."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a cohort is built."""

    rows: int = ROWS_PER_CORE
    truth: Path | None = None
    """A simulator's truth, joined to the test split as `best`, `rewards` and `logged`."""
    parts: Path | None = None
    """Where the parts of files are kept: of a file that did not change, it is not made again."""
    workers: int = 1
    """Cores. What is built does not depend on it."""
    tell: Progress | None = None


def build_folder(
    study: Study, events: Path, out: Path, asked: BuildOptions | None = None
) -> Cohort:
    """Build the cohort into a new folder and load it from there.

    A study that refits formulas or reduces vectors is built in memory: both want all at once.
    """
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    asked = asked or BuildOptions()
    files, split = event_files(events), _split_file(events, study)
    out.parent.mkdir(parents=True, exist_ok=True)
    if study.profile.refit or study.profile.embedding_components:
        if asked.parts is not None:
            raise UserError(
                f"--parts: study {study.name} refits formulas or reduces vectors, which wants all "
                "patients at once; leave --parts away."
            )
        table = pq.read_table(files, columns=list(COLUMNS))
        cohort = build_cohort(table, study, split, meanings=read_codes(events))
        save_cohort(cohort, out)
        return load_cohort(out)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _build(study, (files, split, read_codes(events)), draft, asked)
        (draft / "whole").rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load_cohort(out)


def dry_run(study: Study, events: Path, asked: BuildOptions | None = None) -> dict:
    """Who would be in the cohort and what came of it, before anything is built."""
    asked = asked or BuildOptions()
    files, split = event_files(events), _split_file(events, study)
    codes = distinct_codes(files)
    check_codes_occur(codes, study)
    job = partial(_decided, codes=codes, study=study, split=split, rows=asked.rows)
    told = [part for of in run_parallel(job, files, asked.workers, asked.tell) for part in of]
    decided, flows, subjects = zip(*told, strict=True)
    _once(list(subjects), events)
    return summarize_flow(study, concatenate_decisions(list(decided)), merge_flows(list(flows)))


def _decided(
    path: Path, codes: tuple[str, ...], study: Study, split: dict[int, int] | None, rows: int
) -> list[tuple[DecisionTable, PatientFlow, np.ndarray]]:
    """The decisions, the flow and the subjects of each chunk of a file."""
    told = []
    for table in subject_chunks(path, rows):
        ordered = add_kidney_events(sort_events(table, codes), study)
        told.append((*extract_decisions(ordered, study, split), subject_runs(ordered)[0]))
    return told


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


Records = tuple[list[Path], dict[int, int] | None, dict[str, str | None]]
"""Files of events, the split file and what codes mean."""


def _build(study: Study, records: Records, draft: Path, asked: BuildOptions) -> None:
    files, split, meanings = records
    of = None if asked.parts is None else settings_hash(study, asked.rows, split)
    shelf = asked.parts or draft / "parts"
    shards = list_shards(files, shelf, of)
    codes = tuple(sorted({code for shard in shards for code in shard_codes(shard)}))
    check_codes_occur(codes, study)
    job = partial(build_shard, study=study, split=split, rows=asked.rows)
    for _ in run_parallel(job, shards, asked.workers, asked.tell):
        pass
    features = feature_codes(codes, study)
    told, total = _counted(shards, features, study)
    check_training_decisions(told[0], told[1].candidates, study)
    profile = with_descriptions(fit_profile(total, features, study), meanings)
    writer = CohortWriter(draft / "whole")
    _histories(writer, shards, (study, profile), keep=asked.parts is not None)
    _columns(writer, profile, study, told, asked.truth)
    if asked.parts is not None:
        remove_stale_shards(shards, shelf)


def _counted(
    shards: tuple[Shard, ...], features: tuple[str, ...], study: Study
) -> tuple[tuple[DecisionTable, PatientFlow], CodeStatistics]:
    """The decisions, the flow and the statistics of all parts together."""
    decided, flows, subjects = [], [], []
    nothing = np.zeros(len(features))
    total = CodeStatistics(nothing, nothing, nothing, nothing)
    number = {code: row for row, code in enumerate(features)}
    for shard in shards:
        rows = np.array(
            [number[c] for c in feature_codes(shard_codes(shard), study)], dtype=np.int64
        )
        for path in part_files(shard):
            part = read_counts(path)
            decided.append(part.decided)
            flows.append(part.flow)
            subjects.append(part.subjects)
            total = merge_statistics(total, place_statistics(part.statistics, rows, len(features)))
    if not decided:
        raise RecordError(f"{shards[0].events.parent}: holds no events.")
    _once(subjects, shards[0].events.parent)
    return (concatenate_decisions(decided), merge_flows(flows)), total


def _histories(
    writer: CohortWriter, shards: tuple[Shard, ...], what: tuple[Study, Profile], keep: bool
) -> None:
    """The histories of all parts one after the other, in the one vocabulary."""
    study, profile = what
    subjects, steps, events = 0, 0, 0
    writer.append("history.event_offsets", np.zeros(1, np.int64))
    writer.append("history.step_offsets", np.zeros(1, np.int64))
    for shard in shards:
        row = vocabulary_rows(feature_codes(shard_codes(shard), study), profile)
        for path in part_files(shard):
            history, subject, last_step = read_history(path)
            small, last = remap_codes(history, last_step, row)
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
            if not keep:
                path.unlink()


def _columns(
    writer: CohortWriter,
    profile: Profile,
    study: Study,
    told: tuple[DecisionTable, PatientFlow],
    truth: Path | None,
) -> None:
    """What was done and what came of it, beside the histories that are written."""
    decided, flow = told
    whole = writer.mapped()
    history = History(**{f.name: whole[f"history.{f.name}"] for f in fields(History)})
    cohort = assemble_cohort(
        decided, (study, profile, history), whole["subject"], whole["last_step"]
    )
    if truth is not None:
        cohort = join_truth(cohort, decided, truth)
    for name in DECISION_COLUMNS:
        column = getattr(cohort, name)
        if column is not None:
            writer.append(name, column)
    writer.close(study, profile, summarize_flow(study, decided, flow))


def _once(subjects: list[np.ndarray], events: Path) -> None:
    """Raise RecordError where a subject stands in two parts."""
    twice, counts = np.unique(np.concatenate(subjects), return_counts=True)
    if (counts > 1).any():
        raise RecordError(
            f"{events}: subject {twice[counts > 1][0]} stands in two places of the events; "
            "`posology ingest --meds` brings each subject together."
        )
