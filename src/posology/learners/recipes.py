"""The two ways to learn that ship: ours, and the paper's."""

from dataclasses import dataclass, field

from posology.learners.loop import Training
from posology.learners.reinforcement import Reinforcement
from posology.learners.supervised import Sizes, Supervised


@dataclass(frozen=True, slots=True)
class Recipe:
    """Both phases, in order."""

    name: str
    supervised: Supervised = field(default_factory=Supervised)
    reinforcement: Reinforcement = field(default_factory=Reinforcement)


def default(seed: int = 0, device: str = "cpu") -> Recipe:
    """Chosen for accuracy and speed by cross-validation inside IWPC's training and validation
    patients; `docs/decisions/iwpc-recipe.md` has the table."""
    return Recipe(
        "default",
        Supervised(
            Sizes(width=64, state=64, hidden=128, layers=2, members=32, dropout=0.3),
            Training(learning_rate=1e-3, batch=256, epochs=30, patience=8, seed=seed),
            device,
        ),
        Reinforcement(
            Training(learning_rate=3e-4, batch=256, epochs=12, patience=4, seed=seed), device=device
        ),
    )


def paper(seed: int = 0, device: str = "cpu") -> Recipe:
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
