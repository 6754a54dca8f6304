"""Patients like this one: training patients who answer a few yes-or-no questions in the same way.

The questions are chosen one by one, the next one that tells most about the treatments given and
their outcomes (an oblivious tree: Kohavi 1994; matching on coarsened facts: Iacus, King and Porro
2012, doi:10.1093/pan/mpr013), as long as nearly all training patients have enough others alike.
What is kept are the questions and counts; counts under 5 are not kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.advice.uncertainty.facts import LEAST_COUNT, FactTable, fact_codes, read_facts
from posology.domain.codes import vocabulary_rows
from posology.domain.cohort import CENSORED, OUTCOME, WINDOW_END, Cohort, windows_closed
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile
from posology.domain.statistics.survival import fit_survival, survival_before
from posology.domain.study import EVENT_KINDS

MAX_QUESTIONS = 7
COMMON = 0.99
"""Share of training decisions that must have enough patients alike, so that 10 of 1,000 patients
like those of training have no answer for this reason. Our choice."""
_LEAST_GAIN = 0.002
"""Share of the variance that a question must explain; our choice."""
_MAX_DECISIONS = 8_000
_CUTS = (0.25, 0.5, 0.75)
_RAREST = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a code is recorded; with `at_least`, whether its last number is as large."""

    code: str
    at_least: float | None


@dataclass(frozen=True, slots=True)
class OptionCount:
    """Patients of a cell who were given an option, each counted once; None: fewer than 5."""

    patients: int | None
    known: int | None
    """Those of them whose effect is known, of numbers those whose window was over when the records
    ended: of later ones only early ones are."""
    reached_goal: int | None
    """Of the known; None also where 1 to 4 did not reach it, where the outcome is the dose, and
    where it is an event and some left before it was settled (`goal_share`)."""
    mean: float | None
    """Mean of the outcome's number; None where fewer than 5 have one, and where it is an event."""
    goal_share: float | None = None
    """Of an event, where some left before it was settled: the share of `patients` that reach the
    goal; None where `followed` is 0, and where 1 to 4 reached or missed it."""
    followed: int | None = None
    """Of them, those followed to the window's end, with nothing that settles it before; 0 also
    where 1 to 4; None where nobody left."""
    effective_size: float | None = None
    """Patients without weights whose share would be as sure as `goal_share` (Kish 1965)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Training patients with the same answers."""

    answers: str
    """`1` for yes and `0` for no, in the order of the questions."""
    patients: int
    """At least 5; rounded down to a multiple of 5 where an option's count is not kept."""
    options: tuple[OptionCount, ...]
    """In the study's order."""


@dataclass(frozen=True, slots=True)
class PatientsAlike:
    """The questions, and the cells that have at least 5 patients."""

    questions: tuple[Question, ...]
    cells: tuple[Cell, ...]

    def cell(self, answers: str) -> Cell | None:
        """The cell of a patient; None if fewer than 5 training patients are in it."""
        return next((cell for cell in self.cells if cell.answers == answers), None)


def fit_patients_alike(
    cohort: Cohort, needed: int, rng: np.random.Generator
) -> PatientsAlike | None:
    """Questions and counts of the training and validation decisions; None without decisions."""
    if not len(cohort):
        return None
    rows = np.arange(len(cohort))
    if len(rows) > _MAX_DECISIONS:
        rows = np.sort(rng.choice(rows, _MAX_DECISIONS, replace=False))
    codes = fact_codes(cohort.profile)
    facts = read_facts(cohort.history, cohort.last_step[rows], codes)
    sampled = len(np.unique(cohort.subject[rows])) / len(np.unique(cohort.subject))
    targets = _targets(cohort)[rows]
    questions = _choose(facts, codes, targets, cohort.subject[rows], needed * sampled)
    named = tuple(Question(cohort.profile.codes[code], cut) for code, cut in questions)
    answers = answer(named, cohort.profile, cohort.history, cohort.last_step)
    return PatientsAlike(named, tuple(_cells(cohort, answers)))


def answer(
    questions: tuple[Question, ...], profile: Profile, history: History, decisions: StepIndex
) -> Bool[np.ndarray, "decision question"]:
    """Each decision's answers; no where the fact is not recorded."""
    row_of = vocabulary_rows(profile.codes)
    codes = np.array(sorted({row_of[q.code] for q in questions}), dtype=np.int64)
    facts = read_facts(history, decisions, codes)
    columns = [
        _is_yes(facts, int(np.searchsorted(codes, row_of[q.code])), q.at_least) for q in questions
    ]
    return np.column_stack(columns) if columns else np.zeros((len(decisions), 0), dtype=bool)


def answers_as_text(answers: Bool[np.ndarray, " question"]) -> str:
    """`1` for yes and `0` for no."""
    return "".join("1" if yes else "0" for yes in answers)


def _choose(
    facts: FactTable,
    codes: Int64[np.ndarray, " code"],
    targets: Float64[np.ndarray, "decision target"],
    subject: Int64[np.ndarray, " decision"],
    needed: float,
) -> list[tuple[int, float | None]]:
    """The questions, by row of the vocabulary, most telling first."""
    candidates = list(_candidates(facts))
    chosen: list[tuple[int, float | None]] = []
    cell = np.zeros(len(targets), dtype=np.int64)
    explained = _explained(targets, cell)
    total = max(float((targets**2).sum()), 1e-12)
    while len(chosen) < MAX_QUESTIONS and candidates:
        gains = [_explained(targets, 2 * cell + yes) - explained for _, _, yes in candidates]
        for best in np.argsort(-np.array(gains), kind="stable")[:10]:
            if gains[best] < _LEAST_GAIN * total:
                return chosen
            column, cut, yes = candidates[best]
            finer = np.unique(2 * cell + yes, return_inverse=True)[1]
            if _share_with_enough(finer, subject, needed) >= COMMON:
                break
        else:
            return chosen
        chosen.append((int(codes[column]), cut))
        cell, explained = finer, explained + gains[best]
        del candidates[best]
    return chosen


def _candidates(facts: FactTable) -> Iterator[tuple[int, float | None, np.ndarray]]:
    for column in range(facts.recorded.shape[1]):
        number = facts.number[:, column]
        known = number[~np.isnan(number)]
        cuts: list[float | None] = [None]
        if len(known) and known.min() < known.max():
            cuts += [float(f"{x:.4g}") for x in np.unique(np.quantile(known, _CUTS))]
        for cut in cuts:
            yes = _is_yes(facts, column, cut)
            if _RAREST <= yes.mean() <= 1 - _RAREST:
                yield column, cut, yes


def _is_yes(facts: FactTable, column: int, cut: float | None) -> Bool[np.ndarray, " decision"]:
    if cut is None:
        return facts.recorded[:, column]
    with np.errstate(invalid="ignore"):
        return facts.number[:, column] >= cut


def _targets(cohort: Cohort) -> Float64[np.ndarray, "decision target"]:
    """Option given, effect, and the outcome's number, standardised; 0 where unknown."""
    options = len(cohort.study.formulary.treatments)
    given = _option_given(cohort)[:, None] == np.arange(options)[None, :]
    parts = [given / np.sqrt(options), cohort.effective[:, None], cohort.outcome[:, None]]
    columns = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts], axis=1)
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(columns)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, columns, 0.0).sum(axis=0) / count
        centred = np.where(known, columns - mean, 0.0)
        deviation = np.sqrt((centred**2).sum(axis=0) / count)
    scale = np.where(deviation > 0, deviation, 1.0)
    scale[:options] *= np.sqrt(options)  # all options together weigh as much as one outcome
    return centred / scale


def _explained(targets: np.ndarray, cell: np.ndarray) -> float:
    """Sum of squares between cells."""
    count = np.maximum(np.bincount(cell), 1)
    return float(sum((np.bincount(cell, y) ** 2 / count).sum() for y in targets.T))


def _share_with_enough(cell: np.ndarray, subject: np.ndarray, needed: float) -> float:
    """Share of decisions whose cell has at least so many patients."""
    pairs = np.unique(np.column_stack([cell, subject]), axis=0)
    patients = np.bincount(pairs[:, 0], minlength=int(cell.max()) + 1)
    return float((patients[cell] >= needed).mean())


def _cells(cohort: Cohort, answers: Bool[np.ndarray, "decision question"]) -> Iterator[Cell]:
    weights = 2 ** np.arange(answers.shape[1], dtype=np.int64)
    closed = _are_settled(cohort)
    number = answers @ weights if answers.shape[1] else np.zeros(len(cohort), dtype=np.int64)
    given = _option_given(cohort)
    for one in np.unique(number):
        rows = np.flatnonzero(number == one)
        patients = len(np.unique(cohort.subject[rows]))
        if patients < LEAST_COUNT:
            continue
        options = tuple(
            _count(cohort, rows[given[rows] == option], closed)
            for option in range(len(cohort.study.formulary.treatments))
        )
        if any(option.patients is None for option in options):
            patients -= patients % LEAST_COUNT
        yield Cell(answers_as_text(answers[rows[0]]), patients, options)


def _are_settled(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Decisions whose window was over when the records ended.

    A window of numbers is over on the last day on which any was measured: the records of a trial
    often end with its last visit.
    """
    if _is_known_after(cohort):  # who has no stable dose yet is no decision of such a study
        return np.ones(len(cohort), dtype=bool)
    if cohort.resolved_by is None or cohort.resolved_days is None:
        return windows_closed(cohort)
    if cohort.study.outcome.kind in EVENT_KINDS:  # who left before is counted by the time followed
        return np.ones(len(cohort), dtype=bool)
    measured = cohort.resolved_days[cohort.resolved_by == OUTCOME]
    return windows_closed(cohort, float(measured.max()) if len(measured) else None)


def _count(
    cohort: Cohort, rows: Int64[np.ndarray, " given"], closed: Bool[np.ndarray, " decision"]
) -> OptionCount:
    """Counts of one option, of each patient's first decision in the cell."""
    _, first = np.unique(cohort.subject[rows], return_index=True)
    rows = rows[first]
    effective = cohort.effective[rows[closed[rows]]]
    reached, missed = int((effective == 1).sum()), int((effective == 0).sum())
    known = _if_enough(reached + missed)
    is_shown = (
        known is not None
        and not _is_known_after(cohort)
        and None not in (_if_enough(reached), _if_enough(missed))
    )
    share, followed, size = _followed_share(cohort, rows) if len(rows) else (None, None, None)
    number = cohort.outcome[rows]
    number = number[~np.isnan(number) & (cohort.study.outcome.kind not in EVENT_KINDS)]
    return OptionCount(
        patients=_if_enough(len(rows)),
        known=known,
        reached_goal=reached if is_shown and followed is None else None,
        mean=float(f"{number.mean():.4g}") if len(number) >= LEAST_COUNT else None,
        goal_share=share if is_shown else None,
        followed=followed,
        effective_size=size if is_shown else None,
    )


def _followed_share(
    cohort: Cohort, rows: Int64[np.ndarray, " given"]
) -> tuple[float | None, int | None, float | None]:
    """Share of patients that reach an event's goal, how many were followed to the end, and the
    weights' effective size, (sum of weights)^2 / sum of squares (Kish 1965).

    Known outcomes weighted by 1 / P(followed until then): the estimate of Kaplan and Meier 1958, of
    Aalen and Johansen 1978 where events compete (Satten and Datta 2001,
    doi:10.1198/000313001317098185). The known alone hold too many events: an event is known when it
    occurs, its absence only at the window's end.
    """
    by, days = cohort.resolved_by, cohort.resolved_days
    if cohort.study.outcome.kind not in EVENT_KINDS or by is None or days is None:
        return None, None, None
    has_left = by[rows] == CENSORED
    if not has_left.any():
        return None, None, None
    followed = int((by[rows] == WINDOW_END).sum())
    if followed < LEAST_COUNT:
        return None, 0, None
    time = days[rows].astype(np.float64)
    all_alike = np.zeros(len(rows), dtype=np.int64), np.zeros((len(rows), 0))
    staying = survival_before(fit_survival(time, has_left, *all_alike), time, *all_alike)
    weight = ~has_left / staying
    share = weight[cohort.effective[rows] == 1].sum() / len(rows)
    size = weight.sum() ** 2 / (weight**2).sum()
    return float(f"{share:.4g}"), followed, float(f"{size:.4g}")


def _if_enough(count: int) -> int | None:
    return None if 0 < count < LEAST_COUNT else count


def _option_given(cohort: Cohort) -> Int64[np.ndarray, " decision"]:
    """The option given; where the outcome is the right dose, the option that proved right."""
    given = cohort.best_treatment if _is_known_after(cohort) else cohort.treatment
    return given.astype(np.int64)


def _is_known_after(cohort: Cohort) -> bool:
    return cohort.study.outcome.kind == "dose_class"
