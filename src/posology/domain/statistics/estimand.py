"""The estimand of a study in words: what is counted, over which time, and what competes with it."""

from collections.abc import Sequence

from posology.domain.codes import Names, display_name, display_names
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


def estimand_sentence(study: Study) -> str:
    """What the study estimates, in one sentence."""
    outcome, names = study.outcome, study.names
    head = _HEADS.get(outcome.kind, "{codes} {window}")
    parts = [head.format(codes=display_names(outcome.codes, names), window=_window(outcome))]
    if outcome.kind == "value_in_range" and outcome.change is not None:
        parts[0] += " or has changed as intended"
    if outcome.unless:
        parts.append(f"{display_names(outcome.unless, names)} before it counts as failure")
    if outcome.kind == "dose_class":
        return f"{parts[0]}."
    competing = [code for code in _competing_codes(study) if code not in outcome.codes]
    if competing:
        words = _COMPETING.get(outcome.competing_as, _COMPETING["failure"])
        parts.append(words.format(names=_names(competing, names)))
    parts.append("patients who leave are accounted for by inverse probability weights of staying")
    if study.follow_up.weighted_by:
        given = [display_name(code, names) for code in study.follow_up.weighted_by]
        parts[-1] += f", given {', '.join(dict.fromkeys(given))}"
    return "; ".join(parts) + "."


def _window(outcome: Outcome) -> str:
    if outcome.from_days:
        return f"from day {outcome.from_days:,g} to {outcome.within_days:,g} after the decision"
    return f"within {outcome.within_days:,g} days of the decision"


def _competing_codes(study: Study) -> tuple[str, ...]:
    """Deaths first; each code once."""
    ends = study.follow_up.ended_by
    first = (DEATH,) if DEATH in ends else ()
    return tuple(dict.fromkeys((*first, *ends, *study.outcome.competing)))


def _names(codes: Sequence[str], names: Names) -> str:
    words = ["a death" if code == DEATH else display_name(code, names) for code in codes]
    return " or ".join(dict.fromkeys(words))
