"""The shallow tree that imitates a policy."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.why.surrogate import (
    LEAF,
    Decisions,
    SurrogateTree,
    describe_surrogate,
    fit_surrogate,
)
from posology.domain.history import History, offsets_from_counts
from tests.builders.reasons import CODES, EGFR, FACTS, PROFILE, WOMAN

TITLES = ("drug A", "drug B", "drug C")


def decisions(seed: int, n: int = 400) -> Decisions:
    """A under eGFR 45, else B with heart failure and C without."""
    rng = np.random.default_rng(seed)
    egfr, failing = rng.uniform(20, 100, n), rng.random(n) < 0.4
    code, value, counts = [], [], []
    for x, sick in zip(egfr, failing, strict=True):
        events = [(CODES.index("LAB//egfr"), x), (CODES.index("LAB//bmi"), rng.normal(30, 5))]
        events += [(CODES.index("CONDITION//failing"), np.nan)] * int(sick)
        code += [c for c, _ in events]
        value += [v for _, v in events]
        counts.append(len(events))
    history = History(
        code=np.array(code, np.int32),
        value=np.array(value, np.float32),
        event_offsets=offsets_from_counts(np.array(counts, np.int64)),
        time=np.full(n, np.nan),
        step_offsets=np.arange(n + 1, dtype=np.int64),
        subject_id=np.arange(n, dtype=np.int64),
    )
    first = np.where(egfr <= 45, 0, np.where(failing, 1, 2))
    return Decisions(history, np.arange(n), first.astype(np.int64))


def tree() -> SurrogateTree:
    fitted = fit_surrogate(FACTS, PROFILE, decisions(0), decisions(1))
    assert fitted is not None
    return fitted


def test_a_rule_of_two_facts_is_found_with_its_agreement_on_other_patients() -> None:
    fitted = tree()
    assert fitted.fidelity > 0.97
    leaves = [node for node in fitted.nodes if node.fact == LEAF]
    assert {node.option for node in leaves} == {0, 1, 2}
    assert 44 < next(n.threshold for n in fitted.nodes if n.row < 0 and n.fact == 0) < 47


def test_of_numbers_without_training_values_nothing_can_be_asked() -> None:
    bare = (replace(EGFR, values=()),)
    assert fit_surrogate(bare, PROFILE, decisions(0), decisions(1)) is None


def test_the_fidelity_is_measured_on_patients_that_the_tree_did_not_see() -> None:
    train = decisions(0)
    wrong = decisions(1)
    wrong = Decisions(wrong.history, wrong.last_step, (wrong.first + 1) % 3)
    fitted = fit_surrogate(FACTS, PROFILE, train, wrong)
    assert fitted is not None
    assert fitted.fidelity < 0.03


def test_the_rules_are_words_and_the_patient_s_own_stands_first() -> None:
    rule = describe_surrogate(tree(), FACTS, (WOMAN, 2), PROFILE, TITLES)
    assert rule.lines[0].startswith("If eGFR is at most 4")
    assert "drug A" in rule.lines[0]
    assert any(
        "is above 4" in line and "and not heart failure: drug C" in line for line in rule.lines
    )
    assert len(rule.lines) <= 8


def test_a_question_on_the_decade_of_age_is_asked_in_years() -> None:
    facts = (replace(EGFR, name="age", age_as="decades"), *FACTS[1:])
    fitted = tree()
    nodes = [replace(n, threshold=5.5) if n.fact == 0 and n.row < 0 else n for n in fitted.nodes]
    rule = describe_surrogate(
        replace(fitted, nodes=tuple(nodes)), facts, (WOMAN, 2), PROFILE, TITLES
    )
    shown = " ".join(rule.lines)
    assert "age is below 60 years" in shown
    assert "age is 60 years or more" in shown
    assert "decade" not in shown


@pytest.mark.parametrize("age_as", ["birth", "years"])
def test_a_question_on_an_age_names_the_last_whole_year_below_its_limit(age_as: str) -> None:
    facts = (replace(EGFR, name="age", unit="years", age_as=age_as), *FACTS[1:])
    fitted = tree()
    nodes = [replace(n, threshold=65.5) if n.fact == 0 and n.row < 0 else n for n in fitted.nodes]
    rule = describe_surrogate(
        replace(fitted, nodes=tuple(nodes)), facts, (WOMAN, 2), PROFILE, TITLES
    )
    assert "age is at most 65 years" in " ".join(rule.lines)


@pytest.mark.parametrize("n", [0, 10])
def test_too_few_patients_give_no_tree(n: int) -> None:
    assert fit_surrogate(FACTS, PROFILE, decisions(0, n), decisions(1)) is None
    assert fit_surrogate(FACTS, PROFILE, decisions(0), decisions(1, 0)) is None
