"""The network: causal, without padding, order-free within a step."""

import numpy as np
import pytest
import torch

from posology.domain.history import History, offsets
from posology.domain.profile import Profile
from posology.nn import attention
from posology.nn.attention import Attention, AttentionOutput, _padded, _windows
from posology.nn.batch import Batch, gather_batch, history_to_tensors
from posology.nn.event_embedding import KNOTS, StepEmbedding
from posology.nn.network import Network, NetworkConfig
from posology.nn.ragged import ragged_range


def history(steps: list[int], events: int = 3, codes: int = 11, seed: int = 0) -> History:
    rng = np.random.default_rng(seed)
    total = sum(steps)
    counts = rng.integers(0, 2 * events, total).astype(np.int64)
    time = np.concatenate([[np.nan, *np.cumsum(rng.exponential(30, n - 1))] for n in steps])
    size = int(counts.sum())
    value = rng.normal(size=size).astype(np.float32)
    value[rng.random(size) < 0.5] = np.nan
    return History(
        code=rng.integers(0, codes, size).astype(np.int32),
        value=value,
        event_offsets=offsets(counts),
        time=time,
        step_offsets=offsets(np.array(steps, dtype=np.int64)),
        subject_id=np.arange(len(steps), dtype=np.int64),
    )


def profile(codes: int = 11) -> Profile:
    names = tuple(f"C//{i}" for i in range(codes))
    return Profile(names, np.zeros(codes, np.float32), np.ones(codes, np.float32))


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(
        NetworkConfig(codes=11, treatments=3, exclusive=True, width=8, state=6, hidden=7, members=4)
    ).eval()


def ask(net: Network, h: History, subject: list[int], step: list[int]) -> torch.Tensor:
    source = history_to_tensors(h, profile(), torch.device("cpu"))
    last = torch.tensor([int(h.step_offsets[i]) + s for i, s in zip(subject, step, strict=True)])
    with torch.no_grad():
        return net(gather_batch(source, torch.tensor(subject), last)).effectiveness


def test_many_decisions_of_a_patient_in_one_pass_equal_one_pass_each() -> None:
    net, h = network(), history([1, 2, 9, 500])
    subject, step = [0, 1, 2, 2, 2, 3, 3], [0, 1, 0, 4, 8, 17, 499]
    together = ask(net, h, subject, step)
    for row, (i, s) in enumerate(zip(subject, step, strict=True)):
        torch.testing.assert_close(together[row : row + 1], ask(net, h, [i], [s]))


def test_nothing_after_the_last_visible_step_is_gathered() -> None:
    h = history([9, 5])
    batch = gather_batch(
        history_to_tensors(h, profile(), torch.device("cpu")),
        torch.tensor([0, 1]),
        torch.tensor([3, 9 + 2]),
    )
    assert batch.steps.tolist() == [4, 3]
    assert len(batch.code) == int(h.event_offsets[4] + h.event_offsets[12] - h.event_offsets[9])


def test_gather_equals_a_plain_loop() -> None:
    h = history([4, 1, 7], seed=3)
    source = history_to_tensors(h, profile(), torch.device("cpu"))
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
    found = attend(states, now, asked_of(torch.tensor([3, 5, 6]), subject, upto))
    weights = torch.split(found.weights(), [step + 1 for step in upto])
    for row, (i, step) in enumerate(zip(subject, upto, strict=True)):
        visible = states[starts[i] : starts[i] + step + 1]
        score = attend.query(visible[-1]) @ attend.key(visible).T / 6**0.5
        weight = torch.softmax(score, 0)
        torch.testing.assert_close(weights[row], weight)
        torch.testing.assert_close(found.context[row], weight @ visible)


def test_windows_of_neighbours_equal_padded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    steps = torch.tensor([3, 5, 1, 40, 2, 2, 9])
    states = torch.randn(int(steps.sum()), 6, dtype=torch.float64)
    subject, upto = [0, 1, 1, 3, 3, 5, 6], [2, 0, 4, 39, 7, 1, 8]
    batch = asked_of(steps, subject, upto)
    asked = torch.randn(len(subject), 6, dtype=torch.float64)
    monkeypatch.setattr(attention, "WINDOW", 12)
    said = [look(asked, states.cos(), states, batch) for look in (_windows, _padded)]
    (context, blocks), (expected, others) = said
    assert len(blocks) == 4
    torch.testing.assert_close(context, expected)
    told = AttentionOutput(context, batch.decision_step, blocks).weights()
    torch.testing.assert_close(
        told, AttentionOutput(expected, batch.decision_step, others).weights()
    )


def asked_of(steps: torch.Tensor, subject: list[int], upto: list[int]) -> Batch:
    """A batch without events, for what only needs to know who has how many steps."""
    total = int(steps.sum())
    nothing = torch.zeros(0)
    return Batch(
        code=nothing.long(),
        value=nothing,
        event_starts=torch.zeros(total).long(),
        gap=torch.zeros(total, 2),
        steps=steps,
        decision_subject=torch.tensor(subject),
        decision_step=torch.tensor(upto),
    )


def test_members_differ_and_share() -> None:
    net = network()
    said = ask(net, history([3]), [0], [2])[0]
    assert said.shape == (4, 3)
    assert said.std(0).min() > 0
    assert sum(p.numel() for p in net.trunk.parameters()) < 4 * 44 * 7


def test_ragged_range() -> None:
    found = ragged_range(torch.tensor([5, 0, 9]), torch.tensor([2, 0, 3]))
    assert found.tolist() == [5, 6, 9, 10, 11]


def test_what_is_carried_along_equals_a_plain_loop() -> None:
    h = history([4, 1, 9], codes=5, seed=7)
    source = history_to_tensors(h, profile(), torch.device("cpu"), track_codes=True)
    batch = gather_batch(source, torch.tensor([2, 2, 0]), torch.tensor([5 + 7, 5 + 3, 2]))
    torch.manual_seed(0)
    events = StepEmbedding(11, 8, 0.0)
    with torch.no_grad():
        kept = events.event_weights(batch)
        x = events(batch, kept)
        new = x - events.gap(batch.gap)
        found = events.summarize_history(x, batch, kept)
        row = 0
        for subject, last in ((2, 5 + 7), (0, 2)):
            first = int(h.step_offsets[subject])
            for step in range(first, last + 1):
                latest: dict[int, int] = {}
                for s in range(first, step + 1):
                    for e in range(int(h.event_offsets[s]), int(h.event_offsets[s + 1])):
                        latest[int(h.code[e])] = s
                want = torch.zeros(8)
                for e in range(int(h.event_offsets[first]), int(h.event_offsets[step + 1])):
                    s = int(np.searchsorted(h.event_offsets, e, side="right")) - 1
                    if latest[int(h.code[e])] == s:
                        want += events.code[h.code[e]]
                        if not np.isnan(v := h.value[e]):
                            want += v * events.value[h.code[e]]
                            bends = events.bends[:, h.code[e]]
                            for knot, bend in zip(KNOTS, bends, strict=True):
                                want += max(v - knot, 0) * bend
                torch.testing.assert_close(found[row, :8], want, atol=1e-5, rtol=1e-5)
                mean = new[row - (step - first) : row + 1].mean(0)
                torch.testing.assert_close(found[row, 8:], mean, atol=1e-5, rtol=1e-5)
                row += 1
        assert row == len(x)
