"""How long and how fast to train, by the number of patients."""

from dataclasses import dataclass

BATCHES_A_VISIT = 50
"""As many as renew the slow copy."""


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
    trace: float = 0.0
    """How far targets go on with what was earned, 0 to 1: lambda of Watkins' Q(lambda)."""


def schedule_for(patients: int, visits: float) -> Schedule:
    """Each phase sees every patient 28 times, but no fewer than 300 batches, nor thousands.

    Values pass from visit to visit with each renewal of the slow copy, which takes 50 batches; more
    passes than this fit the noise where patients are few. The rate grows with the root of the
    batch. What was earned later is too noisy a target where patients are few
    (docs/decisions/histories.md).

    Args:
        visits: of a patient, on average.
    """
    batch = 64 if patients < 3000 else 128 if patients < 8000 else 256
    batches = max(28 * -(-patients // batch), 300, round(BATCHES_A_VISIT * visits))
    return Schedule(
        batch,
        first=min(batches, 1000),
        second=min(batches, 3000),
        learning_rate=2e-3 * (batch / 64) ** 0.5,
        trace=0.0 if patients < 3000 else 0.25 if patients < 8000 else 0.5,
    )
