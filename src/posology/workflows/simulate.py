"""Simulate a virtual clinic whose best treatment is known."""

import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from posology.records.io.memory import peak_memory
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.summary import Summary
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row, rows_to_table


@dataclass(frozen=True, slots=True)
class SimulateResult:
    """The folder of a simulated clinic, and what its patients are like."""

    folder: Path
    patients: int
    rows: list[Row]
    """Counts, propensities and values of ways to choose, one row a metric."""
    seconds: float
    peak_gib: float
    """Most memory that the process has used."""

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """Time, memory, and the main counts."""
        lines = [
            f"{self.patients:,} patients in {self.seconds:.1f} s, at most {self.peak_gib:.2f} GiB: "
            f"{self.folder}"
        ]
        shown = ("events", "decisions", "effective.", "regret.")
        lines += [
            f"  {row['metric']:32} {row['value']:.3f}"
            for row in self.rows
            if str(row["metric"]).startswith(shown)
        ]
        return "\n".join(lines)

    def __rich__(self) -> str:
        return self.summary()


def simulate(
    folder: str | Path,
    settings: ClinicSettings | None = None,
    formats: tuple[str, ...] = ("meds",),
    progress: Progress = no_progress,
) -> SimulateResult:
    """Write the records of a virtual clinic into a new folder, and apart from them the truth.

    `formats`: any of meds, omop, fhir, vcf, questionnaires, wearables.
    """
    settings = settings or ClinicSettings()
    started, summary, done = time.perf_counter(), Summary(), 0
    for chunk in write_clinic(settings, Path(folder), formats):
        summary.add(chunk)
        done += len(chunk.patients.subject_id)
        progress("patients", done, settings.patients)
    seconds = time.perf_counter() - started
    peak = peak_memory() / 2**30
    return SimulateResult(Path(folder), settings.patients, summary.to_rows(), seconds, peak)
