"""A cohort counts where rules apply, cannot be checked, or were not followed."""

from pathlib import Path

from posology.cohorts.decisions.decision_table import extract_decisions
from posology.cohorts.decisions.safety_findings import count_rules, safety_warnings
from posology.cohorts.events.day_order import study_events
from tests.builders.safety_packs import pack, study_with
from tests.builders.two_drug_records import event_table


def test_rules_are_counted_and_their_breach_is_named(tmp_path: Path) -> None:
    study = study_with(tmp_path, pack())
    rows = [(s, day, code, value) for s in range(1, 7) for day, code, value in (
        (0, "REVIEW", None), (0, "DRUG//B" if s % 2 else "DRUG//A", None), (20, "LAB", 4.0),
    )]  # fmt: skip
    rows += [(1, -2, "EGFR", 20.0), (2, -2, "EGFR", 20.0), (3, -2, "EGFR", 80.0)]
    rows += [(4, -400, "EGFR", 20.0)]
    events = event_table(*sorted(rows, key=lambda row: (row[0], row[1])))
    decided, _ = extract_decisions(study_events(events, study), study)
    assert count_rules(study, decided) == [
        {
            "pack": "made-up",
            "rule": "b-kidney",
            "effect": "forbid",
            "options": ["b"],
            "applies": 2,
            "unknown": 3,
        }
    ]
    against, unchecked = safety_warnings(study, decided)
    assert against.startswith(
        "1 of 6 decisions were treated with an option that a safety rule forbids (b 1). They stay"
    )
    assert unchecked == (
        "Safety rules that could not be checked at some of 6 decisions, because facts are not "
        'recorded or too old: b-kidney at 3. on_unknown is "warn".'
    )
