"""Draw the stream: value by month, what updates gain, and what the monitors name.

python -m benchmarks.stream_plot out/stream.json docs/stream.svg
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

from benchmarks.stream_world import CHANGES, MONTHS

TITLES = {
    "best": "best possible",
    "scratch": "refitted on everything",
    "year": "refitted on a year",
    "finetune": "refitted on six months",
    "frozen": "frozen",
}
LOOKS = {
    "best": ("#777777", ":"),
    "scratch": ("#1d4f73", "-"),
    "year": ("#7a4fa3", (0, (5, 1, 1, 1, 1, 1))),
    "finetune": ("#b3541e", "--"),
    "frozen": ("#2f7d4f", "-."),
}
FAMILIES = {"inputs": "o", "missingness": "s", "behaviour": "^", "outcomes": "D"}
"""Families of monitors, and the marks of their counts."""


def draw(rows: list[dict], path: Path) -> None:
    """Three panels: values, differences from the frozen model, counts of alarms by family."""
    figure, panels = plt.subplots(3, 1, figsize=(7, 6.5), sharex=True, height_ratios=(3, 2, 2))
    values = {
        model: {
            r["month"] + 1: 100 * r["value"]
            for r in rows
            if r["model"] == model and r["metric"] == "value"
        }
        for model in TITLES
    }
    for model, title in TITLES.items():
        color, line = LOOKS[model]
        months = list(values[model])
        drawn = list(values[model].values())
        panels[0].plot(months, drawn, linestyle=line, color=color, label=title)
        if model in ("scratch", "year", "finetune"):
            gains = [values[model][month] - values["frozen"][month] for month in months]
            panels[1].plot(months, gains, linestyle=line, color=color, marker=".", label=title)
    panels[1].axhline(0.0, color="#2f7d4f", linewidth=0.8, linestyle="-.")
    for family, mark in FAMILIES.items():
        _alarms(panels[2], rows, family, mark)
    _label(figure, panels)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def _alarms(panel: Any, rows: list[dict], family: str, mark: str) -> None:
    """How many monitors of a family alarm in each month."""
    months = [r["month"] + 1 for r in rows if r["metric"] == "evidence"]
    counts = [
        sum(name.startswith(f"{family}: ") for name in r["named"])
        for r in rows
        if r["metric"] == "evidence"
    ]
    panel.plot(months, counts, "-", marker=mark, markersize=3, linewidth=0.8, label=family)


def _label(figure: Any, panels: Any) -> None:
    names = (
        "effective, of 100",
        "gain over frozen,\nof 100",
        "monitors of the\nfrozen model: alarms",
    )
    for panel, name in zip(panels, names, strict=True):
        panel.set_ylabel(name, fontsize=8)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        for at in CHANGES.values():
            panel.axvline(at + 1, color="#999999", linewidth=0.7)
    panels[-1].set_xlabel(f"month of {MONTHS}", fontsize=8)
    for name, at in CHANGES.items():
        where = (at + 1, panels[0].get_ylim()[1])
        panels[0].annotate(name.replace("_", " "), where, fontsize=8, rotation=20)
    figure.tight_layout()


def main() -> None:
    """Read the rows of a run and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    parser.add_argument("svg", type=Path)
    args = parser.parse_args()
    draw(json.loads(args.json.read_text())["rows"], args.svg)


if __name__ == "__main__":
    main()
