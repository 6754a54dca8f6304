"""Rows of the draws: bias in standard errors, coverage, errors of tests, verdicts; and who meets.

`low` and `high` are the 99 % interval of the Monte Carlo; a row meets its aim if that interval
meets the aim's range, so that a finite number of draws does not fail what is right.

- bias: mean of the estimate minus the truth, over the standard deviation of the estimate over the
  draws (its standard error); aim -0.2 to 0.2.
- coverage: share of draws in which the 95 % interval holds the truth; aim 93 to 97 %. Intervals
  that are said to hold together are counted together.
- error: share of draws in which a 5 % test rejects what is true; aim 3 to 7 %.
- gains: share in which the verdict claims that a rule gains; aim at most 5 % where nothing differs,
  at least 80 % where an oracle's gain is four of its standard errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.estimands.truth import Truth
from benchmarks.estimands.worlds import World
from benchmarks.rows import row

Z_99 = 2.575829
BIAS, COVERAGE, ERROR = (-0.2, 0.2), (0.93, 0.97), (0.03, 0.07)
FALSE_GAINS, TRUE_GAINS = (0.0, 0.05), (0.80, 1.0)
ORACLE_ERRORS = 4.0
Draws = Sequence[Mapping[str, float]]


def judge_world(world: World, truth: Truth, draws: Draws) -> list[dict]:
    """Every row of one world."""
    rows = []
    for name in dict.fromkeys(name for each in draws for name in each):
        values = np.array([each[name] for each in draws if name in each], dtype=np.float64)
        values = values[~np.isnan(values)]
        if len(values) >= 2:
            rows.append(_judge(world, truth, name, values))
    failed = sum("failed" in each for each in draws)
    rows.append(
        _row(world, "draws that ended with an error", failed, (failed, failed), (0, 0), len(draws))
    )
    return [r for r in rows if r is not None]


def judge_all(worlds: Sequence[World], draws: Mapping[str, Draws]) -> list[dict]:
    """Shares over the draws of all worlds, which tell more than those of one."""
    pooled: dict[str, list[float]] = {}
    for world in worlds:
        for each in draws[world.name]:
            for name, value in each.items():
                of_null = name == "gains" and world.effect == "null"
                if name.startswith(("covers|", "errs|")) or of_null:
                    pooled.setdefault(name, []).append(value)
    everything = replace(worlds[0], name="all", effect="null")
    nothing = Truth({}, {}, {}, 0.0, 0.0, 0.0, {})
    found = (_judge(everything, nothing, n, np.array(v)) for n, v in pooled.items() if len(v) > 1)
    return [row for row in found if row is not None]


def _judge(world: World, truth: Truth, name: str, values: np.ndarray) -> dict | None:
    kind, _, what = name.partition("|")
    n = len(values)
    if kind == "estimate":
        what, option = what.split("|")
        bias, error = float(values.mean()), float(values.std(ddof=1))
        if error == 0:
            return None
        z = bias / error
        half = Z_99 * float(np.sqrt((1 + z * z / 2) / n))
        metric = f"bias of {what} {option}, in standard errors"
        found = _row(world, metric, z, (z - half, z + half), BIAS, n)
        return found | {"bias": bias, "standard_error": error}
    share = float(values.mean())
    span = wilson(share, n)
    if kind == "covers":
        return _row(world, f"coverage: {what}", share, span, COVERAGE, n)
    if kind == "errs":
        return _row(world, f"error of the test: {what}", share, span, ERROR, n)
    if kind == "gains":
        if world.effect == "null":
            return _row(world, "verdict gains, though nothing does", share, span, FALSE_GAINS, n)
        found = _row(world, "verdict gains", share, span, TRUE_GAINS, n)
        found["oracle_errors"] = truth.oracle_errors
        if truth.oracle_errors < ORACLE_ERRORS - 0.1:
            found["meets"] = None
        return found
    return _row(world, kind, float(values.mean()), (None, None), None, n)


def _row(
    world: World,
    metric: str,
    value: float,
    span: tuple[float | None, float | None],
    aim: tuple[float, float] | None,
    n: int,
) -> dict:
    low, high = span
    meets = None
    if aim is not None and low is not None and high is not None:
        meets = bool(low <= aim[1] and high >= aim[0])
    aims = None if aim is None else list(aim)
    return row(
        world.name,
        "posology",
        "simulated",
        metric,
        value,
        low=low,
        high=high,
        n=n,
        meets=meets,
        aim=aims,
    )


def wilson(share: float, n: int, z: float = Z_99) -> tuple[float, float]:
    """Wilson's interval of a share, at 99 %."""
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, float(center - half)), min(1.0, float(center + half))
