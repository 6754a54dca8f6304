"""A shallow tree that imitates which option a policy puts first, as a rule in words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from posology.advice.why.facts import CHOICE, NUMBER, SINCE, Fact, fact_numbers, latest_events
from posology.advice.why.words import (
    as_sentence,
    describe_number,
    describe_value,
    name_of_number,
)
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import both
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile
from posology.domain.recommendation.why import SurrogateRule
from posology.language.catalogue import tr

DEPTH = 3
SMALLEST_LEAF = 0.02
"""Share of the training decisions in each leaf, and never fewer than MIN_LEAF."""
MIN_LEAF = 20
LEAF = -1


@dataclass(frozen=True, slots=True)
class Node:
    """A question about one fact, or the option that the tree ends in."""

    fact: int
    """Place among the facts; LEAF if the tree ends here."""
    row: int
    """Vocabulary row that a finding is compared with; -1 for numbers."""
    threshold: float
    """Numbers at most this go to `yes`; findings go to `yes` if they are there."""
    yes: int
    no: int
    option: int
    """The most frequent first option here."""
    share: float
    """Its share here."""


@dataclass(frozen=True, slots=True)
class SurrogateTree:
    """The tree, and how often it and the policy put the same option first."""

    nodes: tuple[Node, ...]
    middles: tuple[float, ...]
    """Of each fact: the number that stands in where a patient's is not known."""
    fidelity: float
    """On validation patients, whom the tree was not fitted to."""


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Decisions, and the option that the policy puts first at each."""

    history: History
    last_step: StepIndex
    first: Int64[np.ndarray, " decision"]


def fit_surrogate(
    facts: tuple[Fact, ...], profile: Profile, train: Decisions, validation: Decisions
) -> SurrogateTree | None:
    """The tree of the training decisions; None if there are too few, or nothing to check or ask."""
    columns, middles = _columns(facts), _middles(facts)
    if len(train.first) < 2 * MIN_LEAF or not len(validation.first) or not columns:
        return None
    from sklearn.tree import DecisionTreeClassifier  # slow to import, and not needed for advice

    X = _design(facts, columns, middles, profile, train)
    leaf = max(MIN_LEAF, int(SMALLEST_LEAF * len(train.first)))
    model = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=leaf, random_state=0)
    model.fit(X, train.first)
    nodes = _pruned(_nodes(model, columns))
    chosen = _follow_all(nodes, columns, _design(facts, columns, middles, profile, validation))
    return SurrogateTree(nodes, middles, round(float((chosen == validation.first).mean()), 4))


def describe_surrogate(
    tree: SurrogateTree,
    facts: tuple[Fact, ...],
    patient: tuple[History, int],
    profile: Profile,
    titles: Sequence[str],
) -> SurrogateRule:
    """Its rules, one a leaf, the one that this patient meets first. patient: at a last step."""
    history, decision = patient
    at = Decisions(history, np.array([decision]), np.zeros(1, np.int64))
    columns = _columns(facts)
    X = _design(facts, columns, tree.middles, profile, at)
    own = _leaf_of(tree.nodes, columns, X[0])
    leaves = sorted(_rules(tree, facts, profile, titles), key=lambda pair: pair[0] != own)
    return SurrogateRule(tuple(text for _, text in leaves), tree.fidelity)


Columns = tuple[tuple[int, int], ...]
"""Of each column of the design its fact, and the row of a finding; -1 for numbers."""


def _columns(facts: Sequence[Fact]) -> Columns:
    """One column a number, one a code of the others; treatments given before are findings."""
    columns = []
    for i, fact in enumerate(facts):
        if fact.kind in (NUMBER, SINCE) and not fact.is_treatment:
            columns += [(i, -1)] if fact.values else []
        else:
            columns += [(i, row) for row in fact.rows]
    return tuple(columns)


def _middles(facts: Sequence[Fact]) -> tuple[float, ...]:
    numbers = [[v.number for v in fact.values if v.number is not None] for fact in facts]
    return tuple(float(np.median(n)) if n else 0.0 for n in numbers)


def _design(
    facts: Sequence[Fact],
    columns: Columns,
    middles: Sequence[float],
    profile: Profile,
    at: Decisions,
) -> Float64[np.ndarray, "decision column"]:
    latest = latest_events(facts, profile, at.history, at.last_step)
    X = np.zeros((len(at.last_step), len(columns)))
    for column, (i, row) in enumerate(columns):
        if row < 0:
            number = fact_numbers(facts[i], latest[:, i], at.history, at.last_step)
            X[:, column] = np.where(np.isnan(number), middles[i], number)
        else:
            code = at.history.code[np.maximum(latest[:, i], 0)]
            X[:, column] = (latest[:, i] >= 0) & (code == row)
    return X


def _nodes(model: Any, columns: Columns) -> tuple[Node, ...]:
    tree, classes = model.tree_, model.classes_
    nodes = []
    for n in range(tree.node_count):
        counts = tree.value[n][0]
        best, share = int(classes[counts.argmax()]), float(counts.max() / counts.sum())
        left, right = int(tree.children_left[n]), int(tree.children_right[n])
        if left < 0:
            nodes.append(Node(LEAF, -1, 0.0, -1, -1, best, round(share, 4)))
            continue
        i, row = columns[int(tree.feature[n])]
        threshold = float(f"{tree.threshold[n]:.3g}") if row < 0 else 0.5
        yes, no = (left, right) if row < 0 else (right, left)
        nodes.append(Node(i, row, threshold, yes, no, best, round(share, 4)))
    return tuple(nodes)


def _pruned(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Questions whose both answers end in the same option become that option."""
    kept = list(nodes)
    for n in reversed(range(len(kept))):
        node = kept[n]
        if node.fact == LEAF:
            continue
        yes, no = kept[node.yes], kept[node.no]
        if yes.fact == no.fact == LEAF and yes.option == no.option:
            kept[n] = Node(LEAF, -1, 0.0, -1, -1, node.option, node.share)
    return tuple(kept)


def _leaf_of(nodes: tuple[Node, ...], columns: Columns, x: np.ndarray) -> int:
    place, n = {pair: c for c, pair in enumerate(columns)}, 0
    while nodes[n].fact != LEAF:
        node = nodes[n]
        value = float(x[place[node.fact, node.row]])
        goes = value <= node.threshold if node.row < 0 else value > node.threshold
        n = node.yes if goes else node.no
    return n


def _follow_all(
    nodes: tuple[Node, ...],
    columns: Columns,
    X: Float64[np.ndarray, "decision column"],  # noqa: N803
) -> Int64[np.ndarray, " decision"]:
    return np.array([nodes[_leaf_of(nodes, columns, x)].option for x in X], dtype=np.int64)


def _rules(
    tree: SurrogateTree, facts: tuple[Fact, ...], profile: Profile, titles: Sequence[str]
) -> list[tuple[int, str]]:
    """The leaves that can be reached, each with its rule."""
    found: list[tuple[int, str]] = []

    def visit(n: int, conditions: tuple[str, ...]) -> None:
        node = tree.nodes[n]
        if node.fact == LEAF:
            text = tr("for every patient: {option} ({count} of 100 such patients).")
            if conditions:
                text = tr("if {conditions}: {option} ({count} of 100 such patients).")
            rule = text.format(
                conditions=both(conditions),
                option=titles[node.option],
                count=f"{100 * node.share:.0f}",
            )
            found.append((n, as_sentence(rule)))
            return
        yes, no = _answers(node, facts[node.fact], profile)
        visit(node.yes, (*conditions, yes))
        visit(node.no, (*conditions, no))

    visit(0, ())
    return found


def _answers(node: Node, fact: Fact, profile: Profile) -> tuple[str, str]:
    """Both answers to a question, in words."""
    if node.row < 0:
        name = name_of_number(fact, profile)
        if fact.age_as == "decades":  # at most a half is at most the decade below it
            years = tr("{years} years").format(years=10 * (math.floor(node.threshold) + 1))
            pair = tr("{fact} is below {value}"), tr("{fact} is {value} or more")
        else:
            whole = fact.age_as in ("birth", "years")  # at most 65.5 is at most 65 years
            most = float(math.floor(node.threshold)) if whole else node.threshold
            years = describe_number(fact, most)
            pair = tr("{fact} is at most {value}"), tr("{fact} is above {value}")
        yes, no = (text.format(fact=name, value=years) for text in pair)
        return yes, no
    name = (
        describe_value(fact, node.row, None, profile)
        if fact.kind == CHOICE
        else fact_name(fact.name)
    )
    return name, tr("not {fact}").format(fact=name)


FirstOptions = Callable[[History, StepIndex], Int64[np.ndarray, " decision"]]
"""The option that the policy puts first at each decision."""
