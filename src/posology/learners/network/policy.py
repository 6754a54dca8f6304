"""The network as a Policy: numpy in, numpy out."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from posology.domain.condense import condense, spread
from posology.domain.formulary import Formulary, clip_to_range
from posology.domain.history import History, StepIndex, subject_of
from posology.domain.policy import (
    AllowedMask,
    Attribution,
    Doses,
    OutcomePredictions,
    allow_all_treatments,
)
from posology.domain.profile import Profile
from posology.learners.network.attribution import attribute_events
from posology.learners.network.losses import survival
from posology.nn.batch import gather_batch, history_to_tensors, split_by_budget
from posology.nn.network import Network, NetworkOutput

MAX_DECISIONS, MAX_STEPS = 4096, 16_384
"""Decisions, and steps, asked of the network at once."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the network's numbers are read."""

    dose_center: float
    dose_spread: float
    """The dose head speaks of sqrt(dose) with this mean and standard deviation of training."""
    value_center: float = 0.0
    value_spread: float = 1.0
    """The value head speaks of rewards with this mean and standard deviation of training."""
    temperature: float | None = None
    """Of the second phase's policy; None before it, when the most effective option is chosen."""
    pessimism: float = 0.0
    """Standard deviations over members by which a value is lowered before it is believed."""
    target_distance_center: float = 0.0
    target_distance_spread: float = 1.0
    """The margin head speaks of margins with this mean and standard deviation of training."""
    dose_levels: tuple[tuple[float, ...], ...] = ()
    """Doses of each option that were given often; empty where doses are not asked about."""
    min_support: float = 0.0
    """Options given less often than this share of the most usual one are left out (0: none)."""
    progression_center: tuple[float, ...] = ()
    progression_spread: tuple[float, ...] = ()
    """The course head speaks of numbers with these means and standard deviations of training."""
    progression_error: tuple[float | None, ...] = ()
    """See `course_error.with_course_error`."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPolicy:
    """A trained network and how to read it; it answers on the device the network lies on."""

    formulary: Formulary
    profile: Profile
    network: Network
    decoding: Decoding

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """P(option is effective), from each member; 0 for forbidden options."""
        logits = torch.cat([o.effectiveness for o in self._outputs(history, decisions)])
        p = self.network.effect_probability(logits)
        return _numpy(p.transpose(1, 2)) * allowed[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """Before the second phase the most effective option; after it, its closed form.

        pi(a|h) proportional to behaviour(a|h) * exp(advantage(h, a) / temperature), the advantage
        from the ensemble's lower bound (Peng et al. 2019, arXiv:1910.00177, equation 6), among
        the options that are allowed and usual.
        """
        if self.decoding.temperature is None:
            mean = self.predict_effectiveness(history, decisions, allowed).mean(2)
            return np.eye(mean.shape[1])[np.where(allowed, mean, -1.0).argmax(1)]
        outputs = list(self._outputs(history, decisions))
        value = torch.cat([pessimistic_value(o, self.decoding) for o in outputs])
        behaviour = torch.cat([behaviour_probabilities(o) for o in outputs])
        kept = supported_treatments(
            behaviour, torch.as_tensor(allowed, device=value.device), self.decoding.min_support
        )
        return reweight_behaviour(
            _numpy(behaviour), _numpy(value), kept.cpu().numpy(), self.decoding.temperature
        )

    def behaviour_and_values(
        self, history: History, decisions: StepIndex
    ) -> tuple[
        Float64[np.ndarray, "decision treatment"], Float64[np.ndarray, "decision treatment"]
    ]:
        """How often clinicians give each option, and the lower bound of what it earns."""
        outputs = list(self._outputs(history, decisions))
        value = torch.cat([pessimistic_value(o, self.decoding) for o in outputs])
        return _numpy(torch.cat([behaviour_probabilities(o) for o in outputs])), _numpy(value)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The one dose of every member, and for each option that dose moved into its range.

        Where options have doses of their own, the best of those given often, and no one dose.
        """
        if self.decoding.dose_levels:
            return self._best_levels(history, decisions, allowed)
        z = torch.cat([o.dose for o in self._outputs(history, decisions)])
        root = _numpy(z) * self.decoding.dose_spread + self.decoding.dose_center
        overall = np.maximum(root, 0.0) ** 2
        by_treatment = np.full((len(decisions), len(self.formulary.treatments)), np.nan)
        for column, treatment in enumerate(self.formulary.treatments):
            if treatment.dose is not None:
                by_treatment[:, column] = clip_to_range(overall.mean(1), treatment.dose)
        return Doses(np.where(allowed, by_treatment, np.nan), overall)

    def _best_levels(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        level = torch.cat([o.best_level for o in self._outputs(history, decisions)]).cpu().numpy()
        dosed = np.array([t.dose is not None for t in self.formulary.treatments])
        doses = [np.array(d)[level[:, k]] for k, d in enumerate(self.decoding.dose_levels)]
        members = self.network.config.members
        return Doses(
            np.where(allowed & dosed, np.stack(doses, 1), np.nan),
            np.full((len(decisions), members), np.nan),
        )

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """Diagnosis, progression and time to event, from the same pass as the options."""
        told = [o.tasks for o in self._outputs(history, decisions)]
        diagnosis = torch.sigmoid(torch.cat([t.diagnosis for t in told]))
        course = _numpy(torch.cat([t.progression for t in told]))
        decoding = self.decoding
        course = course * np.array(decoding.progression_spread) + np.array(
            decoding.progression_center
        )
        error = decoding.progression_error or (None,) * course.shape[2]
        return OutcomePredictions(
            diagnosis=_numpy(diagnosis.transpose(1, 2)),
            progression=course.transpose(0, 2, 1),
            progression_error=np.array(error, dtype=np.float64),
            survival=_numpy(survival(torch.cat([t.hazard for t in told])).permute(0, 2, 3, 1)),
        )

    def explain(self, history: History, decisions: StepIndex) -> Attribution:
        """Attention, and by leaving each visible event out what it does to options and dose."""
        return attribute_events(self._told, history, self.profile, decisions)

    def _told(
        self, history: History, decisions: StepIndex
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        allowed = allow_all_treatments(decisions, self.formulary)
        outputs = self._outputs(history, decisions)
        attention = np.concatenate([_numpy(o.attention.weights()) for o in outputs])
        return (
            self.predict_effectiveness(history, decisions, allowed).mean(2),
            self.predict_doses(history, decisions, allowed).overall.mean(1),
            spread(attention, condense(history, decisions, self.network.config.last_steps)),
        )

    def _outputs(self, history: History, decisions: StepIndex) -> list[NetworkOutput]:
        self.network.eval()
        device = next(self.network.parameters()).device
        config = self.network.config
        short = condense(history, decisions, config.last_steps)
        source = history_to_tensors(short.history, self.profile, device, config.tracks_codes)
        subject = torch.as_tensor(subject_of(short.history, short.decisions), device=device)
        last = torch.as_tensor(short.decisions, device=device)
        runs = split_by_budget(step_costs(short.history, short.decisions), MAX_DECISIONS, MAX_STEPS)
        with torch.no_grad():
            return [
                self.network(gather_batch(source, subject[run], last[run]))
                for run in runs or [slice(0, 0)]
            ]


def step_costs(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
    """Steps that each decision adds to a batch beyond those of the decision before it."""
    subject = subject_of(history, decisions)
    seen = decisions + 1 - history.step_offsets[subject]
    follows = np.append(False, subject[1:] == subject[:-1])[: len(seen)]
    before = np.where(follows, np.roll(seen, 1), 0)
    return np.maximum(seen - before, 0)


def pessimistic_value(
    output: NetworkOutput, reading: Decoding
) -> Float[Tensor, "decision treatment"]:
    """What each option earns, less the members' disagreement by the reading's pessimism."""
    value = output.value * reading.value_spread + reading.value_center
    lower = value.mean(1)
    return lower - reading.pessimism * value.std(1) if reading.pessimism else lower


def behaviour_probabilities(output: NetworkOutput) -> Float[Tensor, "decision treatment"]:
    """How often clinicians give each option, the members' mean."""
    return torch.softmax(output.propensity, 2).mean(1)


def supported_treatments(
    behaviour: Float[Tensor, "decision treatment"],
    allowed: Bool[Tensor, "decision treatment"],
    min_support: float,
) -> Bool[Tensor, "decision treatment"]:
    """Allowed, and given at least `rare` times as often as the most usual of the allowed.

    Fujimoto et al. 2019 (arXiv:1910.01708, equation 9).
    """
    given = torch.where(allowed, behaviour, 0.0)
    return allowed & (given >= min_support * given.amax(1, keepdim=True))


def reweight_behaviour(
    behaviour: Float64[np.ndarray, "decision treatment"],
    value: Float64[np.ndarray, "decision treatment"],
    allowed: AllowedMask,
    temperature: float,
) -> Float64[np.ndarray, "decision treatment"]:
    """Probabilities proportional to behaviour * exp(value / temperature), forbidden ones 0."""
    score = np.log(np.maximum(behaviour, 1e-12)) + value / temperature
    score = np.where(allowed, score, -np.inf)
    weight = np.exp(score - score.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def _numpy(tensor: Tensor) -> Float64[np.ndarray, "..."]:
    return tensor.double().cpu().numpy()
