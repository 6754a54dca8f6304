"""How long and how fast to train, by the number of patients."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Batches of both phases."""

    batch: int
    """Patients a batch."""
    first: int
    second: int
    """Batches of each phase."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.01


def schedule_for(patients: int) -> Schedule:
    """Passes over the patients, but neither so few batches that values cannot spread to the first
    decision nor so many that a fit takes more than some minutes.

    Our choice; not tuned (docs/decisions/histories.md).
    """
    batch = 64 if patients < 3000 else 128
    passes = -(-patients // batch)
    return Schedule(
        batch, first=min(max(4 * passes, 300), 1500), second=min(max(8 * passes, 600), 3000)
    )
