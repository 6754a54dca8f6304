"""Numbers in pieces: every value of few, and intervals of many."""

import numpy as np
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays

from posology.learners.features.pieces import INTERVALS, fit_pieces, in_pieces


def test_each_of_few_values_can_have_its_own_effect() -> None:
    marker = np.array([[0.0], [1.0], [2.0], [1.0], [np.nan]])
    columns = in_pieces(fit_pieces(marker), marker)
    np.testing.assert_array_equal(columns[:4], [[0, 0], [1, 0], [1, 1], [1, 0]])
    assert np.isnan(columns[4]).all()
    effect = np.array([5.0, -2.0, 7.0])  # neither rising nor falling with the marker
    design = np.column_stack([np.ones(3), columns[:3]])
    np.testing.assert_allclose(design @ np.linalg.solve(design, effect), effect)


def test_one_value_or_two_need_no_pieces() -> None:
    raw = np.array([[1.0, 0.0, np.nan], [1.0, 1.0, np.nan], [1.0, 0.0, np.nan]])
    assert len(fit_pieces(raw).number) == 0
    assert in_pieces(fit_pieces(raw), raw).shape == (3, 0)


def test_intervals_of_many_values_hold_the_same_share() -> None:
    raw = np.random.default_rng(0).lognormal(size=(1000, 1))
    pieces = fit_pieces(raw)
    assert len(pieces.low) == INTERVALS
    inside = ((raw > pieces.low) & (raw <= pieces.high)).mean(axis=0)
    np.testing.assert_allclose(inside, 1 / INTERVALS, atol=0.002)


@given(
    arrays(np.float64, (20, 2), elements=strategies.floats(-1e6, 1e6, width=32)),
    arrays(np.float64, (6, 2), elements=strategies.floats(-1e9, 1e9)),
)
def test_pieces_add_up_to_the_number_within_the_known_range(seen, new) -> None:
    pieces = fit_pieces(seen)
    share = in_pieces(pieces, new)
    assert ((share >= 0) & (share <= 1)).all()
    for column in range(2):
        mine = pieces.number == column
        if not mine.any():
            continue
        low, high = pieces.low[mine].astype(float), pieces.high[mine].astype(float)
        total = low[0] + (share[:, mine] * (high - low)).sum(axis=1)
        within = np.clip(new[:, column], low[0], high[-1])
        np.testing.assert_allclose(total, within, atol=1e-5 * max(1.0, np.abs(within).max()))
