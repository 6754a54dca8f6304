"""What the cohort command says about the end of follow-up."""

from dataclasses import replace

import numpy as np
import pytest

from posology.cohorts.decisions.decision_table import extract_decisions
from posology.cohorts.decisions.follow_up_rule import follow_up_rule, follow_up_warnings
from posology.cohorts.events.stream import sort_events
from tests.builders.followed_worlds import draw_patients, followed_cohort
from tests.builders.two_drug_records import event_table, study

NO_COSTS = ('costs = [{ codes = ["HARM"], cost = 0.5, within_days = 40 }]\n', "")
HARM = (
    ('kind = "value_in_range"', 'kind = "does_not_occur"'),
    ('codes = ["LAB"]', 'codes = ["HARM"]'),
    ("range = { at_most = 5.0 }\n", ""),
)
ROWS = (
    *((s, 0.0, code, None) for s in (1, 2) for code in ("REVIEW", "DRUG//A")),
    (1, 99.0, "LAB", 1.0),
    (2, 20.0, "LAB", 9.0),
)
UNTIL = (("[reward]", "until = 2012-01-01\n[reward]"),)
END = ((1, 99.0, "OBSERVATION_PERIOD//END", None), (2, 99.0, "OBSERVATION_PERIOD//END", None))


def told(changes: tuple[tuple[str, str], ...], *rows) -> tuple[str, tuple[str, ...]]:
    asked, events = study(*changes), sort_events(event_table(*rows))
    decided, _ = extract_decisions(events, asked)
    return follow_up_rule(asked, events.codes), follow_up_warnings(asked, decided, events.codes)


def test_without_a_rule_a_warning_says_what_is_too_high_and_what_to_set() -> None:
    rule, warnings = told(HARM, *ROWS)
    assert rule == "at the last event or death"
    assert len(warnings) == 1
    assert (
        "risks of the outcome, costly harms may be too high. Set [follow_up] `until`" in warnings[0]
    )
    assert told((NO_COSTS,), *ROWS)[1] == (), "a number is known when it is measured"


@pytest.mark.parametrize(
    ("changes", "rows", "rule"),
    [
        (
            (("[reward]", "until = 2012-01-01\n[reward]"),),
            (),
            "at the day the records end or death",
        ),
        (
            (("[reward]", 'ends = "last_event"\n[reward]'),),
            (),
            "at the last event or death",
        ),
        ((), END, "at the end of observation or death"),
    ],
)
def test_a_stated_rule_is_shown_and_needs_no_warning(changes, rows, rule: str) -> None:
    found, warnings = told((*HARM, *changes), *ROWS, *rows)
    assert found == rule
    assert warnings == ()


def test_an_option_of_which_nobody_is_followed_to_the_end_is_named() -> None:
    """No weight mends that; the cohort keeps the warning, for its reports."""
    patients = draw_patients(300, 1, "none", 0.0, 0.0)
    left = np.where(patients.option == 1, 200.0, np.inf)
    risk = 'kind = "does_not_occur"\ncodes = ["EVENT"]\nunit = ""\nwithin_days = 365'
    cohort = followed_cohort(replace(patients, leave=left), risk)
    (warning,) = cohort.warnings
    assert warning.startswith("No decision for drug B is followed to the end of the outcome's wind")


def test_a_diagnosis_of_which_only_events_can_be_known_is_named() -> None:
    """All leave before the window ends: half a year of follow-up for a risk within one."""
    target = '[[diagnosis]]\nname = "event"\ncodes = ["EVENT"]\nwithin_days = 365\n'
    short = 'kind = "does_not_occur"\ncodes = ["EVENT"]\nunit = ""\nwithin_days = 100'
    patients = draw_patients(300, 1, "none", 0.0, 0.0)
    (warning,) = followed_cohort(
        replace(patients, leave=np.full(300, 182.0)), short, target
    ).warnings
    assert warning.startswith(
        "No decision is followed to the end of the window of event (365 days):"
    )
    assert "Make `within_days` of the [[diagnosis]] shorter" in warning
    assert followed_cohort(patients, short, target).warnings == ()
