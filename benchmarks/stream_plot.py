"""Draw the stream's value by month and its monitors' evidence.

python -m benchmarks.stream_plot out/stream.json docs/stream.svg
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

from benchmarks.stream_world import CHANGES, MONTHS

TITLES = {
    "best": "best possible",
    "scratch": "refitted on everything",
    "finetune": "refitted on six months",
    "frozen": "frozen",
}
STYLES = {"best": ":", "scratch": "-", "finetune": "--", "frozen": "-."}


def draw(rows: list[dict], path: Path) -> None:
    """Two panels: value of each model, and the evidence of the frozen model's monitors."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5), sharex=True, height_ratios=(2, 1))
    for model, title in TITLES.items():
        found = [r for r in rows if r["model"] == model and r["metric"] == "value"]
        months, values = [r["month"] + 1 for r in found], [100 * r["value"] for r in found]
        top.plot(months, values, STYLES[model], color="#1d4f73", marker=".", label=title)
    top.set_ylabel("effective, of 100")
    top.legend(frameon=False, fontsize=8)
    evidence = [r for r in rows if r["model"] == "monitors"]
    shown = [min(max(r["value"], 1e-3), 1e3) for r in evidence]
    bottom.semilogy([r["month"] + 1 for r in evidence], shown, color="#8a4b08")
    bottom.axhline(1.0, color="#8a4b08", linewidth=0.8, linestyle=":")
    bottom.set_ylabel("evidence")
    bottom.set_xlabel(f"month of {MONTHS}")
    for axis in (top, bottom):
        axis.spines[["top", "right"]].set_visible(False)
        for at in CHANGES.values():
            axis.axvline(at + 1, color="#999999", linewidth=0.7)
    for name, at in CHANGES.items():
        top.annotate(name.replace("_", " "), (at + 1, top.get_ylim()[1]), fontsize=8, rotation=20)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Read the rows of a run and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    parser.add_argument("svg", type=Path)
    args = parser.parse_args()
    draw(json.loads(args.json.read_text())["rows"], args.svg)


if __name__ == "__main__":
    main()
