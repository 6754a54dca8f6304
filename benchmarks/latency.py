"""How long a recommendation takes from a warm process, with and without reasons.

    python -m benchmarks.latency MODEL [MODEL ...] --fact age=72 --fact sex=female --json FILE

One patient of whom a few facts are known, answered again and again on one core. Besides the median
the tenth percentile is stated: on a machine that others use it is nearer to what a quiet one takes.
A stack's members are timed too, each alone with the question that the stack asks.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import row, write
from posology import artifact
from posology.artifact import Artifact
from posology.domain.policy import allow_all_treatments, predict_with
from posology.workflows.patient import encode_with_facts
from posology.workflows.recommend import recommend, template

WARM = 20
"""Answers before the first one that counts."""


def milliseconds(answer: Callable[[], object], times: int) -> np.ndarray:
    """Wall-clock time of each answer."""
    spent = []
    for _ in range(WARM + times):
        began = time.perf_counter()
        answer()
        spent.append(1e3 * (time.perf_counter() - began))
    return np.array(spent[WARM:])


def questions(model: Artifact, facts: dict[str, object]) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    patient = template(model)
    patient["facts"] |= facts
    history, _, _ = encode_with_facts(model, patient)
    decision = history.step_offsets[1:2] - 1
    allowed = allow_all_treatments(decision, model.study.formulary)
    members = {
        f"{number}_{type(member).__name__}": lambda m=member: predict_with(
            m, history, decision, allowed
        )
        for number, member in enumerate(getattr(model.policy, "members", ()))
    }
    return {
        "without_reasons": lambda: recommend(model, patient, reasons=False),
        "with_reasons": lambda: recommend(model, patient),
        "prediction": lambda: predict_with(model.policy, history, decision, allowed),
        **members,
    }


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--fact", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, rows = time.time(), []
    facts = dict(map(_fact, arguments.fact))
    for path in arguments.models:
        model = artifact.load(path)
        for name, answer in questions(model, facts).items():
            times = arguments.times if name != "with_reasons" else arguments.times // 10
            spent = milliseconds(answer, times)
            for metric, share in (("p10_ms", 0.1), ("p50_ms", 0.5), ("p90_ms", 0.9)):
                value = float(np.quantile(spent, share))
                rows.append(row(model.study.name, path.name, name, metric, value, n=times))
    write(arguments.json, rows, 0, started)


def _fact(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    return name, float(value) if value.replace(".", "", 1).isdigit() else value


if __name__ == "__main__":
    main()
