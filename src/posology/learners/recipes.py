"""Training recipes that ship with the package: ours for three kinds of study, and the paper's."""

from dataclasses import dataclass, field, replace

import torch

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of both training phases."""

    name: str
    supervised: Supervised = field(default_factory=Supervised)
    reinforcement: Reinforcement = field(default_factory=Reinforcement)


def default_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """For studies that know the most effective option.

    Chosen for accuracy and speed by cross-validation within IWPC's training and validation
    patients; `docs/decisions/iwpc-recipe.md` has the table.
    """
    return Recipe(
        "default",
        Supervised(
            Sizes(width=256, state=64, hidden=256, layers=1, members=32, dropout=0.3),
            Training(
                learning_rate=7e-4,
                cosine=True,
                weight_decay=0.1,
                batch=128,
                epochs=10,
                patience=0,
                clip=0.0,
                seed=seed,
            ),
            device,
        ),
        Reinforcement(
            Training(
                learning_rate=3e-4, batch=256, epochs=8, patience=3, keep_initial=True, seed=seed
            ),
            device=device,
        ),
    )


def factual_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """For studies that know only the outcome of the treatment received (factual outcomes).

    Chosen on patients of a virtual clinic that no result table uses; docs/clinic.md.
    """
    return Recipe(
        "factual",
        Supervised(
            Sizes(
                width=128,
                state=64,
                hidden=128,
                layers=1,
                members=8,
                dropout=0.3,
                history_summary=True,
            ),
            Training(
                learning_rate=2e-3,
                cosine=True,
                weight_decay=0.1,
                batch=128,
                epochs=8,
                patience=0,
                clip=0.0,
                seed=seed,
            ),
            device,
        ),
        Reinforcement(
            Training(
                learning_rate=3e-4, batch=256, epochs=4, patience=2, keep_initial=True, seed=seed
            ),
            device=device,
        ),
    )


def recipe_for_cohort(train: Cohort, seed: int = 0, device: str = "cpu") -> Recipe:
    """`default_recipe` where the most effective option is known, else `factual_recipe`.

    Twice as many epochs where images are read: the image encoder starts from nothing.
    """
    chosen = default_recipe if bool((train.best_treatment >= 0).any()) else factual_recipe
    recipe = chosen(seed, device)
    if train.history.images is None:
        return recipe
    first = recipe.supervised
    training = replace(first.training, epochs=2 * first.training.epochs)
    return replace(recipe, supervised=replace(first, training=training))


def histories_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """For patients with long histories: adds the last observation of every code, learns faster.

    Chosen on the virtual clinic's validation patients (2,000 patients, seed 1);
    `docs/decisions/tasks.md` has the table.
    """
    start = default_recipe(seed, device)
    first = start.supervised
    sizes = replace(first.sizes, members=16, history_summary=True)
    training = replace(first.training, learning_rate=3e-3, batch=64, epochs=20)
    return replace(
        start,
        name="histories",
        supervised=replace(first, sizes=sizes, training=training),
    )


def paper_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """The paper's: one recurrent network with attention, Adam 0.001, batches of 32, 100 epochs.

    Cross-entropy, no ensemble, no dropout, no early stopping. The paper states no widths; 64 is
    our choice.
    """
    return Recipe(
        "paper",
        Supervised(
            Sizes(width=64, state=64, hidden=64, layers=1, members=1, dropout=0.0),
            Training(learning_rate=1e-3, batch=32, epochs=100, patience=0, clip=0.0, seed=seed),
            device,
        ),
        Reinforcement(
            Training(learning_rate=1e-3, batch=32, epochs=10, patience=0, seed=seed), device=device
        ),
    )


PAPER = "paper"
BY_NAME = {"histories": histories_recipe, PAPER: paper_recipe}
"""Recipes of `--recipe`, next to `default`, which is `recipe_for_cohort`."""


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with this seed in both phases."""
    first, second = recipe.supervised, recipe.reinforcement
    return replace(
        recipe,
        supervised=replace(first, training=replace(first.training, seed=seed)),
        reinforcement=replace(second, training=replace(second.training, seed=seed)),
    )


def with_device(recipe: Recipe, device: str) -> Recipe:
    """The recipe on a device, with bfloat16 on a GPU; UserError if the device does not exist."""
    try:
        torch.device(device)
    except RuntimeError as error:
        raise UserError(f"--device {device}: is unknown; write cpu, cuda or cuda:1.") from error
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f"--device {device}: torch finds no such GPU on this machine; omit the option."
        )
    first, second = recipe.supervised, recipe.reinforcement
    mixed = first.training.mixed_precision or device.startswith("cuda")
    return replace(
        recipe,
        supervised=replace(
            first, device=device, training=replace(first.training, mixed_precision=mixed)
        ),
        reinforcement=replace(
            second, device=device, training=replace(second.training, mixed_precision=mixed)
        ),
    )


@dataclass(frozen=True, slots=True)
class NetworkLearner:
    """The neural network in both phases, by the recipe that suits the cohort."""

    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """Train the supervised phase, then the reinforcement phase."""
        recipe = recipe_for_cohort(train, self.seed)
        supervised = recipe.supervised.fit(train, validation)
        return recipe.reinforcement.fit(supervised, train, validation)
