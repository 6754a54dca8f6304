"""Images in the network: only what a decision sees counts, one by one as in a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.condense import condense_histories
from posology.domain.history import History
from posology.domain.images import Images
from posology.domain.profile import Profile
from posology.nn.batch import gather_batch, history_to_tensors
from posology.nn.network import Network, NetworkConfig

PROFILE = Profile(("IMAGE//XC//SKIN", "LAB"), np.zeros(2, np.float32), np.ones(2, np.float32))
DECISIONS = np.array([1, 2, 5])
CPU = torch.device("cpu")


def history(seed: int = 0) -> History:
    """Two patients: images at steps 1 and 2 of the first (the second of two frames), 5 and 6."""
    rng = np.random.default_rng(seed)
    return History(
        code=np.array([1, 0, 0, 1, 1, 0, 0], np.int32),
        value=np.array([1, np.nan, np.nan, 2, 3, np.nan, np.nan], np.float32),
        event_offsets=np.array([0, 1, 2, 4, 4, 5, 6, 7]),
        time=np.array([np.nan, 1, 2, np.nan, 1, 2, 3]),
        step_offsets=np.array([0, 3, 7]),
        subject_id=np.array([1, 2]),
        images=Images(
            np.array([-1, 2, 0, -1, -1, 1, 2], np.int32),
            rng.random((4, 16, 16)).astype(np.float16),
            np.array([0, 2, 3, 4]),
        ),
    )


def network(summary: bool) -> Network:
    torch.manual_seed(0)
    config = NetworkConfig(2, 2, False, 16, 8, 16, members=2, image_size=16)
    return Network(replace(config, history_summary=summary)).eval()


def predict(model: Network, given: History, decisions: np.ndarray) -> np.ndarray:
    source = history_to_tensors(given, PROFILE, CPU, model.config.tracks_codes)
    subject = np.searchsorted(given.step_offsets, decisions, side="right") - 1
    batch = gather_batch(source, torch.as_tensor(subject), torch.as_tensor(decisions))
    with torch.inference_mode():
        return model(batch).effectiveness.numpy()


def changed(given: History, frame: int) -> History:
    assert given.images is not None
    frames = given.images.frames.copy()
    frames[frame] = 1 - frames[frame]
    return replace(given, images=replace(given.images, frames=frames))


@pytest.mark.parametrize("summary", [False, True])
def test_a_batch_equals_one_by_one(summary: bool) -> None:
    model = network(summary)
    whole = predict(model, history(), DECISIONS)
    single = [predict(model, history(), DECISIONS[[k]])[0] for k in range(3)]
    np.testing.assert_allclose(whole, single, atol=1e-5)


@pytest.mark.parametrize("summary", [False, True])
def test_only_visible_frames_count(summary: bool) -> None:
    model = network(summary)
    before = predict(model, history(), DECISIONS)
    for frame, seen_by in [(0, {1}), (1, {1}), (2, {2}), (3, {0, 1})]:
        after = predict(model, changed(history(), frame), DECISIONS)
        differs = {k for k in range(3) if not np.allclose(before[k], after[k], atol=1e-6)}
        assert differs == seen_by, frame


def test_the_summary_keeps_the_last_image_of_a_code_only() -> None:
    model = network(summary=True)

    def latest(given: History) -> torch.Tensor:
        source = history_to_tensors(given, PROFILE, CPU, track_codes=True)
        batch = gather_batch(source, torch.tensor([0]), torch.tensor([2]))
        weight = torch.ones_like(batch.value)
        shown = model.events.image_vectors(batch, weight)
        x = model.events(batch, weight, shown)
        return model.events.summarize_history(x, batch, weight, shown)[2, : model.config.width]

    torch.testing.assert_close(latest(history()), latest(changed(history(), 3)))
    assert not torch.allclose(latest(history()), latest(changed(history(), 0)))


def test_in_training_frames_are_shifted_and_images_are_learned_from() -> None:
    model = network(summary=False).train()
    source = history_to_tensors(history(), PROFILE, CPU)
    batch = gather_batch(source, torch.tensor([0, 1]), torch.tensor([2, 5]))
    model(batch).effectiveness.sum().backward()
    assert model.events.images is not None
    assert all(p.grad is not None for p in model.events.images.parameters())


def test_without_images_a_network_is_as_before() -> None:
    plain = Network(NetworkConfig(2, 2, False, 16, 8, 16, members=2))
    assert plain.events.images is None
    assert not [name for name in plain.state_dict() if "images" in name]


def test_condensed_steps_show_no_image() -> None:
    given = history()
    short = condense_histories(given, np.array([2, 6]), 1).history
    assert short.images is not None
    assert len(short.images.row) == len(short.code)
    assert short.images.row[-1] == 2
