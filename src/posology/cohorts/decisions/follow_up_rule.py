"""How follow-up ends in a study and its records, in words, and what is biased without a rule."""

from posology.cohorts.events.stream import matching_codes
from posology.domain.study import Study

_BY_ABSENCE = ("occurs", "does_not_occur", "time_to_event")


def follow_up_rule(study: Study, codes: tuple[str, ...]) -> str:
    """When follow-up ends. codes: all that occur in the records."""
    spec, observed = study.follow_up, _observed_by(study, codes)
    deaths = " or ".join(spec.ended_by)
    if observed and spec.until is not None:
        return f"at {' or '.join(observed)}, `until` or {deaths}"
    if observed:
        return f"at {' or '.join(observed)} or {deaths}"
    return f"at `until` or {deaths}" if spec.until is not None else f"at the last event or {deaths}"


def follow_up_warnings(study: Study, codes: tuple[str, ...]) -> tuple[str, ...]:
    """A warning where nothing says when follow-up ends, but outcomes are known by absence."""
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
