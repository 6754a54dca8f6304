"""A few patients with pictures of their skin, as a folder of events."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import Cohort
from posology.domain.study import Study
from posology.simulators.lesion import STUDY, LesionPatients, draw_patients, write_records
from posology.workflows.cohorts import read_cohort
from posology.workflows.fit import NETWORK, FitResult, fit
from tests.builders.small_recipes import use_small_recipe


def lesion_study(images: bool = True) -> Study:
    """The simulator's study, reading the pixels or not."""
    study = parse_study(STUDY, "lesion.toml")
    return replace(study, profile=replace(study.profile, images=images))


def lesion_cohort(folder: Path, patients: int = 40) -> tuple[Cohort, LesionPatients]:
    """The cohort of new records in the folder, and the truth."""
    drawn = draw_patients(patients, np.random.default_rng(5))
    write_records(drawn, folder)
    return read_cohort(lesion_study(), folder), drawn


def fit_lesion(folder: Path, patients: int = 60) -> FitResult:
    """What a small network learned; saved in `model`, the new records in `events`."""
    cohort, _ = lesion_cohort(folder / "events", patients)
    with pytest.MonkeyPatch.context() as patch:
        use_small_recipe(patch)
        result = fit(cohort, NETWORK)
    result.save(folder / "model")
    return result
