"""What an update would do: whom it would learn from and judge on. No verdict is made.

A verdict that costs no look could be asked for again and again until it is good.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from posology import artifact
from posology.domain.cohort import TEST, Cohort
from posology.lifecycle.fresh_patients import (
    first_decisions,
    is_recent,
    select_fresh,
    split_for_update,
)
from posology.lifecycle.gate.plan import next_alpha
from posology.lifecycle.registry.state import is_registry, read_registry
from posology.lifecycle.registry.versions import verify_version
from posology.workflows.over_time.champion import encode_everyone, find_champion, learned_until
from posology.workflows.over_time.looks import looks_of, plan_of


@dataclass(frozen=True, slots=True)
class UpdatePreview:
    """Patients and the look, before anything is learned or judged."""

    champion: str
    learned_from_new: int
    """New patients to learn from; 0 where nothing would be learned."""
    replayed: int
    """Old patients to learn from again."""
    fresh: int
    """Patients to judge on."""
    look: int
    """Number of the look; 0 without a registry."""
    looks: int
    alpha: float

    def to_json(self) -> dict[str, Any]:
        """Every figure."""
        return asdict(self)

    def __rich__(self) -> str:
        learn = (
            f"Would learn from {self.learned_from_new:,} new patients and {self.replayed:,} old "
            "ones that are replayed.\n"
            if self.learned_from_new or self.replayed
            else ""
        )
        look = f" It would be look {self.look} of {self.looks}." if self.look else ""
        return (
            f"{learn}Would judge against {self.champion[:8]} on {self.fresh:,} fresh patients, at "
            f"the level {self.alpha:.2g}.{look}\nNothing is learned, judged or written: this is a "
            "dry run."
        )


def preview_update(
    model: Path,
    events: pa.Table,
    version: str = "",
    places: tuple[Path, ...] = (),
    since: float | None = None,
) -> UpdatePreview:
    """Count the patients of an update; with a version, of judging it again.

    places: folders of the events, as of `NewRecords`. since: as of `Learning`.
    """
    registry = read_registry(model) if is_registry(model) else None
    champion = artifact.load(find_champion(registry, model))
    plan, until = plan_of(registry), learned_until(champion, model)
    everyone = encode_everyone(events, champion, places)
    looks = [] if registry is None else looks_of(registry)
    if version and registry is not None:
        challenger = artifact.load(verify_version(registry.folder, registry.find(version)))
        later = learned_until(challenger, model)
        cohort = select_fresh(everyone, until, plan.judge_share, later)
    else:
        cohort = split_for_update(everyone, until, plan.judge_share)
    learn, is_new = cohort.split != TEST, first_decisions(cohort) > until
    fresh = _patients(cohort, ~learn)
    if since is not None:
        learn &= is_recent(cohort, since)
    return UpdatePreview(
        champion=champion.digest,
        learned_from_new=_patients(cohort, learn & is_new),
        replayed=_patients(cohort, learn & ~is_new),
        fresh=fresh,
        look=0 if registry is None else len(looks) + 1,
        looks=plan.looks,
        alpha=next_alpha(plan, looks),
    )


def _patients(cohort: Cohort, rows: np.ndarray) -> int:
    return len(np.unique(cohort.subject[rows]))
