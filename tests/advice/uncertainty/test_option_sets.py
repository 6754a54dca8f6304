import numpy as np

from posology.advice.uncertainty.option_sets import fit_option_sets, option_sets


def simulated(patients: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that favour the common option too much, and the option that was right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.2, (patients, 3)) + np.array([1.0, 0.0, -1.0])
    odds = np.exp(logits)
    right = (odds / odds.sum(1, keepdims=True)).cumsum(1) > rng.random((patients, 1))
    claimed = np.exp(logits + np.array([1.0, 0.0, -0.5]))
    return claimed / claimed.sum(1, keepdims=True), right.argmax(1)


def test_each_option_is_found_as_often_as_the_sets_say() -> None:
    fitted = fit_option_sets(*simulated(3000, 0))
    assert fitted is not None
    probability, right = simulated(6000, 1)
    members = option_sets(fitted, probability)
    inside = members[np.arange(len(right)), right]
    assert inside.mean() > 0.78
    assert members.sum(axis=1).mean() < 2.4  # of three
    for option in range(3):
        assert inside[right == option].mean() > 0.75
    assert members.any(axis=1).all()
    top = probability.argmax(1) == right
    assert top[right == 2].mean() < 0.4  # the single choice nearly never finds the rare one


def test_no_set_leaves_out_an_option_that_is_more_probable_than_one_in_it() -> None:
    fitted = fit_option_sets(*simulated(3000, 0))
    assert fitted is not None
    probability, _ = simulated(2000, 1)
    members = option_sets(fitted, probability)
    least = np.where(members, probability, np.inf).min(axis=1, keepdims=True)
    assert not (~members & (probability > least)).any()
    alone = probability >= 1 - np.array(fitted.thresholds.parts)
    assert (members != alone).any(axis=1).mean() > 0.05  # the thresholds alone do leave some out
    assert not (alone & ~members).any()


def test_an_option_that_was_never_right_stays_in_every_set() -> None:
    probability = np.tile([0.6, 0.3, 0.1], (40, 1))
    fitted = fit_option_sets(probability, np.repeat([0, 1], 20))
    assert fitted is not None
    assert fitted.thresholds.parts[2] is None
    assert option_sets(fitted, probability[:1]).tolist() == [[True, True, True]]


def test_a_set_is_never_empty() -> None:
    probability = np.tile([0.9, 0.1], (50, 1))
    fitted = fit_option_sets(np.vstack([probability, 1 - probability]), np.repeat([0, 1], 50))
    assert fitted is not None
    assert option_sets(fitted, np.array([[0.45, 0.55]])).tolist() == [[False, True]]


def test_without_a_known_right_option_there_are_no_sets() -> None:
    assert fit_option_sets(np.full((5, 2), 0.5), np.full(5, -1)) is None
