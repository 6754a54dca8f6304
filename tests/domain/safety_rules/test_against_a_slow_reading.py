"""Random rules on random patients: the fast check, by events and by History, and a slow one."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.cohorts.encode import build_history
from posology.cohorts.events.day_order import study_events
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.codes import has_prefix
from posology.domain.profile import Profile
from posology.domain.safety import history_facts
from posology.domain.safety_rules.check import check_safety
from posology.domain.safety_rules.facts import CLEAR, MET, UNKNOWN
from posology.domain.safety_rules.rule import Fact, SafetyRule, SafetySpec
from posology.domain.study import Study
from tests.builders.two_drug_records import FIRST, Row, event_table, study

CODES = ("EGFR", "HF", "ALLERGY//A", "ALLERGY//NONE", "DRUG//C", "MEDS_BIRTH")
BOUNDS = st.sampled_from([10.0, 20.0, 30.0, 60.0])
DAYS = st.sampled_from([None, 30.0, 365.0])
FACTS = st.one_of(
    st.tuples(st.just("below"), BOUNDS, DAYS),
    st.tuples(st.just("at_least"), BOUNDS, DAYS),
    st.tuples(st.just("failure"), BOUNDS, DAYS),
    st.tuples(st.just("allergy"), BOUNDS, DAYS),
    st.tuples(st.just("drug"), BOUNDS, DAYS),
    st.tuples(st.just("age"), BOUNDS, DAYS),
)
FEW = st.lists(FACTS, max_size=2)
RULES = st.tuples(st.sampled_from([("a",), ("b",), ("a", "b")]), FEW, FEW, FEW)
Drawn = tuple[str, float, float | None]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(CODES),
        st.one_of(st.none(), st.integers(-500, 4).map(float)),
        st.one_of(st.none(), st.integers(5, 65).map(float)),
    ),
    max_size=8,
)
STUDY = study()


def make_fact(drawn: Drawn) -> Fact:
    """The fact, made here because the checks of types draw random numbers."""
    kind, bound, days = drawn
    return {
        "below": Fact(("EGFR",), below=bound, within_days=days),
        "at_least": Fact(("EGFR",), at_least=bound, within_days=days),
        "failure": Fact(("HF",), within_days=days),
        "allergy": Fact(("ALLERGY//A",), known_by=("ALLERGY",)),
        "drug": Fact(("DRUG//C", "DRUG_PER_DAY//C"), within_days=days),
        "age": Fact(("MEDS_BIRTH",), at_least=bound, is_age=True),
    }[kind]


def make_rule(options: tuple[str, ...], *parts: list[Drawn]) -> SafetyRule:
    any_of, all_of, unless = (tuple(make_fact(drawn) for drawn in part) for part in parts)
    head = ("r", "contraindication", "forbid", options, "", "made up", "")
    return SafetyRule(*head, any_of, all_of, unless)


def slow_fact(fact: Fact, rows: list[tuple[float, str, float | None]]) -> bool | None:
    """Three-valued, from events in order of time (minus infinity where they have none)."""
    of = [row for row in rows if any(has_prefix(row[1], code) for code in fact.codes)]
    if fact.is_age:
        dated = [t for t, _, _ in of if t > -math.inf]
        return None if not dated else -dated[-1] / 365.25 >= (fact.at_least or 0.0)
    if fact.is_number:
        of = [row for row in of if row[2] is not None]
    dated = [t for t, _, _ in of if t > -math.inf]
    stale = bool(dated) and fact.within_days is not None and -dated[-1] > fact.within_days
    if not fact.is_number:
        if of and not stale:
            return True
        looked = any(has_prefix(row[1], code) for row in rows for code in fact.known_by)
        return None if fact.known_by and not looked else False
    if not of or stale:
        return None
    value = of[-1][2]
    assert value is not None
    return value < fact.below if fact.below is not None else value >= (fact.at_least or 0.0)


def slow_rule(rule: SafetyRule, rows: list[tuple[float, str, float | None]]) -> int:
    def either(answers: list[bool | None]) -> bool | None:
        return True if True in answers else None if None in answers else False

    parts = [slow_fact(fact, rows) for fact in rule.all_of]
    if rule.any_of:
        parts.append(either([slow_fact(fact, rows) for fact in rule.any_of]))
    if rule.unless:
        exception = either([slow_fact(fact, rows) for fact in rule.unless])
        parts.append(None if exception is None else not exception)
    answer = False if False in parts else None if None in parts else True
    return {True: MET, False: CLEAR, None: UNKNOWN}[answer]


def with_rules(rules: list[SafetyRule], on_unknown: str) -> Study:
    return replace(STUDY, safety_packs=SafetySpec((), tuple(rules), on_unknown))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    drawn=st.lists(RULES, min_size=1, max_size=3),
    events=EVENTS,
    on_unknown=st.sampled_from(["warn", "block"]),
)
def test_the_check_agrees_with_a_slow_one(
    drawn: list[tuple[tuple[str, ...], list[Drawn], list[Drawn], list[Drawn]]],
    events: list[tuple[str, float | None, float | None]],
    on_unknown: str,
) -> None:
    rules = [make_rule(*parts) for parts in drawn]
    asked = with_rules(rules, on_unknown)
    rows: list[Row] = [(1, day, code, value) for code, day, value in events]
    stream = study_events(event_table((1, 0, "REVIEW", None), *rows), asked)
    at = DecisionTimes(np.zeros(1, np.int64), np.array([float(FIRST)]))
    subject = np.zeros(len(stream.code), np.int64)
    fast = check_safety(asked, event_facts(stream, subject, at, asked))
    visible = [
        (-math.inf if np.isnan(t) else t - FIRST, stream.codes[c], None if np.isnan(v) else v)
        for t, c, v in zip(
            stream.time.tolist(), stream.code.tolist(), stream.value.tolist(), strict=True
        )
        if np.isnan(t) or t <= FIRST
    ]
    expected = [slow_rule(rule, visible) for rule in rules]
    assert fast.status[0].tolist() == expected
    counts = {MET, UNKNOWN} if on_unknown == "block" else {MET}
    forbidden = [
        any(s in counts and name in r.options for s, r in zip(expected, rules, strict=True))
        for name in ("a", "b")
    ]
    assert fast.forbidden[0].tolist() == forbidden
    past = study_events(
        event_table((1, 0, "REVIEW", None), *(r for r in rows if r[1] is None or r[1] <= 0)), asked
    )
    zeros = np.zeros(len(past.codes), np.float32)
    history = build_history(past, np.array([1]), past.codes, ())
    seen = history_facts(
        Profile(past.codes, zeros, zeros + 1), history, history.step_offsets[1:2] - 1
    )
    assert check_safety(asked, seen).status[0].tolist() == expected
