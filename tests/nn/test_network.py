"""The network and its batches: causal, without padding."""

import numpy as np
import pytest
import torch

from posology.nn import attention
from posology.nn.attention import Attention, AttentionOutput, _attend_in_windows, _attend_padded
from posology.nn.batch import gather_batch, history_to_tensors
from posology.nn.event_embedding import KNOTS, StepEmbedding
from posology.nn.network import Network, NetworkConfig
from posology.nn.ragged import ragged_range
from tests.builders.network_inputs import (
    CPU,
    batch_without_events,
    effectiveness_logits,
    random_history,
    unit_profile,
)


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(
        NetworkConfig(codes=11, treatments=3, exclusive=True, width=8, state=6, hidden=7, members=4)
    ).eval()


def test_many_decisions_of_a_patient_in_one_pass_equal_one_pass_each() -> None:
    net, h = network(), random_history([1, 2, 9, 500])
    subject, step = [0, 1, 2, 2, 2, 3, 3], [0, 1, 0, 4, 8, 17, 499]
    together = effectiveness_logits(net, h, subject, step)
    for row, (i, s) in enumerate(zip(subject, step, strict=True)):
        torch.testing.assert_close(together[row : row + 1], effectiveness_logits(net, h, [i], [s]))


def test_nothing_after_the_last_visible_step_is_gathered() -> None:
    h = random_history([9, 5])
    batch = gather_batch(
        history_to_tensors(h, unit_profile(), CPU),
        torch.tensor([0, 1]),
        torch.tensor([3, 9 + 2]),
    )
    assert batch.steps.tolist() == [4, 3]
    assert len(batch.code) == int(h.event_offsets[4] + h.event_offsets[12] - h.event_offsets[9])


def test_gather_batch_equals_a_plain_loop() -> None:
    h = random_history([4, 1, 7], seed=3)
    source = history_to_tensors(h, unit_profile(), CPU)
    batch = gather_batch(source, torch.tensor([2, 0]), torch.tensor([5 + 4, 2]))
    codes, position = [], 0
    for subject, last in ((2, 9), (0, 2)):
        for step in range(int(h.step_offsets[subject]), last + 1):
            assert int(batch.event_starts[position]) == len(codes)
            codes += h.code[h.event_offsets[step] : h.event_offsets[step + 1]].tolist()
            position += 1
    assert batch.code.tolist() == codes
    assert batch.decision_subject.tolist() == [0, 1]
    assert batch.decision_step.tolist() == [4, 2]


def test_attention_equals_softmax_over_visible_steps() -> None:
    torch.manual_seed(0)
    attend, states = Attention(6), torch.randn(14, 6)
    subject, upto = [0, 0, 1, 2, 2, 2], [2, 0, 0, 5, 3, 3]
    starts = [0, 3, 8]
    now = states[[starts[i] + step for i, step in zip(subject, upto, strict=True)]]
    attended = attend(states, now, batch_without_events(torch.tensor([3, 5, 6]), subject, upto))
    weights = torch.split(attended.weights(), [step + 1 for step in upto])
    for row, (i, step) in enumerate(zip(subject, upto, strict=True)):
        visible = states[starts[i] : starts[i] + step + 1]
        score = attend.query(visible[-1]) @ attend.key(visible).T / 6**0.5
        weight = torch.softmax(score, 0)
        torch.testing.assert_close(weights[row], weight)
        torch.testing.assert_close(attended.context[row], weight @ visible)


def test_attention_in_windows_equals_attention_over_padded_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    steps = torch.tensor([3, 5, 1, 40, 2, 2, 9])
    states = torch.randn(int(steps.sum()), 6, dtype=torch.float64)
    subject, upto = [0, 1, 1, 3, 3, 5, 6], [2, 0, 4, 39, 7, 1, 8]
    batch = batch_without_events(steps, subject, upto)
    query = torch.randn(len(subject), 6, dtype=torch.float64)
    monkeypatch.setattr(attention, "WINDOW", 12)
    keys = states.cos()
    context, blocks = _attend_in_windows(query, keys, states, batch)
    expected, others = _attend_padded(query, keys, states, batch)
    assert len(blocks) == 4
    torch.testing.assert_close(context, expected)
    weights = AttentionOutput(context, batch.decision_step, blocks).weights()
    torch.testing.assert_close(
        weights, AttentionOutput(expected, batch.decision_step, others).weights()
    )


def test_members_differ_and_share_weights() -> None:
    net = network()
    logits = effectiveness_logits(net, random_history([3]), [0], [2])[0]
    assert logits.shape == (4, 3)
    assert logits.std(0).min() > 0
    assert sum(p.numel() for p in net.trunk.parameters()) < 4 * 44 * 7


def test_ragged_range_concatenates_ranges() -> None:
    rows = ragged_range(torch.tensor([5, 0, 9]), torch.tensor([2, 0, 3]))
    assert rows.tolist() == [5, 6, 9, 10, 11]


def test_the_history_summary_equals_a_plain_loop() -> None:
    h = random_history([4, 1, 9], codes=5, seed=7)
    source = history_to_tensors(h, unit_profile(), CPU, track_codes=True)
    batch = gather_batch(source, torch.tensor([2, 2, 0]), torch.tensor([5 + 7, 5 + 3, 2]))
    torch.manual_seed(0)
    events = StepEmbedding(11, 8, 0.0)
    with torch.no_grad():
        weight = events.event_weights(batch)
        x = events(batch, weight)
        new = x - events.gap(batch.gap)
        summary = events.summarize_history(x, batch, weight)
        row = 0
        for subject, last in ((2, 5 + 7), (0, 2)):
            first = int(h.step_offsets[subject])
            for step in range(first, last + 1):
                latest: dict[int, int] = {}
                for s in range(first, step + 1):
                    for e in range(int(h.event_offsets[s]), int(h.event_offsets[s + 1])):
                        latest[int(h.code[e])] = s
                expected = torch.zeros(8)
                for e in range(int(h.event_offsets[first]), int(h.event_offsets[step + 1])):
                    s = int(np.searchsorted(h.event_offsets, e, side="right")) - 1
                    if latest[int(h.code[e])] == s:
                        expected += events.code[h.code[e]]
                        if not np.isnan(v := h.value[e]):
                            expected += v * events.value[h.code[e]]
                            bends = events.bends[:, h.code[e]]
                            for knot, bend in zip(KNOTS, bends, strict=True):
                                expected += max(v - knot, 0) * bend
                torch.testing.assert_close(summary[row, :8], expected, atol=1e-5, rtol=1e-5)
                mean = new[row - (step - first) : row + 1].mean(0)
                torch.testing.assert_close(summary[row, 8:], mean, atol=1e-5, rtol=1e-5)
                row += 1
        assert row == len(x)
