"""How follow-up ends in a study and its records, in words, and what is biased without a rule."""

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.cohorts.events.stream import matching_codes
from posology.domain.codes import display_names
from posology.domain.cohort import CENSORED, WINDOW_END
from posology.domain.study import DEATH, Study

_BY_ABSENCE = ("occurs", "does_not_occur", "time_to_event")


def follow_up_rule(study: Study, codes: tuple[str, ...]) -> str:
    """When follow-up ends. codes: all that occur in the records."""
    spec, observed = study.follow_up, _observed_by(study, codes)
    ends = [display_names(observed, study.names)] if observed else []
    if spec.until is not None:
        ends.append("the day the records end")
    deaths = display_names(tuple(dict.fromkeys((DEATH, *spec.ended_by))), study.names)
    return f"at {', '.join(ends) or 'the last event'} or {deaths}"


def follow_up_warnings(
    study: Study, decisions: DecisionTable, codes: tuple[str, ...]
) -> tuple[str, ...]:
    """Warnings where nothing says when follow-up ends, or nobody is followed long enough.

    Only where outcomes are known by absence. codes: all that occur in the records.
    """
    return (
        *_without_rule(study, codes),
        *_without_end(study, decisions),
        *_diagnoses_without_end(study, decisions),
    )


def _without_end(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """Options of which every known outcome is an event."""
    by, titles = decisions.resolved_by, []
    for row, option in enumerate(study.formulary.treatments):
        causes = set(by[decisions.treatment == row].tolist())
        if CENSORED in causes and WINDOW_END not in causes:
            titles.append(option.title)
    if study.outcome.kind not in _BY_ABSENCE or not titles:
        return ()
    return (
        f"No decision for {', '.join(titles)} is followed to the end of the outcome's window, "
        f"{study.outcome.within_days:g} days: only events are known there, and no weight can mend "
        "that. Make [outcome] `within_days` shorter, or ingest later records.",
    )


def _diagnoses_without_end(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """Diagnoses of which every known one is an event."""
    names = [
        f"{target.name} ({target.within_days:g} days)"
        for target, by in zip(study.diagnosis, decisions.diagnosis_resolved_by.T, strict=True)
        if (by == CENSORED).any() and not (by == WINDOW_END).any()
    ]
    if not names:
        return ()
    return (
        f"No decision is followed to the end of the window of {', '.join(names)}: only events are "
        "known, so nothing can be learned of the risk. Make `within_days` of the [[diagnosis]] "
        "shorter, or ingest later records.",
    )


def _without_rule(study: Study, codes: tuple[str, ...]) -> tuple[str, ...]:
    spec = study.follow_up
    if spec.ends or spec.until is not None or _observed_by(study, codes):
        return ()
    absent = _known_by_absence(study)
    if not absent:
        return ()
    return (
        "Nothing says when follow-up ends, so it ends at each patient's last event, and an event's "
        f"own visits prolong it: risks of {', '.join(absent)} may be too high. Set [follow_up] "
        "`until` to the day the records end, ingest observation periods (OBSERVATION_PERIOD//END), "
        'name codes in `observed_by`, or write ends = "last_event" if it is right.',
    )


def _observed_by(study: Study, codes: tuple[str, ...]) -> tuple[str, ...]:
    """The codes of `observed_by` that some event has."""
    spec = study.follow_up
    if spec.ends:
        return ()
    return tuple(code for code in spec.observed_by if matching_codes(codes, (code,)).any())


def _known_by_absence(study: Study) -> list[str]:
    """Names of the outcomes that are known because nothing was recorded."""
    names = ["the outcome"] if study.outcome.kind in _BY_ABSENCE else []
    names += [target.name for target in (*study.diagnosis, *study.time_to_event)]
    return names + (["costly harms"] if study.reward.costs else [])
