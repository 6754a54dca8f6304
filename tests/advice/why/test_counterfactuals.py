"""Changes of one or two facts that put another option first."""

from dataclasses import replace

import numpy as np

from posology.advice.why.counterfactuals import find_counterfactuals
from posology.advice.why.table import make_table
from posology.domain.history import History
from posology.domain.recommendation.why import Counterfactual
from tests.builders.reasons import WOMAN, forbidding, patient, situation

NAMES = (("a", "drug A"), ("b", "drug B"), ("c", "drug C"))


def found(history: History = WOMAN, **parts: object) -> tuple[Counterfactual, ...]:
    s = situation(history, **parts)
    return find_counterfactuals(s, make_table(s), NAMES)


def test_the_nearest_number_that_changes_the_order_is_named() -> None:
    (change,) = found()
    # A leads by 9.8 of 100 and loses 0.4 with each mL/min: from 62.5 on B leads.
    assert change.sentence == "If eGFR were 63 mL/min or more, drug B would come first."
    assert change.codes == ("LAB//egfr",)
    assert change.option == "b"


def test_each_change_named_is_one_that_the_policy_makes() -> None:
    for threshold in (52.0, 66.0, 84.0):
        lead = 0.8 - 0.004 * threshold
        (change,) = found(level=(0.8, lead + 0.01 - 0.06, 0.1))
        named = float(change.sentence.split(" were ")[1].split()[0])
        assert threshold <= named <= threshold + 4


def test_findings_are_toggled() -> None:
    (change,) = found(level=(0.7, 0.55, 0.1))
    assert change.sentence == "Without heart failure, drug A would come first."


def test_a_choice_is_changed_to_another_one() -> None:
    codes = (("SEX//female", (0.2, 0.0, 0.0)),)
    (change,) = found(level=(0.5, 0.6, 0.1), numbers=(), codes=codes)
    assert change.sentence == "With male instead of female, drug B would come first."


def test_two_facts_are_changed_only_where_no_single_one_is_enough() -> None:
    numbers = (("LAB//egfr", (-0.004, 0.0, 0.0)), ("LAB//bmi", (0.0, -0.01, 0.0)))
    (change,) = found(level=(0.9, 0.8, 0.1), numbers=numbers, codes=())
    assert change.option == "b"
    assert len(change.codes) == 2
    assert change.sentence.endswith("together, drug B would come first.")


def test_a_value_with_which_every_option_is_forbidden_puts_none_first() -> None:
    s = situation(level=(0.5, 0.8, 0.1))
    table = make_table(forbidding(s, 60.0))
    assert not table.facts[0].allowed[-1].any(), "of eGFR 90"
    assert find_counterfactuals(forbidding(s, 60.0), table, NAMES) == ()


def test_no_change_is_named_where_none_of_the_values_is_enough() -> None:
    assert found(level=(5.0, 0.5, 0.1)) == ()


def test_the_search_takes_one_batch_of_few_predictions() -> None:
    asked: list[int] = []
    s = situation()
    table = make_table(s)

    def counted(history: History, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(decisions))
        return s.predict(history, decisions)

    assert len(find_counterfactuals(replace(s, predict=counted), table, NAMES)) == 1
    assert len(asked) == 1
    assert asked[0] <= 5


def test_a_missing_number_is_not_changed() -> None:
    history = patient((("SEX//male", np.nan),), (("LAB//bmi", 33.0),))
    assert all("LAB//egfr" not in change.codes for change in found(history))
