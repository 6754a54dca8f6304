"""What the outputs would be without each fact, and with each value that training patients had."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.advice.why.facts import PRESENCE, Fact, FactValue, fact_numbers, latest_events
from posology.advice.why.groups import FactGroup
from posology.advice.why.what_if import Predict, WhatIf, predict_what_ifs
from posology.domain.history import History
from posology.domain.profile import Profile


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """One patient at a decision, and what predicts the outputs that are to be explained."""

    predict: Predict
    history: History
    profile: Profile
    decision: int
    """Last visible step."""
    facts: tuple[Fact, ...]
    groups: tuple[FactGroup, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FactEffects:
    """The outputs with other values of one fact."""

    fact: Fact
    row: int
    """Vocabulary row of the patient's own event; -1 if there is none."""
    number: float | None
    """The patient's own number."""
    without: Float64[np.ndarray, " output"]
    values: tuple[FactValue, ...]
    outputs: Float64[np.ndarray, "value output"]
    allowed: Bool[np.ndarray, "value output"]

    @property
    def is_known(self) -> bool:
        """Whether the patient has an event of the fact."""
        return self.row >= 0


@dataclass(frozen=True, slots=True, eq=False)
class GroupEffects:
    """The outputs where facts that go together are not known, all at once."""

    members: tuple[FactEffects, ...]
    """Those that the patient has, two or more."""
    without: Float64[np.ndarray, " output"]


@dataclass(frozen=True, slots=True, eq=False)
class WhatIfTable:
    """The outputs as recorded, and with other values of each fact."""

    recorded: Float64[np.ndarray, " output"]
    allowed: Bool[np.ndarray, " output"]
    facts: tuple[FactEffects, ...]
    groups: tuple[GroupEffects, ...] = ()


def make_table(situation: Situation, with_absent: bool = True) -> WhatIfTable:
    """All predictions in one batch; facts whose codes nobody here or in training has are left out.

    What a fact does is the change of the outputs when it is not known: their mean over the values
    that training patients had, as they are, or, for findings and for treatments given before, the
    outputs without it. (Leaving a number out that hardly any training patient lacks would ask the
    model about patients it never saw.)

    Args:
        with_absent: whether findings that the patient does not have are tried, which only
            counterfactuals need: a study may know hundreds.
    """
    s = situation
    step = np.array([s.decision])
    latest = latest_events(s.facts, s.profile, s.history, step)[0]
    cases: list[WhatIf] = [()]
    places: list[tuple[int, int, int]] = []
    """Of each fact its index, its first case, and the end of its cases."""
    for i, fact in enumerate(s.facts):
        is_known = bool(latest[i] >= 0)
        values = _values_to_try(fact, is_known)
        is_absent = not is_known and fact.kind == PRESENCE
        if (not is_known and not values) or (is_absent and not with_absent):
            continue
        start = len(cases)
        cases += [((fact, None),)] * int(_is_removed(fact, is_known))
        cases += [((fact, value),) for value in values]
        places.append((i, start, len(cases)))
    joint = _group_cases(s, latest)
    facts_end = len(cases)
    cases += [case for _, of_group in joint for case in of_group]
    outputs, allowed = predict_what_ifs(s.predict, s.history, s.profile, s.decision, cases)
    effects = [
        _fact_effects(s, i, latest, (outputs[start:end], allowed[start:end], outputs[0]))
        for i, start, end in places
    ]
    place = {id(fact): i for i, fact in enumerate(s.facts)}
    by_place = {place[id(e.fact)]: e for e in effects}
    groups, start = [], facts_end
    for members, of_group in joint:
        without = outputs[start : start + len(of_group)].mean(axis=0)
        groups.append(GroupEffects(tuple(by_place[i] for i in members), without))
        start += len(of_group)
    return WhatIfTable(outputs[0], allowed[0], tuple(effects), tuple(groups))


def _group_cases(
    s: Situation, latest: Int64[np.ndarray, " fact"]
) -> list[tuple[list[int], list[WhatIf]]]:
    """Of each group of which the patient has two facts or more: those, and its joint values."""
    found = []
    for group in s.groups:
        own = [k for k, i in enumerate(group.members) if latest[i] >= 0]
        if len(own) < 2:
            continue
        facts = [s.facts[group.members[k]] for k in own]
        cases: list[WhatIf] = [
            tuple(
                (fact, FactValue(fact.rows[0], values[k], 0.0))
                for k, fact in zip(own, facts, strict=True)
            )
            for values in group.values
        ]
        found.append(([group.members[k] for k in own], cases))
    return found


def _is_removed(fact: Fact, is_known: bool) -> bool:
    return is_known and (fact.kind == PRESENCE or fact.is_treatment or not fact.values)


def _values_to_try(fact: Fact, is_known: bool) -> Sequence[FactValue]:
    """Other values than the patient's, of facts that may be other than they are."""
    if fact.is_treatment:
        return ()
    if fact.kind == PRESENCE:
        return [v for v in fact.values if (v.row >= 0) != is_known]
    return fact.values


def _fact_effects(
    s: Situation,
    i: int,
    latest: Int64[np.ndarray, " fact"],
    predicted: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> FactEffects:
    """predicted: outputs and permissions of the fact's cases, and the outputs as recorded."""
    fact, is_known = s.facts[i], bool(latest[i] >= 0)
    outputs, allowed, recorded = predicted
    values = tuple(_values_to_try(fact, is_known))
    if _is_removed(fact, is_known):
        without, outputs, allowed = outputs[0], outputs[1:], allowed[1:]
    elif is_known:
        share = np.array([v.share for v in values])
        without = share @ outputs / share.sum()
    else:
        without = recorded
    number = fact_numbers(fact, latest[[i]], s.history, np.array([s.decision]))[0]
    return FactEffects(
        fact=fact,
        row=int(s.history.code[latest[i]]) if is_known else -1,
        number=None if np.isnan(number) else float(number),
        without=without,
        values=values,
        outputs=outputs,
        allowed=allowed,
    )
