"""What the dry run says of each outcome, harm and target: seen, known, unknown and why."""

import pytest

from posology.cohorts.decisions.coverage import TargetCounts, merge_coverage
from posology.cohorts.decisions.decision_table import merge_flows
from posology.cohorts.decisions.flow_diagram import summarize_flow
from posology.workflows.cohorts import CohortFlow
from tests.builders.two_drug_records import Row, extract_from_rows, study

MORE = (
    "[reward]",
    '[[diagnosis]]\nname = "note"\ncodes = ["NOTE"]\nwithin_days = 40\n'
    '[[progression]]\nname = "lab later"\ncodes = ["LAB"]\nfrom_days = 60\nwithin_days = 90\n'
    '[[time_to_event]]\nname = "harm time"\ncodes = ["HARM"]\nwithin_days = 40\n[reward]',
)
CODES = ("DRUG//A", "DRUG//B", "HARM", "LAB", "NOTE//x", "REVIEW", "STOP")


def patient(subject: int, *rows: tuple[float, str, float | None]) -> list[Row]:
    start = [(0.0, "REVIEW", None), (0.0, "DRUG//A", None)]
    return [(subject, *row) for row in sorted([*start, *rows], key=lambda row: row[0])]


ROWS: list[Row] = [
    *patient(1, (0.0, "HARM", None), (20.0, "LAB", 1.0), (70.0, "LAB", 2.0), (90.0, "LAB", 3.0)),
    *patient(2, (5.0, "HARM", None), (5.0, "NOTE//x", None), (45.0, "LAB", 9.0)),
    *patient(3, (20.0, "STOP", None), (25.0, "LAB", 9.0)),
    *patient(4, (20.0, "DEATH", None), (30.0, "HARM", None), (95.0, "NOTE//x", None)),
]


def counts(*changes: tuple[str, str]) -> dict[str, TargetCounts]:
    _, flow = extract_from_rows((MORE, *changes), *ROWS)
    return {f"{t.kind}: {t.name}": t for t in flow.coverage.targets}


def test_each_target_is_counted_with_the_reasons_why_it_is_unknown() -> None:
    found = counts()
    assert list(found) == [
        "outcome: lab",
        "harm: harm",
        "diagnosis: note",
        "time to event: harm time",
        "progression: lab later",
    ]
    lab = found["outcome: lab"]
    assert (lab.events, lab.seen, lab.known, lab.unmeasured, lab.left) == (5, 1, 3, 1, 0)
    harm = found["harm: harm"]
    assert (harm.events, harm.seen, harm.known, harm.left, harm.after_end) == (3, 1, 3, 1, 1)
    assert (harm.day_zero, harm.before_zero, harm.treatment_day) == (1, 1, 1)
    note = found["diagnosis: note"]
    assert (note.seen, note.known, note.left) == (1, 3, 1), "patient 3 leaves on day 25"
    later = found["progression: lab later"]
    assert (later.seen, later.known, later.left, later.unmeasured) == (1, 1, 2, 1)


def test_follow_up_cut_at_until_is_another_reason_than_leaving() -> None:
    until = ('ended_by = ["DEATH"]', 'ended_by = ["DEATH"]\nuntil = 2010-01-31')
    note = counts(until)["diagnosis: note"]
    assert (note.seen, note.known, note.at_until, note.left) == (1, 2, 2, 0)


def test_chunks_add_up() -> None:
    whole = extract_from_rows((MORE,), *ROWS)[1]
    parts = [extract_from_rows((MORE,), *(r for r in ROWS if r[0] == s))[1] for s in (1, 2, 3, 4)]
    assert merge_coverage([part.coverage for part in parts]) == whole.coverage
    assert merge_flows(parts).step_codes == whole.step_codes


def test_outcomes_on_day_0_of_records_without_hours_are_warned_of() -> None:
    def warnings(*changes: tuple[str, str], shift: float = 0.0) -> list[str]:
        rows = [(s, day + shift, code, value) for s, day, code, value in ROWS if day is not None]
        return summarize_flow(study(*changes), *extract_from_rows(changes, *rows), CODES)[
            "warnings"
        ]

    [warning] = [text for text in warnings(MORE) if "no hours" in text]
    assert warning.startswith("Dates have no hours (100% of decisions and outcomes are at")
    assert "not as its outcome: harm 1, harm time 1. State the order" in warning
    assert '[time] resolution = "day" with `same_day`, or resolution = "minute"' in warning
    for text in ('resolution = "day"', 'resolution = "minute"'):
        stated = ("[outcome]", f"[time]\n{text}\n[outcome]")
        assert not any("no hours" in text for text in warnings(MORE, stated))
    assert not any("no hours" in text for text in warnings(MORE, shift=0.4))


def test_the_dry_run_prints_every_target_in_eighty_columns() -> None:
    decided, flow = extract_from_rows((MORE,), *ROWS)
    text = CohortFlow(summarize_flow(study(MORE), decided, flow, CODES), None).summary()
    for line in ("harm: harm", "progression: lab later", "2 left early", "1 not measured"):
        assert line in text
    assert "…" not in text


@pytest.mark.parametrize("arm", ["a", "b"])
def test_follow_up_is_shown_by_arm(arm: str) -> None:
    decided, flow = extract_from_rows((), *ROWS)
    [row] = [r for r in summarize_flow(study(), decided, flow, CODES)["arms"] if r["name"] == arm]
    expected = [23.75, 35.0, 56.25] if arm == "a" else [None] * 3
    assert row["days_quartiles"] == pytest.approx(expected)
