"""The chance of ever approving a bad challenger is divided among the looks of a plan."""

import numpy as np
import pytest

from posology.errors import UserError
from posology.lifecycle.gate.plan import GatePlan, Look, next_alpha, read_plan


def test_without_a_gain_the_looks_spend_alpha_and_no_more() -> None:
    plan, looks = GatePlan(alpha=0.05, looks=7), []
    for _ in range(9):
        looks.append(Look(next_alpha(plan, looks), False))
    levels = [look.alpha for look in looks]
    assert sum(levels) == pytest.approx(0.05)
    assert levels[7:] == [0.0, 0.0]


def test_a_look_that_showed_a_gain_hands_its_level_on() -> None:
    plan = GatePlan(alpha=0.05, looks=10)
    looks = [Look(0.005, False), Look(0.005, True)]
    assert next_alpha(plan, looks) == pytest.approx(0.01)
    looks.append(Look(0.01, True))
    assert next_alpha(plan, looks) == pytest.approx(0.015)
    assert next_alpha(plan, [*looks, Look(0.015, False)]) == pytest.approx(0.005)


def test_the_chance_of_any_false_approval_holds_where_true_ones_come_between() -> None:
    rng = np.random.default_rng(0)
    plan, wrong = GatePlan(alpha=0.2, looks=20), 0
    for _ in range(2_000):
        looks: list[Look] = []
        for number in range(plan.looks):
            alpha, is_better = next_alpha(plan, looks), number % 2 == 0
            shown = is_better or rng.random() < alpha
            looks.append(Look(alpha, shown))
            if shown and not is_better:
                wrong += 1
                break
    assert wrong / 2_000 <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 2_000)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"alpha": 0.5}, "gate, alpha: is 0.5; write a number from 1e-06 to 0.2."),
        ({"looks": float("nan")}, "gate, looks: is nan; write a number from 1 to 10000."),
        ({"alhpa": 0.05}, "gate, alhpa: unknown setting; it knows alpha, calibration_margin,"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(values: dict, text: str) -> None:
    with pytest.raises(UserError) as wrong:
        read_plan(values)
    assert str(wrong.value).startswith(text)


@pytest.mark.parametrize(
    ("values", "mend"),
    [
        ({"alpha": "0.05"}, "gate, alpha: is '0.05'; write a number"),
        ({"alpha": True}, "gate, alpha: is True; write a number"),
        ({"looks": 12.5}, "gate, looks: is 12.5; write a whole number"),
        ({"least_gain": float("nan")}, "gate, least_gain: is nan; write a number from 0"),
    ],
)
def test_a_setting_that_is_no_number_is_named(values: dict[str, object], mend: str) -> None:
    with pytest.raises(UserError, match=mend):
        read_plan(values)
