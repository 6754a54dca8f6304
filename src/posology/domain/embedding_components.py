"""An image's vector as a few numbers: what was fitted on the training split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

EMBEDDING = "EMBEDDING"
"""The family of codes that hold vectors, a component a code (docs/meds-profile.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingReduction:
    """Where the components of one model's vectors lie; fitted once, applied to every patient."""

    model: str
    """The codes' stem: `EMBEDDING//densenet@0123456789ab`."""
    center: Float64[np.ndarray, " dimension"]
    components: Float64[np.ndarray, "component dimension"]
    """Orthonormal rows, the one of the largest variance first."""
    share: Float64[np.ndarray, " component"]
    """Of the training rows' variance that each component tells."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Codes of the vector as ingest writes it."""
        return tuple(f"{self.model}//{i:04d}" for i in range(len(self.center)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Codes of the numbers that stand in its place."""
        return tuple(f"{self.model}//c{i + 1}" for i in range(len(self.components)))
