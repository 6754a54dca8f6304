"""Settings whose numbers could stop the machine or the service: each with its range."""

from posology.errors import UserError
from posology.service.settings import Settings

MOST_WORKERS = 64
"""Each worker is a process that holds the models: more would not answer faster, and a slip of the
keyboard must not start a million."""


def check_ranges(settings: Settings) -> None:
    """UserError names the first number outside its range."""
    limits = settings.limits
    for key, value, low, high in (
        ("workers", settings.workers, 0, MOST_WORKERS),
        ("threads", settings.threads, 1, MOST_WORKERS),
        ("port", settings.port, 0, 65_535),
        ("limits, body", limits.body, 1, 1 << 30),
        ("limits, depth", limits.depth, 1, 500),
        ("limits, seconds", limits.seconds, 0.001, 600.0),
        ("limits, waiting", limits.waiting, 0, 10_000),
        ("retention, patients", settings.retention.patients, 0, 36_500),
    ):
        if not low <= value <= high:  # also where it is NaN
            raise UserError(f"Setting {key}: is {value}; write a number from {low} to {high}.")
    if settings.public_url and not settings.public_url.startswith(("https://", "http://")):
        raise UserError(
            f"Setting public_url: is {settings.public_url!r}; write the address that callers use, "
            "such as https://posology.hospital.example."
        )
