"""G-computation with a network that predicts the next day (G-Net; Li et al. 2021)."""

from collections.abc import Callable

import numpy as np
import torch

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    logged_plans,
    outcomes_under,
    select_plans,
)
from posology.learners.trajectories.recurrent_learner import LoggedTensors, RecurrentModel
from posology.learners.trajectories.recurrent_network import (
    OutcomeNetwork,
    change_size,
    outcome_size,
)

DRAWS, AT_ONCE = 4, 20_000


def roll_out(
    model: RecurrentModel, validation: OutcomeTrajectories, rng: np.random.Generator
) -> Callable[[OutcomeTrajectories, Plans], PlannedOutcomes]:
    """Go on day by day: the drawn outcome, with a residual of validation patients, is the next
    day's history. It states no interval."""
    plans = logged_plans(validation, 1)
    plans = select_plans(plans, np.sort(rng.choice(len(plans), min(len(plans), 20_000), False)))
    expected = model.predict(validation, plans).mean
    residual = (outcomes_under(validation, plans) - expected)[:, 0].astype(np.float32)

    @torch.no_grad()
    def predict(trajectories: OutcomeTrajectories, plans: Plans) -> PlannedOutcomes:
        logged = LoggedTensors.make(model.network.spec, trajectories)
        states = logged.encode(model.network)
        mean = np.zeros(plans.treatment.shape[:2])
        for at in range(0, len(plans), AT_ONCE):
            part = select_plans(plans, slice(at, at + AT_ONCE))
            draws = 1 if plans.treatment.shape[1] == 1 else DRAWS
            for _ in range(draws):
                path = _path(model.network, logged, states, part, residual, rng)
                mean[at : at + AT_ONCE] += path / draws
        unknown = np.full_like(mean, np.nan)
        return PlannedOutcomes(mean, unknown, unknown)

    return predict


def _path(
    network: OutcomeNetwork,
    logged: LoggedTensors,
    states: torch.Tensor,
    plans: Plans,
    residual: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The expected outcome after each step, given the drawn ones before it."""
    who, at = torch.from_numpy(plans.subject), torch.from_numpy(plans.visit)
    doses = torch.from_numpy(plans.treatment.astype(np.float32))
    state, outcome, levels = states[who, at], logged.outcome[who, at], logged.levels[who, at]
    lasting, path = torch.tensor(network.spec.carry_over), []
    for ahead in range(doses.shape[1]):
        expected = network.go_forward(state, outcome, levels, doses[:, ahead : ahead + 1])[:, 0]
        path.append(expected.numpy())
        drawn = expected + torch.from_numpy(rng.choice(residual, len(who)))
        levels = levels * lasting + doses[:, ahead]
        size = outcome_size(network.spec, drawn)
        moved = (10 * change_size(network.spec, outcome, drawn)).clamp(-5, 5)
        inputs = [size[:, None], moved[:, None], doses[:, ahead], levels, logged.statics[who]]
        state = network.encoder(torch.cat(inputs, 1)[:, None], state[None].contiguous())[0][:, 0]
        outcome = drawn
    return np.stack(path, axis=1)
