"""Every code that a study names, and which of them no event has."""

import difflib
from collections.abc import Iterator

from posology.domain.codes import has_prefix
from posology.domain.study import FollowUpSpec, Study, ValueRange
from posology.errors import StudyError

Named = tuple[str, tuple[str, ...]]
"""The table and key of the study file, and the codes in it."""


def check_codes_occur(codes: tuple[str, ...], study: Study) -> None:
    """Raise StudyError for the codes of decision, outcome or treatments that no event has."""
    required = [
        ("[decision] codes", study.decision.codes),
        ("[outcome] codes", study.outcome.codes),
    ]
    required += [(f"treatment {t.name}", t.codes) for t in study.formulary.treatments]
    missing = [_describe(place, code, codes) for place, code in _missing(required, codes)]
    if missing:
        raise StudyError(f"study {study.name}: " + "\n".join(missing))


def codes_without_events(codes: tuple[str, ...], study: Study) -> list[dict[str, str | None]]:
    """The other codes of the study that no event has: place, code, and the nearest code or none.

    codes: all that occur, with those that the study computes. What ends follow-up by default need
    not occur.
    """
    default = {*FollowUpSpec().ended_by, *FollowUpSpec().observed_by}
    missing = [*_missing(list(_optional(study)), codes), *_missing_of_packs(study, codes)]
    return [
        {"place": place, "code": code, "nearest": _nearest(code, codes)}
        for place, code in missing
        if code not in default
    ]


def _missing_of_packs(study: Study, codes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The first code of each fact of a safety rule of which no event has any code.

    Drugs are left out: that nobody takes one of a list is no sign of a wrong code.
    """
    for rule in study.safety_packs.rules:
        for fact in (*rule.all_of, *rule.any_of, *rule.unless):
            is_drug = fact.codes and fact.codes[0].partition("//")[0].startswith("DRUG")
            if is_drug or any(has_prefix(known, code) for known in codes for code in fact.codes):
                continue
            yield f"safety pack {rule.pack}, rule {rule.name}, {fact.name}", fact.codes[0]


def _missing(named: list[Named], codes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for place, wanted in named:
        for code in wanted:
            if not any(has_prefix(known, code) for known in codes):
                yield place, code


def _describe(place: str, code: str, codes: tuple[str, ...]) -> str:
    near = _nearest(code, codes)
    hint = f"did you mean `{near}`?" if near else "are these the right events?"
    return f"{place}: no event has the code `{code}`; {hint}"


def _nearest(code: str, codes: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(code, codes, n=1, cutoff=0.5)), None)


def _optional(study: Study) -> Iterator[Named]:
    """Codes without which a cohort can be built, though not as the study means it."""
    decision, outcome, follow_up = study.decision, study.outcome, study.follow_up
    yield "[decision] eligible", decision.eligible
    yield "[decision] excluded", decision.excluded
    yield "[decision] ranges", _of_ranges(decision.ranges)
    yield "[[decision.criteria]]", tuple(c for line in decision.criteria for c in line.fact.codes)
    yield "[outcome] unless", outcome.unless
    yield "[outcome] competing", outcome.competing
    yield "[follow_up] ended_by", follow_up.ended_by
    yield "[follow_up] weighted_by", follow_up.weighted_by
    yield "[follow_up] observed_by", follow_up.observed_by
    for cost in study.reward.costs:
        yield "[reward] costs", cost.codes
    for budget in study.budgets:
        yield "[[budgets]]", budget.codes
    for rule in study.safety:
        yield "[[safety]]", (*rule.visible, *_of_ranges(rule.ranges))
    for rule in study.rules:
        for line in rule.order:
            yield f"rule {rule.name}", (*line.visible, *_of_ranges(line.ranges))
    for target in (*study.diagnosis, *study.progression, *study.time_to_event):
        yield f"target {target.name}", target.codes
    yield "[profile] families", study.profile.families
    for series in study.profile.resolution:
        yield "[profile] resolution", series.codes
    if study.profile.kidney is not None:
        kidney = study.profile.kidney
        yield "[profile] kidney", (*kidney.creatinine, *kidney.female, *kidney.weight)
    yield "[split] site", study.split.site
    for name, codes in study.subgroups:
        yield f"[subgroups] {name}", codes


def _of_ranges(ranges: tuple[ValueRange, ...]) -> tuple[str, ...]:
    return tuple(code for value_range in ranges for code in value_range.codes)
