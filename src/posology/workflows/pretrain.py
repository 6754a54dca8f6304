"""Pretrain the network's encoder on every step of the training patients."""

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.network.checkpoint import Epoch
from posology.learners.network.pretrain import Pretraining, save_pretrained
from posology.learners.network.supervised import Sizes
from posology.learners.tune import load_recipe
from posology.nn.network import Network
from posology.workflows.progress import Progress, describe_epoch, no_progress, run_epochs
from posology.workflows.results import Row, rows_to_table


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
