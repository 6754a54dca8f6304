"""Small Markov decision processes with a known truth."""

import numpy as np

from posology.simulators.mdp import Mdp


def random_mdp(rng: np.random.Generator, states: int = 4, treatments: int = 3) -> Mdp:
    """Live states 0 to states - 1 and one terminal state, which is always reachable."""
    moves = rng.dirichlet(np.ones(states + 1), size=(states + 1, treatments)) * 0.8
    moves[:, :, -1] += 0.2
    start = np.append(rng.dirichlet(np.ones(states)), 0.0)
    return Mdp(
        transition=moves,
        reward=rng.normal(size=states + 1),
        start=start,
        terminal=np.arange(states + 1) == states,
        names=tuple("abc"[:treatments]),
    )


def survival_mdp(seed: int = 0, states: int = 12, treatments: int = 4) -> Mdp:
    """Patients who die or survive: the last two states, with reward 1 for survival."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.full(states + 2, 0.3), size=(states + 2, treatments)) * 0.7
    survive = rng.uniform(0.3, 0.9, size=(states + 2, treatments))
    moves[..., -1] += 0.3 * survive
    moves[..., -2] += 0.3 * (1 - survive)
    return Mdp(
        transition=moves,
        reward=np.eye(states + 2)[-1],
        start=np.append(np.full(states, 1 / states), [0.0, 0.0]),
        terminal=np.arange(states + 2) >= states,
        names=tuple(f"t{number}" for number in range(treatments)),
    )


def uniform_policy(mdp: Mdp) -> np.ndarray:
    """Every treatment with the same probability in every state."""
    return np.full(mdp.transition.shape[:2], 1 / mdp.transition.shape[1])
