"""Study files: TOML, checked strictly, parsed into `domain.Study`."""

import importlib.resources
import tomllib
from pathlib import Path

from pydantic import ValidationError

from posology.cohorts.study_mistakes import first_mistake, unknown_name
from posology.cohorts.study_schema import DoseTable, RuleTable, SplitTable, StudyTable
from posology.domain.formulary import DoseRange, Formulary, Treatment
from posology.domain.formulas import Formula
from posology.domain.published import FORMULAS
from posology.domain.study import Decision, Outcome, ProfileSpec, Reward, Rule, Split, Study
from posology.errors import StudyError


def read_study(path: str | Path) -> Study:
    """The study of a file, or of a name that ships with posology (`iwpc`).

    Raises StudyError naming the place, what stands there and the mend.
    """
    where = Path(path)
    if not where.exists() and where.suffix == "":
        where = shipped(str(path))
    try:
        text = where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{where}: cannot be read as a study file ({error}).") from error
    return parse_study(text, str(where))


def shipped(name: str) -> Path:
    """Where a study file that comes with posology lies, in the wheel or in a checkout."""
    wheel = Path(str(importlib.resources.files("posology"))) / "examples" / f"{name}.toml"
    checkout = Path(__file__).parents[3] / "examples" / f"{name}.toml"
    for candidate in (wheel, checkout):
        if candidate.exists():
            return candidate
    raise StudyError(f"{name}: neither a file nor a study that ships with posology (iwpc).")


def parse_study(text: str, where: str) -> Study:
    """The study in a file's text; `where` names it in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{where}: not valid TOML: {error}.") from error
    try:
        file = StudyTable.model_validate(raw)
    except ValidationError as error:
        raise StudyError(first_mistake(error, text, where)) from error
    return _study(file, where)


def _study(file: StudyTable, where: str) -> Study:
    treatments = tuple(
        Treatment(
            t.name, t.title, tuple(t.codes), t.dose and _range(t.dose, f"{where}: dose of {t.name}")
        )
        for t in file.treatments
    )
    names = [t.name for t in treatments]
    if len(set(names)) < len(names):
        raise StudyError(f"{where}: two treatments share a name ({', '.join(names)}); rename one.")
    dose = file.dose and _range(file.dose, f"{where}: [dose]")
    return Study(
        name=file.name,
        title=file.title,
        purpose=file.purpose,
        limits=file.limits,
        decision=Decision(
            tuple(file.decision.codes), file.decision.which, tuple(file.decision.eligible)
        ),
        formulary=Formulary(treatments, dose),
        outcome=Outcome(
            tuple(file.outcome.codes),
            file.outcome.unit,
            file.outcome.kind,
            file.outcome.within_days,
        ),
        reward=_reward(file.reward, names, where),
        rules=tuple(_rule(rule, where) for rule in file.rules),
        profile=ProfileSpec(
            tuple(file.profile.families),
            file.profile.minimum_patients,
            tuple(_formula(name, where) for name in file.profile.refit),
            tuple(tuple(group) for group in file.profile.fill_groups),
        ),
        split=_split(file.split, where),
        dose=dose,
        subgroups=tuple((name, tuple(codes)) for name, codes in file.subgroups.items()),
    )


def _range(dose: DoseTable, where: str) -> DoseRange:
    lows = [x for x in (dose.at_least, dose.above) if x is not None]
    highs = [x for x in (dose.at_most, dose.below) if x is not None]
    if len(lows) != 1 or len(highs) != 1:
        raise StudyError(
            f"{where}: give one lower bound (at_least or above) and one upper (at_most or below)."
        )
    if not 0 <= lows[0] < highs[0]:
        raise StudyError(
            f"{where}: the range {lows[0]:g} to {highs[0]:g} {dose.unit} is impossible; "
            "the lower bound must be 0 or more and below the upper one."
        )
    return DoseRange(
        lows[0], highs[0], dose.unit, dose.step, dose.above is not None, dose.below is not None
    )


def _reward(table: dict[str, str | dict[str, float]], names: list[str], where: str) -> Reward:
    source = table.get("source")
    if not isinstance(source, str):
        raise StudyError(f"{where}: [reward] needs `source`, where its numbers come from.")
    rows = []
    for right in names:
        row = table.get(f"right_{right}")
        if not isinstance(row, dict) or sorted(row) != sorted(names):
            raise StudyError(
                f"{where}: [reward.right_{right}] must give a number for {', '.join(names)}."
            )
        rows.append(tuple(float(row[name]) for name in names))
    strange = set(table) - {"source"} - {f"right_{name}" for name in names}
    if strange:
        raise StudyError(
            unknown_name(f"{where}: [reward]", sorted(strange)[0], [f"right_{n}" for n in names])
        )
    return Reward(tuple(rows), source)


def _rule(rule: RuleTable, where: str) -> Rule:
    place = f"{where}: rule {rule.name}"
    if rule.kind == "fixed":
        if rule.dose is None or rule.source is None:
            raise StudyError(f"{place}: a fixed rule needs `dose` and `source`.")
        return Rule(rule.name, "fixed", rule.source, dose=rule.dose)
    if rule.formula is None:
        raise StudyError(f"{place}: a formula rule needs `formula`, one of {', '.join(FORMULAS)}.")
    formula = _formula(rule.formula, where)
    return Rule(rule.name, "formula", rule.source or formula.source, formula=formula)


def _formula(name: str, where: str) -> Formula:
    if name not in FORMULAS:
        raise StudyError(unknown_name(f"{where}: formula", name, list(FORMULAS)))
    return FORMULAS[name]


def _split(split: SplitTable, where: str) -> Split:
    total = split.train + split.validation + split.test
    if abs(total - 1.0) > 1e-9:
        raise StudyError(
            f"{where}: [split] train, validation and test sum to {total:g}; make it 1."
        )
    return Split(split.train, split.validation, split.test, split.salt)
