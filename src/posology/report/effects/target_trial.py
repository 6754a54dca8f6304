"""The target trial that a page on effects answers for, as the study file states it."""

from typing import Any

from posology.domain.study import Outcome, Study

_WHICH = {
    "first": "the first",
    "every": "every",
    "interval": "from the first on, at even intervals:",
}
_KINDS = {
    "occurs": "effective where it occurs",
    "does_not_occur": "effective where it does not occur",
    "value_in_range": "effective where its first number is in range",
    "change": "effective where its first number changed so",
    "time_to_event": "the time without it",
}


def trial_section(study: Study, unit: str) -> dict[str, Any]:
    """Eligibility, time zero, versions of treatment, comparators, outcome, horizon, estimand."""
    given, who = study.assignment, study.decision
    needed = [
        *([f"one of {_codes(who.eligible)}"] if who.eligible else []),
        *([f"none of {_codes(who.excluded)}"] if who.excluded else []),
        *(f"{_codes(r.codes)} in range" for r in who.ranges),
    ]
    lots = "; drawn by lot" if given.randomised else "; chosen by clinicians"
    rows = [
        ("Who", "; ".join(needed) or "everybody with a time zero"),
        ("Time zero", f"{_WHICH[who.which]} {_codes(who.codes)}"),
        ("Options", "; ".join(t.title for t in study.formulary.treatments)),
        ("Given", f"started within {given.grace_days:g} days of time zero{lots}"),
        ("Compared with", "; ".join(["the best single option for all", "each option for all",
                                     "usual care", *(rule.name for rule in study.rules)])),
        ("Outcome", _outcome(study.outcome)),
        ("Estimand", f"difference in means over the stated population, in {unit}"),
    ]  # fmt: skip
    table = {"caption": "As the study file states it.", "heads": [], "rows": rows}
    return {
        "id": "trial", "short": "Question", "title": "What was asked?", "figures": [],
        "plain": ["The trial that these figures stand for: had patients like these been given one "
                  "option or the other at time zero, what would have become of them?"],
        "tables": [table],
    }  # fmt: skip


def _outcome(outcome: Outcome) -> str:
    window = f"day {outcome.from_days:g} to {outcome.within_days:g}"
    also = f"; ineffective after {_codes(outcome.unless)}" if outcome.unless else ""
    rival = f"; {_codes(outcome.competing)} counts as {outcome.competing_means}"
    return (
        f"{_codes(outcome.codes)}, {window}: {_KINDS.get(outcome.kind, outcome.kind)}{also}"
        f"{rival if outcome.competing else ''}"
    )


def _codes(codes: tuple[str, ...]) -> str:
    return " or ".join(codes)
