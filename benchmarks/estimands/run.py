"""Run draws in blocks, each appended to a file of JSON lines; a run that was killed continues."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.estimands.draw import Found, draw
from benchmarks.estimands.truth import TRUTH_PATIENTS, Truth, find_truth
from benchmarks.estimands.worlds import World
from posology.errors import UserError

BLOCK = 10
"""Draws that are kept together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to draw."""

    draws: int
    effects: int
    """Draws of each world in which effects and values are estimated; labels and hazards in all."""
    rules: int
    """Draws, of the worlds with rules, in which a rule is learned too."""
    seed: int = 0
    processes: int = 1
    cpu_hours: float = 2.0
    truth_patients: int = TRUTH_PATIENTS


@dataclass(frozen=True, slots=True)
class _Block:
    world: World
    truth: Truth
    first: int
    plan: Plan


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What the file holds: of each world its truth, and its draws in order."""

    truths: dict[str, Truth]
    draws: dict[str, list[Found]]
    cpu_seconds: float


def run(worlds: Sequence[World], plan: Plan, file: Path) -> Drawn:
    """All draws of the plan that are not in the file yet, as far as the CPU-hours go."""
    head = {"seed": plan.seed, "worlds": digest(worlds, plan)}
    lines = read_lines(file, head)
    truths = {line["world"]: read_truth(line["truth"]) for line in lines if "truth" in line}
    for world in worlds:
        if world.name not in truths:
            truths[world.name] = find_truth(world, plan.truth_patients)
            append_line(file, {"world": world.name, "truth": asdict(truths[world.name])})
    done = {(line["world"], line["first"]) for line in lines if "first" in line}
    spent = sum(line["cpu_seconds"] for line in lines if "first" in line)
    firsts = sorted(range(0, plan.draws, BLOCK), key=lambda first: first < plan.effects)
    left = [  # labels and hazards come first: they cost little
        _Block(world, truths[world.name], first, plan)
        for first in firsts
        for world in worlds
        if (world.name, first) not in done
    ]
    started = time.time()
    for number, line in enumerate(_blocks(left, plan.processes), 1):
        append_line(file, line)
        spent += line["cpu_seconds"]
        if number % 10 == 0 or number == len(left):
            print(
                f"{number} of {len(left)} blocks, {spent / 60:.0f} CPU-minutes, "
                f"{time.time() - started:.0f} s",
                flush=True,
            )
        if spent > 3600 * plan.cpu_hours:
            print(f"stopped after {plan.cpu_hours:g} CPU-hours: rows have fewer draws", flush=True)
            break
    return collect(file, head)


def _blocks(blocks: Sequence[_Block], processes: int) -> Iterator[dict]:
    if processes == 1:
        yield from map(_draw_block, blocks)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_draw_block, blocks)


def _draw_block(block: _Block) -> dict:
    started, draws = time.process_time(), []
    plan = block.plan
    for number in range(block.first, min(block.first + BLOCK, plan.draws)):
        depth = (number < plan.effects) + (block.world.rules and number < plan.rules)
        try:
            draws.append(draw(block.world, block.truth, (plan.seed, number), depth))
        except UserError as error:
            draws.append({"failed": 1.0})
            print(f"{block.world.name}, draw {number}: {error}", flush=True)
    seconds = time.process_time() - started
    return {
        "world": block.world.name,
        "first": block.first,
        "cpu_seconds": seconds,
        "draws": draws,
    }


def digest(worlds: Sequence[World], plan: Plan) -> str:
    """Of everything that decides what a draw gives, but the code."""
    settings = [asdict(world) for world in worlds] + [[plan.draws, plan.effects, plan.rules]]
    return sha256(json.dumps(settings).encode()).hexdigest()[:16]


def read_lines(file: Path, head: dict) -> list[dict]:
    """The file's lines after its head; a new file gets the head. A torn last line is dropped."""
    if not file.exists():
        append_line(file, head)
        return []
    whole = file.read_text(encoding="utf-8")
    complete = whole[: whole.rfind("\n") + 1]
    if complete != whole:
        file.write_text(complete, encoding="utf-8")
    lines = [json.loads(line) for line in complete.splitlines()]
    if not lines or lines[0] != head:
        raise UserError(
            f"{file} holds draws of other worlds, another seed or other numbers of draws; "
            "give the same ones, or move the file away"
        )
    return lines[1:]


def append_line(file: Path, line: dict) -> None:
    """One line of JSON, whole."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def read_truth(stored: dict[str, Any]) -> Truth:
    """The truth of a line; JSON's keys are texts."""
    read: dict[str, Any] = {
        name: {int(k): v for k, v in value.items()} if isinstance(value, dict) else value
        for name, value in stored.items()
    }
    return Truth(**read)


def collect(file: Path, head: dict) -> Drawn:
    """Everything in the file; the order of blocks does not matter."""
    lines = read_lines(file, head)
    truths = {line["world"]: read_truth(line["truth"]) for line in lines if "truth" in line}
    blocks = sorted((x for x in lines if "first" in x), key=lambda x: (x["world"], x["first"]))
    draws: dict[str, list[Found]] = {name: [] for name in truths}
    for block in blocks:
        draws[block["world"]].extend(block["draws"])
    return Drawn(truths, draws, sum(block["cpu_seconds"] for block in blocks))
