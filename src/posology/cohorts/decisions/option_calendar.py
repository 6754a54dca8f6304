"""Options that could be given in only a part of the records' time.

A drug that arrives late is compared with others over years in which outcomes may have changed for
another reason: a guideline, a laboratory, a season. No analysis adjusts for the calendar.
"""

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.study import Study

LEAST_SHARE = 0.2
"""Share of the other options' decisions, before an option's first or after its last one."""
LEAST_DECISIONS = 30
"""Of the option: one that is as common at all times misses a fifth of it once in 800 studies."""


def calendar_warnings(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """One warning for each option that arrived, or went, while others were given."""
    if study.assignment.randomised:
        return ()
    found = (
        _warning(option.title, decisions, row)
        for row, option in enumerate(study.formulary.treatments)
    )
    return tuple(text for text in found if text is not None)


def _warning(title: str, decisions: DecisionTable, option: int) -> str | None:
    own = decisions.time[decisions.treatment == option]
    others = decisions.time[(decisions.treatment >= 0) & (decisions.treatment != option)]
    if len(own) < LEAST_DECISIONS or len(others) == 0:
        return None
    before, after = (others < own.min()).mean(), (others > own.max()).mean()
    parts = [
        f"{share:.0%} of the other options' decisions come {when}".replace("%", " %")
        for share, when in (
            (before, "before it was given for the first time"),
            (after, "after it was given for the last time"),
        )
        if share >= LEAST_SHARE
    ]
    if not parts:
        return None
    return (
        f"{title}: {' and '.join(parts)}. Nothing adjusts for the calendar, so that whatever else "
        "changed in those years is ascribed to it; ingest the records of the years in which every "
        "option could be given."
    )
