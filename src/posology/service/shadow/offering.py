"""An answer's question is put to the challenger once the answer is sent, never before."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from posology.service.deployment import Deployment
from posology.service.logs import describe_defect
from posology.service.models.served import ServedModel
from posology.service.shadow.asking import ShadowQuestion
from posology.service.shadow.comparing import ShadowJob
from posology.service.work import Job

_AFTER: ContextVar[list[Callable[[], None]] | None] = ContextVar("after_response", default=None)
"""What is to be done once the response of this request is sent; None outside a request."""


@contextmanager
def after_response() -> Generator[None]:
    """Hold back what `offer` is given until the end of the block: the response is sent by then."""
    waiting: list[Callable[[], None]] = []
    token = _AFTER.set(waiting)
    try:
        yield
    finally:
        _AFTER.reset(token)
        for run in waiting:
            run()


def offer(
    deployment: Deployment, served: ServedModel, job: Job, answer: str, answered: bytes
) -> None:
    """Put the question to the model's challenger, if it has one; never fails.

    Args:
        answered: the result that was given, as `work.pack_result` packed it.
    """
    challenger = deployment.models.challengers.get(served.name)
    if challenger is None or challenger.digest == served.digest:
        return

    def put() -> None:
        try:
            own = Job(challenger.folder, challenger.digest, job.patient, job.at, job.reasons)
            question = ShadowQuestion(answer, challenger, ShadowJob(own, answered))
            deployment.shadow.put(question)
        except Exception as error:  # noqa: BLE001  (an answer must not depend on it)
            deployment.log.error("challenger", **describe_defect(error))

    waiting = _AFTER.get()
    if waiting is None:
        put()
    else:
        waiting.append(put)
