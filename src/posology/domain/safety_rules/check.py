"""Apply a study's safety rules to visible facts: what is forbidden, limited, or not checked.

One mechanism for cohorts, learners, evaluation and advice. Conditions have three values (Kleene
1952): they hold, do not hold, or are unknown because a fact is not recorded or too old.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8

from posology.domain.safety_rules.facts import (
    MET,
    UNKNOWN,
    Status,
    VisibleFacts,
    all_hold,
    any_holds,
    fact_status,
    negate,
)
from posology.domain.safety_rules.rule import BLOCK_UNKNOWN, FORBID, LIMIT, Fact, SafetyRule
from posology.domain.study import Contraindication, Study

Limits = Float64[np.ndarray, "decision treatment 2"]
"""Smallest and largest dose that rules leave of each option; infinite where they limit nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class SafetyCheck:
    """The rules of a study applied to decisions."""

    rules: tuple[SafetyRule, ...]
    status: Int8[np.ndarray, "decision rule"]
    """CLEAR, MET or UNKNOWN of each rule."""
    forbidden: Bool[np.ndarray, "decision treatment"]
    limits: Limits


def safety_rules(study: Study) -> tuple[SafetyRule, ...]:
    """All rules of a study: those of its file, then those of its packs."""
    own = (_from_study_file(row, rule) for row, rule in enumerate(study.safety, start=1))
    return (*own, *study.safety_packs.rules)


def limits_doses(study: Study) -> bool:
    """Whether any rule limits a dose."""
    return any(rule.effect == LIMIT for rule in study.safety_packs.rules)


def check_safety(study: Study, facts: VisibleFacts) -> SafetyCheck:
    """Every rule at every decision.

    A rule whose facts are unknown forbids nothing, or all that it could, as `on_unknown` has it.
    """
    rules, names = safety_rules(study), study.formulary.names
    status = np.zeros((facts.count, len(rules)), dtype=np.int8)
    forbidden = np.zeros((facts.count, len(names)), dtype=bool)
    limits = np.full((facts.count, len(names), 2), np.inf)
    limits[:, :, 0] = -np.inf
    blocks = study.safety_packs.on_unknown == BLOCK_UNKNOWN
    for row, rule in enumerate(rules):
        factor = dose_factor(facts, rule)
        status[:, row] = rule_status(facts, rule, factor)
        applies = (status[:, row] == MET) | (blocks & (status[:, row] == UNKNOWN))
        columns = [names.index(option) for option in rule.options]
        if rule.effect == FORBID:
            forbidden[:, columns] |= applies[:, None]
        elif rule.effect == LIMIT:
            _narrow(limits, columns, rule, np.where(applies, factor, 0.0))
            forbidden[:, columns] |= (applies & np.isnan(factor))[:, None]
    return SafetyCheck(rules, status, forbidden | _without_dose(study, limits), limits)


def rule_status(facts: VisibleFacts, rule: SafetyRule, factor: np.ndarray | None = None) -> Status:
    """Whether the rule's conditions hold at each decision."""
    count = facts.count
    parts = [fact_status(facts, fact) for fact in rule.all_of]
    if rule.any_of:
        parts.append(any_holds([fact_status(facts, fact) for fact in rule.any_of], count))
    if rule.unless:
        exception = any_holds([fact_status(facts, fact) for fact in rule.unless], count)
        parts.append(negate(exception))
    status = all_hold(parts, count)
    if factor is None:
        factor = dose_factor(facts, rule)
    return np.where((status == MET) & np.isnan(factor), UNKNOWN, status).astype(np.int8)


def dose_factor(facts: VisibleFacts, rule: SafetyRule) -> Float64[np.ndarray, " decision"]:
    """What the bounds of the rule's dose are multiplied by: 1, or the last number of `per`."""
    if rule.dose is None or not rule.dose.per:
        return np.ones(facts.count)
    return facts.latest_value(rule.dose.per)


def _narrow(limits: Limits, columns: list[int], rule: SafetyRule, factor: np.ndarray) -> None:
    """Narrow the limits of the rule's options where its factor is above 0."""
    assert rule.dose is not None
    rows = np.flatnonzero(factor > 0)
    for column in columns:
        if rule.dose.at_least is not None:
            low = rule.dose.at_least * factor[rows]
            limits[rows, column, 0] = np.maximum(limits[rows, column, 0], low)
        if rule.dose.at_most is not None:
            high = rule.dose.at_most * factor[rows]
            limits[rows, column, 1] = np.minimum(limits[rows, column, 1], high)


def _without_dose(study: Study, limits: Limits) -> Bool[np.ndarray, "decision treatment"]:
    """Where no dose of an option is left."""
    empty = limits[:, :, 0] > limits[:, :, 1]
    for column, treatment in enumerate(study.formulary.treatments):
        allowed = treatment.dose or study.dose
        if allowed is None:
            continue
        low, high = limits[:, column, 0], limits[:, column, 1]
        empty[:, column] |= (high <= allowed.low) if allowed.open_low else (high < allowed.low)
        empty[:, column] |= (low >= allowed.high) if allowed.open_high else (low > allowed.high)
    return empty


def _from_study_file(row: int, rule: Contraindication) -> SafetyRule:
    numbers = tuple(
        Fact(span.codes, at_least=span.bounds.at_least, at_most=span.bounds.at_most)
        for span in rule.ranges
    )
    seen = (Fact(rule.visible),) if rule.visible else ()
    return SafetyRule(
        name=f"[[safety]] number {row}",
        kind="contraindication",
        effect=FORBID,
        options=rule.options,
        meaning="",
        source=rule.source,
        strength="contraindicated",
        any_of=(*seen, *numbers),
    )
