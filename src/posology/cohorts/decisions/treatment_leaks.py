"""Codes at a decision's own time, or without a time, that reveal the treatment: a leak.

Suspected: a code that occurs with one option and hardly without it, a number that rises or falls
with one option only, or whose values tell two options apart. Usually it is a second record of the
prescription, whose code the study does not name; it may be a finding that decides the treatment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from posology.cohorts.events.stream import EventStream, has_any_code
from posology.cohorts.events.visible import treatment_codes
from posology.cohorts.events.windows import DecisionTimes, EventTimes, make_event_times
from posology.domain.codes import display_name
from posology.domain.study import PERIOD_END, PERIOD_START, Study

MIN_DECISIONS, MIN_SHARE, MIN_SEPARATION, MAX_CHANCE = 20, 0.95, 4.0, 1e-6
"""Fewest decisions with a code, smallest share of them with one option, fewest standard deviations
between two options' values, largest probability that such a share comes by chance. Our choice."""


@dataclass(frozen=True, slots=True)
class StepCode:
    """How often a code was seen at decisions' own times, by the option given there."""

    code: str
    occurs: tuple[int, ...]
    rises: tuple[int, ...]
    """Its number is above the last earlier one."""
    falls: tuple[int, ...]
    numbers: tuple[int, ...]
    sums: tuple[float, ...]
    squares: tuple[float, ...]


def count_step_codes(
    events: EventStream,
    subject: Int64[np.ndarray, " event"],
    decisions: tuple[DecisionTimes, Int32[np.ndarray, " decision"]],
    study: Study,
) -> tuple[StepCode, ...]:
    """Counts of every feature at the decisions' own times. decisions: times and options given.

    Facts without a time, such as a column of a trial's file that holds the arm again, count at the
    subject's first decision.
    """
    (at, option), options = decisions, len(study.formulary.treatments)
    hidden = (*treatment_codes(study), *study.decision.codes, PERIOD_START, PERIOD_END)
    keep = has_any_code(events, study.profile.families) & ~has_any_code(events, hidden)
    is_static = np.isnan(events.time)
    rows = np.flatnonzero(keep & ~is_static)
    timed = _at_decisions(events, subject, rows, at)
    static = _at_first_decisions(subject, np.flatnonzero(keep & is_static), at)
    row, decision = (np.concatenate(both) for both in zip(timed, static, strict=True))
    shown = option[decision] >= 0
    row, given, decision = row[shown], option[decision[shown]], decision[shown]
    pair, first = np.unique(decision * len(events.codes) + events.code[row], return_index=True)
    if not len(pair):
        return ()
    row, given = row[first], given[first]
    value = events.value[row].astype(np.float64)
    change = value - _value_before(events, subject, rows)[row]
    has_value = ~np.isnan(value)
    cell = events.code[row].astype(np.int64) * options + given

    def table(weights: np.ndarray) -> list[list[float]]:
        counts = np.bincount(cell, weights, len(events.codes) * options)
        return counts.reshape(-1, options).tolist()

    number = np.nan_to_num(value)
    tables = [table(w) for w in (np.ones(len(row)), change > 0, change < 0, has_value)]
    sums, squares = table(number), table(number**2)
    return tuple(
        StepCode(
            events.codes[code],
            *(tuple(int(n) for n in counts[code]) for counts in tables),
            sums=tuple(sums[code]),
            squares=tuple(squares[code]),
        )
        for code in np.unique(events.code[row]).tolist()
    )


def _at_decisions(
    events: EventStream, subject: np.ndarray, rows: np.ndarray, at: DecisionTimes
) -> tuple[np.ndarray, np.ndarray]:
    """Of some events, those at a decision's own time, and the row of each one's decision."""
    chosen, decided = _keys(subject[rows], events.time[rows]), _keys(at.subject, at.time)
    decision = np.searchsorted(decided.key, chosen.key)
    inside = decision < len(at)
    inside[inside] = decided.key[decision[inside]] == chosen.key[inside]
    return rows[inside], decision[inside]


def _at_first_decisions(
    subject: np.ndarray, rows: np.ndarray, at: DecisionTimes
) -> tuple[np.ndarray, np.ndarray]:
    """Of some events, those of subjects with decisions, and the row of each one's first one."""
    first = np.searchsorted(at.subject, subject[rows], side="left")
    inside = first < len(at)
    inside[inside] = at.subject[first[inside]] == subject[rows][inside]
    return rows[inside], first[inside]


def _keys(subject: np.ndarray, time: np.ndarray) -> EventTimes:
    return make_event_times(subject, time, time, np.zeros(len(subject), np.int32))


def _value_before(events: EventStream, subject: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """By row of the stream, the subject's last number of the same code at an earlier time."""
    before = np.full(len(events.code), np.nan)
    rows = rows[~np.isnan(events.value[rows])]
    rows = rows[np.lexsort((events.time[rows], events.code[rows], subject[rows]))]
    here, last = rows[1:], rows[:-1]
    same = (subject[here] == subject[last]) & (events.code[here] == events.code[last])
    same &= events.time[here] > events.time[last]
    before[here[same]] = events.value[last[same]]
    return before


def merge_step_codes(parts: Sequence[tuple[StepCode, ...]]) -> tuple[StepCode, ...]:
    """The counts of several chunks of the same records."""
    merged: dict[str, StepCode] = {}
    for seen in (seen for part in parts for seen in part):
        old = merged.get(seen.code)
        merged[seen.code] = seen if old is None else _add(old, seen)
    return tuple(merged[code] for code in sorted(merged))


def _add(a: StepCode, b: StepCode) -> StepCode:
    def add(one: tuple, two: tuple) -> tuple:
        return tuple(x + y for x, y in zip(one, two, strict=True))

    return StepCode(
        a.code,
        add(a.occurs, b.occurs),
        add(a.rises, b.rises),
        add(a.falls, b.falls),
        add(a.numbers, b.numbers),
        add(a.sums, b.sums),
        add(a.squares, b.squares),
    )


def find_leaks(
    step_codes: tuple[StepCode, ...], treatment: Int32[np.ndarray, " decision"], study: Study
) -> list[dict]:
    """Suspected leaks as JSON: code, option, how it shows, counts, and a message.

    treatment: the option of every decision.
    """
    names = study.formulary.names
    totals = np.bincount(treatment[treatment >= 0], minlength=len(names))
    leaks = []
    for seen in step_codes:
        name = display_name(seen.code, study.names)
        for how, option, numbers in _signs(seen, totals, len(step_codes)):
            message = f"{name} {how} {names[option]}: {numbers}"
            leaks.append(
                {"code": seen.code, "option": names[option], "how": how, "message": message}
            )
    return leaks


def _signs(seen: StepCode, totals: np.ndarray, codes: int) -> Iterator[tuple[str, int, str]]:
    """How a code tells an option: in words, the option, and the numbers."""
    for verb, counts in (("occurs", seen.occurs), ("rises", seen.rises), ("falls", seen.falls)):
        option = _exclusive_option(np.array(counts), totals, codes)
        if option is not None:
            numbers = f"{counts[option]:,} of {sum(counts):,} decisions where it {verb}, "
            yield (
                f"{verb} with",
                option,
                f"{numbers}of {totals[option]:,} with the option",
            )
            return
    pair = _separated_options(seen)
    if pair is not None:
        means = [seen.sums[row] / seen.numbers[row] for row in pair]
        yield "has other values with", pair[0], f"mean {means[0]:.4g}, not {means[1]:.4g}"


def _exclusive_option(counts: np.ndarray, totals: np.ndarray, codes: int) -> int | None:
    """The option with nearly all decisions that have the sign; None if chance may explain it."""
    total, option = int(counts.sum()), int(counts.argmax())
    share, base = counts[option] / max(total, 1), totals[option] / max(totals.sum(), 1)
    # If nearly every decision has one option, every common code occurs with it: no evidence.
    if total < MIN_DECISIONS or share < MIN_SHARE or base >= MIN_SHARE:
        return None
    divergence = share * np.log(share / base)  # Chernoff: the tail is at most exp(-n KL)
    if share < 1:
        divergence += (1 - share) * np.log((1 - share) / (1 - base))
    is_chance = total * divergence < np.log(codes * len(totals) / MAX_CHANCE)
    return None if is_chance else option


def _separated_options(seen: StepCode) -> tuple[int, int] | None:
    """The two options whose values are furthest apart, if no overlap is left."""
    numbers = np.array(seen.numbers, dtype=np.float64)
    rows = np.flatnonzero(numbers >= MIN_DECISIONS)
    if len(rows) < 2:
        return None
    mean = np.array(seen.sums)[rows] / numbers[rows]
    square = np.array(seen.squares)[rows] / numbers[rows]
    variance = np.maximum(square - mean**2, 1e-12 * square)
    apart = np.abs(mean[:, None] - mean) / np.sqrt((variance[:, None] + variance) / 2 + 1e-300)
    one, two = np.unravel_index(int(apart.argmax()), apart.shape)
    return (int(rows[one]), int(rows[two])) if apart[one, two] >= MIN_SEPARATION else None


def leak_warnings(leaks: list[dict]) -> tuple[str, ...]:
    """One warning for all suspected leaks."""
    if not leaks:
        return ()
    listed = "; ".join(leak["message"] for leak in leaks[:MIN_DECISIONS])
    return (
        f"Suspected leaks of the treatment into the features: {listed}. If it records the "
        "treatment, add its code to the option's `codes` or leave it out of [profile] `families`; "
        "if it was known before the choice and decides it, the options cannot be compared there.",
    )
