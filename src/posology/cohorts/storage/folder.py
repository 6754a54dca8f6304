"""Build a cohort folder from a folder of events, file by file, in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posology.cohorts.build import (
    assemble_cohort,
    build_cohort,
    check_training_decisions,
    vocabulary_rows,
    with_names,
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
    with_units,
)
from posology.cohorts.events.chunks import (
    distinct_codes,
    event_files,
    read_event_table,
    read_units,
    subject_chunks,
)
from posology.cohorts.events.day_order import study_events
from posology.cohorts.events.stream import subject_runs
from posology.cohorts.images import attach_images
from posology.cohorts.part import feature_codes
from posology.cohorts.storage.arrays import (
    CohortWriter,
    history_of,
    load_cohort,
    save_cohort,
)
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
from posology.cohorts.storage.parallel import LOCAL, Progress, run_parallel
from posology.cohorts.storage.record_check import check_records
from posology.domain.codes import needs_name, study_codes
from posology.domain.cohort import DECISION_COLUMNS, SPLITS, Cohort
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.errors import RecordError, UserError
from posology.records.io.drafts import draft_folder
from posology.records.meds_dataset import read_codes, read_splits

ROWS_PER_CORE = 2_000_000
"""Events per core at a time; about 0.6 GB of arrays and copies."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Options of building a cohort folder."""

    rows_per_core: int = ROWS_PER_CORE
    truth: Path | None = None
    """A simulator's ground truth, joined to the test split as `best_treatment`,
    `potential_rewards` and `logged_probability`."""
    parts: Path | None = None
    """Folder in which parts are cached: an unchanged file is not built again."""
    workers: int = 1
    """Number of processes; the cohort does not depend on it."""
    progress: Progress | None = None
    engine: str = LOCAL
    """What runs them: loky (this machine), dask, ray or spark; the cohort does not depend on it."""
    report_peak: Callable[[int], None] | None = None
    """Called after each file with the peak memory of the process that worked on it, in bytes."""


def build_folder(
    study: Study, events: Path, out: Path, options: BuildOptions | None = None
) -> Cohort:
    """Build a cohort into a new folder and load it.

    A study that refits formulas or reduces embeddings is built in memory, in one piece.
    """
    if out.exists():
        raise UserError(f"--out {out}: exists already; choose a new folder.")
    options = options or BuildOptions()
    files, split = event_files(events), _split_file(events, study)
    if study.profile.refit or study.profile.embedding_components:
        if options.parts is not None:
            raise UserError(
                f"--parts: study {study.name} refits formulas or reduces embeddings, which needs "
                "all patients at once; remove --parts."
            )
        table = read_event_table(files)
        flow = dry_run(study, events, options)
        cohort = build_cohort(table, study, split, descriptions=read_codes(events))
        history = attach_images(cohort.history, cohort.profile, study, (events,))
        cohort = replace(cohort, history=history)
        with draft_folder(out) as draft:
            save_cohort(cohort, draft / "whole", flow)
            (draft / "whole").rename(out)
        return load_cohort(out)
    with draft_folder(out) as draft:
        _build(study, (events, files, split), draft, options)
        (draft / "whole").rename(out)
    return load_cohort(out)


def dry_run(study: Study, events: Path, options: BuildOptions | None = None) -> dict:
    """The flow diagram of the cohort, without building it."""
    options = options or BuildOptions()
    files, split = event_files(events), _split_file(events, study)
    descriptions = read_codes(events)
    study = with_names(study, descriptions)
    codes = distinct_codes(files)
    findings = _check_records(events, files, codes, study)
    job = partial(_decide_file, codes=codes, study=study, split=split, rows=options.rows_per_core)
    per_file = _run(job, files, options)
    decided, flows, subjects = zip(*(chunk for chunks in per_file for chunk in chunks), strict=True)
    _check_distinct(list(subjects), events)
    decisions = concatenate_decisions(list(decided))
    flow = summarize_flow(study, decisions, merge_flows(list(flows)), codes)
    return flow | findings


def _run(job: partial[Any], items: Sequence[Any], options: BuildOptions) -> Iterator[Any]:
    """Run the job for each item as the options say."""
    return run_parallel(
        job, items, options.workers, options.progress, options.engine, options.report_peak
    )


def _decide_file(
    path: Path, codes: tuple[str, ...], study: Study, split: dict[int, int] | None, rows: int
) -> list[tuple[DecisionTable, PatientFlow, np.ndarray]]:
    """Decisions, flow and subjects of each chunk of a file."""
    chunks = []
    for table in subject_chunks(path, rows):
        ordered = study_events(table, study, codes)
        chunks.append((*extract_decisions(ordered, study, split), subject_runs(ordered)[0]))
    return chunks


def _check_records(
    events: Path, files: list[Path], codes: tuple[str, ...], study: Study
) -> dict[str, list]:
    """Of the flow: units, and codes without events and without a name; StudyError if wrong."""
    unnamed = unnamed_codes(codes, study, read_codes(events))
    return {**check_records(events, files, codes, study), "unnamed_codes": list(unnamed)}


def unnamed_codes(
    codes: tuple[str, ...], study: Study, descriptions: Mapping[str, str | None]
) -> tuple[str, ...]:
    """Codes of the study and its features that a reader cannot read: no name, no description."""
    shown = dict.fromkeys((*study_codes(study), *feature_codes(codes, study)))
    return tuple(c for c in shown if needs_name(c, study.names) and not descriptions.get(c))


def _split_file(events: Path, study: Study) -> dict[int, int] | None:
    """The split of each subject in the records' split file; None if the study does not use it."""
    if study.split.by != "file":
        return None
    splits = read_splits(events)
    if splits is None:
        raise RecordError(
            f"{events}: has no metadata/subject_splits.parquet, which study {study.name} "
            "splits by; add it, or choose another `by` in [split]."
        )
    return {subject: SPLITS.index(name) for subject, name in splits.items()}


Records = tuple[Path, list[Path], dict[int, int] | None]
"""The folder or file of events, its files, and the split of each subject."""


def _build(study: Study, records: Records, draft: Path, options: BuildOptions) -> None:
    events, files, split = records
    descriptions = read_codes(events)
    study = with_names(study, descriptions)
    settings = None if options.parts is None else settings_hash(study, options.rows_per_core, split)
    cache = options.parts or draft / "parts"
    shards = list_shards(files, cache, settings)
    codes = tuple(sorted({code for shard in shards for code in shard_codes(shard)}))
    findings = _check_records(events, files, codes, study)
    job = partial(build_shard, study=study, split=split, rows=options.rows_per_core)
    for _ in _run(job, shards, options):
        pass
    features = feature_codes(codes, study)
    (decisions, flow), total = _merge_counts(shards, features, study)
    check_training_decisions(decisions, flow.candidates, study)
    profile = fit_profile(total, features, study)
    profile = with_descriptions(profile, study.names, descriptions)
    profile = with_units(profile, read_units(files))
    writer = CohortWriter(draft / "whole")
    _write_histories(writer, shards, (study, profile), keep=options.parts is not None)
    whole = attach_images(history_of(writer.mapped()), profile, study, (events,))
    writer.append_images(whole.images)
    _write_columns(writer, (study, profile, codes), (decisions, flow, findings), options.truth)
    if options.parts is not None:
        remove_stale_shards(shards, cache)


def _merge_counts(
    shards: tuple[Shard, ...], features: tuple[str, ...], study: Study
) -> tuple[tuple[DecisionTable, PatientFlow], CodeStatistics]:
    """Decisions, flow and code statistics of all parts together."""
    decided, flows, subjects = [], [], []
    zeros = np.zeros(len(features))
    total = CodeStatistics(zeros, zeros, zeros, zeros)
    row_of = {code: row for row, code in enumerate(features)}
    for shard in shards:
        rows = np.array(
            [row_of[c] for c in feature_codes(shard_codes(shard), study)], dtype=np.int64
        )
        for path in part_files(shard):
            part = read_counts(path)
            decided.append(part.decided)
            flows.append(part.flow)
            subjects.append(part.subjects)
            total = merge_statistics(total, place_statistics(part.statistics, rows, len(features)))
    if not decided:
        raise RecordError(f"{shards[0].events.parent}: has no events.")
    _check_distinct(subjects, shards[0].events.parent)
    return (concatenate_decisions(decided), merge_flows(flows)), total


def _write_histories(
    writer: CohortWriter, shards: tuple[Shard, ...], target: tuple[Study, Profile], keep: bool
) -> None:
    """Write the histories of all parts, one after the other, in the cohort's vocabulary."""
    study, profile = target
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


def _write_columns(
    writer: CohortWriter,
    target: tuple[Study, Profile, tuple[str, ...]],
    table: tuple[DecisionTable, PatientFlow, dict[str, list]],
    truth: Path | None,
) -> None:
    """Write the columns of the decisions, after the histories."""
    (study, profile, codes), (decided, flow, findings) = target, table
    whole = writer.mapped()
    encoded = study, profile, history_of(whole)
    cohort = assemble_cohort(decided, encoded, whole["subject"], whole["last_step"])
    if truth is not None:
        cohort = join_truth(cohort, decided, truth)
    for name in DECISION_COLUMNS:
        column = getattr(cohort, name)
        if column is not None:
            writer.append(name, column)
    summary = summarize_flow(study, decided, flow, codes) | findings
    writer.close(study, profile, summary, tuple(summary["warnings"]))


def _check_distinct(subjects: list[np.ndarray], events: Path) -> None:
    """Raise RecordError if a subject is in two parts."""
    together = np.concatenate(subjects)
    if len(np.unique(together)) < len(together):
        raise RecordError(
            f"{events}: a subject is in two places of the events; "
            "`posology ingest --meds` writes each subject in one place."
        )
