"""The clinic on disk, chunk by chunk, in every format asked for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from posology.errors import UserError
from posology.simulators.clinic.course import Course, simulate
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.write_meds import write_meds, write_meds_metadata
from posology.simulators.clinic.write_truth import write_truth

FORMATS = ("meds",)


def write_clinic(
    settings: ClinicSettings, folder: Path, formats: tuple[str, ...] = ("meds",)
) -> Iterator[Course]:
    """Simulate and write; yields each chunk's course once it is on disk.

    `truth/` is always written, beside the formats and never inside them.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(f"--formats: {unknown[0]!r} is not one of {', '.join(FORMATS)}")
    if settings.patients < 1 or settings.chunk < 1:
        raise UserError(f"--patients {settings.patients}: at least one patient is needed")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"--out {folder}: the folder is not empty; name a new one")
    write_meds_metadata(folder / "meds", "virtual clinic") if "meds" in formats else None
    for shard, first in enumerate(range(0, settings.patients, settings.chunk)):
        last = min(first + settings.chunk, settings.patients)
        course = simulate(settings, np.arange(first, last) + 1)
        if "meds" in formats:
            write_meds(folder / "meds", shard, course.events)
        write_truth(folder / "truth", shard, course.patients, course.decisions)
        yield course
