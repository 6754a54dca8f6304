"""Facts of one patient in words: what is unusual of them, and what patients like this one share."""

import math

import numpy as np

from posology.advice.form.training_facts import TrainingFacts
from posology.advice.form.unit_names import decade_words, is_decade
from posology.advice.uncertainty.alike import Question
from posology.advice.uncertainty.facts import read_facts
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import both, either_of
from posology.domain.codes import display_name
from posology.domain.history import History, StepIndex, code_finder
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number as written

At = tuple[Study, Profile, History, StepIndex]
"""A patient at hand: the study, the encoding, the history, the last step."""


def fact_in_words(profile: Profile, row: int, number: float) -> str:
    """`weight 76 kg`, `age 10 to 19 years`; the name alone of a fact without a number."""
    if np.isfinite(number):
        return " ".join(name_and_size(profile, row, number))
    return fact_name(profile.name(row))


def name_and_size(profile: Profile, row: int, number: float, digits: int = 4) -> tuple[str, str]:
    """`weight` and `76 kg`; decades of age as years; a unit such as `{score}` is none."""
    name, _, unit = profile.name(row).partition(", ")
    if is_decade(profile.codes[row], unit or profile.unit(row)):
        return fact_name("age"), decade_words(number)
    if not unit or unit[0].isdigit():  # a range of scores, such as `0 to 10`
        unit = profile.unit(row) or ""
    shown = "" if unit.startswith("{") else unit
    return fact_name(name), f"{written(f'{number:.{digits}g}')} {shown}".strip()


def unusual_in_words(at: At, codes: tuple[str, ...], facts: TrainingFacts | None) -> list[str]:
    """Each fact that is unusual, once: of a choice what is recorded, or that nothing is."""
    study, profile, history, decision = at
    rows = np.array(sorted({profile.codes.index(code) for code in codes}), dtype=np.int64)
    table = read_facts(history, decision, rows)
    words: dict[str, None] = {}
    not_recorded = tr("{fact} is not recorded")
    for i, row in enumerate(rows.tolist()):
        family = profile.codes[row].rpartition("//")[0]
        recorded = _recorded(at, family)
        if table.recorded[0, i]:
            words[fact_in_words(profile, row, float(table.number[0, i]))] = None
        elif not family or not _is_choice(family, facts):
            words[not_recorded.format(fact=fact_name(profile.name(row)))] = None
        elif not recorded:
            words[not_recorded.format(fact=fact_name(_short(family, study)))] = None
        else:
            words[fact_name(profile.name(recorded[0]))] = None
    return list(words)


def shared_facts(
    at: At, questions: tuple[Question, ...], own: np.ndarray, facts: TrainingFacts | None
) -> list[str]:
    """What patients like this one have in common, one phrase a fact.

    Args:
        own: this patient's answers; no where a fact is not recorded.
    """
    profile = at[1]
    limits: dict[int, list[tuple[float, bool]]] = {}
    findings: dict[str, list[tuple[int, bool]]] = {}
    for question, is_yes in zip(questions, own.tolist(), strict=True):
        row = profile.codes.index(question.code)
        if question.at_least is not None:
            limits.setdefault(row, []).append((question.at_least, is_yes))
            continue
        family = question.code.rpartition("//")[0]
        key = family if family and _is_choice(family, facts) else question.code
        findings.setdefault(key, []).append((row, is_yes))
    numbers = [_limits_in_words(at, row, answers) for row, answers in limits.items()]
    return [*numbers, *(_choice_in_words(at, key, answers) for key, answers in findings.items())]


def _limits_in_words(at: At, row: int, answers: list[tuple[float, bool]]) -> str:
    """`age from 40 to below 60 years`, of one number; also where it is not recorded."""
    _, profile, history, decision = at
    low = max((limit for limit, is_yes in answers if is_yes), default=None)
    high = min((limit for limit, is_yes in answers if not is_yes), default=None)
    name = _limit(profile, row, answers[0][0])[0]
    sides = ((tr("at least {bound}"), low), (tr("below {bound}"), high))
    parts = [text.format(bound=_limit(profile, row, x)[1]) for text, x in sides if x is not None]
    own = read_facts(history, decision, np.array([row], dtype=np.int64)).number[0, 0]
    is_known = not np.isnan(own)
    text = tr("{fact} {limits}") if is_known else tr("{fact} {limits}, or not recorded")
    return text.format(fact=name, limits=both(parts))


def _limit(profile: Profile, row: int, limit: float) -> tuple[str, str]:
    """Name and size of a limit; of decades the year with which one begins."""
    unit = profile.name(row).partition(", ")[2] or profile.unit(row)
    if is_decade(profile.codes[row], unit):
        return fact_name("age"), tr("{years} years").format(years=10 * math.ceil(limit))
    return name_and_size(profile, row, limit)


def _choice_in_words(at: At, key: str, answers: list[tuple[int, bool]]) -> str:
    """`CYP2C9: *1/*1`; else which of its values it is not, or that none is recorded."""
    study, profile = at[0], at[1]
    first, is_first = answers[0]
    name = _short(key, study)
    if key == profile.codes[first] or name == profile.name(first):  # there or not, of no choice
        name = fact_name(profile.name(first).partition(", ")[0])
        return (tr("{fact} on record") if is_first else tr("no {fact} on record")).format(fact=name)
    present = [fact_name(profile.name(row)) for row, is_yes in answers if is_yes]
    if present:
        return both(present)
    values = [profile.name(row).removeprefix(f"{name}: ") for row, _ in answers]
    name = fact_name(name)
    if {value.lower() for value in values} <= {"yes", "no"}:
        other = deferred("no") if values[0].lower() == "yes" else deferred("yes")
        text = tr("{fact}: {value}") if _recorded(at, key) else tr("{fact} {value} or not recorded")
        return text.format(fact=name, value=tr(other))
    text = tr("{fact} not recorded, or not {values}")
    if _recorded(at, key):
        text = tr("{fact} not {values}")
    return text.format(fact=name, values=either_of(values))


def _recorded(at: At, family: str) -> list[int]:
    """Rows of the codes of a family that the patient has."""
    _, profile, history, decision = at
    rows, is_present = (
        sorted(profile.rows((family,))) if family else [],
        code_finder(history, decision),
    )
    return [row for row in rows if is_present(frozenset({row}))[0]]


def _is_choice(family: str, facts: TrainingFacts | None) -> bool:
    """Whether a patient has at most one code of the family, such as one sex."""
    return facts is not None and family not in facts.several


def _short(family: str, study: Study) -> str:
    return display_name(family, study.names).partition(", ")[0]
