"""Numbers of records have 32 bits: one at a bound is the bound, whichever way it was rounded."""

import pytest

from tests.builders.two_drug_records import Row, extract_from_rows, study

BOUNDS = (0.1, 0.3, 2.5, 5.1, 6.4, 7.35, 7.8, 130.0, 250000.1)
GOAL, CODES = "range = { at_most = 5.0 }", 'codes = ["REVIEW"]'


def patient(before: float, after: float) -> tuple[Row, ...]:
    """One decision, a number before it and one in its window."""
    return (
        (1, -1.0, "LAB", before),
        (1, 0.0, "REVIEW", None),
        (1, 0.5, "DRUG//A", None),
        (1, 20.0, "LAB", after),
        (1, 90.0, "NOTE", None),
    )


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("side", ["at_most", "at_least"])
def test_an_outcome_at_the_bound_of_its_goal_reached_it(bound: float, side: str) -> None:
    goal = (GOAL, f"range = {{ {side} = {bound} }}")
    decided, _ = extract_from_rows((goal,), *patient(1.0, bound))
    assert decided.effective.tolist() == [1.0]
    beyond = bound * (1.001 if side == "at_most" else 0.999)
    decided, _ = extract_from_rows((goal,), *patient(1.0, beyond))
    assert decided.effective.tolist() == [0.0]


@pytest.mark.parametrize("before", [6.1, 7.3, 8.9, 9.7])
def test_a_change_at_the_bound_of_its_goal_reached_it(before: float) -> None:
    kind = ('kind = "value_in_range"', 'kind = "change"')
    for bound in (-1.0, -0.3):
        goal = (GOAL, f"change = {{ at_most = {bound} }}")
        decided, _ = extract_from_rows((kind, goal), *patient(before, before + bound))
        assert decided.effective.tolist() == [1.0]
        decided, _ = extract_from_rows((kind, goal), *patient(before, before + bound + 0.01))
        assert decided.effective.tolist() == [0.0]


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize(
    ("side", "is_in"), [("at_most", 1), ("at_least", 1), ("below", 0), ("above", 0)]
)
def test_a_number_at_a_bound_of_eligibility_is_the_bound(
    bound: float, side: str, is_in: int
) -> None:
    criterion = f'{{ codes = ["LAB"], {side} = {bound} }}'
    change = (CODES, f"{CODES}\ncriteria = [{criterion}]")
    decided, _ = extract_from_rows((change,), *patient(bound, 4.0))
    assert len(decided) == is_in


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("side", ["at_most", "at_least"])
def test_a_number_at_a_bound_of_a_range_is_inside(bound: float, side: str) -> None:
    change = (CODES, f'{CODES}\nranges = [{{ codes = ["LAB"], {side} = {bound} }}]')
    assert study(change).decision.ranges
    decided, _ = extract_from_rows((change,), *patient(bound, 4.0))
    assert len(decided) == 1
