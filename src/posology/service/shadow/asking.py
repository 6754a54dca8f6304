"""Questions that wait for a challenger, and the thread that puts them to it one by one.

Nothing here is in the way of an answer: a question is noted in memory once its answer is sent, and
is dropped, and counted, where too many wait.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from posology.service.metrics import Metrics
from posology.service.models.served import ServedModel, ServedModels
from posology.service.settings import Limits
from posology.service.shadow.comparing import Shadowed, ShadowJob, shadow_job
from posology.service.shadow.process import AsideProcess, EndedError
from posology.service.store import Store
from posology.service.store.clock import now, to_text
from posology.service.store.shadows import FAILED, TOO_SLOW, ShadowAnswer, save_shadows
from posology.service.work import warm_model
from posology.service.workers import Workers

FULL, ENDING, PAUSED, NOT_STORED = "queue_full", "ending", "paused", "not_stored"
"""Why a question was not put to the challenger, or its answer lost."""
MOST_FAILURES = 5
"""Failures in a row after which a challenger gets no questions until it is set again: one that
hangs must not keep a core busy. Our choice."""
DRAIN_SECONDS = 5.0
"""Time that waiting questions get when the service ends; the rest is dropped. Our choice."""
_PATIENCE, _LOOK = 1.0, 0.01
"""Seconds that a question waits while every worker is busy with answers, and between two looks.
Our choice: even on a busy day the challenger gets one question a second."""
_START_SECONDS = 120.0
"""Time for the process to start and to load the challenger."""
_TOGETHER, _LINGER = 16, 1.0
"""Answers, and seconds, after which they are written: one flush of the disk for all of them."""


class Aside(Protocol):
    """Who makes a challenger's answers: `AsideProcess`, or a function in a test."""

    def ask(self, function: Callable[[Any], Any], job: Any, seconds: float) -> Any:
        """What the function makes of the job; TimeoutError, EndedError, or its own error."""
        ...

    def end(self) -> None:
        """End at once."""
        ...


@dataclass(frozen=True, slots=True)
class ShadowQuestion:
    """A question whose answer was sent."""

    answer: str
    """Id of the answer."""
    challenger: ServedModel
    job: ShadowJob


@dataclass(slots=True)
class Shadow:
    """The challengers of one service: their questions, their process, what became of them."""

    models: ServedModels
    store: Store
    metrics: Metrics
    waiting: int
    """Questions that may wait."""
    seconds: float
    """Time for one answer."""
    is_busy: Callable[[], bool] = lambda: False
    """Whether all who answer are at work."""
    aside: Aside = field(default_factory=AsideProcess)
    questions: "queue.Queue[ShadowQuestion | ServedModel | None]" = field(
        default_factory=queue.Queue
    )
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Questions not put to the challenger since this service started: of each model and reason."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failures in a row, of each version."""
    loaded: set[str] = field(default_factory=set)
    """Versions that the process has loaded."""
    unsaved: list[ShadowAnswer] = field(default_factory=list)
    running: int = 0
    thread: threading.Thread | None = None
    ends_at: float | None = None
    """Moment, of the monotonic clock, after which it gets no more questions."""

    def put(self, question: ShadowQuestion) -> None:
        """Note the question for later, or drop and count it; takes no time and never fails."""
        if self.ends_at is not None:
            self._drop(question, ENDING)
        elif self.is_paused(question.challenger.digest):
            self._drop(question, PAUSED)
        elif self.questions.qsize() >= self.waiting:
            self._drop(question, FULL)
        else:
            self._put(question)

    def prepare(self, challenger: ServedModel) -> None:
        """Load the version before its first question, and ask it again if it was set aside."""
        self.failures.pop(challenger.digest, None)
        if self.ends_at is None:
            self._put(challenger)

    def _put(self, item: ShadowQuestion | ServedModel) -> None:
        self.questions.put(item)
        if self.thread is None:
            self.thread = threading.Thread(target=self._work, name="challenger", daemon=True)
            self.thread.start()

    def is_paused(self, digest: str) -> bool:
        """Whether the version failed so often in a row that it gets no more questions."""
        return self.failures[digest] >= MOST_FAILURES

    def close(self, seconds: float = DRAIN_SECONDS) -> None:
        """Put what waits to the challenger for at most so many seconds, then end."""
        self.ends_at = time.monotonic() + seconds
        self.questions.put(None)  # wakes the thread
        if self.thread is not None:
            self.thread.join(seconds)
            self.aside.end()  # what still runs ends with it
            self.thread.join(seconds)
        self.aside.end()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing waits or runs and all is written; False if it took longer."""
        end = time.monotonic() + seconds
        while self.questions.qsize() or self.running or self.unsaved:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def _work(self) -> None:
        written = time.monotonic()
        while True:
            try:
                question = self.questions.get(timeout=_LINGER / 4 if self.unsaved else None)
            except queue.Empty:
                question = None
            else:
                self.running = 1
            if isinstance(question, ShadowQuestion):
                self._answer(question)
            elif question is not None:
                with suppress(Exception):  # its first question meets the same, and counts it
                    self._load(question)
            is_last = self.ends_at is not None and not self.questions.qsize()
            is_due = is_last or len(self.unsaved) >= _TOGETHER
            if self.unsaved and (is_due or time.monotonic() - written >= _LINGER):
                _write(self)
                written = time.monotonic()
            self.running = 0
            if is_last:
                return

    def _answer(self, question: ShadowQuestion) -> None:
        challenger = question.challenger
        current = self.models.challengers.get(challenger.name)
        if challenger.name in self.models.stopped or current is not challenger:
            return  # the kill switch, or another challenger
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            self._drop(question, ENDING)
            return
        if self.is_paused(challenger.digest):
            self._drop(question, PAUSED)
            return
        self._let_answers_go_first()
        row = self._ask(question)
        if row is not None and challenger.name not in self.models.stopped:
            self.metrics.shadow_answers.labels(challenger.name, row.state).inc()
            self.unsaved.append(row)

    def _let_answers_go_first(self) -> None:
        end = time.monotonic() + _PATIENCE
        while self.is_busy() and self.ends_at is None and time.monotonic() < end:
            time.sleep(_LOOK)

    def _ask(self, question: ShadowQuestion) -> ShadowAnswer | None:
        """The challenger's answer, or that it gave none; None if the service ended meanwhile."""
        challenger, made = question.challenger, to_text(now())
        try:
            self._load(challenger)
            found: Shadowed = self.aside.ask(shadow_job, question.job, self.seconds)
        except Exception as error:  # noqa: BLE001  (whatever a challenger does ends here)
            if self.ends_at is not None and time.monotonic() >= self.ends_at:
                self._drop(question, ENDING)
                return None
            if isinstance(error, TimeoutError | EndedError):
                self.loaded.clear()  # the process starts anew
            self.failures[challenger.digest] += 1
            state = TOO_SLOW if isinstance(error, TimeoutError) else FAILED
            return ShadowAnswer(question.answer, made, challenger.digest, state)
        self.failures.pop(challenger.digest, None)
        self.metrics.shadow_seconds.labels(challenger.name).observe(found.milliseconds / 1000)
        return _row(question, made, found)

    def _load(self, challenger: ServedModel) -> None:
        is_dropped = self.models.challengers.get(challenger.name) is not challenger
        if challenger.digest in self.loaded or is_dropped or self.ends_at is not None:
            return
        self.aside.ask(warm_model, (challenger.folder, challenger.digest), _START_SECONDS)
        self.loaded.add(challenger.digest)

    def _drop(self, question: ShadowQuestion, reason: str) -> None:
        name = question.challenger.name
        self.dropped[name, reason] += 1
        self.metrics.shadow_dropped.labels(name, reason).inc()


def _row(question: ShadowQuestion, made: str, found: Shadowed) -> ShadowAnswer:
    return ShadowAnswer(
        answer=question.answer,
        made_at=made,
        digest=question.challenger.digest,
        state=found.challenger.state,
        option=found.challenger.option,
        dose=found.challenger.dose,
        champion_option=found.champion.option,
        champion_dose=found.champion.dose,
        milliseconds=found.milliseconds,
        body=found.stored,
    )


def _write(shadow: Shadow) -> None:
    """Store what is not stored yet; a database that is away must not end the thread."""
    rows, names = list(shadow.unsaved), {c.digest: n for n, c in shadow.models.challengers.items()}
    try:
        shadow.store.write_now(save_shadows, rows)
    except Exception:  # noqa: BLE001  (whatever the database says: the rows are counted)
        for row in rows:
            name = names.get(row.digest, "")
            shadow.dropped[name, NOT_STORED] += 1
            shadow.metrics.shadow_dropped.labels(name, NOT_STORED).inc()
    shadow.unsaved.clear()


def make_shadow(
    models: ServedModels, store: Store, metrics: Metrics, limits: Limits, workers: Workers
) -> Shadow:
    """The challengers of a service; its process starts with the first question."""

    def is_busy() -> bool:
        return workers.running >= workers.count

    return Shadow(models, store, metrics, max(limits.waiting, 1), limits.seconds, is_busy)
