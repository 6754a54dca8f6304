"""Write the clinic to disk, chunk by chunk, in every requested format."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from posology.errors import UserError
from posology.simulators.clinic.files.fhir import write_fhir, write_responses
from posology.simulators.clinic.files.meds import write_meds, write_meds_metadata
from posology.simulators.clinic.files.omop import OmopFolder, write_omop, write_vocabulary
from posology.simulators.clinic.files.other_sources import (
    write_panel,
    write_questionnaires,
    write_vcf,
    write_wearables,
)
from posology.simulators.clinic.files.truth import write_truth
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import SimulatedPatients, simulate_patients

FORMATS = ("meds", "omop", "fhir", "vcf", "questionnaires", "wearables")


def write_clinic(
    settings: ClinicSettings, folder: Path, formats: tuple[str, ...] = ("meds",)
) -> Iterator[SimulatedPatients]:
    """Simulate and write; yield each chunk of patients once it is on disk.

    Each format has its own folder; `truth/` is always written, next to them.
    """
    _check(settings, folder, formats)
    omop = OmopFolder(folder / "omop")
    if "meds" in formats:
        write_meds_metadata(folder / "meds", "virtual clinic")
    if "omop" in formats:
        write_vocabulary(omop)
    if "vcf" in formats:
        write_panel(folder / "vcf")
    try:
        for shard, first in enumerate(range(0, settings.patients, settings.chunk)):
            last = min(first + settings.chunk, settings.patients)
            simulated = simulate_patients(settings, np.arange(first, last) + 1)
            _write(simulated, folder, shard, (formats, omop, settings.seed))
            yield simulated
    finally:
        omop.close()


def _write(
    simulated: SimulatedPatients,
    folder: Path,
    shard: int,
    how: tuple[tuple[str, ...], OmopFolder, int],
) -> None:
    formats, omop, seed = how
    write_truth(folder / "truth", shard, simulated.patients, simulated.decisions)
    if "meds" in formats:
        write_meds(folder / "meds", shard, simulated.events)
    if "omop" in formats:
        write_omop(omop, simulated.events)
    if "fhir" in formats:
        write_fhir(folder / "fhir", simulated.events)
    if "vcf" in formats:
        write_vcf(folder / "vcf", shard, simulated.patients)
    if "questionnaires" in formats:
        write_questionnaires(folder / "questionnaires", simulated.events)
        write_responses(folder / "questionnaires", simulated.events)
    if "wearables" in formats:
        write_wearables(folder / "wearables", shard, simulated.patients, seed)


def _check(settings: ClinicSettings, folder: Path, formats: tuple[str, ...]) -> None:
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"--formats: {name!r} is not one of {', '.join(FORMATS)}")
    if settings.patients < 1:
        raise UserError(f"--patients {settings.patients}: at least one patient is needed")
    if settings.chunk < 1:
        raise UserError(f"--chunk {settings.chunk}: at least one patient per chunk is needed")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"--out {folder}: the folder is not empty; choose a new one")
