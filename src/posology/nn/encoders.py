"""Steps become states, causally: the state at a step knows that step and those before it."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from posology.nn.batch import ragged_range


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) over each subject's steps."""

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        self.cell = nn.GRU(width, state, batch_first=True)

    def forward(
        self, x: Float[Tensor, "step width"], steps: Int64[Tensor, " subject"]
    ) -> Float[Tensor, "step state"]:
        """States of all steps, in the order of the steps."""
        lengths = steps.cpu()
        padded = pad_sequence(list(torch.split(x, lengths.tolist())), batch_first=True)
        if int(lengths.min()) == padded.shape[1]:  # nothing is padded: spare the packing
            return self.cell(padded)[0].reshape(len(x), -1)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.cell(packed)[0], batch_first=True)
        rows = torch.arange(len(steps), device=x.device) * states.shape[1]
        return states.reshape(-1, states.shape[2])[ragged_range(rows, steps)]
