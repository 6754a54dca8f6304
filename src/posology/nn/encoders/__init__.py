"""Causal encoders, one per file: the state at a step depends on that step and earlier ones only.

Every encoder is called as `(x: step width, batch: Batch) -> step state`.
"""

from typing import Literal

from torch import nn

EncoderName = Literal["gru", "lstm", "transformer", "cnn"]


def build_encoder(name: EncoderName, width: int, state: int) -> nn.Module:
    """Return a new encoder of that name; ValueError for an unknown name."""
    match name:
        case "gru":
            from posology.nn.encoders.gru import GRU

            return GRU(width, state)
        case "lstm":
            from posology.nn.encoders.lstm import LSTM

            return LSTM(width, state)
        case "transformer":
            from posology.nn.encoders.transformer import Transformer

            return Transformer(width, state)
        case "cnn":
            from posology.nn.encoders.cnn import CNN

            return CNN(width, state)
    raise ValueError(f"unknown encoder {name}; use gru, lstm, transformer or cnn")
