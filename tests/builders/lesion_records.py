"""A few patients with pictures of their skin, as a folder of events."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import Cohort
from posology.domain.study import Study
from posology.simulators.lesion import STUDY, LesionPatients, draw_patients, write_records
from posology.workflows.cohorts import read_cohort


def lesion_study(images: bool = True) -> Study:
    """The simulator's study, reading the pixels or not."""
    study = parse_study(STUDY, "lesion.toml")
    return replace(study, profile=replace(study.profile, images=images))


def lesion_cohort(folder: Path, patients: int = 40) -> tuple[Cohort, LesionPatients]:
    """The cohort of new records in the folder, and the truth."""
    drawn = draw_patients(patients, np.random.default_rng(5))
    write_records(drawn, folder)
    return read_cohort(lesion_study(), folder), drawn
