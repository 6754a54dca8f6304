"""How often a policy fitted within harm budgets holds them, and what that costs in return.

    python -m benchmarks.budgets --fits 100 --json FILE

Each fit has a world of its own (benchmarks/budgets_world.py), whose best policy breaks its budgets,
and 3,000 patients of usual care: half to learn from, half to judge on. Harm and return of what
`fit` would use are exact. Each fit is kept beside FILE (`.jsonl`); the same command goes on after
them.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import budgets_world as worlds
from benchmarks.rows import row, write
from posology.domain.cohort import TRAIN, Cohort, select_split
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.evaluation.intervals import wilson_interval
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.tabular_policy import StateCodeLearner, StateCodePolicy
from posology.workflows.gate.budgets import fit_within_budgets

BUDGETS = (
    HarmBudget("severe hypoglycaemia", ("HYPO",), 0.06, "year", worlds.DAYS),
    HarmBudget("bleeding", ("BLEEDING",), 0.045, "year", worlds.DAYS),
)
USUAL = QNetworkSettings(
    hidden=16, members=1, epochs=6, batch=512, learning_rate=1e-2, lags=1, treatment_lags=0
)
PRICES = np.array([0.5, 1, 2, 4, 8, 16, 32])


def one_fit(seed: int, patients: int) -> dict:
    """One world: what is used, its exact harms and return, and those it is compared with."""
    world = worlds.draw_world(seed)
    rng = np.random.default_rng([seed, 1])
    cohort = worlds.draw_patients(world, patients, BUDGETS, rng)
    train = select_split(cohort, TRAIN)
    started = time.process_time()
    usual = BehaviourCloning(USUAL).fit(train, train)
    found = fit_within_budgets(_tables, lambda policy: policy, cohort, usual, seed)
    seconds = time.process_time() - started
    used = found.chosen.table.probabilities[: worlds.STATES]
    if not found.protection.is_used:
        used = world.usual
    value, harms = worlds.exact(world, used)
    limits = np.array([budget.at_most for budget in BUDGETS])
    free = worlds.exact(world, worlds.best_policy(world, np.zeros(2)))
    within = [
        worlds.exact(world, worlds.best_policy(world, np.array([a, b])))
        for a in (0.0, *PRICES)
        for b in (0.0, *PRICES)
    ]
    known = max(v for v, h in within if (h <= limits).all())
    usual_value, usual_harms = worlds.exact(world, world.usual)
    return {
        "seed": seed,
        "used": found.protection.is_used,
        "held": bool((harms <= limits).all()),
        "value": value,
        "usual": usual_value,
        "usual_held": bool((usual_harms <= limits).all()),
        "free": free[0],
        "free_held": bool((free[1] <= limits).all()),
        "known": known,
        "harms": harms.tolist(),
        "stated": [[f.rate, f.upper] for f in found.findings],
        "seconds": seconds,
    }


def _tables(cohort: Cohort) -> StateCodePolicy:
    train = select_split(cohort, TRAIN)
    return StateCodeLearner().fit(train, train)


def to_rows(fits: list[dict]) -> list[dict]:
    """Shares with Wilson's intervals, and means over the fits."""
    n, rows = len(fits), []
    for model, key in (
        ("posology", "held"),
        ("usual", "usual_held"),
        ("unconstrained", "free_held"),
    ):
        count = sum(fit[key] for fit in fits)
        low, high = wilson_interval(count, n)
        rows.append(row("budgets", model, "test", "held_share", count / n, n=n, low=low, high=high))
    used = sum(fit["used"] for fit in fits)
    rows.append(row("budgets", "posology", "test", "used_share", used / n, n=n))
    for model, key in (
        ("posology", "value"),
        ("usual", "usual"),
        ("unconstrained", "free"),
        ("within_known", "known"),
    ):
        mean = float(np.mean([fit[key] for fit in fits]))
        rows.append(row("budgets", model, "test", "return", mean, n=n))
    for model, key in (("posology", "value"), ("within_known", "known")):
        cost = float(np.mean([fit["free"] - fit[key] for fit in fits]))
        rows.append(row("budgets", model, "test", "cost_of_budget", cost, n=n))
    seconds = float(np.mean([fit["seconds"] for fit in fits]))
    rows.append(row("budgets", "posology", "test", "cpu_seconds", seconds, n=n))
    return rows


def main() -> None:
    """Run the fits that are missing, then print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--patients", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=5_000)
    parser.add_argument("--json", type=Path, default=Path("budgets.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    started, log = time.time(), args.json.with_suffix(".jsonl")
    log.touch()
    fits = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    done = {fit["seed"] for fit in fits}
    for number in range(args.fits):
        seed = args.seed + number
        if seed in done:
            continue
        fits.append(one_fit(seed, args.patients))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fits[-1]) + "\n")
        print(f"{len(fits)} of {args.fits} fits, {sum(f['held'] for f in fits)} held", flush=True)
    write(args.json, to_rows(fits), args.seed, started)


if __name__ == "__main__":
    main()
