"""A small convolutional network that turns each image of a batch into part of its step."""

import numpy as np
import torch
from jaxtyping import Float, Float16
from torch import Tensor, nn

from posology.nn.batch import Batch
from posology.nn.ragged import step_of_row

CHANNELS = (8, 16, 32)
"""Of the layers, each of which halves rows and columns. Our choice, for images of 32 to 64."""

MAX_PIXELS = 4_000_000
"""Pixels that are encoded at once, which bounds the memory."""


class ImageEncoder(nn.Module):
    """Three convolutions, mean and maximum over the image, a linear map to a step's width.

    The maximum finds what is small, the mean what is spread. Frames of an image are averaged. One
    encoder serves all kinds of images; the embedding of the event's code says which it is.
    """

    scale: Float[Tensor, " 2"]
    """Mean and standard deviation of the pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([0.5, 0.25]))
        layers: list[nn.Module] = []
        for before, after in zip((1, *CHANNELS[:-1]), CHANNELS, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(4, after), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Linear(2 * CHANNELS[-1], width)

    def forward(self, batch: Batch) -> Float[Tensor, "frame width"]:
        """Return each frame's part of its image's vector; the batch has at least one frame."""
        assert batch.frames is not None
        assert batch.frame_weight is not None
        at_once = max(MAX_PIXELS // batch.frames[0].numel(), 1)
        pooled = [self._pool(part) for part in batch.frames.split(at_once)]
        return self.linear(torch.cat(pooled)) * batch.frame_weight[:, None]

    def standardize(self, frames: Float16[np.ndarray, "frame row column"]) -> None:
        """Take the mean and standard deviation of the training patients' pixels as the scale."""
        pixels = frames.astype(np.float64)
        self.scale.copy_(torch.tensor([pixels.mean(), max(pixels.std(), 1e-3)]))

    def _pool(self, frames: Tensor) -> Tensor:
        center, spread = self.scale.unbind()
        if self.training:
            frames = shift_frames(frames)
        x = self.convolutions((frames.float()[:, None] - center) / spread)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


def shift_frames(
    frames: Float[Tensor, "frame row column"],
) -> Float[Tensor, "frame row column"]:
    """Return each frame moved by up to an eighth of its size; what leaves enters opposite.

    So that few patients' images are not learned by heart.
    """
    count, rows, columns = frames.shape
    down = torch.randint(-(rows // 8), rows // 8 + 1, (count, 1))
    right = torch.randint(-(columns // 8), columns // 8 + 1, (count, 1))
    row = (torch.arange(rows) + down) % rows
    column = (torch.arange(columns) + right) % columns
    which = torch.arange(count)[:, None, None]
    return frames[which, row[:, :, None], column[:, None, :]]


def add_frames(
    x: Float[Tensor, "step width"], shown: Float[Tensor, "frame width"], batch: Batch
) -> Float[Tensor, "step width"]:
    """Add what each frame shows to the step of its event."""
    step = step_of_row(batch.event_starts, len(batch.event_starts), len(batch.code))
    return x.index_add(0, step[batch.frame_event], shown)


def add_replaced_frames(
    x: Float[Tensor, "step width"], shown: Float[Tensor, "frame width"], batch: Batch
) -> Float[Tensor, "step width"]:
    """Add what the events that each step replaces show."""
    assert batch.replaced is not None
    assert batch.replaced_starts is not None
    assert batch.frame_event is not None
    # An event is replaced once at most: the step that does it, or none.
    replaces = torch.full((len(batch.code),), -1, device=x.device)
    starts = batch.replaced_starts
    replaces[batch.replaced] = step_of_row(starts, len(starts), len(batch.replaced))
    step = replaces[batch.frame_event]
    kept = step >= 0
    return x.index_add(0, step[kept], shown[kept])
