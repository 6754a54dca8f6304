"""What was done and what came of it, case by case."""

from datetime import date

import numpy as np
import pytest

from posology.domain.cohort import CENSORED, COMPETING, OUTCOME, WINDOW_END
from posology.errors import StudyError
from tests.builders.two_drug_records import FIRST, extract_from_rows, study

NONE = ()


def test_every_review_is_a_decision_and_the_window_ends_before_the_next() -> None:
    d, flow = extract_from_rows(
        NONE,
        (1, 0, "REVIEW", None),
        (1, 0, "DRUG//A", 20.0),
        (1, 2, "REVIEW", None),
        (1, 2, "DRUG//B", 5.0),
        (1, 30, "LAB", 4.0),
    )
    assert (d.time - FIRST).tolist() == [0, 2]
    assert d.treatment.tolist() == [0, 1], "B on day 2 belongs to the second review"
    assert d.dose.tolist() == [20.0, 5.0]
    assert flow.candidates == 2


def test_decisions_without_an_option_are_excluded_with_the_reason() -> None:
    d, flow = extract_from_rows(
        NONE,
        (1, 0, "REVIEW", None),
        (1, 2, "DRUG//A", None),
        (2, 0, "REVIEW", None),
        (2, 1, "DRUG//A", None),
    )
    assert d.subject_id.tolist() == [2], "day 1 is in the window, day 2 is not"
    loss = flow.exclusions[-1]
    assert (loss.reason, loss.decisions, loss.subjects) == ("no option given within 1 days", 1, 1)


def test_switches_are_resolved_as_the_study_says() -> None:
    rows = ((1, 0.0, "REVIEW", None), (1, 0.5, "DRUG//B", None), (1, 1.0, "DRUG//A", None))
    assert extract_from_rows(NONE, *rows)[0].treatment.tolist() == [1]
    last = (("grace_days = 1", 'grace_days = 1\nswitch = "last"'),)
    assert extract_from_rows(last, *rows)[0].treatment.tolist() == [0]
    out = (("grace_days = 1", 'grace_days = 1\nswitch = "exclude"'),)
    d, flow = extract_from_rows(out, *rows)
    assert len(d) == 0
    assert "several options" in flow.exclusions[0].reason


def test_combinations_and_no_treatment_are_options() -> None:
    more = (
        (
            "[given]",
            '[[treatments]]\nname = "ab"\ntitle = "both"\ntogether = ["a", "b"]\n'
            '[[treatments]]\nname = "none"\ntitle = "neither"\notherwise = true\n[given]',
        ),
    )
    d, _ = extract_from_rows(
        more,
        (1, 0, "REVIEW", None),
        (1, 0.5, "DRUG//B", None),
        (1, 1, "DRUG//A", None),
        (2, 0, "REVIEW", None),
        (2, 9, "DRUG//A", None),
        (3, 0, "REVIEW", None),
        (3, 1, "DRUG//A", None),
    )
    assert d.treatment.tolist() == [2, 3, 0]


@pytest.mark.parametrize(
    ("per", "expected"),
    [('"day"', 14.0), ('"week"', 2.0), ('"each"\ndose_days = 7', 4.0)],
)
def test_doses_become_a_daily_amount(per: str, expected: float) -> None:
    changes = (("grace_days = 1", f"grace_days = 1\ndose_per = {per}"),)
    d, _ = extract_from_rows(
        changes, (1, 0, "REVIEW", None), (1, 0, "DRUG//A", 14.0), (1, 5, "DRUG//A", 14.0)
    )
    assert d.dose.tolist() == [pytest.approx(expected)]


def test_a_daily_dose_is_of_as_many_days_as_it_is_divided_by() -> None:
    """Eight doses, a day apart from time zero: the eighth belongs to the next seven days."""
    changes = (("grace_days = 1", 'grace_days = 1\ndose_per = "each"\ndose_days = 7'),)
    daily = [(1, day, "DRUG//A", 14.0) for day in range(8)]
    d, _ = extract_from_rows(changes, (1, 0, "REVIEW", None), *daily)
    assert d.dose.tolist() == [14.0]


def test_the_outcome_is_the_first_number_in_the_window() -> None:
    d, _ = extract_from_rows(
        NONE,
        (1, 0, "REVIEW", None),
        (1, 0, "DRUG//A", None),
        (1, 10, "LAB", 4.0),
        (1, 40, "LAB", 4.5),
        (1, 41, "LAB", 9.0),
        (2, 0, "REVIEW", None),
        (2, 0, "DRUG//A", None),
        (2, 20, "LAB", 6.0),
        (2, 30, "LAB", 1.0),
        (3, 0, "REVIEW", None),
        (3, 0, "DRUG//A", None),
        (3, 41, "LAB", 1.0),
    )
    np.testing.assert_array_equal(d.outcome, np.array([4.5, 6.0, np.nan], np.float32))
    np.testing.assert_array_equal(d.effective, np.array([1, 0, np.nan], np.float32))
    assert d.outcome_observed.tolist() == [True, True, False], (
        "incomplete follow-up is kept and marked"
    )


def test_a_stop_before_the_outcome_makes_the_option_ineffective() -> None:
    d, _ = extract_from_rows(
        NONE,
        (1, 0, "REVIEW", None),
        (1, 0, "DRUG//A", None),
        (1, 5, "STOP", None),
        (1, 20, "LAB", 1.0),
        (2, 0, "REVIEW", None),
        (2, 0, "DRUG//A", None),
        (2, 20, "LAB", 1.0),
        (2, 25, "STOP", None),
        (3, 0, "REVIEW", None),
        (3, 0, "DRUG//A", None),
        (3, 39, "STOP", None),
    )
    assert d.effective.tolist() == [0, 1, 0]
    assert d.outcome_observed.all()


def test_harms_cost_until_the_next_decision() -> None:
    d, _ = extract_from_rows(
        NONE,
        (1, 0, "REVIEW", None),
        (1, 0, "DRUG//A", None),
        (1, 5, "HARM", None),
        (1, 12, "LAB", 1.0),
        (1, 20, "REVIEW", None),
        (1, 20, "DRUG//A", None),
        (1, 25, "HARM", None),
        (1, 26, "HARM", None),
        (1, 40, "LAB", 9.0),
        (1, 99, "HARM", None),
    )
    assert d.reward.tolist() == [0.5, -1.0]


def test_change_is_since_the_last_value_visible() -> None:
    changes = (
        ('kind = "value_in_range"', 'kind = "change"'),
        ("range = { at_most = 5.0 }", "change = { at_most = -2.0 }"),
    )
    d, _ = extract_from_rows(
        changes,
        (1, -9, "LAB", 4.0),
        (1, 0, "LAB", 9.0),
        (1, 0, "REVIEW", None),
        (1, 0, "DRUG//A", None),
        (1, 20, "LAB", 7.0),
        (2, 0, "REVIEW", None),
        (2, 0, "DRUG//A", None),
        (2, 20, "LAB", 7.0),
    )
    assert d.outcome[0] == -2.0
    assert d.effective[0] == 1


def event_kind(kind: str, more: str = "") -> tuple[tuple[str, str], ...]:
    return (
        ('kind = "value_in_range"', f'kind = "{kind}"'),
        ('codes = ["LAB"]', 'codes = ["HARM"]'),
        ("range = { at_most = 5.0 }", more),
        ("from_days = 10\n", ""),
    )


START = tuple((s, 0.0, c, None) for s in (1, 2, 3, 4) for c in ("REVIEW", "DRUG//A"))
EVENTS = (
    *START,
    (1, 5.0, "HARM", None),
    (1, 60.0, "LAB", 1.0),
    (2, 60.0, "LAB", 1.0),
    (3, 20.0, "LAB", 1.0),
    (4, 9.0, "DEATH", None),
)


@pytest.mark.parametrize(("kind", "good"), [("occurs", 1.0), ("does_not_occur", 0.0)])
def test_events_and_follow_up(kind: str, good: float) -> None:
    d, _ = extract_from_rows(event_kind(kind), *EVENTS)
    expected = np.array([good, 1 - good, np.nan, 0.0], np.float32)
    np.testing.assert_array_equal(d.effective, expected)
    np.testing.assert_array_equal(d.outcome, np.array([1, 0, np.nan, 0], np.float32))
    assert d.resolved_by.tolist() == [OUTCOME, WINDOW_END, CENSORED, COMPETING]
    assert d.resolved_days.tolist() == [5, 40, 20, 9]
    assert d.trajectory_ended.tolist() == [False, False, False, True]


CUT_SHORT = (
    *START,
    (1, 5.0, "HARM", None),
    (2, 60.0, "LAB", 1.0),
    (3, 20.0, "LAB", 1.0),
    (4, 5.0, "HARM", None),
    (4, 9.0, "DEATH", None),
)


@pytest.mark.parametrize(("kind", "good"), [("occurs", 1.0), ("does_not_occur", 0.0)])
def test_an_event_settles_a_truncated_window_and_the_weight_says_for_whom(
    kind: str, good: float
) -> None:
    d, _ = extract_from_rows(event_kind(kind), *CUT_SHORT)
    np.testing.assert_array_equal(d.effective, np.array([good, 1 - good, np.nan, good]))
    harm = '[[diagnosis]]\nname = "harm"\ncodes = ["HARM"]\nwithin_days = 30\n[split]'
    d, _ = extract_from_rows((("[split]", harm),), *CUT_SHORT)
    np.testing.assert_array_equal(d.diagnosis[:, 0], np.array([1, 0, np.nan, 1]))
    assert d.diagnosis_days[:, 0].tolist() == [5, 30, 20, 5]
    assert d.diagnosis_resolved_by[:, 0].tolist() == [OUTCOME, WINDOW_END, CENSORED, OUTCOME]


def until(days: int) -> tuple[str, str]:
    last = date.fromordinal(date(1970, 1, 1).toordinal() + int(FIRST) + days).isoformat()
    return 'ended_by = ["DEATH"]', f'ended_by = ["DEATH"]\nuntil = {last}'


@pytest.mark.parametrize("kind", ["occurs", "does_not_occur", "time_to_event"])
def test_what_happens_after_the_end_of_follow_up_does_not_count(kind: str) -> None:
    """Follow-up ends on day 7: the event of day 5 counts, that of day 8 and the death do not."""
    rows = (*START, (1, 5.0, "HARM", None), (2, 8.0, "HARM", None), (4, 9.0, "DEATH", None))
    d, _ = extract_from_rows((*event_kind(kind), until(7)), *rows)
    assert d.resolved_by.tolist() == [OUTCOME, CENSORED, CENSORED, CENSORED]
    assert d.resolved_days.tolist() == [5, 7, 7, 7]
    assert np.isnan(d.effective).tolist() == [False, True, True, True]
    assert not d.trajectory_ended.any()


def test_time_to_event_ends_with_death_or_follow_up() -> None:
    d, _ = extract_from_rows(event_kind("time_to_event"), *EVENTS)
    assert d.outcome.tolist() == [5, 40, 20, 9]
    assert d.outcome_observed.tolist() == [True, True, False, True]
    assert d.effective[3] == 0


@pytest.mark.parametrize(
    ("kind", "competing_as", "effective", "outcome", "by"),
    [
        ("occurs", "failure", 0.0, 0.0, COMPETING),
        ("does_not_occur", "failure", 0.0, 0.0, COMPETING),
        ("does_not_occur", "composite", 0.0, 1.0, OUTCOME),
        ("does_not_occur", "cause_specific", np.nan, np.nan, CENSORED),
        ("time_to_event", "failure", 0.0, 7.0, COMPETING),
        ("time_to_event", "composite", 0.0, 7.0, OUTCOME),
        ("time_to_event", "cause_specific", np.nan, 7.0, CENSORED),
    ],
)
def test_a_competing_event_counts_as_the_study_says_and_at_its_time(
    kind: str, competing_as: str, effective: float, outcome: float, by: int
) -> None:
    """Records after the competing event (a bill) do not prolong what can still happen."""
    more = f'competing = ["SURGERY"]\ncompeting_as = "{competing_as}"'
    rows = (*START, (4, 7.0, "SURGERY", None), (4, 60.0, "LAB", 1.0), (4, 30.0, "HARM", None))
    d, _ = extract_from_rows(event_kind(kind, more), *rows)
    np.testing.assert_array_equal(d.effective[3], np.float32(effective))
    np.testing.assert_array_equal(d.outcome[3], np.float32(outcome))
    assert (d.resolved_by[3], d.resolved_days[3]) == (by, 7)


def test_death_competes_wherever_it_is_recorded_and_at_the_same_moment_the_outcome_counts() -> None:
    rows = (*START, (1, 9.0, "MEDS_DEATH", None), (2, 9.0, "HARM", None))
    rows = (*rows, (2, 9.0, "MEDS_DEATH", None))
    d, _ = extract_from_rows(event_kind("does_not_occur"), *rows)
    assert d.resolved_by[:2].tolist() == [COMPETING, OUTCOME]


def test_old_and_meaningless_ways_to_count_a_competing_event_are_errors() -> None:
    old = 'competing = ["DEATH"]\ncompeting_means = "ineffective"'
    with pytest.raises(
        StudyError, match='now `competing_as`; write "failure" where it was "ineffective"'
    ):
        study(*event_kind("does_not_occur", old))
    composite = 'competing_as = "composite"'
    with pytest.raises(StudyError, match="has no meaning for kind occurs; write"):
        study(*event_kind("occurs", composite))
    both = (until(7), ("[follow_up]", '[follow_up]\nends = "last_event"'))
    with pytest.raises(StudyError, match="follow-up ends at the last event; remove it or `until`"):
        study(*both)


PERIODS = (
    *START,
    (1, -9.0, "OBSERVATION_PERIOD//START", None),
    (1, 19.5, "OBSERVATION_PERIOD//END", None),
    (1, 20.0, "OBSERVATION_PERIOD//START", None),
    (1, 60.0, "OBSERVATION_PERIOD//END", None),
    (2, -9.0, "OBSERVATION_PERIOD//START", None),
    (2, 25.0, "OBSERVATION_PERIOD//END", None),
    (2, 30.0, "HARM", None),
    (2, 50.0, "OBSERVATION_PERIOD//START", None),
    (3, 5.0, "OBSERVATION_PERIOD//START", None),
)


def test_observation_periods_bound_follow_up_and_decisions() -> None:
    """1: two periods without a gap; 2: an event in a gap; 3 came later, 4 was never observed."""
    d, flow = extract_from_rows(event_kind("does_not_occur"), *PERIODS)
    assert d.subject_id.tolist() == [1, 2]
    assert d.resolved_by.tolist() == [WINDOW_END, CENSORED]
    assert d.days_followed.tolist() == [60, 25]
    loss = flow.exclusions[0]
    assert (loss.reason, loss.decisions) == ("outside every observation period", 2)
    first = ('which = "every"', 'which = "first"')
    later = ((2, 55.0, "REVIEW", None), (2, 55.0, "DRUG//B", None), (4, 99.0, "REVIEW", None))
    d, _ = extract_from_rows((*event_kind("does_not_occur"), first), *PERIODS[8:], *later)
    assert (d.subject_id.tolist(), d.treatment.tolist()) == ([2], [1]), "the first that is observed"
    last = ("[follow_up]", '[follow_up]\nends = "last_event"')
    d, flow = extract_from_rows((*event_kind("does_not_occur"), last), *PERIODS)
    assert d.subject_id.tolist() == [1, 2, 3, 4]
    assert d.resolved_by[1] == OUTCOME


def test_overlapping_periods_are_one_and_any_pair_of_codes_is_a_period() -> None:
    """As insurances are: the second goes on where the first ends, whatever they are called."""
    days = ((-9.0, "START"), (5.0, "START"), (15.0, "END"), (70.0, "END"))
    rows = tuple((1, day, f"COVERAGE//{side}", None) for day, side in days)
    covered = ("[follow_up]", '[follow_up]\nobserved_by = ["COVERAGE//END"]')
    d, flow = extract_from_rows((*event_kind("does_not_occur"), covered), *START[:4], *rows)
    assert (d.subject_id.tolist(), d.days_followed.tolist()) == ([1], [70])
    assert flow.exclusions[0].decisions == 1


def test_a_period_without_an_end_goes_on_until_the_records_end() -> None:
    """Such as today's insurance: before, the end of the one before it ended follow-up."""
    days = ((-90.0, "START"), (-50.0, "END"), (-9.0, "START"))
    rows = (*((1, day, f"OBSERVATION_PERIOD//{side}", None) for day, side in days),)
    rows += ((1, 30.0, "HARM", None), (1, 90.0, "LAB", 1.0))
    kind = event_kind("does_not_occur")
    d, _ = extract_from_rows(kind, *START[:2], *rows)
    assert (d.resolved_by.tolist(), d.days_followed.tolist()) == ([OUTCOME], [90])
    d, _ = extract_from_rows((*kind, until(60)), *START[:2], *rows)
    assert d.days_followed.tolist() == [60]


def test_a_named_event_ends_observation() -> None:
    rows = (*START, (1, 10.0, "MOVED", None), (1, 12.0, "HARM", None), (2, 60.0, "LAB", 1.0))
    moved = ("[follow_up]", '[follow_up]\nobserved_by = ["MOVED"]')
    d, _ = extract_from_rows((*event_kind("does_not_occur"), moved), *rows)
    assert d.resolved_by[:2].tolist() == [CENSORED, WINDOW_END]
    assert d.resolved_days[:2].tolist() == [10, 40]


def test_eligibility_uses_visible_events_without_the_current_treatment() -> None:
    rows = (
        (1, 0.0, "LAB", 3.0),
        (1, 0.0, "REVIEW", None),
        (1, 0.0, "DRUG//A", None),
        (2, 0.0, "LAB", 8.0),
        (2, 0.0, "REVIEW", None),
        (2, 0.0, "DRUG//A", None),
        (3, -1.0, "DRUG//A", None),
        (3, 0.0, "REVIEW", None),
        (3, 0.0, "DRUG//A", None),
    )
    asked = (('which = "every"', 'which = "every"\nexcluded = ["DRUG//A"]'),)
    assert extract_from_rows(asked, *rows)[0].subject_id.tolist() == [1, 2]
    asked = (('which = "every"', 'which = "every"\neligible = ["LAB"]'),)
    assert extract_from_rows(asked, *rows)[0].subject_id.tolist() == [1, 2]
    span = 'ranges = [{ codes = ["LAB"], at_most = 5.0 }]'
    d, flow = extract_from_rows((('which = "every"', f'which = "every"\n{span}'),), *rows)
    assert d.subject_id.tolist() == [1]
    assert flow.exclusions[0].reason == "lab unknown or not at most 5"


def test_decisions_have_a_minimum_spacing_or_a_fixed_interval() -> None:
    rows = (
        *((1, float(x), "REVIEW", None) for x in (0, 5, 9, 10, 21, 30)),
        (1, 45.0, "LAB", 1.0),
        *((1, float(x), "DRUG//A", None) for x in range(0, 46)),
    )
    apart = (('which = "every"', 'which = "every"\nevery_days = 10'),)
    assert (extract_from_rows(apart, *rows)[0].time - FIRST).tolist() == [0, 10, 21]
    spaced = (('which = "every"', 'which = "interval"\nevery_days = 20'),)
    assert (extract_from_rows(spaced, *rows)[0].time - FIRST).tolist() == [0, 20, 40]
    first = (('which = "every"', 'which = "first"'),)
    assert (extract_from_rows(first, *rows)[0].time - FIRST).tolist() == [0]


def test_diagnosis_and_progression_targets_are_labelled() -> None:
    tables = (
        '[[diagnosis]]\nname = "harm"\ncodes = ["HARM"]\nwithin_days = 30\n'
        '[[progression]]\nname = "lab"\ncodes = ["LAB"]\nwithin_days = 30\n[split]'
    )
    more = (("[split]", tables),)
    d, _ = extract_from_rows(more, *EVENTS)
    np.testing.assert_array_equal(d.diagnosis[:, 0], np.array([1, 0, np.nan, 0], np.float32))
    np.testing.assert_array_equal(
        d.progression[:, 0], np.array([np.nan, np.nan, 1, np.nan], np.float32)
    )


def test_a_time_to_event_is_observed_or_censored() -> None:
    table = '[[time_to_event]]\nname = "harm"\ncodes = ["HARM"]\nwithin_days = 30\n[split]'
    rows = (
        (1, 0.0, "REVIEW", None),
        (1, 0.0, "DRUG//A", None),
        (1, 12.0, "HARM", None),
        (1, 20.0, "HARM", None),
        (2, 0.0, "REVIEW", None),
        (2, 0.0, "DRUG//A", None),
        (2, 9.0, "DEATH", None),
        (3, 0.0, "REVIEW", None),
        (3, 0.0, "DRUG//A", None),
        (3, 40.0, "HARM", None),
    )
    d, _ = extract_from_rows((("[split]", table),), *rows)
    assert d.event_time[:, 0].tolist() == [12, 9, 30]
    assert d.event_observed[:, 0].tolist() == [True, False, False]


def test_a_time_to_event_starts_at_time_zero() -> None:
    table = '[[time_to_event]]\nname = "harm"\ncodes = ["HARM"]\nwithin_days = 30\nfrom_days = 1\n'
    with pytest.raises(StudyError, match="time_to_event harm: its time starts at time zero"):
        study(("[split]", f"{table}[split]"))


def test_patients_with_every_option_contraindicated_are_excluded() -> None:
    rule = '[[safety]]\noptions = ["a", "b"]\nvisible = ["HARM"]\nsource = "made up"\n[split]'
    rows = (*START[:4], (1, -5.0, "HARM", None))
    d, flow = extract_from_rows((("[split]", rule),), *rows)
    assert d.subject_id.tolist() == [2]
    assert flow.exclusions[-1].reason == "every option contraindicated"


def test_where_patients_are_split_by_time_training_ends_when_the_next_split_begins() -> None:
    """No later decision of a training patient, and no outcome that was not known by then."""
    shares = 'train = 0.6\nvalidation = 0.2\ntest = 0.2\nsalt = "diary"'
    by_time = 'by = "time"\nvalidation_from = 2010-02-01\ntest_from = 2010-04-01'  # days 31, 90
    until = 'ended_by = ["DEATH"]\nuntil = 2011-01-01'
    rows = [
        (subject, day, code, None)
        for subject, days in ((1, (0.0, 60.0, 120.0)), (2, (20.0,)), (3, (40.0, 95.0)))
        for day in days
        for code in ("REVIEW", "DRUG//A")
    ]
    measured = [(1, 25.0, "LAB", 4.0), (2, 45.0, "LAB", 4.0), (3, 60.0, "LAB", 4.0)]
    d, flow = extract_from_rows(
        ((shares, by_time), ('ended_by = ["DEATH"]', until)), *rows, *measured
    )
    assert d.subject_id.tolist() == [1, 2, 3]
    assert d.split.tolist() == [0, 0, 1]
    # Patient 2's number was measured when training was over: 31 days in the study's calendar.
    assert d.outcome_observed.tolist() == [True, False, True]
    assert d.resolved_days.tolist() == [25.0, 11.0, 20.0]
    assert flow.exclusions[-1].reason == "after the next split begins"
    assert flow.exclusions[-1].decisions == 3


def test_splits_by_time_and_by_site() -> None:
    shares = 'train = 0.6\nvalidation = 0.2\ntest = 0.2\nsalt = "diary"'
    by_time = 'by = "time"\nvalidation_from = 2010-01-11\ntest_from = 2010-02-01'
    rows = tuple(
        (s, day + wait, c, None)
        for s, day in ((1, 0.0), (2, 15.0), (3, 40.0))
        for wait in (0.0, 50.0)
        for c in ("REVIEW", "DRUG//A")
    )
    assert extract_from_rows(((shares, by_time),), *rows)[0].split.tolist() == [0, 1, 2, 2]
    by_site = f'by = "site"\nsite = ["SITE"]\n{shares}'
    many = tuple(
        (s, None if c == "SITE" else 0.0, c, float(s % 7) if c == "SITE" else None)
        for s in range(70)
        for c in ("SITE", "REVIEW", "DRUG//A")
    )
    d, _ = extract_from_rows(((shares, by_site),), *many)
    assert d.site.tolist() == [s % 7 for s in range(70)]
    for site in range(7):
        assert len(set(d.split[d.site == site].tolist())) == 1
