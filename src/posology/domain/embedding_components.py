"""Principal components that stand for an image's embedding vector."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

EMBEDDING = "EMBEDDING"
"""Family of the codes that hold vectors, one code per dimension (docs/meds-profile.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingReduction:
    """The principal components of one model's vectors, fitted on the training split."""

    model: str
    """Prefix of the codes: `EMBEDDING//densenet@0123456789ab`."""
    center: Float64[np.ndarray, " dimension"]
    components: Float64[np.ndarray, "component dimension"]
    """Orthonormal rows, by decreasing variance."""
    share: Float64[np.ndarray, " component"]
    """Explained variance ratio of each component on the training split."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Codes of the vector, as ingest writes them."""
        return tuple(f"{self.model}//{i:04d}" for i in range(len(self.center)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Codes of the components."""
        return tuple(f"{self.model}//c{i + 1}" for i in range(len(self.components)))
