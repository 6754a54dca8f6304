"""The recurrent ensemble as arrays, and its outputs by numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy.special import expit

from posology.learners.features.visit_sequences import Visits


@dataclass(frozen=True, slots=True, eq=False)
class RecurrentWeights:
    """One gated recurrent unit and one hidden layer per member; gates are reset, update, new."""

    table: Float32[np.ndarray, "flag member gates"]
    """Added to the input's part of the gates for each code of a visit."""
    inward: Float32[np.ndarray, "member column gates"]
    inward_bias: Float32[np.ndarray, "member gates"]
    carried: Float32[np.ndarray, "member state gates"]
    carried_bias: Float32[np.ndarray, "member gates"]
    mixed: Float32[np.ndarray, "member state hidden"]
    direct: Float32[np.ndarray, "member column hidden"]
    """From the visit itself, past the recurrence."""
    hidden_bias: Float32[np.ndarray, "member hidden"]
    value: Float32[np.ndarray, "member hidden treatment"]
    value_bias: Float32[np.ndarray, "member treatment"]
    choice: Float32[np.ndarray, "member hidden treatment"]
    """Logits of the clinicians' choice."""
    choice_bias: Float32[np.ndarray, "member treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Of each decision, by member."""

    value: Float64[np.ndarray, "decision member treatment"]
    """Standardised."""
    choice: Float64[np.ndarray, "decision member treatment"]


def predict_outputs(weights: RecurrentWeights, visits: Visits) -> Outputs:
    """Outputs of each member at each decision."""
    owner = np.repeat(np.arange(len(visits.values)), np.diff(visits.flag_offsets))
    values, choices = [], []
    for member in range(len(weights.inward)):
        gates = visits.values @ weights.inward[member] + weights.inward_bias[member]
        np.add.at(gates, owner, weights.table[visits.flag, member])
        state = _run(weights, member, gates, visits)[visits.decision]
        hidden = state @ weights.mixed[member] + weights.hidden_bias[member]
        hidden += visits.values[visits.decision] @ weights.direct[member]
        hidden = np.maximum(hidden, 0.0)
        values.append(hidden @ weights.value[member] + weights.value_bias[member])
        choices.append(hidden @ weights.choice[member] + weights.choice_bias[member])
    return Outputs(
        np.stack(values, axis=1).astype(np.float64), np.stack(choices, axis=1).astype(np.float64)
    )


def _run(
    weights: RecurrentWeights, member: int, gates: np.ndarray, visits: Visits
) -> Float32[np.ndarray, "visit state"]:
    """States after each visit; all sequences advance together, the longest first."""
    carried, bias = weights.carried[member], weights.carried_bias[member]
    size = len(carried)
    counts = np.diff(visits.offsets)
    order = np.argsort(-counts, kind="stable")
    first, ascending = visits.offsets[:-1][order], -counts[order]
    states = np.zeros((len(gates), size), np.float32)
    state = np.zeros((len(counts), size), np.float32)
    for step in range(int(counts.max(initial=0))):
        going = int(np.searchsorted(ascending, -step, side="left"))
        rows = first[:going] + step
        inward, inner = gates[rows], state[:going] @ carried + bias
        reset, update = np.split(expit(inward[:, : 2 * size] + inner[:, : 2 * size]), 2, axis=1)
        new = np.tanh(inward[:, 2 * size :] + reset * inner[:, 2 * size :])
        state = new + update * (state[:going] - new)
        states[rows] = state
    return states
