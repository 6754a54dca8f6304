"""The estimand of a study in words: what is counted, over which time, and what competes with it."""

from collections.abc import Callable, Sequence

from posology.domain.study import DEATH, Outcome, Study

_HEADS = {
    "occurs": "Probability of {codes} {window}",
    "does_not_occur": "Risk of {codes} {window}",
    "time_to_event": "Time to {codes} {window}",
    "value_in_range": "Probability that the first {codes} {window} is in range",
    "change": "Probability that {codes} {window} has changed as intended",
    "dose_class": "The stable dose ({codes}) {window}",
}
_COMPETING = {
    "failure": "{names} before it counts as failure",
    "composite": "{names} counts as the outcome",
    "cause_specific": "{names} before it censors, as if it could be prevented",
}


def estimand_sentence(study: Study, name_of: Callable[[str], str] = str) -> str:
    """What the study estimates, in one sentence.

    name_of: the name of a code in words; the code itself if not given.
    """
    outcome = study.outcome
    head = _HEADS.get(outcome.kind, "{codes} {window}").format(
        codes=_names(outcome.codes, name_of), window=_window(outcome)
    )
    parts = [head]
    if outcome.unless:
        parts.append(f"{_names(outcome.unless, name_of)} before it counts as failure")
    if outcome.kind != "dose_class":
        competing = tuple(c for c in _competing_codes(study) if c not in outcome.codes)
        if competing:
            words = _COMPETING.get(outcome.competing_as, "{names} before it is " + "competing")
            parts.append(words.format(names=_names(competing, name_of)))
        parts.append(_censoring(study, name_of))
    return "; ".join(parts) + "."


def _window(outcome: Outcome) -> str:
    if outcome.from_days:
        return f"from day {outcome.from_days:g} to {outcome.within_days:g} after the decision"
    return f"within {outcome.within_days:g} days of the decision"


def _competing_codes(study: Study) -> tuple[str, ...]:
    """Deaths first; each code once."""
    ends = study.follow_up.ended_by
    first = (DEATH,) if DEATH in ends else ()
    return tuple(dict.fromkeys((*first, *ends, *study.outcome.competing)))


def _names(codes: Sequence[str], name_of: Callable[[str], str]) -> str:
    return " or ".join("a death" if code == DEATH else name_of(code) for code in codes)


def _censoring(study: Study, name_of: Callable[[str], str]) -> str:
    means = "patients who leave are accounted for by inverse probability weights of staying"
    if study.follow_up.weighted_by:
        return f"{means}, given {', '.join(name_of(code) for code in study.follow_up.weighted_by)}"
    return means
