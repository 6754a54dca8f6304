"""No count under five is published, and none follows from what is: tables are attacked."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.evaluation.pooling.disclosure import CountTable, Relation, suppress_counts


def _table(cells: np.ndarray) -> tuple[dict[str, int], list[Relation]]:
    """Counts of groups by options, with both margins and the total."""
    groups, options = cells.shape
    counts = {f"{g}{k}": int(cells[g, k]) for g, k in product(range(groups), range(options))}
    counts |= {f"{g}*": int(cells[g].sum()) for g in range(groups)}
    counts |= {f"*{k}": int(cells[:, k].sum()) for k in range(options)}
    counts["**"] = int(cells.sum())
    relations = [Relation(f"{g}*", tuple(f"{g}{k}" for k in range(options))) for g in range(groups)]
    relations += [
        Relation(f"*{k}", tuple(f"{g}{k}" for g in range(groups))) for k in range(options)
    ]
    relations.append(Relation("**", tuple(f"{g}*" for g in range(groups))))
    relations.append(Relation("**", tuple(f"*{k}" for k in range(options))))
    return counts, relations


def _possible(published: dict[str, int | None], most: int) -> dict[str, np.ndarray]:
    """Each count of every 2 x 2 table of counts up to `most` that agrees with what is published."""
    cells = np.indices((most + 1,) * 4).reshape(2, 2, -1)
    every = {f"{g}{k}": cells[g, k] for g, k in product(range(2), repeat=2)}
    every |= {f"{g}*": cells[g].sum(axis=0) for g in range(2)}
    every |= {f"*{k}": cells[:, k].sum(axis=0) for k in range(2)}
    every["**"] = cells.sum(axis=(0, 1))
    fits = np.ones(cells.shape[-1], dtype=bool)
    for name, count in published.items():
        fits &= True if count is None else every[name] == count
    return {name: values[fits] for name, values in every.items()}


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4))
@settings(max_examples=25, deadline=None)
def test_an_attacker_who_tries_every_table_cannot_tell_that_a_count_is_small(cells) -> None:
    counts, relations = _table(np.array(cells).reshape(2, 2))
    published = suppress_counts(CountTable(counts, relations))
    assert all(count is None or count >= 5 for count in published.values())
    for name, values in _possible(published, 18).items():
        assert counts[name] in values
        if counts[name] < 5:
            assert values.max() >= 5, f"{name} = {counts[name]} follows"


@given(st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_subtracting_again_and_again_reveals_no_small_count_of_a_larger_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.poisson(rng.choice([1.0, 6.0, 30.0], (5, 4)))
    counts, relations = _table(cells)
    known = dict(suppress_counts(CountTable(counts, relations)))
    hidden = {name for name, count in known.items() if count is None}
    progressed = True
    while progressed:
        progressed = False
        for r in relations:
            unknown = [name for name in (r.total, *r.parts) if known[name] is None]
            if len(unknown) == 1:
                known[unknown[0]] = counts[unknown[0]]
                progressed = True
            parts = [name for name in r.parts if known[name] is None]
            if known[r.total] is not None and parts:  # their sum is known too
                assert sum(counts[name] for name in parts) >= 5
    revealed = {name: known[name] for name in hidden if known[name] is not None}
    assert all(count >= 5 for count in revealed.values()), revealed


def test_a_partner_is_suppressed_only_where_it_must_be() -> None:
    counts = {"all": 100, "a": 3, "b": 40, "c": 57}
    relations = [Relation("all", ("a", "b", "c"))]
    assert suppress_counts(CountTable(counts, relations)) == {
        "all": 100,
        "a": None,
        "b": None,
        "c": 57,
    }
    assert suppress_counts(CountTable(counts, [])) == counts | {"a": None}
    enough = {"all": 100, "a": 30, "b": 70}
    assert suppress_counts(CountTable(enough, [Relation("all", ("a", "b"))])) == enough


def test_a_higher_limit_suppresses_more() -> None:
    counts = {"all": 100, "a": 8, "b": 40, "c": 52}
    relations = [Relation("all", ("a", "b", "c"))]
    assert suppress_counts(CountTable(counts, relations)) == counts
    assert suppress_counts(CountTable(counts, relations), 11)["a"] is None
    assert suppress_counts(CountTable(counts, relations), 11)["b"] is None


@pytest.mark.parametrize("overlap", [0, 1])
def test_parts_that_overlap_bound_their_total(overlap: int) -> None:
    """Three patients had b, one of them a too: at least two follow, but not that they are few."""
    counts = {"all": 100, "a": 97 + overlap, "b": 3}
    published = suppress_counts(CountTable(counts, [Relation("all", ("a", "b"))]))
    assert published["b"] is None
    assert published["a"] is None or overlap


def test_what_matters_is_kept_and_what_is_out_already_stays() -> None:
    """Groups are published after their total: they alone are suppressed to protect one of them."""
    counts = {"all": 40, "a": 3, "b": 7, "c": 30}
    relations = [Relation("all", ("a", "b", "c"))]
    table = CountTable(counts, relations, fixed=frozenset({"all"}), importance={"b": 1})
    assert suppress_counts(table) == {"all": 40, "a": None, "b": 7, "c": None}
    free = CountTable(counts, relations, importance={"a": 1, "b": 1, "c": 1})
    assert suppress_counts(free) == counts | {"a": None, "all": None}


def test_nobody_is_nobodys_secret() -> None:
    counts = {"all": 40, "in": 40, "out": 0}
    relations = [Relation("all", ("in", "out"))]
    assert suppress_counts(CountTable(counts, relations, zeros=frozenset({"out"}))) == counts
    assert None in [suppress_counts(CountTable(counts, relations))[n] for n in ("all", "in")]
