"""Options that could be given in only a part of the records' time.

A drug that arrives late is compared with others over years in which outcomes may have changed for
another reason: a guideline, a laboratory, a season. `effect` and `evaluate` adjust for the calendar
and leave out the years without it; what a network learns knows no year.
"""

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.study import Study

LEAST_SHARE = 0.2
"""Share of the other options' decisions, before an option's first or after its last one."""
_OBSERVED = (
    "`effect` and `evaluate` adjust for the date and compare it only where it could be given; what "
    "`fit` learns ascribes to it whatever else changed in those years. Ingest the records of the "
    "years in which every option could be given."
)
_RANDOMISED = (
    "It was not drawn by lot in those years, and probabilities are taken to be the same in all: "
    "ingest the records of the years in which every option was."
)
LEAST_DECISIONS = 30
"""Of the option: one that is as common at all times misses a fifth of it once in 800 studies."""


def calendar_warnings(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """One warning for each option that arrived, or went, while others were given."""
    advice = _RANDOMISED if study.assignment.randomised else _OBSERVED
    found = (
        _warning(option.title, decisions, row, advice)
        for row, option in enumerate(study.formulary.treatments)
    )
    return tuple(text for text in found if text is not None)


def _warning(title: str, decisions: DecisionTable, option: int, advice: str) -> str | None:
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
    return f"{title}: {' and '.join(parts)}. {advice}"
