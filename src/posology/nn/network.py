"""The network: events, steps, states, attention, ensemble, heads. One causal pass a patient."""

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
    """True where exactly one option is most effective (softmax); else each stands alone."""
    width: int = 256
    """Of a step's vector."""
    state: int = 64
    """Of the encoder's state."""
    hidden: int = 256
    layers: int = 1
    members: int = 32
    dropout: float = 0.3
    event_dropout: float = 0.0
    """Share of events hidden at random while training."""
    encoder: EncoderName = "gru"
    last_steps: int = 512
    """Where a history is longer, its older steps are met as a summary; 0 keeps every step."""
    history_summary: bool = False
    """Whether decisions also meet the last event of every code, and the mean step, so far: what an
    encoder would else have to learn to carry along."""
    tasks: TaskCounts = field(default_factory=TaskCounts)
    attention: bool = True
    """Without it the decision sees the last state alone."""
    dose_levels: DoseLevels = ()
    """Doses of each option to ask about; empty where an option is asked of whatever its dose."""
    treatment_codes: TreatmentCodes = field(default_factory=TreatmentCodes)
    """What tells of earlier courses, where options are asked of at doses."""

    @property
    def tracks_codes(self) -> bool:
        """Whether batches must say which events each step replaces."""
        return self.history_summary or bool(self.dose_levels)


class NetworkOutput(NamedTuple):
    """What the heads say of each decision, from each member."""

    effectiveness: Float[Tensor, "decision member treatment"]
    """Logits, at the doses asked."""
    target_distance: Float[Tensor, "decision member treatment"]
    """Standardised margin of each option, at the doses asked; no options without levels."""
    best_level: Int64[Tensor, "decision treatment"]
    """Row of the option's best dose in its levels; no options where doses are given."""
    propensity: Float[Tensor, "decision member treatment"]
    """Logits of the treatment clinicians give."""
    value: Float[Tensor, "decision member treatment"]
    """Expected reward of each option, in the study's reward; no options where not asked."""
    dose: Float[Tensor, "decision member"]
    """Standardised square root of the dose."""
    tasks: TaskOutput
    attention: AttentionOutput


class Network(nn.Module):
    """Fields and a forward pass; it holds no data and no loss."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.events = StepEmbedding(config.codes, config.width, config.event_dropout)
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
        sums = config.history_summary and sum(config.tasks.targets) > 0
        self.additive_head = AdditiveHead(config.codes, sum(config.tasks.targets)) if sums else None
        past = 0 if sums else inputs
        self.tasks = TaskHeads(config.tasks, config.hidden, config.members, past)
        self.curves = (
            DoseCurves(config.treatment_codes, config.hidden, config.dose_levels, config.members)
            if config.dose_levels
            else None
        )

    def encode(self, batch: Batch) -> tuple[Float[Tensor, "decision inputs"], AttentionOutput]:
        """The profile vector of every decision of the batch, and what it looked at."""
        kept = self.events.event_weights(batch)
        x = self.events(batch, kept)
        states = self.encoder(x, batch)
        first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
        last = first + batch.decision_step
        now = states.index_select(0, last)
        attended = self.attention(states, now, batch)
        # The static step and the last one pass the encoder by, so that what is measured today
        # and what never changes reach the heads undimmed.
        context = attended.context if self.config.attention else torch.zeros_like(now)
        parts = [x.index_select(0, first), x.index_select(0, last), now, context]
        if self.config.history_summary:
            parts.append(self.events.summarize_history(x, batch, kept).index_select(0, last))
        return torch.cat(parts, dim=1), attended

    def forward(
        self, batch: Batch, log_dose: LogDose | None = None, with_value: bool = True
    ) -> NetworkOutput:
        """Answers for every decision of the batch.

        shift: the dose of each option to speak of; without it each is taken at its best.
        valued: whether the value of options is asked too.
        """
        z, attended = self.encode(batch)
        hidden = self.trunk(z)
        heads = {"propensity": self.propensity, "dose": self.dose, **self.tasks.linear_heads()}
        if self.curves is None:
            heads["effectiveness"] = self.effectiveness
        said = dict(zip(heads, apply_heads(hidden, list(heads.values())), strict=True))
        said = dict.fromkeys(("diagnosis", "progression", "hazard"), hidden[..., :0]) | said
        effectiveness, margin, level = self._at_doses(said, hidden, batch, log_dose)
        # What an option is worth begins with what is believed of every option's effect.
        value = (
            self.effect_to_value(self.effect_probability(effectiveness.detach()))
            + self.value(hidden)
            if with_value
            else hidden[..., :0]
        )
        return NetworkOutput(
            effectiveness=effectiveness,
            target_distance=margin,
            best_level=level,
            propensity=said["propensity"],
            value=value,
            dose=said["dose"][..., 0],
            tasks=self.tasks(said, z, self.additive_head(batch) if self.additive_head else None),
            attention=attended,
        )

    def _at_doses(
        self, said: dict[str, Tensor], hidden: Tensor, batch: Batch, shift: LogDose | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        nothing = torch.empty(len(hidden), 0, dtype=torch.int64, device=hidden.device)
        if self.curves is None:
            logits = said["effectiveness"]
            return logits, logits[..., :0], nothing
        curve = self.curves(hidden, batch)
        if shift is not None:
            return *self.curves.evaluate(curve, shift), nothing
        return self.curves.evaluate_best(curve)

    def effect_probability(
        self, logits: Float[Tensor, "decision member treatment"]
    ) -> Float[Tensor, "decision member treatment"]:
        """P(option is effective) of effectiveness logits."""
        return torch.softmax(logits, 2) if self.config.exclusive else torch.sigmoid(logits)
