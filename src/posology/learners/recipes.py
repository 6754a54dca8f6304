"""The ways to learn that ship: ours, with and without histories, and the paper's."""

from dataclasses import dataclass, field, replace

import torch

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training


@dataclass(frozen=True, slots=True)
class Recipe:
    """Both phases, in order."""

    name: str
    supervised: Supervised = field(default_factory=Supervised)
    reinforcement: Reinforcement = field(default_factory=Reinforcement)


def default_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """Chosen for accuracy and speed by cross-validation inside IWPC's training and validation
    patients; `docs/decisions/iwpc-recipe.md` has the table."""
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
    """For studies that know what became of the option given, and not what would have of others.

    Chosen on patients of a virtual clinic that no table shows; docs/clinic.md.
    """
    return Recipe(
        "courses",
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
    """Ours for a cohort: `default` where the most effective option is known, else `courses`."""
    chosen = default_recipe if bool((train.best_treatment >= 0).any()) else factual_recipe
    return chosen(seed, device)


def histories_recipe(seed: int = 0, device: str = "cpu") -> Recipe:
    """For patients with a past: the last event of every code is carried along, and the rate is
    higher. Chosen on the virtual clinic's validation patients (2,000 patients, seed 1);
    `docs/decisions/tasks.md` has the table."""
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

    Cross-entropy, no ensemble, no dropout, no early stopping. It gives no widths; 64 is ours.
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


BY_NAME = {"histories": histories_recipe, "paper": paper_recipe}
"""Recipes to ask for by name; `default` is the one that suits the cohort."""


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with the seed in both phases."""
    first, second = recipe.supervised, recipe.reinforcement
    return replace(
        recipe,
        supervised=replace(first, training=replace(first.training, seed=seed)),
        reinforcement=replace(second, training=replace(second.training, seed=seed)),
    )


def with_device(recipe: Recipe, device: str) -> Recipe:
    """The recipe on a device; a GPU multiplies in bfloat16. UserError where there is none."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device {device}: torch sees no such GPU on this machine; leave it out.")
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
