import numpy as np

from posology.learners.effects.least_gain import LEAST_GAIN, choose_where_it_counts


def test_only_gains_that_count_change_the_option() -> None:
    """The standard deviation of the leads is 0.72; option 2 is never allowed."""
    lead = np.array([1.0, -1.0, 0.2, 0.1])
    effects = np.column_stack([np.zeros(4), lead, np.full(4, 9.0)])
    allowed = np.array([[True, True, False]] * 4)
    assert 0.1 < LEAST_GAIN * lead.std() < 0.2
    chosen = choose_where_it_counts(effects, np.zeros(4, np.int64), allowed)
    assert chosen.tolist() == [1, 0, 1, 0]


def test_the_best_of_the_options_that_count_is_chosen() -> None:
    effects = np.array([[0.0, 2.0, 3.0], [0.0, 3.0, 2.0], [0.0, -2.0, -3.0], [0.0, 5.0, 5.1]])
    everything = np.ones((4, 3), dtype=bool)
    single = np.zeros(4, np.int64)
    assert choose_where_it_counts(effects, single, everything).tolist() == [2, 1, 0, 2]
    assert choose_where_it_counts(effects + 7.0, single, everything).tolist() == [2, 1, 0, 2]
    forbidden = everything.copy()
    forbidden[0, 2] = forbidden[3, 1:] = False
    assert choose_where_it_counts(effects, single, forbidden).tolist() == [1, 1, 0, 0]


def test_without_another_option_or_any_difference_nothing_changes() -> None:
    alone = np.array([[True, False]] * 3)
    effects = np.array([[0.0, 1.0]] * 3)
    single = np.zeros(3, np.int64)
    assert choose_where_it_counts(effects, single, alone).tolist() == [0, 0, 0]
    equal = np.zeros((3, 2))
    assert choose_where_it_counts(equal, single, np.ones((3, 2), dtype=bool)).tolist() == [0, 0, 0]
