"""The rows on a terminal of 80 columns: a line a world, the worst figure of each kind."""

from collections.abc import Sequence

from benchmarks.estimands.worlds import World

BIASES, SHARES = ("label", "hazard", "effect", "value", "harm"), ("effect", "value", "harm")
HEAD = (
    "        bias, standard errors (worst)       coverage, %       tests   verdict\n"
    "world  label hazard effect  value   harm effect value  harm  err, %  gains, %"
)


def table(worlds: Sequence[World], rows: Sequence[dict]) -> str:
    """Worlds, then what missed its aim; `!` marks a miss."""
    lines = [HEAD]
    for name in (*(world.name for world in worlds), "all"):
        own = [r for r in rows if r["study"] == name]
        if own:
            lines.append(_line(name, own))
    missed = [r for r in rows if r["meets"] is False]
    judged = sum(r["meets"] is not None for r in rows)
    lines.append(f"{judged - len(missed)} of {judged} rows meet their aim.")
    for r in missed:
        low, high = r["low"], r["high"]
        text = f"! {r['study']} {r['metric']}"[:50]
        lines.append(f"{text:50s} {r['value']:7.3f} ({low:6.3f} to {high:6.3f})")
    return "\n".join(lines)


def _line(name: str, own: list[dict]) -> str:
    cells = [f"{name:5s}"]
    for what in BIASES:
        cells.append(_cell([r for r in own if r["metric"].startswith(f"bias of {what} ")], 6, 1.0))
    for what in SHARES:
        cells.append(_cell([r for r in own if r["metric"] == f"coverage: {what}"], 5, 100.0))
    errors = [r for r in own if r["metric"].startswith("error of the test")]
    cells.append(_cell(errors, 7, 100.0))
    cells.append(_cell([r for r in own if r["metric"].startswith("verdict gains")], 9, 100.0))
    return " ".join(cells).rstrip()


def _cell(rows: list[dict], width: int, factor: float) -> str:
    if not rows:
        return " " * width
    worst = max(rows, key=lambda r: (r["meets"] is False, _distance(r)))
    mark = "!" if any(r["meets"] is False for r in rows) else ""
    digits = 2 if factor == 1.0 else 1
    return f"{factor * worst['value']:.{digits}f}{mark}".rjust(width)


def _distance(r: dict) -> float:
    middle = 0.0 if r["aim"] is None else (r["aim"][0] + r["aim"][1]) / 2
    return abs(r["value"] - middle)
