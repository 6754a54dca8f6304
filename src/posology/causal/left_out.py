"""Which folds a model leaves out; models that leave out the same folds are fitted once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from posology.causal.trial import FOLDS, Fold, Mask

TRIAL_FOLD = FOLDS - 2
_NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Models for each fold leave it out, and one more: of a rule that is judged on that one."""

    fold: Fold
    also: int | None = None
    """The other fold that all models leave out; None: no other."""
    fits: dict[tuple[str, frozenset[int | None]], list[tuple[np.ndarray, Any]]] = field(
        default_factory=dict
    )
    """What was fitted, by name and folds left out, with what it was fitted to. Leaving out j and k
    is the same for the rules that are judged on j and on k, which therefore share it."""

    @property
    def folds(self) -> list[int]:
        """The folds with a model of their own."""
        return [f for f in range(FOLDS) if f != self.also]

    @property
    def trial_pair(self) -> "LeftOut":
        """Leaves out the last two folds (with `TRIAL_FOLD`), on which kinds of models are compared.

        Once for all rules, as it is fitted for those that are judged on either of these two.
        """
        return replace(self, also=FOLDS - 1)

    def learning(self, fold: int) -> Mask:
        """The decisions that the models for a fold are fitted on."""
        kept = self.fold != fold
        return kept if self.also is None else kept & (self.fold != self.also)

    def once(
        self, fold: int, name: str, fit: Callable[[], Any], fitted_to: np.ndarray = _NOTHING
    ) -> Any:
        """What `fit` gives for a fold; fitted only if it was not, to the same numbers, before."""
        kept = self.fits.setdefault((name, frozenset({fold, self.also})), [])
        for before, value in kept:
            if np.array_equal(before, fitted_to):
                return value
        kept.append((fitted_to, fit()))
        return kept[-1][1]
