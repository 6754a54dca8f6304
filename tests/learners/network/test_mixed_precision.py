"""Losses and gradients in bfloat16, as on a GPU, on a CPU."""

import pytest
import torch

from posology.domain.cohort import TRAIN, Cohort, select_split
from posology.learners.network import losses
from posology.learners.network.supervised import Sizes, build_network, fit_decoding
from posology.learners.network.tensors import cohort_to_tensors, iterate_batches
from posology.nn.encoders import EncoderName
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort, with_targets


def lstm_runs_in_bfloat16() -> bool:
    try:
        with torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(8, 8)(torch.zeros(2, 1, 8))
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("name", ["gru", "lstm", "transformer", "cnn"])
@pytest.mark.parametrize("world", [with_targets, with_option_doses])
def test_losses_and_gradients_in_mixed_precision(name: EncoderName, world) -> None:
    if name == "lstm" and not lstm_runs_in_bfloat16():
        pytest.skip("this processor has no kernel for an LSTM in bfloat16 (oneDNN needs AVX-512)")
    learned: Cohort = select_split(world(cohort(60, 5)), TRAIN)
    sizes = Sizes(16, 8, 16, 1, 4, 0.0, history_summary=True, encoder=name)
    network = build_network(sizes, learned, 0)
    source = cohort_to_tensors(learned, fit_decoding(learned), network.config, torch.device("cpu"))
    batch, targets = next(iter(iterate_batches(source)))
    exact = losses.supervised(network(batch, targets.log_dose), targets)
    with torch.autocast("cpu", torch.bfloat16):
        rough = losses.supervised(network(batch, targets.log_dose), targets)
    torch.stack(list(rough.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    for part_name, loss in exact.items():
        torch.testing.assert_close(rough[part_name].float(), loss, rtol=0.05, atol=0.02)
