"""Patients to show: of IWPC or the virtual clinic, under names that nobody has."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from posology.advice.form.field import Form
from posology.artifact import Artifact
from posology.domain.codes import has_prefix
from posology.errors import UserError, describe_install
from posology.workflows.patient import form_of

_COUNT = 24
_GIVEN = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Fay", "Gil", "Hana", "Ivo", "Juno", "Kai", "Lea")
_FAMILY = ("Sample", "Example")
_UNSEEN_SEED = 7919
"""Of the virtual clinic: other patients than those of any default."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoPatient:
    """One patient of a demonstration."""

    id: str
    """Such as `demo-07`."""
    name: str
    """Made up."""
    events: pa.Table
    """What the model reads, as MEDS: a `Question.patient` as it is."""


def demo_patients(model: Artifact) -> tuple[DemoPatient, ...]:
    """Patients whom this model can judge; none if its study is no study that ships."""
    if model.study.name == "iwpc":
        events = _of_iwpc()
    elif model.study.name == "clinic":
        events = _of_clinic()
    else:
        return ()
    return name_patients(events, form_of(model))


def name_patients(events: pa.Table, form: Form) -> tuple[DemoPatient, ...]:
    """One DemoPatient a subject, with the events that the form knows; at most 24."""
    codes = pc.unique(events["code"]).to_pylist()
    known = [c for c in codes if c in form.codes or any(has_prefix(c, p) for p in form.safety)]
    events = events.filter(pc.is_in(events["code"], pa.array(known, pa.string())))
    subjects = pc.unique(events["subject_id"]).to_pylist()[:_COUNT]
    return tuple(
        DemoPatient(
            f"demo-{number:02d}",
            f"{_GIVEN[(number - 1) % len(_GIVEN)]} {_FAMILY[(number - 1) // len(_GIVEN)]}",
            events.filter(pc.equal(events["subject_id"], subject)),
        )
        for number, subject in enumerate(subjects, 1)
    )


def _of_iwpc() -> pa.Table:
    from posology.datasets import iwpc

    try:
        return iwpc.load(subjects=np.arange(40, 40 + 200 * _COUNT, 200, dtype=np.int64)).events
    except UserError as error:
        raise UserError(
            f"posology serve --demo: the patients of IWPC need: {describe_install('demo')}."
        ) from error


def _of_clinic() -> pa.Table:
    from posology.cohorts.events.chunks import event_files, read_event_table
    from posology.simulators.clinic.settings import ClinicSettings
    from posology.workflows.simulate import simulate

    with tempfile.TemporaryDirectory() as folder:
        settings = ClinicSettings(patients=_COUNT, seed=_UNSEEN_SEED)
        simulate(Path(folder) / "clinic", settings)
        return read_event_table(event_files(Path(folder) / "clinic" / "meds"))
