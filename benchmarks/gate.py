"""Ten years of the gate on simulated scores: bad approvals, power, and harmed challengers.

python -m benchmarks.gate --json out/gate.json

The gate's own code judges simulated patients. Scores are doubly robust, of binary outcomes, with
propensities from 0.1 to 0.9 and an outcome model that does not know the challenger's gain. A
challenger gets three monthly looks on all patients who came since it was made, then the next one
follows, so that ten years are 120 looks. With `--json`, a run that was cut short
continues.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import norm

from benchmarks.rows import keep, row, write
from posology.evaluation.intervals import wilson_interval
from posology.lifecycle.gate.evidence import GateEvidence, Predicted, Safety
from posology.lifecycle.gate.judge import judge
from posology.lifecycle.gate.plan import GatePlan, Look, next_alpha

MONTHS, MONTHLY, TRIES = 120, 5_000, 3
"""Ten years, decisions a month, looks at a challenger."""
GAIN = 0.02
"""The true gain that must pass."""
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of patients whom the challenger treats otherwise."""
GROUP_SHARE = 0.2
SAFE = Safety(0.0, 0.0, 0.0, True)
PLAN = GatePlan()


@dataclass(frozen=True, slots=True)
class Challenger:
    """What is true of a challenger."""

    share: float
    """Of patients whom it treats otherwise than the champion."""
    gain: float = 0.0
    """Of all patients together."""
    shift: float = 0.0
    """Added to its predicted log odds."""
    group_loss: float = 0.0
    """Lost by every member of the group."""
    harm: float = 0.0
    """Added risk of a harm, of all patients together."""
    forbidden: float = 0.0
    """Largest probability of a forbidden option."""
    propensity: tuple[float, float] = (0.1, 0.9)
    """Of its options in usual care, where it differs."""


NULLS = (
    ("5 % differ", Challenger(0.05), False),
    ("20 % differ", Challenger(0.2), False),
    ("20 % differ, options rarely given", Challenger(0.2, propensity=(0.05, 0.3)), False),
    ("20 % differ, every fourth is better", Challenger(0.2), True),
)
"""Worlds of challengers that are not better, and whether some that are come between them."""
HARMS = ("value", "calibration", "group", "group, half as much", "safety", "harm")


@dataclass(frozen=True, slots=True)
class Month:
    """Fresh patients of one month."""

    gain: np.ndarray
    differs: np.ndarray
    harm: np.ndarray
    member: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray
    effective: np.ndarray


def simulate_month(challenger: Challenger, rng: np.random.Generator, n: int = MONTHLY) -> Month:
    """One month of patients, one decision each."""
    differs = rng.random(n) < challenger.share
    member = rng.random(n) < GROUP_SHARE
    lost = challenger.group_loss
    others = (challenger.gain + lost * GROUP_SHARE) / (1 - GROUP_SHARE)
    gain = np.where(member, -lost, others) if lost else np.full(n, challenger.gain)
    effect = np.where(differs, gain / challenger.share, 0.0)
    base = rng.uniform(0.35, 0.65, n) - effect / 2
    with_it = base + effect
    propensity = rng.uniform(*challenger.propensity, n)  # of its option, where they differ
    followed = differs & (rng.random(n) < propensity)
    effective = (rng.random(n) < np.where(followed, with_it, base)).astype(float)
    score = _scores(followed, effective - base, propensity)
    risk = np.where(followed, challenger.harm / challenger.share, 0.0)
    harmed = (rng.random(n) < 0.05 + risk).astype(float)
    predicted = np.where(followed, with_it, base)
    shifted = 1 / (1 + np.exp(-(np.log(predicted / (1 - predicted)) + challenger.shift)))
    return Month(
        gain=np.where(differs, score, 0.0),
        differs=differs,
        harm=np.where(differs, _scores(followed, harmed - 0.05, propensity), 0.0),
        member=member,
        champion=base,
        challenger=shifted,
        effective=effective,
    )


def simulate_gain(challenger: Challenger, rng: np.random.Generator, n: int = MONTHLY) -> np.ndarray:
    """The scores of a month whose gain is the same for all who are treated otherwise; others are 0.

    Drawn as in `simulate_month`, without what the value does not need.
    """
    m = int(rng.binomial(n, challenger.share))
    effect = challenger.gain / challenger.share
    base = rng.uniform(0.35, 0.65, m) - effect / 2
    propensity = rng.uniform(*challenger.propensity, m)
    followed = rng.random(m) < propensity
    effective = rng.random(m) < base + effect * followed
    gain = np.zeros(n)
    gain[:m] = _scores(followed, effective - base, propensity)
    return gain


def _scores(followed: np.ndarray, residual: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """Score of the challenger's option less that of the champion's, by a model without effects."""
    return np.where(followed, residual / propensity, -residual / (1 - propensity))


def to_evidence(months: list[Month], challenger: Challenger) -> GateEvidence:
    """What the gate sees after these months."""
    joined = {name: np.concatenate([getattr(m, name) for m in months]) for name in Month.__slots__}
    n = len(joined["gain"])
    subject = np.arange(n)
    return GateEvidence(
        subject=subject,
        gain=joined["gain"],
        differs=joined["differs"],
        safety=Safety(challenger.forbidden, 0.0, 0.0, True),
        predicted=Predicted(
            joined["champion"], joined["challenger"], joined["effective"], np.ones(n), subject
        ),
        harms={"bleeding": joined["harm"]},
        groups={"group": joined["member"], "others": ~joined["member"]},
    )


def try_challenger(challenger: Challenger, looks: list[Look], rng: np.random.Generator) -> bool:
    """Whether the gate opens within the challenger's looks, which are added to `looks`."""
    months: list[Month] = []
    for _ in range(TRIES):
        months.append(simulate_month(challenger, rng))
        if _look(to_evidence(months, challenger), looks, rng):
            return True
    return False


def try_value(challenger: Challenger, looks: list[Look], rng: np.random.Generator) -> bool:
    """The same of a gate that requires the value alone: nothing else keeps a bad one out."""
    gain = np.zeros(0)
    for _ in range(TRIES):
        gain = np.append(gain, simulate_gain(challenger, rng))
        if _look(GateEvidence(np.arange(len(gain)), gain, gain != 0, SAFE), looks, rng):
            return True
    return False


def _look(evidence: GateEvidence, looks: list[Look], rng: np.random.Generator) -> bool:
    alpha = next_alpha(PLAN, looks)
    verdict = judge(evidence, PLAN, alpha, rng)
    looks.append(Look(alpha, verdict.requirements[0].holds))
    return verdict.is_open


def bad_approval(null: Challenger, every_fourth_gains: bool, rng: np.random.Generator) -> bool:
    """Whether ten years of challengers end with any that is not better approved.

    Only the value is required, so that nothing else keeps a bad challenger out.
    """
    looks: list[Look] = []
    number = 0
    while len(looks) < MONTHS:
        is_better = every_fourth_gains and number % 4 == 3
        challenger = replace(null, gain=GAIN) if is_better else null
        if try_value(challenger, looks, rng) and not is_better:
            return True
        number += 1
    return False


def months_to_pass(share: float, rng: np.random.Generator) -> int:
    """Months until a challenger with the true gain passes the whole gate; 99: not in three."""
    looks: list[Look] = []
    passed = try_challenger(Challenger(share, GAIN), looks, rng)
    return len(looks) if passed else 99


def computed_power(share: float, rng: np.random.Generator) -> tuple[float, float]:
    """Variance of a patient's score, and the power of a single look after three months."""
    score = simulate_month(Challenger(share, GAIN), rng, 200_000).gain
    error = float(score.std()) / np.sqrt(TRIES * MONTHLY)
    z = float(norm.ppf(1 - next_alpha(PLAN, ())))
    return float(score.var()), float(norm.sf(z - GAIN / error))


def harmed(kind: str) -> Challenger:
    """A challenger that is better by the gain, but for one thing."""
    good = Challenger(0.2, GAIN)
    return {
        "value": replace(good, gain=-GAIN),
        "calibration": replace(good, shift=0.4),
        "group": replace(good, group_loss=0.1),
        "group, half as much": replace(good, group_loss=0.05),
        "safety": replace(good, forbidden=1e-6),
        "harm": replace(good, harm=0.02),
    }[kind]


def measure(
    runs: int, seed: int, done: list[dict], save: Callable[[list[dict]], None]
) -> list[dict]:
    """Every row that is not there yet."""
    rows = list(done)
    known = {(r["metric"], r.get("world")) for r in rows}

    def add(metric: str, world: str, count: int, of: int, **more: object) -> None:
        low, high = wilson_interval(count, of)
        rows.append(
            row("stream", "posology", "months", metric, count / of, low=low, high=high, n=of)
            | {"world": world}
            | more
        )
        save(rows)

    for number, (world, null, mixed) in enumerate(NULLS):
        if ("bad_approval_10y", world) not in known:
            found = 0
            for run in range(runs):
                found += bad_approval(null, mixed, np.random.default_rng([seed, number, run]))
                if run % 100 == 99:
                    print(f"{world}: {run + 1} runs, {found} with a bad approval", flush=True)
            add("bad_approval_10y", world, found, runs)
    for share in SHARES:
        world = f"{share:.0%} differ"
        if ("gate_passes_better", world) not in known:
            rngs = [np.random.default_rng([seed, 10, int(1000 * share), r]) for r in range(200)]
            when = np.array([months_to_pass(share, rng) for rng in rngs])
            variance, power = computed_power(share, np.random.default_rng([seed, 11]))
            more = {"within": {str(m): float((when <= m).mean()) for m in (1, 2, 3)}}
            more |= {"variance": variance, "power_of_one_look": power}
            add("gate_passes_better", world, int((when <= TRIES).sum()), 200, **more)
    for kind in HARMS:
        if ("gate_refuses_harm", kind) not in known:
            rngs = [np.random.default_rng([seed, 20, HARMS.index(kind), r]) for r in range(100)]
            passed = [try_challenger(harmed(kind), [], rng) for rng in rngs]
            add("gate_refuses_harm", kind, 100 - sum(passed), 100)
    return rows


def _read_done(path: Path | None) -> list[dict]:
    """Rows of a run that was cut short."""
    return json.loads(path.read_text())["rows"] if path is not None and path.exists() else []


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=2_026)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    started = time.time()
    done = _read_done(args.json)
    rows = measure(args.runs, args.seed, done, lambda r: keep(args.json, r, args.seed, started))
    write(args.json, rows, args.seed, started)


if __name__ == "__main__":
    main()
