"""What the demo compares its policy with, fitted in a second process at the same time."""

import multiprocessing
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from posology.domain.cohort import Cohort
from posology.evaluation.table1.predictions import Predictions, predict_cohort
from posology.learners import baselines
from posology.learners.network.checkpoint import Epoch


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """Predictions of the test patients by every other model, in the order of the table."""

    predictions: dict[str, Predictions]
    paper_curve: list[Epoch]
    """Learning curve of the paper's recipe."""


def fit_rivals(train: Cohort, validation: Cohort, test: Cohort, seed: int) -> Rivals:
    """Fit the paper's recipe and every baseline, and predict the test patients."""
    torch.set_num_threads(1)
    paper, curve = baselines.fit_paper(train, validation, seed, baselines.run_quietly)
    predictions = {"posology_paper": predict_cohort(paper, test)}
    for name, make in baselines.baselines(train, validation):
        predictions[name] = predict_cohort(make(), test)
    return Rivals(predictions, curve)


@contextmanager
def rivals_beside(
    train: Cohort, validation: Cohort, test: Cohort, seed: int
) -> Generator[Future[Rivals]]:
    """The rivals, while the caller fits its own models; the process ends with the block."""
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(1, context) as worker:
        try:
            yield worker.submit(fit_rivals, train, validation, test, seed)
        except BaseException:
            worker.shutdown(wait=False, cancel_futures=True)
            raise
