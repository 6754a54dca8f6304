"""Update a model: a challenger from new patients, judged on others, with its verdict kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text
from torch import Tensor

from posology import artifact
from posology.artifact import Artifact
from posology.domain.cohort import TEST, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.errors import UserError
from posology.evaluation.gate.requirement import GateVerdict
from posology.learners.network.policy import NetworkPolicy
from posology.learners.stack.policy import StackedPolicy
from posology.lifecycle.advice_log import AdviceLog, match_advice
from posology.lifecycle.fresh_patients import (
    first_decisions,
    is_recent,
    select_fresh,
    split_for_update,
)
from posology.lifecycle.gate.evidence import GateEvidence
from posology.lifecycle.gate.judge import VALUE, judge
from posology.lifecycle.gate.plan import GatePlan, next_alpha
from posology.lifecycle.learned_from import EVIDENCE as LEARNED_FROM
from posology.lifecycle.registry.changes import Author
from posology.lifecycle.registry.history import JUDGE, PLAN, Entry, append_entry
from posology.lifecycle.registry.state import Registry, is_registry, read_registry
from posology.lifecycle.registry.versions import verify_version
from posology.workflows.advice.evidence import MAX_DECISIONS
from posology.workflows.advice.keys import PLANS
from posology.workflows.fit import NETWORK, STACK, FitResult, NetworkSettings, fit
from posology.workflows.over_time.champion import encode_everyone, find_champion, learned_until
from posology.workflows.over_time.judging import Pair, gather_evidence
from posology.workflows.over_time.looks import COUNTED, looks_of, plan_of
from posology.workflows.over_time.registry import PARENT, add_model
from posology.workflows.plans.learn import learn_plans, with_plans
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row

_MATCH_DAYS = 1.0
"""How long before a decision a recommendation may have been given, if the study has no window of
its own for what was given."""


@dataclass(frozen=True, slots=True, eq=False)
class NewRecords:
    """What became known since the champion was made."""

    events: pa.Table
    """Events of new patients, and of old ones to replay."""
    advice: AdviceLog | None = None
    """What was recommended; None: nothing, or nobody recorded it."""
    places: tuple[Path, ...] = ()
    """Folders of the events: they have the images of a study that reads them."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How a challenger is learned and judged."""

    seed: int = 0
    """Of everything that is drawn at random."""
    evidence_decisions: int = MAX_DECISIONS
    """As in `fit`: of the effect study that is kept for the answers of `recommend`."""
    since: float | None = None
    """Day since 1970-01-01 from which on decisions are learned from; None: all of them. The same
    fresh patients judge."""


@dataclass(frozen=True, slots=True, eq=False)
class UpdateResult:
    """A challenger and the verdict on it."""

    champion: str
    challenger: str
    evidence: GateEvidence
    verdict: GateVerdict
    look: int
    """Number of this look in the plan; 0 without a registry, where looks are not counted."""
    plan: GatePlan
    alpha: float
    learned: Mapping[str, Any]

    @property
    def rows(self) -> list[Row]:
        """One row a requirement."""
        return [
            {"study": "update", "model": "posology", "split": "fresh", "metric": r["name"]}
            | {"value": r["estimate"], "low": r["low"], "high": r["high"]}
            | {"n": len(np.unique(self.evidence.subject))}
            | {"holds": r["holds"], "threshold": r["threshold"], "reason": r["reason"]}
            for r in self.verdict.to_json()["requirements"]
        ]

    def to_json(self) -> dict[str, Any]:
        """The verdict with its reasons, and who was judged."""
        return self.verdict.to_json() | {
            "champion": self.champion,
            "challenger": self.challenger,
            "look": self.look,
            "looks": self.plan.looks,
            "alpha": self.alpha,
            "fresh_patients": len(np.unique(self.evidence.subject)),
            "caused_by_the_champion": self.evidence.caused,
            "learned_from": dict(self.learned),
        }

    def __rich__(self) -> Group:
        opened = "The gate is open" if self.verdict.is_open else "The gate is closed"
        table = Table("requirement", "holds", "why")
        for requirement in self.verdict.requirements:
            holds = "yes" if requirement.holds else "NO"
            table.add_row(requirement.name, holds, Text(requirement.reason))
        count = (
            f"Look {self.look} of {self.plan.looks}" if self.look else "This look is not counted"
        )
        caused = (
            f"; at {self.evidence.caused:,} of their decisions the champion's recommendation was "
            "accepted"
            if self.evidence.caused
            else ""
        )
        return Group(
            Text(f"{opened} for {self.challenger[:8]} against {self.champion[:8]}.", "bold"),
            Text(f"{count}; {self.learned.get('patients', '?')} patients learned from{caused}."),
            table,
        )


def update(
    model: Path,
    records: NewRecords,
    out: Path,
    author: Author,
    learning: Learning = Learning(),
    progress: Progress = no_progress,
) -> UpdateResult:
    """Learn a challenger from new and replayed patients, and judge it on fresh ones.

    It has the champion's study and vocabulary and is learned by the same method; a network starts
    from the champion's weights. In a registry it becomes a version, and the look is counted.

    Args:
        model: a registry, or a saved policy.
        records: events with times; the new patients are those whose first decision came after the
            champion's last one.
        out: a new folder for the challenger.
        author: who looks. A dry run is none: see `preview_update`.
        learning: seed, and the size of the evidence.
        progress: called with each step.
    """
    registry = read_registry(model) if is_registry(model) else None
    champion = artifact.load(find_champion(registry, model))
    plan = plan_of(registry)
    until = learned_until(champion, model)
    progress("reading patients")
    everyone = encode_everyone(records.events, champion, records.places)
    cohort = split_for_update(everyone, until, plan.judge_share)
    if not (cohort.split != TEST).any():
        raise UserError("--events: hold no patient to learn from; add the old ones, or wait.")
    fresh = select_split(cohort, TEST)
    _check_fresh(fresh, everyone, until)
    if learning.since is not None:
        cohort = subset_decisions(cohort, is_recent(cohort, learning.since))
    fitted = _fit_challenger(champion, cohort, learning, progress)
    fitted.save(out)
    if registry is not None:
        add_model(registry.folder, out, author)
        registry = read_registry(registry.folder)
    challenger = artifact.load(out)
    kept = (registry, plan, author)
    return _look(Pair(champion, challenger), fresh, records, kept, learning.seed, progress)


def judge_again(
    registry_folder: Path,
    version: str,
    records: NewRecords,
    author: Author,
    seed: int = 0,
    progress: Progress = no_progress,
) -> UpdateResult:
    """Judge a version of a registry on everybody who came since; nothing is learned."""
    registry = read_registry(registry_folder)
    champion = artifact.load(find_champion(registry, registry_folder))
    challenger = artifact.load(verify_version(registry.folder, registry.find(version)))
    if challenger.digest == champion.digest:
        raise UserError(f"version {version}: is the champion; name another one.")
    if challenger.policy.profile.codes != champion.policy.profile.codes:
        raise UserError(
            f"version {version}: has another vocabulary than the champion; both must see the same "
            "patients in the same way."
        )
    plan = plan_of(registry)
    progress("reading patients")
    everyone = encode_everyone(records.events, champion, records.places)
    until = learned_until(champion, registry_folder)
    learned = learned_until(challenger, registry_folder)
    fresh = select_fresh(everyone, until, plan.judge_share, learned)
    _check_fresh(fresh, everyone, until)
    return _look(
        Pair(champion, challenger), fresh, records, (registry, plan, author), seed, progress
    )


def _check_fresh(fresh: Cohort, everyone: Cohort, until: float) -> None:
    if len(fresh):
        return
    raise UserError(
        f"--events: hold no fresh patient to judge on: the champion learned until {_day(until)}, "
        f"and the first decisions of the patients go from {_day(first_decisions(everyone).min())} "
        f"to {_day(first_decisions(everyone).max())}. Wait for patients whose first decision "
        "comes later."
    )


def _day(time: float) -> str:
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(time), "D"))


def _look(
    pair: Pair,
    fresh: Cohort,
    records: NewRecords,
    kept: tuple[Registry | None, GatePlan, Author],
    seed: int,
    progress: Progress,
) -> UpdateResult:
    """Judge, and write the look into the registry before anybody sees what it showed."""
    registry, plan, author = kept
    rng = np.random.default_rng(seed)
    looks = [] if registry is None else looks_of(registry)
    alpha = next_alpha(plan, looks)
    advice = None
    if records.advice is not None:
        days = fresh.study.assignment.grace_days
        advice = match_advice(fresh, records.advice, max(days, _MATCH_DAYS))
    pair = replace(pair, first=_first_champion(registry, pair))
    evidence = gather_evidence(pair, fresh, advice, rng, progress)
    verdict = judge(evidence, plan, alpha, rng)
    result = UpdateResult(
        champion=pair.champion.digest,
        challenger=pair.challenger.digest,
        evidence=evidence,
        verdict=verdict,
        look=len(looks) + 1 if registry is not None and _is_look(evidence, plan) else 0,
        plan=plan,
        alpha=alpha,
        learned=dict(pair.challenger.evidence.get(LEARNED_FROM) or {}),
    )
    if registry is not None:
        _keep_look(registry, result, author)
    return result


def _first_champion(registry: Registry | None, pair: Pair) -> Artifact | None:
    """The version that the others descend from; None if it is the champion or sees patients in
    another way."""
    if registry is None or registry.champions[0] == pair.champion.digest:
        return None
    first = artifact.load(verify_version(registry.folder, registry.champions[0]))
    is_alike = first.policy.profile.codes == pair.champion.policy.profile.codes
    return first if is_alike else None


def _is_look(evidence: GateEvidence, plan: GatePlan) -> bool:
    """Whether enough patients can be judged for the value to be looked at: else no level is spent.

    It depends on how many there are, never on what became of them.
    """
    return len(np.unique(evidence.subject)) >= plan.patients


def _keep_look(registry: Registry, result: UpdateResult, author: Author) -> None:
    known = len(registry.entries)
    if not any(entry.action == PLAN for entry in registry.entries):
        settings = {"settings": asdict(result.plan)}
        append_entry(registry.folder, Entry(PLAN, "", author.by, "the default", settings), known)
        known += 1
    gain = next(r for r in result.verdict.requirements if r.name == VALUE)
    details = result.to_json() | {"showed_gain": gain.holds, COUNTED: result.look > 0}
    entry = Entry(JUDGE, result.challenger, author.by, author.reason, details)
    append_entry(registry.folder, entry, known)


def _fit_challenger(
    champion: Artifact, cohort: Cohort, learning: Learning, progress: Progress
) -> FitResult:
    method = str(champion.evidence.get("method", NETWORK))
    settings = NetworkSettings()
    if method in (NETWORK, STACK):
        recipe = str(champion.evidence.get("recipe", settings.recipe))
        settings = NetworkSettings(recipe, start=_network_weights(champion.policy))
    planned = None
    if PLANS in champion.evidence:
        progress("the value under plans")
        planned = learn_plans(cohort, learning.seed)
    fitted = fit(cohort, method, learning.seed, settings, progress, learning.evidence_decisions)
    if planned is not None:
        fitted = with_plans(fitted, planned)
    return replace(fitted, evidence=fitted.evidence | {PARENT: champion.digest})


def _network_weights(policy: Policy) -> dict[str, Tensor] | None:
    """The weights of a network, or of the network in a stack; None without one."""
    members = policy.members if isinstance(policy, StackedPolicy) else (policy,)
    for member in members:
        if isinstance(member, NetworkPolicy):
            weights = member.network.state_dict()
            return {name: tensor.detach().clone() for name, tensor in weights.items()}
    return None
