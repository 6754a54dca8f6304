"""Placement of a cohort's arrays, decided without a GPU, and batches streamed to one."""

import logging

import pytest
import torch

from posology.domain.cohort import TRAIN, select_split
from posology.learners.network import tensors as module
from posology.learners.network.device_placement import choose_device, cohort_bytes
from posology.learners.network.policy import Decoding
from posology.learners.network.tensors import cohort_to_tensors, iterate_batches
from posology.nn.network import NetworkConfig
from tests.builders.synthetic_iwpc import cohort

GPU = torch.device("cuda", 0)


def test_arrays_that_fit_are_placed_on_the_device_and_others_are_streamed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "posology"):
        assert choose_device(4 * 10**9, GPU, free=8 * 10**9) == GPU
        assert choose_device(4 * 10**9 + 1, GPU, free=8 * 10**9) == torch.device("cpu")
    assert [r.message for r in caplog.records] == [
        "cohort of 4.00 GB is placed on cuda:0: 8.00 GB of cuda:0 are free",
        "cohort of 4.00 GB stays in main memory, its batches are streamed: 8.00 GB of cuda:0 are "
        "free",
    ]


def test_the_cpu_always_keeps_its_arrays() -> None:
    assert choose_device(10**15, torch.device("cpu"), free=1) == torch.device("cpu")


def test_the_size_is_that_of_the_arrays() -> None:
    whole = select_split(cohort(60, 1), TRAIN)
    config = NetworkConfig(len(whole.profile.codes), 3, exclusive=True)
    made = cohort_to_tensors(whole, Decoding(0.0, 1.0), config, torch.device("cpu"))
    source, targets = made.source, made.targets
    arrays = [
        source.code,
        source.value,
        source.event_offsets,
        source.gap,
        made.subject,
        made.last_step,
        targets.best,
        targets.treatment,
        targets.effective,
        targets.dose,
        targets.rewards,
    ]
    size = sum(a.nbytes for a in arrays)
    assert cohort_bytes(whole.history, 3, len(whole)) == pytest.approx(size, rel=0.05)


def test_streamed_batches_are_the_same_and_go_to_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = select_split(cohort(60, 1), TRAIN)
    config = NetworkConfig(len(whole.profile.codes), 3, exclusive=True)
    here = list(
        iterate_batches(cohort_to_tensors(whole, Decoding(0.0, 1.0), config, torch.device("cpu")))
    )
    meta = torch.device("meta")  # stands for a device that holds batches and no arrays
    monkeypatch.setattr(module, "choose_device", lambda size, device: torch.device("cpu"))
    there = list(iterate_batches(cohort_to_tensors(whole, Decoding(0.0, 1.0), config, meta)))
    assert len(here) == len(there)
    for (batch, targets), (moved, moved_targets) in zip(here, there, strict=True):
        assert moved.code.device == moved_targets.dose.device == meta
        assert moved.code.shape == batch.code.shape
        assert moved_targets.rewards.shape == targets.rewards.shape
