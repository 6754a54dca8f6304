"""One job for each of many files, on several cores."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from joblib import Parallel, delayed

Piece = TypeVar("Piece")
Made = TypeVar("Made")

Progress = Callable[[int, int], None]
"""Called after each file with how many are done, and of how many."""


def run_parallel(
    job: Callable[[Piece], Made] | partial[Made],
    pieces: Sequence[Piece],
    workers: int,
    tell: Progress | None = None,
) -> Iterator[Made]:
    """What the job makes of each piece, in the pieces' order.

    The first error ends it, and is raised as it was. A process each where workers > 1, so that
    the job and what it makes must travel between processes.
    """
    many = min(workers, len(pieces))
    asked = (delayed(job)(piece) for piece in pieces)
    for done, made in enumerate(Parallel(n_jobs=many, return_as="generator")(asked), start=1):
        if tell is not None:
            tell(done, len(pieces))
        yield made
