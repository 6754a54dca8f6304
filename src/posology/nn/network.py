"""The network: events, steps, states, attention, ensemble, heads. One causal pass per patient."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.additive_head import AdditiveHead
from posology.nn.attention import Attention, AttentionOutput
from posology.nn.batch import Batch
from posology.nn.dose_head import DoseCurves, DoseLevels, LogDose
from posology.nn.encoders import EncoderName, build_encoder
from posology.nn.ensemble import MemberLinear, Trunk, apply_heads
from posology.nn.event_embedding import StepEmbedding
from posology.nn.heads import TaskCounts, TaskHeads, TaskOutput
from posology.nn.treatment_history import TreatmentCodes


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network."""

    codes: int
    treatments: int
    exclusive: bool
    """Whether exactly one treatment is the most effective (softmax), or each is on its own."""
    width: int = 256
    """Size of a step's vector."""
    state: int = 64
    """Size of the encoder's state."""
    hidden: int = 256
    layers: int = 1
    members: int = 32
    dropout: float = 0.3
    event_dropout: float = 0.0
    """Share of events dropped at random in training."""
    encoder: EncoderName = "gru"
    last_steps: int = 512
    """In a longer history the older steps are replaced by a summary; 0 keeps every step."""
    history_summary: bool = False
    """Whether the heads also see the last event of every code and the mean step up to the decision,
    which an encoder would otherwise have to learn to remember."""
    tasks: TaskCounts = field(default_factory=TaskCounts)
    attention: bool = True
    """If False, the context vector is 0: the heads see the last state alone."""
    dose_levels: DoseLevels = ()
    """Doses of each treatment to evaluate; empty where the dose is ignored."""
    treatment_codes: TreatmentCodes = field(default_factory=TreatmentCodes)
    """Codes that describe earlier treatments; used with `dose_levels`."""
    image_size: int = 0
    """Rows and columns of the images that events show; 0: images are not read."""

    @property
    def tracks_codes(self) -> bool:
        """Whether batches need `replaced` and `running_stats`."""
        return self.history_summary or bool(self.dose_levels)


class NetworkOutput(NamedTuple):
    """Predictions of each head for each decision and member."""

    effectiveness: Float[Tensor, "decision member treatment"]
    """Logits of P(effective), at the requested doses."""
    target_distance: Float[Tensor, "decision member treatment"]
    """Standardised target distance, at the requested doses; no treatments without dose levels."""
    best_level: Int64[Tensor, "decision treatment"]
    """Row of the best dose in the treatment's levels; no treatments where doses are requested."""
    propensity: Float[Tensor, "decision member treatment"]
    """Logits of the clinicians' choice."""
    value: Float[Tensor, "decision member treatment"]
    """Standardised expected reward of each treatment; no treatments unless requested."""
    dose: Float[Tensor, "decision member"]
    """Standardised square root of the dose."""
    tasks: TaskOutput
    attention: AttentionOutput


class Network(nn.Module):
    """Parameters and a forward pass, without data or loss."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        reads_images = config.image_size > 0
        self.events = StepEmbedding(config.codes, config.width, config.event_dropout, reads_images)
        self.encoder = build_encoder(config.encoder, config.width, config.state)
        self.attention = Attention(config.state)
        inputs = (4 if config.history_summary else 2) * config.width + 2 * config.state
        self.trunk = Trunk(
            inputs,
            config.hidden,
            config.layers,
            config.members,
            config.dropout,
        )
        self.effectiveness = MemberLinear(config.hidden, config.treatments, config.members)
        self.propensity = MemberLinear(config.hidden, config.treatments, config.members)
        self.effect_to_value = nn.Linear(config.treatments, config.treatments)
        self.value = MemberLinear(config.hidden, config.treatments, config.members)
        nn.init.zeros_(self.value.weight)
        self.dose = MemberLinear(config.hidden, 1, config.members)
        targets = sum(config.tasks.targets)
        additive = config.history_summary and targets > 0
        self.additive_head = AdditiveHead(config.codes, targets) if additive else None
        skip_inputs = 0 if additive else inputs
        self.tasks = TaskHeads(config.tasks, config.hidden, config.members, skip_inputs)
        self.curves = (
            DoseCurves(config.treatment_codes, config.hidden, config.dose_levels, config.members)
            if config.dose_levels
            else None
        )

    def encode(self, batch: Batch) -> tuple[Float[Tensor, "decision inputs"], AttentionOutput]:
        """Return the profile vector of every decision and the attention behind it."""
        weight = self.events.event_weights(batch)
        shown = self.events.image_vectors(batch, weight)
        x = self.events(batch, weight, shown)
        states = self.encoder(x, batch)
        first, last = _first_and_last(batch)
        now = _take(states, last)
        attention = self.attention(states, now, batch)
        # The static step and the last step bypass the encoder, so that constant facts and today's
        # measurements reach the heads unchanged.
        context = attention.context if self.config.attention else torch.zeros_like(now)
        parts = [_take(x, first), _take(x, last), now, context]
        if self.config.history_summary:
            parts.append(_take(self.events.summarize_history(x, batch, weight, shown), last))
        return torch.cat(parts, dim=1), attention

    def forward(
        self, batch: Batch, log_dose: LogDose | None = None, with_value: bool = True
    ) -> NetworkOutput:
        """Return the predictions for every decision of the batch.

        log_dose: the dose at which to evaluate each treatment; if None, its best dose.
        with_value: whether to compute the value of each treatment.
        """
        z, attention = self.encode(batch)
        hidden = self.trunk(z)
        heads = {"propensity": self.propensity, "dose": self.dose, **self.tasks.linear_heads()}
        if self.curves is None:
            heads["effectiveness"] = self.effectiveness
        outputs = dict(zip(heads, apply_heads(hidden, list(heads.values())), strict=True))
        outputs = dict.fromkeys(("diagnosis", "progression", "hazard"), hidden[..., :0]) | outputs
        effectiveness, target_distance, level = self._at_doses(outputs, hidden, batch, log_dose)
        # The value starts from a linear map of every treatment's probability of being effective.
        value = (
            self.effect_to_value(self.effect_probability(effectiveness.detach()))
            + self.value(hidden)
            if with_value
            else hidden[..., :0]
        )
        additive = self.additive_head(batch) if self.additive_head else None
        return NetworkOutput(
            effectiveness=effectiveness,
            target_distance=target_distance,
            best_level=level,
            propensity=outputs["propensity"],
            value=value,
            dose=outputs["dose"][..., 0],
            tasks=self.tasks(outputs, z, additive),
            attention=attention,
        )

    def _at_doses(
        self,
        outputs: dict[str, Tensor],
        hidden: Tensor,
        batch: Batch,
        log_dose: LogDose | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Effectiveness logits, target distances and best levels."""
        no_levels = torch.empty(len(hidden), 0, dtype=torch.int64, device=hidden.device)
        if self.curves is None:
            logits = outputs["effectiveness"]
            return logits, logits[..., :0], no_levels
        curve = self.curves(hidden, batch)
        if log_dose is not None:
            return *self.curves.evaluate(curve, log_dose), no_levels
        return self.curves.evaluate_best(curve)

    def effect_probability(
        self, logits: Float[Tensor, "decision member treatment"]
    ) -> Float[Tensor, "decision member treatment"]:
        """Return P(treatment is effective) of effectiveness logits."""
        return torch.softmax(logits, 2) if self.config.exclusive else torch.sigmoid(logits)


Rows = slice | Int64[Tensor, " decision"]


def _first_and_last(batch: Batch) -> tuple[Rows, Rows]:
    """Rows of each decision's first and last step; slices where there is one decision."""
    if len(batch.decision_step) == 1:
        return slice(0, 1), slice(len(batch.gap) - 1, None)
    first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    return first, first + batch.decision_step


def _take(x: Float[Tensor, "step width"], rows: Rows) -> Float[Tensor, "decision width"]:
    return x[rows] if isinstance(rows, slice) else x.index_select(0, rows)
