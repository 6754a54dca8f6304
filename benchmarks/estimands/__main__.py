"""Is what posology says of a study so, in worlds with known truth?

    python -m benchmarks.estimands --json FILE [--processes 2]

Thirty worlds (worlds.py) cover every pair of settings; each draw makes patients as events, builds
the cohort and estimates as `posology effect` does. judge.py says what each row must meet. Finished
blocks are kept in FILE.draws.jsonl: a run that was killed continues. Exit code 1 if a row misses
its aim.

Labels and hazards are judged in every draw (0.05 CPU-seconds each), effects, values and harms in
--effects of them (1.5 to 10 CPU-seconds each), a learned rule in --rules of them in eight worlds.
`n` of each row says in how many.
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.estimands.judge import judge_all, judge_world
from benchmarks.estimands.run import Plan, run
from benchmarks.estimands.table import table
from benchmarks.estimands.worlds import WORLDS
from benchmarks.rows import keep


def main() -> int:
    """Run, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--effects", type=int, default=50)
    parser.add_argument("--rules", type=int, default=10)
    parser.add_argument("--worlds", nargs="*", help="names of some worlds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cpu-hours", type=float, default=2.0)
    chosen = parser.parse_args()
    worlds = [w for w in WORLDS if not chosen.worlds or w.name in chosen.worlds]
    plan = Plan(
        chosen.draws, chosen.effects, chosen.rules, chosen.seed, chosen.processes, chosen.cpu_hours
    )
    started = time.time()
    drawn = run(worlds, plan, chosen.json.with_suffix(".draws.jsonl"))
    rows = [
        row for w in worlds for row in judge_world(w, drawn.truths[w.name], drawn.draws[w.name])
    ]
    rows += judge_all(worlds, drawn.draws)
    keep(chosen.json, rows, plan.seed, started)
    print(table(worlds, rows))
    print(f"{drawn.cpu_seconds / 3600:.2f} CPU-hours for the draws.")
    return int(any(row["meets"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
