"""Plan a new project, and write it: never over anything that is there."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from posology.cohorts.study.reader import parse_study
from posology.records.io.drafts import draft_folder
from posology.records.sources.tables.column_kinds import plain_name
from posology.simulators.blood_pressure import blood_pressure_table
from posology.workflows.new.files import Steps, shared_files
from posology.workflows.new.mapping import write_mapping
from posology.workflows.new.patient import typical_patient
from posology.workflows.new.records import records_project
from posology.workflows.new.request import Request, check_request
from posology.workflows.new.roles import Roles, choose_roles
from posology.workflows.new.study import project_title, write_study
from posology.workflows.new.table import Table, read_table

PATIENTS = 1_000
"""Made-up patients of a first project: enough for a verdict, and seconds to run (our choice)."""
_TABLE = "data/patients.csv"


@dataclass(frozen=True, slots=True)
class Project:
    """The files of a project that is not written yet."""

    folder: Path
    files: dict[str, str]
    """Text by path in the folder."""
    roles: Roles | None = None
    """Of a table."""

    @property
    def checks(self) -> int:
        """Lines that hold a guess which only the user can confirm."""
        return sum(text.count("CHECK:") for name, text in self.files.items() if ".toml" in name)

    def summary(self) -> str:
        """The files, and what to do."""
        lines = [f"  {name}: {len(text.encode()):,} bytes" for name, text in self.files.items()]
        return "\n".join([f"{self.folder}:", *lines])

    def write(self) -> None:
        """Write the folder in one step."""
        with draft_folder(self.folder) as draft:
            whole = draft / "whole"
            for name, text in self.files.items():
                path = whole / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            whole.chmod(0o755)
            if self.folder.is_dir():
                self.folder.rmdir()  # empty: it was checked
            whole.rename(self.folder)


def plan_project(request: Request, patients: int = PATIENTS) -> Project:
    """The files of a project; UserError where something is unknown, missing or in the way.

    patients: of simulated data.
    """
    check_request(request)
    if request.data == "simulated":
        return _simulated(request, patients)
    if request.data == "csv":
        assert request.path is not None
        path = request.path.absolute()
        return _of_table(request, read_table(path), path.as_posix())
    return Project(request.folder, records_project(request, project_name(request.folder)))


def project_name(folder: Path) -> str:
    """The study's name: that of the folder, in plain letters."""
    return plain_name(folder.absolute().name) or "study"


def _simulated(request: Request, patients: int) -> Project:
    doses = request.question == "dose"
    text = blood_pressure_table(patients, np.random.default_rng(0), doses)
    stated = replace(
        request,
        subject="patient",
        entry="entered",
        treatments=("drug",),
        dose="dose_mg" if doses else None,
        outcome="sbp_after_mmHg",
        days="84",
        goal="<=140",
        randomised=False,
    )
    scratch = Path(tempfile.mkdtemp())
    try:
        path = scratch / "patients.csv"
        path.write_text(text, encoding="utf-8")
        project = _of_table(stated, read_table(path), _TABLE, {"BASELINE//age_years": 78})
    finally:
        shutil.rmtree(scratch)
    return replace(project, files={**project.files, _TABLE: text})


def _of_table(
    request: Request, table: Table, file: str, patient: Mapping[str, Any] = MappingProxyType({})
) -> Project:
    roles = choose_roles(table, request)
    name = project_name(request.folder)
    study = write_study(table, roles, name, request.randomised)
    parse_study(study, "study.toml")
    own = {
        "mapping.toml": write_mapping(table, roles, file),
        "study.toml": study,
        "patient.json": typical_patient(table, roles, patient),
    }
    about = (
        f"The patients are made up: {_TABLE} shows the format."
        if file == _TABLE
        else f"The patients are those of `{file}`, which stays where it is."
    )
    steps = Steps(
        title=project_title(table, roles),
        about=about,
        source="--table mapping.toml",
        inputs=f"mapping.toml {_escaped(file)}",
        method=_method(roles),
    )
    known = {**own, _TABLE: ""} if file == _TABLE else own
    return Project(request.folder, {**own, **shared_files(steps, known)}, roles)


def _method(roles: Roles) -> str:
    """A method of `posology fit` that takes seconds and learns from such an outcome."""
    if roles.dose is None:
        return "boosting"
    return "dose_boosting" if roles.kind == "number" else "effects_and_doses"


def _escaped(file: str) -> str:
    """A file as a Makefile lists it."""
    return file.replace("$", "$$").replace(" ", "\\ ").replace("#", "\\#")
