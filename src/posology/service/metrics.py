"""Counts and times for Prometheus. Labels are routes, models and states: never an id."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The meters of one service."""

    registry: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    answers: Counter
    answer_seconds: Histogram
    running: Gauge
    defects: Counter
    shadow_answers: Counter
    """Of challengers; `state` is also failed, too_slow or refused."""
    shadow_dropped: Counter
    shadow_seconds: Histogram

    def render(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)


def make_metrics() -> Metrics:
    """Meters at zero."""
    registry = CollectorRegistry()
    return Metrics(
        registry=registry,
        requests=Counter(
            "posology_requests", "Requests", ("method", "route", "status"), registry=registry
        ),
        request_seconds=Histogram(
            "posology_request_seconds",
            "Time from request to response",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        ),
        answers=Counter(
            "posology_answers", "Answers", ("model", "door", "state"), registry=registry
        ),
        answer_seconds=Histogram(
            "posology_answer_seconds",
            "Time that a worker needed for an answer",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        ),
        running=Gauge("posology_running", "Questions that run or wait", registry=registry),
        defects=Counter("posology_defects", "Exceptions that nobody expected", registry=registry),
        shadow_answers=Counter(
            "posology_shadow_answers",
            "Answers of challengers, which nobody is shown",
            ("model", "state"),
            registry=registry,
        ),
        shadow_dropped=Counter(
            "posology_shadow_dropped",
            "Questions that were not put to the challenger, or its answer not kept",
            ("model", "reason"),
            registry=registry,
        ),
        shadow_seconds=Histogram(
            "posology_shadow_seconds",
            "Time that a challenger needed for an answer",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        ),
    )
