"""Study files: TOML, checked strictly, parsed into `domain.Study`."""

import importlib.resources
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from posology.cohorts.study import parser as parts
from posology.cohorts.study import timing
from posology.cohorts.study.budgets import budgets
from posology.cohorts.study.error_messages import add_line_number, describe_first_error
from posology.cohorts.study.packs.table import safety_spec
from posology.cohorts.study.schema import (
    AdviceSection,
    PharmacogenomicsSection,
    ProfileSection,
    ReferenceSection,
    StudySection,
)
from posology.cohorts.study.windows import check_windows
from posology.domain.formulary import DoseRange, Formulary, Treatment
from posology.domain.pharmacogenomics.spec import PgxSpec
from posology.domain.study import AdviceSpec, ProfileSpec, Resolution, Reward, Study
from posology.errors import StudyError
from posology.records.io.documents import parse_toml


def read_study(path: str | Path) -> Study:
    """The study of a file, or of a study that ships with posology (`iwpc`, `clinic`).

    StudyError names file, line, key and value, and how to correct it.
    """
    where = Path(path)
    if not where.is_file() and where.suffix == "":  # a folder may have a study's name
        where = shipped_study_path(str(path))
    if not where.exists():
        raise StudyError(f"{where}: no such study file; check the path.")
    try:
        text = where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{where}: cannot be read as a study file ({error}).") from error
    return parse_study(text, str(where))


def shipped_study_path(name: str) -> Path:
    """Path of a study file that ships with posology, in the wheel or in a checkout."""
    wheel = Path(str(importlib.resources.files("posology"))) / "examples" / f"{name}.toml"
    checkout = Path(__file__).parents[4] / "examples" / f"{name}.toml"
    for candidate in (wheel, checkout):
        if candidate.exists():
            return candidate
    raise StudyError(
        f"{name}: neither a file nor a study that ships with posology (iwpc, clinic); nor is it "
        "the folder of a model, which `posology fit --out` makes."
    )


def parse_study(text: str, where: str) -> Study:
    """The study in a file's text; `where` names it in errors."""
    if not text.strip():
        raise StudyError(f"{where}: is empty; `posology new` writes a study file to begin with.")
    try:
        raw = parse_toml(text)
    except ValueError as error:
        raise StudyError(f"{where}: not valid TOML: {error}.") from error
    try:
        file = StudySection.model_validate(raw)
    except ValidationError as error:
        raise StudyError(describe_first_error(error, text, where)) from error
    try:
        return _study(file, where)
    except StudyError as error:
        raise StudyError(add_line_number(str(error), text, where)) from error


def _study(file: StudySection, where: str) -> Study:
    names = tuple(t.name for t in file.treatments)
    if len(set(names)) < len(names):
        raise StudyError(f"{where}: two treatments share a name ({', '.join(names)}); rename one.")
    place = parts.Place(where, names)
    treatments = tuple(parts.treatment(t, place) for t in file.treatments)
    if sum(t.otherwise for t in treatments) > 1:
        raise StudyError(f"{where}: only one treatment can be `otherwise`.")
    if file.outcome.kind != "dose_class":
        for t in treatments:
            if not (t.codes or t.together or t.otherwise):
                raise StudyError(
                    f"{where}: treatment {t.name} needs `codes`, `together` or `otherwise`: "
                    "without one of them its use cannot be recognised."
                )
    dose = parts.dose_range(file.dose, f"{where}: [dose]") if file.dose else None
    study = _assemble(file, place, treatments, dose)
    check_windows(study, where)
    return study


def _assemble(
    file: StudySection,
    place: parts.Place,
    treatments: tuple[Treatment, ...],
    dose: DoseRange | None,
) -> Study:
    where = place.where
    formulary = Formulary(treatments, dose)
    return Study(
        name=file.name,
        title=file.title,
        purpose=file.purpose,
        limits=file.limits,
        decision=timing.decision(file.decision, where),
        formulary=formulary,
        outcome=parts.outcome(file.outcome, where),
        reward=_reward(file, place),
        rules=tuple(parts.rule(rule, place) for rule in file.rules),
        profile=_profile(file.profile, where),
        split=parts.split(file.split, where),
        dose=dose,
        subgroups=tuple((name, tuple(codes)) for name, codes in file.subgroups.items()),
        clock=timing.clock(file.time, where),
        assignment=timing.given(file.given, where),
        follow_up=parts.follow_up(file.follow_up, where),
        safety=tuple(parts.safety(rule, place) for rule in file.safety),
        diagnosis=tuple(parts.target(t, where) for t in file.diagnosis),
        progression=tuple(parts.target(t, where) for t in file.progression),
        time_to_event=tuple(parts.time_to_event(t, where) for t in file.time_to_event),
        names=parts.names(file.names, where),
        reference=_reference(file.reference, place),
        safety_packs=safety_spec(file.safety_packs, formulary, where),
        advice=_advice(file.advice, where),
        pharmacogenomics=_pharmacogenomics(file.pharmacogenomics, where),
        budgets=budgets(file, where),
    )


def _reward(file: StudySection, place: parts.Place) -> Reward:
    """The reward; sequential trials have no later decisions whose value could be added."""
    reward = parts.reward(file.reward, file.outcome.kind, place)
    if file.decision.which != "sequential" or reward.discount == 0:
        return reward
    if "discount" in file.reward:
        raise StudyError(
            f"{place.where}: [reward] `discount` is {reward.discount:g}, but with [decision] which "
            '= "sequential" every decision is a trial of its own; set it to 0 or remove it.'
        )
    return replace(reward, discount=0.0)


def _reference(table: ReferenceSection | None, place: parts.Place) -> str | None:
    return None if table is None else place.options("[reference]", [table.option])[0]


def _advice(table: AdviceSection | None, where: str) -> AdviceSpec:
    """The table's keys; the defaults of those that it leaves out."""
    if table is not None and table.min_age and table.max_age and table.min_age > table.max_age:
        raise StudyError(
            f"{where}: [advice] `min_age` is {table.min_age:g} and `max_age` is "
            f"{table.max_age:g}: no patient is left; swap them."
        )
    return AdviceSpec() if table is None else AdviceSpec(**table.model_dump(exclude_none=True))


def _profile(table: ProfileSection, where: str) -> ProfileSpec:
    return ProfileSpec(
        tuple(table.families),
        table.minimum_patients,
        tuple(parts.formula(name, where) for name in table.refit),
        tuple(tuple(group) for group in table.fill_groups),
        tuple(Resolution(tuple(r.codes), r.hours) for r in table.resolution),
        parts.kidney(table.kidney),
        table.embedding_components,
        parts.required_for_advice(table, where),
        parts.ranges(table.limits, f"{where}: [profile] limits"),
        tuple(table.sex),
        tuple(table.age),
        parts.standard_facts(table, where),
        parts.may_be_unknown(table, where),
        table.images,
    )


def _pharmacogenomics(table: PharmacogenomicsSection | None, where: str) -> PgxSpec | None:
    """The folder as an absolute path, since a saved policy may be used from anywhere."""
    if table is None:
        return None
    folder = (Path(where).parent / table.tables).absolute()
    if not folder.is_dir():
        raise StudyError(
            f"{where}: [pharmacogenomics] `tables` is {table.tables!r}: there is no such folder "
            "beside the study file; correct it, or remove the table."
        )
    return PgxSpec(str(folder), table.population)
