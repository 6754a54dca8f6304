"""What safety rules found at the decisions of a cohort: applied, not checked, not followed."""

import numpy as np

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.safety_rules.check import safety_rules
from posology.domain.safety_rules.facts import MET, UNKNOWN
from posology.domain.study import Study

MAX_NAMED = 3
"""Rules named in one warning."""


def count_rules(study: Study, decisions: DecisionTable) -> list[dict]:
    """As JSON, of each rule: decisions at which it applies, and at which it cannot be checked."""
    return [
        {
            "pack": rule.pack,
            "rule": rule.name,
            "effect": rule.effect,
            "options": list(rule.options),
            "applies": int((decisions.rule_status[:, row] == MET).sum()),
            "unknown": int((decisions.rule_status[:, row] == UNKNOWN).sum()),
        }
        for row, rule in enumerate(safety_rules(study))
    ]


def safety_warnings(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """Sentences on treatment against the rules, and on rules that could not be checked."""
    return (*_against_rules(study, decisions), *_not_checked(study, decisions))


def _against_rules(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    known = np.flatnonzero(decisions.treatment >= 0)
    given = decisions.treatment[known]
    against = given[~decisions.allowed[known, given]]
    if not len(against):
        return ()
    counts = np.bincount(against, minlength=len(study.formulary.names))
    words = [f"{study.formulary.names[k]} {counts[k]:,}" for k in np.flatnonzero(counts)]
    return (
        f"{len(against):,} of {len(known):,} decisions were treated with an option that a safety "
        f"rule forbids ({', '.join(words)}). They stay in the analysis; no policy may choose it "
        "for them. See whether the rule or its codes are right.",
    )


def _not_checked(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    rows = [row for row in count_rules(study, decisions) if row["unknown"]]
    if not rows or not study.safety_packs.rules:
        return ()
    rows.sort(key=lambda row: -row["unknown"])
    words = [f"{row['rule']} at {row['unknown']:,}" for row in rows[:MAX_NAMED]]
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    return (
        f"Safety rules that could not be checked at some of {len(decisions):,} decisions, because "
        f"facts are not recorded or too old: {', '.join(words)}{more}. on_unknown is "
        f'"{study.safety_packs.on_unknown}".',
    )
