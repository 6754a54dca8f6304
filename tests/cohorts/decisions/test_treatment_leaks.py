"""Nothing after the last visible step, nor the treatment, nor the test split reaches a feature."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.cohorts import part as parts
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.decision_table import extract_decisions
from posology.cohorts.decisions.treatment_leaks import find_leaks
from posology.cohorts.events.stream import sort_events
from posology.domain.cohort import TEST, TRAIN, Cohort
from posology.domain.history import visible_events
from tests.builders.two_drug_records import FIRST, event_table, extract_from_rows, study

CODES = ("REVIEW", "DRUG//A", "DRUG//B", "LAB", "HARM", "STOP", "NOTE//x", "NOTE//y")
Row = tuple[int, float | None, str, float | None]
BASE: tuple[Row, ...] = tuple(
    (subject, float(day), code, float(subject % 5 + day))
    for subject in range(100, 130)
    for day, code in enumerate(("LAB", "REVIEW", "DRUG//A", "DRUG//B", "STOP", "HARM", "NOTE//x"))
)
"""Other patients, so that somebody always learns and no code is missing."""


@st.composite
def diaries(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = [(subject, None, "SEX//F", None) for subject in range(1, 6)]
    for _ in range(draw(st.integers(4, 40))):
        subject, day = draw(st.integers(1, 5)), float(draw(st.integers(0, 60)))
        code = draw(st.sampled_from(CODES))
        rows.append((subject, day, code, float(draw(st.integers(1, 9)))))
    return rows


def seen(cohort: Cohort) -> dict[tuple[int, float], list[tuple[str, float, float]]]:
    """What each decision sees: code, number and time of every visible event."""
    owner, event = visible_events(cohort.history, cohort.last_step)
    step = np.searchsorted(cohort.history.event_offsets, event, side="right") - 1
    assert cohort.time is not None
    found = {
        (int(cohort.history.subject_id[s]), float(t)): []
        for s, t in zip(cohort.subject, cohort.time, strict=True)
    }
    keys = list(found)
    for row, e, s in zip(owner, event, step, strict=True):
        code = cohort.profile.codes[cohort.history.code[e]]
        time = np.nan_to_num(cohort.history.time[s], nan=-1.0)
        found[keys[row]].append((code, float(cohort.history.value[e]), float(time)))
    return {key: sorted(events) for key, events in found.items()}


def naive(rows: list[Row], subject: int, day: float, codes: set[str]) -> list:
    """The same, read off the diary: before the moment, and at it all but the treatment."""
    return sorted(
        (
            code,
            float(np.float32(value)) if value is not None else np.nan,
            -1.0 if at is None else at + FIRST,
        )
        for s, at, code, value in rows
        if s == subject
        and code in codes
        and (at is None or at < day or (at == day and not code.startswith("DRUG")))
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(diaries())
def test_a_decision_sees_exactly_the_events_before_it(rows: list[Row]) -> None:
    whole = [*BASE, *rows]
    cohort = build_cohort(event_table(*whole), study())
    for (subject, time), events in seen(cohort).items():
        expected = naive(whole, subject, time - FIRST, set(cohort.profile.codes))
        np.testing.assert_equal(events, expected)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(diaries(), diaries(), st.integers(0, 60))
def test_changing_the_future_changes_no_feature(
    rows: list[Row], other: list[Row], now: int
) -> None:
    """Everything after a day is exchanged, and the treatment of that day too."""
    known = [r for r in rows if r[1] is None or r[1] < now or (r[1] == now and "DRUG" not in r[2])]
    future = [r for r in other if r[1] is not None and r[1] > now]
    ids = range(1, 6)
    treated = [(i, float(now), code, None) for i in ids for code in ("DRUG//A",)]
    swapped = [(i, float(now), code, 7.0) for i in ids for code in ("DRUG//B",)]
    review = [(i, float(now), "REVIEW", None) for i in ids]
    a = build_cohort(event_table(*BASE, *known, *review, *treated), study())
    b = build_cohort(event_table(*BASE, *known, *review, *swapped, *future), study())
    both = set(a.profile.codes) & set(b.profile.codes)
    for i in ids:
        key = (i, float(now + FIRST))
        one, two = ([e for e in seen(c)[key] if e[0] in both] for c in (a, b))
        np.testing.assert_equal(one, two)


def test_one_step_too_many_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder that shows one step more than it may fails the test above."""
    honest = parts.last_visible_step

    def leaky(history, at, treatments):
        step = honest(history, at, treatments)
        subject = np.searchsorted(history.step_offsets, step, side="right") - 1
        return np.minimum(step + 1, history.step_offsets[subject + 1] - 1)

    monkeypatch.setattr(parts, "last_visible_step", leaky)
    rows = [*BASE, (1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None), (1, 20.0, "LAB", 9.0)]
    cohort = build_cohort(event_table(*rows), study())
    wrong = [
        key
        for key, events in seen(cohort).items()
        if not np.array_equal(
            [e[0] for e in events],
            [e[0] for e in naive(rows, key[0], key[1] - FIRST, set(cohort.profile.codes))],
        )
    ]
    assert wrong


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1e6, 1e6, width=32))
def test_the_profile_does_not_depend_on_the_test_split(seed: int, number: float) -> None:
    rng = np.random.default_rng(seed)
    rows: list[Row] = [
        (s, float(d), str(code), float(rng.integers(1, 9)))
        for s in range(1, 40)
        for d, code in enumerate(rng.choice(CODES, size=6))
    ]
    whole = [*BASE, *rows]
    decided, _ = extract_decisions(sort_events(event_table(*whole)), study())
    learning = set(decided.subject_id[decided.split == TRAIN].tolist())
    before = build_cohort(event_table(*whole), study())
    changed = [
        (s, d, code, number if s not in learning and code in ("LAB", "HARM", "NOTE//x") else v)
        for s, d, code, v in whole
    ]
    after = build_cohort(event_table(*changed), study())
    np.testing.assert_array_equal(before.profile.center, after.profile.center)
    np.testing.assert_array_equal(before.profile.spread, after.profile.spread)
    assert before.profile.codes == after.profile.codes


def test_the_profile_does_not_depend_on_training_outcome_windows() -> None:
    """A number that no decision sees does not even scale the others."""
    rows: list[Row] = [
        (s, d, c, v)
        for s in range(1, 60)
        for d, c, v in (
            (0.0, "LAB", 5.0),
            (1.0, "REVIEW", None),
            (1.0, "DRUG//A", 1.0),
            (20.0, "LAB", 1e6),
            (20.0, "NOTE//late", None),
        )
    ]
    cohort = build_cohort(
        event_table(*rows, (99, 0.0, "STOP", None), (99, 0.0, "DRUG//B", None)), study()
    )
    assert cohort.profile.center[cohort.profile.codes.index("LAB")] == 5.0
    assert "NOTE//late" not in cohort.profile.codes


def leaks(rows: list[Row], *changes: tuple[str, str]) -> list[tuple[str, str]]:
    """Code and sign of each suspected leak."""
    decided, flow = extract_from_rows(changes, *rows)
    found = find_leaks(flow.step_codes, decided.treatment, study(*changes))
    return [(leak["code"], leak["how"]) for leak in found]


def reviews(days: tuple[float, ...] = (1.0,)) -> list[Row]:
    """120 patients, each on A or B at every review."""
    return [
        (s, day, code, None)
        for s in range(1, 121)
        for day in days
        for code in ("REVIEW", f"DRUG//{'AB'[s % 2]}", "NOTE//same")
    ]


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[0], row[1] or 0.0))


def test_a_prescription_recorded_twice_is_detected() -> None:
    """The study names one of two events of the same prescription; the other gives it away."""
    rows = in_order(reviews() + [(s, 1.0, f"NOTE//{'AB'[s % 2]}", None) for s in range(1, 121)])
    assert leaks(rows) == [("NOTE//A", "occurs with"), ("NOTE//B", "occurs with")]
    named = (
        ('codes = ["DRUG//A"]', 'codes = ["DRUG//A", "NOTE//A"]'),
        ('codes = ["DRUG//B"]', 'codes = ["DRUG//B", "NOTE//B"]'),
    )
    assert leaks(rows, *named) == []
    no_feature = ('"HARM", "NOTE"]', '"HARM"]')
    assert leaks(rows, no_feature) == []
    warnings = build_cohort(
        event_table(*rows, (999, 0.0, "LAB", 1.0), (999, 0.0, "STOP", None)), study()
    ).warnings
    assert warnings[-1].startswith(
        "Suspected leaks of the treatment into the features: note A occurs with a: 60 of 60 "
        "decisions where it occurs, of 60 with the option; note B occurs with b:"
    )
    assert "add its code to the option's `codes` or leave it out of [profile]" in warnings[-1]


def test_a_column_that_holds_the_arm_again_is_detected() -> None:
    """A fact without a time, as the baseline columns of a trial's file are read."""
    word = [(s, None, f"NOTE//arm{'AB'[s % 2]}", None) for s in range(1, 121)]
    rows = in_order(word + reviews((1.0, 50.0)))
    assert leaks(rows) == [("NOTE//armA", "occurs with"), ("NOTE//armB", "occurs with")]
    number = [(s, None, "LAB", float(s % 2)) for s in range(1, 121)]
    assert leaks(in_order(number + reviews())) == [("LAB", "has other values with")]
    balanced = [(s, None, f"SEX//{'fm'[s // 2 % 2]}", None) for s in range(1, 121)]
    assert leaks(in_order(balanced + reviews())) == []


def test_a_code_of_some_decisions_with_one_option_is_detected() -> None:
    """A pharmacist's note with half of the prescriptions of B, and with none of A."""
    rows = reviews() + [(s, 1.0, "NOTE//dispensed", None) for s in range(1, 121, 4)]
    assert leaks(in_order(rows)) == [("NOTE//dispensed", "occurs with")]


def test_a_number_that_moves_with_one_option_only_is_detected() -> None:
    """The count of drugs rises with B; it is known before, and stays, with A."""
    rows = reviews((1.0, 50.0))
    rows += [(s, 1.0, "LAB", 3.0) for s in range(1, 121)]
    rows += [(s, 50.0, "LAB", 3.0 + s % 2) for s in range(1, 121)]
    assert leaks(in_order(rows)) == [("LAB", "rises with")]


def test_values_that_tell_two_options_apart_are_detected() -> None:
    rng = np.random.default_rng(0)
    far = [(s, 1.0, "LAB", float(rng.normal(5.0 * (s % 2)))) for s in range(1, 121)]
    near = [(s, 1.0, "LAB", float(rng.normal(1.5 * (s % 2)))) for s in range(1, 121)]
    assert leaks(in_order(reviews() + far)) == [("LAB", "has other values with")]
    assert leaks(in_order(reviews() + near)) == [], "confounding is no leak"


def test_findings_that_come_by_chance_are_no_leaks() -> None:
    """Of 300 rare codes at 120 decisions many fall on one option only."""
    rng = np.random.default_rng(1)
    rows = reviews()
    for code in range(300):
        patients = rng.choice(120, size=int(rng.integers(1, 25)), replace=False) + 1
        rows += [(int(s), 1.0, f"NOTE//n{code}", None) for s in patients]
    assert leaks(in_order(rows)) == []
    few = reviews() + [(s, 1.0, "NOTE//few", None) for s in range(1, 39, 2)]
    assert leaks(in_order(few)) == [], "19 decisions are too few"


def test_the_test_split_exists_in_these_worlds() -> None:
    cohort = build_cohort(event_table(*BASE), study())
    assert (cohort.split == TEST).any()
    assert len(replace(cohort)) == len(cohort)
