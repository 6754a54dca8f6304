"""Read a cohort, or build one into a folder and describe how its decisions were selected."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from posology.cohorts import build
from posology.cohorts.events.chunks import distinct_codes, event_files, read_event_table
from posology.cohorts.images import attach_images
from posology.cohorts.storage import folder as storage
from posology.cohorts.storage.arrays import MANIFEST, is_cohort, load_cohort, load_flow
from posology.cohorts.storage.parallel import LOCAL, rows_within
from posology.cohorts.storage.record_check import check_records
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import Cohort
from posology.domain.study import Study
from posology.errors import UserError
from posology.records.io.checksums import CHECKSUMS
from posology.records.io.memory import format_size, parse_size, peak_memory
from posology.records.io.remote import is_url, local_copy, new_folder
from posology.records.meds_dataset import read_codes
from posology.workflows.progress import Progress, no_progress
from posology.workflows.record_findings import coverage_table, describe_findings
from posology.workflows.results import Row, render_text, rows_to_table

MAX_UNNAMED = 10
"""Codes without a name that are listed."""


def read_cohort(study: str | Path | Study, events: str | Path | pa.Table | None = None) -> Cohort:
    """The cohort of a folder, or of a study and its events, built in memory.

    A folder may be a URL, such as s3://bucket/cohort; a copy is read.
    """
    if not isinstance(study, Study) and (is_url(study) or is_cohort(Path(study))):
        if events is not None:
            raise UserError(f"{study} is a cohort already; leave --events out.")
        with local_copy(study) as folder:
            return load_cohort(folder)  # mapped files outlive their names
    if events is None:
        if not isinstance(study, Study) and Path(study).is_dir():
            raise UserError(
                f"{study}: is a folder, but no cohort's. Of events, as `posology ingest` writes "
                f"them, make a cohort first: posology cohort STUDY.toml {study} --out cohort"
            )
        parsed = as_study(study)
        raise UserError(
            f"--events is missing: {parsed.name} is a study and needs events; a cohort's folder "
            "does not."
        )
    if not isinstance(events, pa.Table):
        with local_copy(events) as path:
            return _cohort_of_records(as_study(study), path)
    if as_study(study).profile.images:
        raise UserError(
            f"study {as_study(study).name}: [profile] images = true needs the folder of events, "
            "which has the images; give its path instead of a table."
        )
    return build.build_cohort(events, as_study(study))


def _cohort_of_records(study: Study, events: Path) -> Cohort:
    """The cohort of a folder or file of events, with its images if the study reads any."""
    if not events.exists():
        raise UserError(f"--events {events}: no such file or folder.")
    files = event_files(events)
    check_records(events, files, distinct_codes(files), study)
    table = read_event_table(files)
    cohort = build.build_cohort(table, study, descriptions=read_codes(events))
    return replace(cohort, history=attach_images(cohort.history, cohort.profile, study, (events,)))


def read_flow(study: str | Path) -> dict[str, Any] | None:
    """The flow from the records to a cohort's folder; None of a study, whose cohort is not kept."""
    if not is_url(study):
        return load_flow(Path(study)) if is_cohort(Path(study)) else None
    with local_copy(study, (MANIFEST, CHECKSUMS)) as folder:
        return load_flow(folder)


def as_study(study: str | Path | Study) -> Study:
    """The study itself, or the one that the file or name denotes."""
    return study if isinstance(study, Study) else read_study(str(study))


@dataclass(frozen=True, slots=True)
class CohortSettings:
    """How a cohort is built; the result does not depend on memory and cores."""

    truth: Path | None = None
    """A simulator's truth folder, to evaluate against; never a feature."""
    parts: Path | None = None
    """Folder that caches the part of each file of events, reused while the file is unchanged."""
    max_events: int = storage.ROWS_PER_CORE
    """Events in memory at once, for each core."""
    workers: int = 1
    """Cores, one file of events each."""
    engine: str = LOCAL
    """What runs them: loky (this machine), dask, ray or spark."""
    memory: str | None = None
    """The most memory of all processes together, such as 4GB, instead of `max_events`."""


@dataclass(frozen=True, slots=True)
class CohortFlow:
    """How many decisions remain after each step of selection, by arm and by split."""

    flow: dict[str, Any]
    folder: str | Path | None
    """Where the cohort was saved, a path or a URL; None if decisions were only counted."""
    peak_memory: int = 0
    """The most memory that this process has had so far, in bytes."""
    worker_memory: int = 0
    """The same of the largest worker; 0 if all was done in this process."""

    def load(self) -> Cohort:
        """The cohort that was built; UserError if decisions were only counted."""
        if self.folder is None:
            raise UserError("the cohort was not built: call build_cohort with a folder.")
        return read_cohort(self.folder)

    @property
    def rows(self) -> list[Row]:
        """Decisions and patients left out at each step, with the reason."""
        steps = self.flow["flow"]
        first = {"reason": "decision points", "decisions": steps["decision_points"]}
        excluded = [{**loss, "decisions": -loss["decisions"]} for loss in steps["left_out"]]
        study = {"study": self.flow["study"]}
        return [study | row for row in (first, *excluded)]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The steps of selection, the arms and the follow-up as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        warnings = [Text(f"Warning: {text}", style="bold") for text in self.flow["warnings"]]
        parts = (
            _selection_table(self.flow),
            _arm_table(self.flow),
            _follow_up_text(self.flow),
            coverage_table(self.flow["coverage"]),
        )
        found = (*_unnamed_text(self.flow), *describe_findings(self.flow))
        return Group(*parts, *warnings, *found, _memory_text(self))


def build_cohort(
    study: str | Path | Study,
    events: str | Path,
    folder: str | Path | None = None,
    settings: CohortSettings = CohortSettings(),
    progress: Progress = no_progress,
) -> CohortFlow:
    """Build a study's cohort into a new folder; without a folder, only count its decisions.

    `events` is a MEDS folder or a Parquet file of events. Both may be URLs of object storage:
    events are copied here first, and the cohort is uploaded when it is complete.
    """

    def report_files(done: int, files: int) -> None:
        progress(f"{done} of {files} files", done, files)

    peaks = [0]
    rows = settings.max_events
    if settings.memory is not None:
        rows = rows_within(parse_size(settings.memory), settings.workers)
    options = storage.BuildOptions(
        rows,
        settings.truth,
        settings.parts,
        settings.workers,
        report_files,
        settings.engine,
        peaks.append,
    )
    parsed = as_study(study)
    with local_copy(events) as place:
        if folder is None:
            flow = storage.dry_run(parsed, place, options)
        else:
            with new_folder(folder) as out:
                storage.build_folder(parsed, place, out, options)
                flow = load_flow(out)
    worker = max(peaks) if settings.workers > 1 or settings.engine != LOCAL else 0
    return CohortFlow(flow, folder, peak_memory(), worker)


def _selection_table(flow: dict[str, Any]) -> Table:
    table = Table(
        "", "decisions", "left", title=f"Study {flow['study']}: from records to decisions"
    )
    steps = flow["flow"]
    table.add_row("subjects in the records", "", f"{steps['subjects']:,} subjects")
    table.add_row(
        "with a decision point",
        f"{steps['decision_points']:,}",
        f"{steps['subjects_with_a_decision_point']:,} subjects",
    )
    for loss in steps["left_out"]:
        table.add_row(f"excluded: {loss['reason']}", f"{-loss['decisions']:,}", f"{loss['left']:,}")
    table.add_row(
        "in the study", f"{steps['decisions']:,}", f"{steps['decisions_subjects']:,} subjects"
    )
    return table


def _arm_table(flow: dict[str, Any]) -> Table:
    arms = (*flow["arms"], flow["outcome"])
    has_doses = any(arm["dose_median"] is not None for arm in arms)
    table = Table(Column("option", overflow="fold"), "decisions", "complete", "effective")
    if has_doses:
        table.add_column("median\ndose")
    # At 80 columns, beside doses, this leaves room for a name such as thiazolidinedione.
    table.add_column("days followed (quartiles)", max_width=12 if has_doses else None)
    for arm in arms:
        rate, dose = arm["effective"], arm["dose_median"]
        doses = ["-" if dose is None else f"{dose:g}"] if has_doses else []
        table.add_row(
            arm.get("title") or arm["name"],
            f"{arm['decisions']:,}",
            f"{arm['complete']:,}",
            "-" if rate is None else f"{rate:.1%}",
            *doses,
            _quartiles_text(arm["days_quartiles"]),
        )
    return table


def _unnamed_text(flow: dict[str, Any]) -> list[Text]:
    """The codes that pages would show as they are."""
    codes = flow.get("unnamed_codes", [])
    if not codes:
        return []
    more = f" and {len(codes) - MAX_UNNAMED:,} more" if len(codes) > MAX_UNNAMED else ""
    text = (
        f"{len(codes):,} codes have no name in words: {', '.join(codes[:MAX_UNNAMED])}{more}. "
        "Name those that matter in the study's [names], or add metadata/codes.parquet to the "
        "records."
    )
    return [Text(text)]  # no markup: brackets are text


def _memory_text(result: CohortFlow) -> Text:
    """The memory of this process, and of its workers."""
    text = f"Peak memory: {format_size(result.peak_memory)}"
    if result.worker_memory:
        text += f", and {format_size(result.worker_memory)} in the largest worker"
    return Text(f"{text}; --memory bounds it.")


def _quartiles_text(quartiles: list[float | None]) -> str:
    """Median and quartiles of days."""
    low, middle, high = ("-" if days is None else f"{days:,.0f}" for days in quartiles)
    return f"{middle} ({low} to {high})"


def _follow_up_text(flow: dict[str, Any]) -> str:
    follow_up = flow["follow_up"]
    parts = ", ".join(f"{n:,} {name}" for name, n in flow["split"].items())
    return (
        f"{flow['estimand']}\n"
        f"Follow-up ends {follow_up['rule']}. "
        f"Days followed, median and quartiles: {_quartiles_text(follow_up['days_quartiles'])}. "
        f"{follow_up['incomplete']:,} decisions have incomplete follow-up: they stay in the "
        f"cohort and are marked.\nSplit: {parts}."
    )
