"""The trained network as a Policy: numpy in, numpy out."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from posology.domain.condense import condense_histories, expand_weights
from posology.domain.formulary import Formulary, clip_to_range
from posology.domain.history import History, StepIndex, ragged_arange, subject_rows
from posology.domain.policy import (
    AllowedMask,
    Attention,
    Doses,
    OutcomePredictions,
    Prediction,
    choose_learned,
)
from posology.domain.profile import Profile
from posology.domain.statistics.link_functions import softmax
from posology.learners.network.losses import survival
from posology.nn.batch import gather_batch, history_to_tensors, split_by_budget
from posology.nn.network import Network, NetworkOutput

MAX_DECISIONS, MAX_STEPS = 4096, 16_384
"""Decisions and steps per forward pass."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the network's standardised outputs become doses, values and treatment probabilities."""

    dose_center: float
    dose_spread: float
    """Mean and standard deviation of sqrt(dose) in the training data."""
    value_center: float = 0.0
    value_spread: float = 1.0
    """Mean and standard deviation of the rewards in the training data."""
    temperature: float | None = None
    """Of the policy after reinforcement; None before it: the most effective treatment is chosen."""
    pessimism: float = 0.0
    """Standard deviations over members that are subtracted from a value."""
    target_distance_center: float = 0.0
    target_distance_spread: float = 1.0
    """Mean and standard deviation of the target distance in the training data."""
    dose_levels: tuple[tuple[float, ...], ...] = ()
    """Frequent doses of each treatment, among which the best is chosen; empty where the study
    predicts one dose or none."""
    min_support: float = 0.0
    """Smallest behaviour probability of a treatment relative to the most frequent one; treatments
    below it are excluded (0 excludes none)."""
    progression_center: tuple[float, ...] = ()
    progression_spread: tuple[float, ...] = ()
    """Means and standard deviations of the progressions in the training data."""
    progression_error: tuple[float | None, ...] = ()
    """Half-widths of the prediction intervals; see `task_heads.with_progression_error`."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPolicy:
    """A trained network and its decoding; predictions run on the network's device."""

    formulary: Formulary
    profile: Profile
    network: Network
    decoding: Decoding

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """Return each member's P(treatment is effective); 0 for forbidden treatments."""
        return self._effectiveness(self._outputs(history, decisions), allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """Return the policy: the most effective treatment, or after reinforcement

        pi(a|h) proportional to behaviour(a|h) * exp(advantage(h, a) / temperature), the advantage
        from the ensemble's lower bound (Peng et al. 2019, arXiv:1910.00177, equation 6), among
        the treatments that are allowed and supported.
        """
        return self._choice(self._outputs(history, decisions), allowed)

    def behaviour_and_values(
        self, history: History, decisions: StepIndex
    ) -> tuple[
        Float64[np.ndarray, "decision treatment"], Float64[np.ndarray, "decision treatment"]
    ]:
        """Return the behaviour probabilities and the lower bound of each treatment's value."""
        outputs = self._outputs(history, decisions)
        value = torch.cat([pessimistic_value(o, self.decoding) for o in outputs])
        behaviour = torch.cat([behaviour_probabilities(o) for o in outputs])
        return _to_numpy(behaviour), _to_numpy(value)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """Return each member's dose, and per treatment the mean dose clipped to its range.

        With dose levels: the best level of each treatment, and no overall dose.
        """
        return self._doses(self._outputs(history, decisions), allowed)

    def predict(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Prediction:
        """Return effectiveness, choice and doses from one forward pass."""
        outputs = self._outputs(history, decisions)
        return Prediction(
            effectiveness=self._effectiveness(outputs, allowed),
            choice=self._choice(outputs, allowed),
            doses=self._doses(outputs, allowed),
        )

    def _effectiveness(
        self, outputs: list[NetworkOutput], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        p = self.network.effect_probability(torch.cat([o.effectiveness for o in outputs]))
        return _to_numpy(p.transpose(1, 2)) * allowed[:, :, None]

    def _choice(
        self, outputs: list[NetworkOutput], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        return choose_learned(
            self.formulary, allowed, lambda among: self._choose_among(outputs, among)
        )

    def _choose_among(
        self, outputs: list[NetworkOutput], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        if self.decoding.temperature is None:
            mean = self._effectiveness(outputs, allowed).mean(2)
            return np.eye(mean.shape[1])[np.where(allowed, mean, -1.0).argmax(1)]
        value = torch.cat([pessimistic_value(o, self.decoding) for o in outputs])
        behaviour = torch.cat([behaviour_probabilities(o) for o in outputs])
        supported = supported_treatments(
            behaviour, torch.as_tensor(allowed, device=value.device), self.decoding.min_support
        )
        return reweight_behaviour(
            _to_numpy(behaviour),
            _to_numpy(value),
            supported.cpu().numpy(),
            self.decoding.temperature,
        )

    def _doses(self, outputs: list[NetworkOutput], allowed: AllowedMask) -> Doses:
        if self.decoding.dose_levels:
            return self._best_doses(outputs, allowed)
        z = torch.cat([o.dose for o in outputs])
        root = _to_numpy(z) * self.decoding.dose_spread + self.decoding.dose_center
        overall = np.maximum(root, 0.0) ** 2
        by_treatment = np.full((len(overall), len(self.formulary.treatments)), np.nan)
        for column, treatment in enumerate(self.formulary.treatments):
            if treatment.dose is not None:
                by_treatment[:, column] = clip_to_range(overall.mean(1), treatment.dose)
        return Doses(np.where(allowed, by_treatment, np.nan), overall)

    def _best_doses(self, outputs: list[NetworkOutput], allowed: AllowedMask) -> Doses:
        level = torch.cat([o.best_level for o in outputs]).cpu().numpy()
        dosed = np.array([t.dose is not None for t in self.formulary.treatments])
        doses = [np.array(d)[level[:, k]] for k, d in enumerate(self.decoding.dose_levels)]
        members = self.network.config.members
        return Doses(
            np.where(allowed & dosed, np.stack(doses, 1), np.nan),
            np.full((len(level), members), np.nan),
        )

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """Return predictions of diagnosis, progression and time to event."""
        tasks = [o.tasks for o in self._outputs(history, decisions)]
        diagnosis = torch.sigmoid(torch.cat([t.diagnosis for t in tasks]))
        decoding = self.decoding
        scale, center = np.array(decoding.progression_spread), np.array(decoding.progression_center)
        progression = _to_numpy(torch.cat([t.progression for t in tasks])) * scale + center
        error = decoding.progression_error or (None,) * progression.shape[2]
        hazard = torch.cat([t.hazard for t in tasks])
        return OutcomePredictions(
            diagnosis=_to_numpy(diagnosis.transpose(1, 2)),
            progression=progression.transpose(0, 2, 1),
            progression_error=np.array(error, dtype=np.float64),
            survival=_to_numpy(survival(hazard).permute(0, 2, 3, 1)),
        )

    def attend(self, history: History, decisions: StepIndex) -> Attention:
        """Return the attention on each visible step; shared among steps that were condensed."""
        outputs = self._outputs(history, decisions)
        weights = np.concatenate([_to_numpy(o.attention.weights()) for o in outputs])
        short = condense_histories(history, decisions, self.network.config.last_steps)
        first = history.step_offsets[subject_rows(history, decisions)]
        counts = decisions + 1 - first
        return Attention(
            expand_weights(weights, short),
            ragged_arange(first, counts),
            np.repeat(np.arange(len(decisions)), counts),
        )

    def _outputs(self, history: History, decisions: StepIndex) -> list[NetworkOutput]:
        if self.network.training:  # setting it visits every layer
            self.network.eval()
        device = next(self.network.parameters()).device
        config = self.network.config
        short = condense_histories(history, decisions, config.last_steps)
        source = history_to_tensors(short.history, self.profile, device, config.tracks_codes)
        subject = torch.as_tensor(subject_rows(short.history, short.decisions), device=device)
        last = torch.as_tensor(short.decisions, device=device)
        runs = [slice(0, len(decisions))]
        if len(decisions) > 1:
            costs = step_costs(short.history, short.decisions)
            runs = split_by_budget(costs, MAX_DECISIONS, MAX_STEPS)
        with torch.inference_mode():
            return [self.network(gather_batch(source, subject[run], last[run])) for run in runs]


def step_costs(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
    """Return the number of steps that each decision adds to a batch after the one before it."""
    subject = subject_rows(history, decisions)
    visible = decisions + 1 - history.step_offsets[subject]
    follows = np.append(False, subject[1:] == subject[:-1])[: len(visible)]
    before = np.where(follows, np.roll(visible, 1), 0)
    return np.maximum(visible - before, 0)


def pessimistic_value(
    output: NetworkOutput, decoding: Decoding
) -> Float[Tensor, "decision treatment"]:
    """Return the members' mean value minus pessimism times their standard deviation."""
    value = output.value * decoding.value_spread + decoding.value_center
    lower = value.mean(1)
    return lower - decoding.pessimism * value.std(1) if decoding.pessimism else lower


def behaviour_probabilities(output: NetworkOutput) -> Float[Tensor, "decision treatment"]:
    """Return the members' mean probability that clinicians choose each treatment."""
    return torch.softmax(output.propensity, 2).mean(1)


def supported_treatments(
    behaviour: Float[Tensor, "decision treatment"],
    allowed: Bool[Tensor, "decision treatment"],
    min_support: float,
) -> Bool[Tensor, "decision treatment"]:
    """Return which treatments are allowed and frequent enough.

    At least `min_support` times the probability of the most frequent allowed treatment
    (Fujimoto et al. 2019, arXiv:1910.01708, equation 9).
    """
    p = torch.where(allowed, behaviour, 0.0)
    return allowed & (p >= min_support * p.amax(1, keepdim=True))


def reweight_behaviour(
    behaviour: Float64[np.ndarray, "decision treatment"],
    value: Float64[np.ndarray, "decision treatment"],
    allowed: AllowedMask,
    temperature: float,
) -> Float64[np.ndarray, "decision treatment"]:
    """Return probabilities proportional to behaviour * exp(value / temperature); forbidden: 0."""
    score = np.log(np.maximum(behaviour, 1e-12)) + value / temperature
    return softmax(np.where(allowed, score, -np.inf), axis=1)


def _to_numpy(tensor: Tensor) -> Float64[np.ndarray, "..."]:
    return tensor.double().cpu().numpy()
