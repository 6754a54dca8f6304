"""Long short-term memory."""

from jaxtyping import Float
from torch import Tensor, nn

from posology.nn.batch import Batch
from posology.nn.ragged import run_cell


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over each subject's steps."""

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(width, state, batch_first=True)

    def forward(self, x: Float[Tensor, "step width"], batch: Batch) -> Float[Tensor, "step state"]:
        """Return the state of every step, in the order of the steps."""
        return run_cell(self.cell, x, batch.steps)
