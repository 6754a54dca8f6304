"""Fit a policy on a cohort's training and validation splits, or pretrain its network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.text import Text
from torch import Tensor

from posology import artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.profile import Profile
from posology.domain.serialization import serialize
from posology.domain.study import Study
from posology.errors import UserError
from posology.learners.methods import METHODS, build_learner
from posology.learners.network.checkpoint import Epoch
from posology.learners.network.distributed import is_main_process, process_group
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.pretrain import Pretraining, load_pretrained, save_pretrained
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.recipes import PAPER, Recipe, with_device
from posology.learners.recurrent.choice import choose_method
from posology.learners.recurrent.joint import EQUAL, JointValuePolicy
from posology.learners.stack.learner import StackLearner
from posology.learners.stack.members import split_training
from posology.learners.tune import load_recipe
from posology.nn.network import Network
from posology.workflows.advice.evidence import MAX_DECISIONS
from posology.workflows.effect_content import has_trajectories
from posology.workflows.fitting.kept_evidence import count_patients, measure_kept_evidence
from posology.workflows.fitting.known_outcomes import check_known_outcomes
from posology.workflows.fitting.learned_options import describe_unlearned, mark_unlearned
from posology.workflows.fitting.stack import EVIDENCE as STACK_EVIDENCE
from posology.workflows.fitting.stack import StackEvidence, describe_stack, stack_around, stack_rows
from posology.workflows.gate.budgets import fit_within_budgets
from posology.workflows.gate.protect import model_usual_care, protect, usual_care
from posology.workflows.gate.protection import BUDGETS, describe_evidence, describe_protection
from posology.workflows.gate.protection import EVIDENCE as PROTECTION
from posology.workflows.progress import (
    Progress,
    describe_epoch,
    no_progress,
    progress_of_python,
    run_epochs,
    to_learning_curves,
)
from posology.workflows.results import Row, rows_to_table

NETWORK, STACK = "network", "stack"
"""The methods of the neural network alone, and of the network with other models where they help."""
SOLVED = "solved at once, without epochs"
"""A phase in closed form, or one that had nothing to learn."""
SUPERVISED, REINFORCEMENT = "first phase: supervised", "second phase: reinforcement"
IMITATION = "behaviour_cloning"
"""The method that imitates usual care: there is nothing to show."""
AGAIN = "network again, on all patients"


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the network is trained."""

    recipe: str = "default"
    """`default`, `histories` (for patients with a past), `paper`, or a recipe file."""
    resume: Path | None = None
    """Folder of checkpoints; an interrupted run continues from it."""
    start: Path | Mapping[str, Tensor] | None = None
    """Weights to start from: a file from `pretrain`, or those of another network."""
    device: str | None = None
    """`cpu`, `cuda` or `cuda:1`; None: the recipe's."""


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """A fitted policy, its learning curves, and the evidence that is saved with it."""

    policy: Policy
    study: Study
    evidence: dict[str, Any]
    phases: dict[str, list[Epoch]]
    """Learning curve of each phase of the network; empty for other methods."""
    validation_decisions: int
    saves_result: bool = True
    """False in all but the main process of a distributed run."""
    stack: StackEvidence | None = None
    """Of the method `stack`."""

    @property
    def rows(self) -> list[Row]:
        """Validation losses of each epoch, and of each member of a stack."""
        members = [] if self.stack is None else stack_rows(self.stack, self.study.name)
        return members + [
            {"study": self.study.name, "model": "posology", "split": "validation", "metric": name}
            | {"value": value, "low": None, "high": None, "n": self.validation_decisions}
            | {"phase": phase.rpartition(": ")[2], "epoch": epoch.number}
            for phase, curve in self.phases.items()
            for epoch in curve
            for name, value in epoch.validation.items()
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """Epochs, last score and speed of each phase; the stack; what the cohort warns of."""
        lines = [
            f"{self.evidence['train']} training decisions, {self.validation_decisions} validation "
            "decisions."
        ]
        for phase, curve in self.phases.items():
            epochs = f"{len(curve)} epochs, {describe_epoch(curve[-1])}" if curve else SOLVED
            lines.append(f"{phase}: {epochs}")
        if self.stack is not None:
            lines += describe_stack(self.stack, self.study.dose.unit if self.study.dose else "")
        return "\n".join([*lines, *describe_evidence(self.evidence)])

    def __rich__(self) -> Text:
        return Text(self.summary())  # a warning names tables of the study file in brackets

    def save(self, folder: str | Path) -> None:
        """Save the policy as a new folder."""
        artifact.save(self.policy, self.study, self.evidence, Path(folder))


def fit(
    cohort: Cohort,
    method: str = STACK,
    seed: int = 0,
    settings: NetworkSettings = NetworkSettings(),
    progress: Progress = progress_of_python,
    evidence_decisions: int = MAX_DECISIONS,
) -> FitResult:
    """Fit a policy; the test split is not used. The same seed gives the same policy.

    Args:
        cohort: with a training and a validation split.
        method: a name in `learners.methods.METHODS`. For trajectories, `stack` and
            `network` with default settings mean what `choose_method` finds on validation patients,
            unless images are read.
        seed: of everything that is drawn at random.
        settings: of the network, in the methods `stack` and `network`.
        progress: called with each epoch of the network, and with each step of the evidence; by
            default one line on standard error, if that is a terminal.
        evidence_decisions: at most so many are used by the effect study that is kept for the
            answers of `recommend`; 0: none, and which option is better is then not answered.
    """
    marked = mark_unlearned(cohort)
    train, validation = _learned_from(marked)
    measured: dict[str, Any] = {"seed": seed, **count_patients(cohort)}
    _check_images(cohort, method)
    check_known_outcomes(cohort)
    is_default = settings == NetworkSettings() and cohort.history.images is None
    if method in (NETWORK, STACK) and is_default:
        choice = choose_method(train, validation, seed)
        if choice is not None:
            method, measured["reason"] = choice.method, choice.reason

    def fit_on(splits: tuple[Cohort, Cohort]) -> _Fitted:
        return _fit(method, splits, seed, settings, progress)

    if has_trajectories(cohort) and method != IMITATION:
        fitted, evidence = _fit_and_protect(fit_on, marked, seed, progress)
    else:
        fitted, evidence = fit_on((train, validation)), {PROTECTION: None}
    measured |= evidence
    if method in (NETWORK, STACK):
        measured["recipe"] = settings.recipe
    measured["method"] = method
    if fitted.saves_result:
        measured |= measure_kept_evidence(
            fitted.policy, fitted.judged, cohort, seed, evidence_decisions, progress
        )
    found = describe_protection(measured), describe_unlearned(fitted.policy.formulary)
    measured["warnings"] = [*cohort.warnings, *filter(None, found)]
    if fitted.phases:
        measured["learning"] = to_learning_curves(fitted.phases)
    if fitted.stack is not None:
        measured[STACK_EVIDENCE] = serialize(fitted.stack, {})
    if progress is progress_of_python:
        progress("")  # leaves the line empty
    kept = fitted.policy, cohort.study, measured, fitted.phases, len(validation)
    return FitResult(*kept, fitted.saves_result, fitted.stack)


def _fit_and_protect(
    fit_on: Callable[[tuple[Cohort, Cohort]], "_Fitted"],
    cohort: Cohort,
    seed: int,
    progress: Progress,
) -> tuple["_Fitted", dict[str, Any]]:
    """The fit, within the study's harm budgets, or usual care where no gain is shown; and why."""
    more: dict[str, Any] = {}
    if cohort.study.budgets:
        progress("within harm budgets: a policy at each price of harms")
        usual = model_usual_care(cohort, seed)
        choice = fit_within_budgets(
            lambda priced: fit_on(_learned_from(priced)), lambda f: f.judged, cohort, usual, seed
        )
        fitted, found = choice.chosen, choice.protection
        policy = fitted.policy if found.is_used else usual_care(fitted.policy, usual)
        more[BUDGETS] = [finding.to_json() for finding in choice.findings]
    else:
        fitted = fit_on(_learned_from(cohort))
        if not fitted.saves_result:
            return fitted, {PROTECTION: None}
        progress("is the gain over usual care shown?")
        policy, found = protect(fitted.policy, fitted.judged, cohort, seed)
    judged = fitted.judged if found.is_used else policy
    fitted = replace(fitted, policy=policy, judged=judged)
    return fitted, {PROTECTION: found.to_json(), **more}


def _check_images(cohort: Cohort, method: str) -> None:
    """Raise UserError if the study reads images and the method does not."""
    if cohort.history.images is not None and method not in (NETWORK, STACK):
        raise UserError(
            f"--method {method}: reads no images, and study {cohort.study.name} has [profile] "
            f"images = true; choose {NETWORK} or {STACK}, or remove `images`."
        )


def _learned_from(cohort: Cohort) -> tuple[Cohort, Cohort]:
    return select_split(cohort, TRAIN), select_split(cohort, VALIDATION)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A policy, and what measures it."""

    policy: Policy
    judged: Policy
    """As the policy, but it learned from no validation patient; the policy itself where that
    did not either."""
    phases: dict[str, list[Epoch]] = field(default_factory=dict)
    saves_result: bool = True
    stack: StackEvidence | None = None


def _fit(
    method: str,
    cohorts: tuple[Cohort, Cohort],
    seed: int,
    settings: NetworkSettings,
    progress: Progress,
) -> _Fitted:
    if method in (NETWORK, STACK):
        fitted = _fit_network(*cohorts, seed, settings, progress)
        return _stack(fitted, cohorts, seed, settings, progress) if method == STACK else fitted
    if settings != NetworkSettings():
        raise UserError(
            f"--method {method}: --recipe, --resume, --start and --device are for the methods "
            f"{NETWORK} and {STACK}; leave them out."
        )
    return _fit_method(method, *cohorts, seed, progress)


def _fit_method(
    method: str, train: Cohort, validation: Cohort, seed: int, progress: Progress
) -> _Fitted:
    learner = build_learner(method, seed)
    progress(method)
    policy = learner.fit(train, validation)
    if isinstance(policy, JointValuePolicy):
        return _Fitted(policy, replace(policy, weight=EQUAL))
    if not METHODS[method].learns_from_validation:
        return _Fitted(policy, policy)
    progress(f"{method}, without the validation patients, to measure with")
    return _Fitted(policy, learner.fit(*split_training(train, validation, seed)))


def _stack(
    fitted: _Fitted,
    cohorts: tuple[Cohort, Cohort],
    seed: int,
    settings: NetworkSettings,
    progress: Progress,
) -> _Fitted:
    """The stack around a fitted network where it helps, else the network."""
    first = fitted.policy
    assert isinstance(first, NetworkPolicy)
    if settings.recipe == PAPER:
        alone = StackEvidence(False, "The network stands alone: the paper's recipe is a network.")
        return replace(fitted, stack=alone)

    def fit_again(learner: Supervised, train: Cohort, validation: Cohort) -> NetworkPolicy:
        start = _start(settings, learner, train)
        epochs = learner.fit_epochs(train, validation, start=start)
        return run_epochs(epochs, AGAIN, learner.training.epochs, progress)[0]

    learner = StackLearner(
        again=lambda train, seed: _recipe(settings, seed, train).supervised, seed=seed
    )
    result = stack_around(first, cohorts, learner, progress, fit_again)
    return replace(fitted, policy=result.policy, judged=result.judged, stack=result.evidence)


def _recipe(settings: NetworkSettings, seed: int, train: Cohort) -> Recipe:
    recipe = load_recipe(settings.recipe, seed, train)
    return with_device(recipe, settings.device) if settings.device else recipe


def _start(
    settings: NetworkSettings, learner: Supervised, train: Cohort
) -> Mapping[str, Tensor] | None:
    """The weights to start from."""
    if isinstance(settings.start, Path):
        return load_pretrained(settings.start, learner.sizes, train.profile)
    return settings.start


def _fit_network(
    train: Cohort, validation: Cohort, seed: int, settings: NetworkSettings, progress: Progress
) -> _Fitted:
    """The policy after both phases, and their learning curves."""
    recipe = _recipe(settings, seed, train)
    first, second, resume = recipe.supervised, recipe.reinforcement, settings.resume
    start = _start(settings, first, train)
    phases: dict[str, list[Epoch]] = {}
    with process_group(first.device):
        supervised, phases[SUPERVISED] = run_epochs(
            first.fit_epochs(train, validation, resume and resume / "supervised", start),
            SUPERVISED,
            first.training.epochs,
            progress,
        )
        policy, phases[REINFORCEMENT] = run_epochs(
            second.fit_epochs(supervised, train, validation, resume and resume / "reinforcement"),
            REINFORCEMENT,
            second.training.epochs,
            progress,
        )
        return _Fitted(policy, policy, phases, is_main_process())


@dataclass(frozen=True, slots=True, eq=False)
class PretrainResult:
    """Pretrained weights, for `fit` to start from, and their learning curve."""

    network: Network
    sizes: Sizes
    profile: Profile
    study: str
    curve: list[Epoch]
    validation_patients: int

    @property
    def rows(self) -> list[Row]:
        """Validation losses of each epoch."""
        names = {"study": self.study, "model": "pretraining", "split": "validation"}
        interval = {"low": None, "high": None, "n": self.validation_patients}
        return [
            {**names, "metric": name, "value": value, **interval, "epoch": epoch.number}
            for epoch in self.curve
            for name, value in epoch.validation.items()
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """Number of epochs, last validation score and speed."""
        return f"next steps: {len(self.curve)} epochs, {describe_epoch(self.curve[-1])}"

    def __rich__(self) -> str:
        return self.summary()

    def save(self, path: str | Path) -> None:
        """Save the weights as a new file; UserError if it exists."""
        if Path(path).exists():
            raise UserError(f"--out {path}: exists already; name a new file.")
        save_pretrained(self.network, self.sizes, self.profile, Path(path))


def pretrain(
    cohort: Cohort,
    recipe: str = "histories",
    epochs: int = 5,
    seed: int = 0,
    progress: Progress = no_progress,
) -> PretrainResult:
    """Learn to predict each next step of the training patients; no outcome is used.

    `recipe` decides the sizes of the network: the name of one that ships, or a recipe file.
    """
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    sizes = load_recipe(recipe, seed, train).supervised.sizes
    learner = Pretraining(sizes)
    learner = replace(learner, training=replace(learner.training, epochs=epochs, seed=seed))
    network, curve = run_epochs(
        learner.fit_epochs(train, validation), "next steps", epochs, progress
    )
    patients = len(validation.history.subject_id)
    return PretrainResult(network, sizes, cohort.profile, cohort.study.name, curve, patients)
