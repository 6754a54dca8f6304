"""Pooling over hospitals: is it right, against all patients together and against the truth.

    python -m benchmarks.pool --repetitions 400 --json out/pool.json

Hospitals of 200 to 1,500 patients with their own baseline risk; the sicker are treated more often;
propensities are known, outcome regressions are linear in the option and the covariate. Every
hospital's scores become a summary (counts suppressed, numbers rounded, as in the file), and the
summaries are pooled. Beside it: all patients analysed together, a fixed-effect mean, and random
effects with the usual normal interval. Worlds: effects alike, somewhat and far apart; eight
hospitals, and three. A hospital that shared nothing tells whether the prediction interval holds.
Repetitions are kept in `--work`, so that a run that was cut short goes on.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import keep, row
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial
from posology.domain.statistics.protocol import protocol_hash
from posology.domain.statistics.study_summary import (
    FORMAT,
    MAIN,
    SharedAnalysis,
    SharedStudy,
    StudySummary,
)
from posology.evaluation.intervals import Z_95
from posology.evaluation.pooling.counts import ALL, EVERYONE, Counted, people, publish_counts
from posology.evaluation.pooling.disclosure import MIN_COUNT
from posology.evaluation.pooling.pool import PooledEffect, pool_summaries
from posology.evaluation.pooling.summarise import (
    Estimated,
    ShareSource,
    clustered_covariance,
    summarise_outcome,
)
from posology.evaluation.pooling.words import HETEROGENEOUS, heterogeneity_kind
from posology.report.text import format_number

EFFECT = 0.10
"""Mean true effect: probability of the good outcome."""
SIZES = (200, 250, 300, 400, 600, 800, 1000, 1500)
BLOCK = 50
"""Repetitions kept at once."""


@dataclass(frozen=True, slots=True)
class World:
    """How far the true effects of hospitals differ, and how many share."""

    name: str
    tau: float
    sizes: tuple[int, ...] = SIZES


WORLDS = (
    World("pool_alike", 0.0),
    World("pool_some", 0.04),
    World("pool_apart", 0.10),
    World("pool_three", 0.04, (300, 600, 1000)),
)


def main() -> None:
    """Simulate, share, pool, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=51_000)
    parser.add_argument("--work", type=Path, default=Path("out/pool"))
    parser.add_argument("--json", type=Path)
    options, started, rows = parser.parse_args(), time.time(), []
    for world in WORLDS:
        found = []
        for start in range(0, options.repetitions, BLOCK):
            found += _block(world, start, options)
            print(f"{world.name}: {len(found)} of {options.repetitions}", flush=True)
        rows += _rows(world, found[: options.repetitions])
        keep(options.json, rows, options.seed, started)
    for r in rows:
        low, high = (("" if r[k] is None else f"{r[k]:.4f}") for k in ("low", "high"))
        value = format_number(float("nan") if r["value"] is None else r["value"])
        print(f"{r['study']:12} {r['model']:10} {r['metric']:24} {value:>10} {low:>8} {high:>8}")


def _block(world: World, start: int, options: argparse.Namespace) -> list[dict]:
    """Some repetitions, from the work folder if they are there."""
    path = options.work / f"{world.name}-{options.seed}-{start}.json"
    if path.exists():
        return json.loads(path.read_text())
    found = [repetition(world, options.seed + start + i) for i in range(BLOCK)]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(found))
    draft.replace(path)
    return found


def repetition(world: World, seed: int) -> dict[str, dict[str, float]]:
    """Each way's estimate, interval, and what it says, of one draw of the hospitals."""
    rng = np.random.default_rng((seed, round(1000 * world.tau), len(world.sizes)))
    effects = EFFECT + world.tau * rng.standard_normal(len(world.sizes) + 1)
    hospitals = [
        draw_hospital(size, float(effect), rng)
        for size, effect in zip(world.sizes, effects, strict=False)
    ]
    pooled = _pool(hospitals)
    result, estimates = pooled.pooled, pooled.hospitals
    assert result is not None
    assert result.prediction is not None
    value = np.array([h.effect for h in estimates])
    error = np.array([h.standard_error for h in estimates])
    weight = 1 / error**2
    fixed = float(value @ weight / weight.sum())
    wald = float(1 / np.sqrt((1 / (error**2 + result.tau**2)).sum()))
    together, together_error = _all_patients(hospitals)
    ways = {
        "posology": (result.mean.value, result.mean.low, result.mean.high),
        "fixed": _normal(fixed, float(1 / np.sqrt(weight.sum()))),
        "wald": _normal(result.mean.value, wald),
        "together": _normal(together, together_error),
    }
    own = {
        "heterogeneous": float(heterogeneity_kind(pooled) == HETEROGENEOUS),
        "prediction": float(result.prediction.low <= effects[-1] <= result.prediction.high),
        "tau": result.tau,
        "shared": float(len(estimates)),
    }
    return {
        way: {"value": v, "covers": float(low <= EFFECT <= high), "width": high - low}
        | (own if way == "posology" else {})
        for way, (v, low, high) in ways.items()
    }


def draw_hospital(size: int, effect: float, rng: np.random.Generator) -> Nuisance:
    """One hospital's patients with the models of its analysis.

    The mean of each patient's effects is `effect` in every hospital: it does not depend on the
    covariate, so that effects are alike where tau is 0.
    """
    x = rng.standard_normal(size)
    probability = 1 / (1 + np.exp(-0.8 * x))
    treatment = (rng.random(size) < probability).astype(np.int64)
    base = rng.uniform(0.35, 0.5) - 0.08 * x
    base = np.clip(base, 0.05 + max(-effect, 0.0), 0.95 - max(effect, 0.0))
    outcome = (rng.random(size) < base + effect * treatment).astype(np.float64)
    design = np.column_stack([np.ones(size), x, treatment])
    solved = np.linalg.lstsq(design, outcome, rcond=None)[0]
    both = [design[:, :2] @ solved[:2] + option * solved[2] for option in (0, 1)]
    mean = np.clip(np.column_stack(both), 0.0, 1.0)
    trial = Trial(x[:, None], treatment, outcome, np.arange(size), 2, ("old", "new"))
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    propensity = known_propensity(np.column_stack([1 - probability, probability]))
    return Nuisance(trial, np.arange(size) % FOLDS, propensity, regression)


def summarise(nuisance: Nuisance) -> StudySummary:
    """What the hospital would share."""
    trial, everyone = nuisance.trial, np.ones(len(nuisance.trial), dtype=bool)
    counted = Counted(trial, everyone, (), {"recovery": trial.outcome > 0})
    published = publish_counts(counted, 0, MIN_COUNT)
    source = ShareSource(
        counted=counted,
        judged=(0, 1),
        options=(("old", "old"), ("new", "new")),
        reference=0,
        observed="usual care",
        rules=(),
        least=MIN_COUNT,
    )
    main_outcome = Estimated("recovery", MAIN, "percentage points", True, nuisance)
    return StudySummary(
        format=FORMAT,
        posology="benchmark",
        made="",
        study=SharedStudy("pool", "pool", protocol_hash(()), ()),
        analysis=SharedAnalysis(False, "known", ("x",), "old", MIN_COUNT, 0),
        patients=published[EVERYONE],
        analysed=published[people(ALL)],
        outcomes=(summarise_outcome(source, main_outcome, ALL, published),),
    )


def _pool(hospitals: Sequence[Nuisance]) -> PooledEffect:
    made = {f"hospital {at}": summarise(nuisance) for at, nuisance in enumerate(hospitals, 1)}
    effects = pool_summaries(made).effects
    return next(e for e in effects if (e.name, e.against) == ("new", "old"))


def _all_patients(hospitals: Sequence[Nuisance]) -> tuple[float, float]:
    """The effect in all patients together, and its standard error."""
    columns = np.concatenate([h.scores[:, 1] - h.scores[:, 0] for h in hospitals])[:, None]
    covariance = clustered_covariance(columns, np.arange(len(columns)))
    return float(columns.mean()), float(np.sqrt(covariance[0, 0]))


def _normal(value: float, error: float) -> tuple[float, float, float]:
    return value, value - Z_95 * error, value + Z_95 * error


_METRICS = {
    "covers": "coverage",
    "width": "width",
    "heterogeneous": "said_heterogeneous",
    "prediction": "coverage_prediction",
    "tau": "tau",
    "shared": "hospitals_sharing",
}


def _rows(world: World, found: Sequence[dict]) -> list[dict]:
    """Means over the repetitions with their 95 % Monte-Carlo intervals."""

    def add(model: str, metric: str, values: np.ndarray) -> None:
        half = Z_95 * values.std(ddof=1) / np.sqrt(len(values))
        mean = float(values.mean())
        bounds = {"low": mean - half, "high": mean + half, "n": len(values)}
        rows.append(row(world.name, model, "test", metric, mean, **bounds))

    rows: list[dict] = []
    for way in found[0]:
        value = np.array([each[way]["value"] for each in found])
        add(way, "bias", value - EFFECT)
        for key, metric in _METRICS.items():
            if key in found[0][way]:
                add(way, metric, np.array([each[way][key] for each in found]))
        if way != "together":
            together = np.array([each["together"]["value"] for each in found])
            add(way, "difference_from_together", value - together)
            spread = {"n": len(found)}
            deviation = float(np.std(value - together))
            rows.append(row(world.name, way, "test", "sd_from_together", deviation, **spread))
    return rows


if __name__ == "__main__":
    main()
