"""Settings that could stop the machine or the service: numbers in their ranges, models' names."""

import socket
from collections import Counter

from posology.errors import UserError
from posology.language.catalogue import LANGUAGES
from posology.service.settings import Settings

MOST_WORKERS = 64
"""Each worker is a process that holds the models: more would not answer faster, and a slip of the
keyboard must not start a million."""


def check_ranges(settings: Settings) -> None:
    """UserError names the first number outside its range, or what is wrong with the models."""
    limits, hooks = settings.limits, settings.cds_hooks
    for key, value, low, high in (
        ("workers", settings.workers, 0, MOST_WORKERS),
        ("threads", settings.threads, 1, MOST_WORKERS),
        ("port", settings.port, 0, 65_535),
        ("limits, body", limits.body, 1, 1 << 30),
        ("limits, depth", limits.depth, 1, 500),
        ("limits, seconds", limits.seconds, 0.001, 600.0),
        ("limits, waiting", limits.waiting, 0, 10_000),
        ("retention, patients", settings.retention.patients, 0, 36_500),
        ("cds_hooks, clock_skew", hooks.clock_skew, 0, 3_600),
        ("cds_hooks, longest_token_life", hooks.longest_token_life, 1, 86_400),
        ("cds_hooks, page_size", hooks.page_size, 1, 10_000),
        ("cds_hooks, limits, seconds", hooks.limits.seconds, 0.001, 600.0),
        ("cds_hooks, limits, pages", hooks.limits.pages, 1, 10_000),
        ("cds_hooks, limits, resources", hooks.limits.resources, 1, 1_000_000),
        ("cds_hooks, limits, bytes", hooks.limits.bytes, 1, 1 << 30),
    ):
        if not low <= value <= high:  # also where it is NaN
            raise UserError(f"Setting {key}: is {value}; write a number from {low} to {high}.")
    if settings.public_url and not settings.public_url.startswith(("https://", "http://")):
        raise UserError(
            f"Setting public_url: is {settings.public_url!r}; write the address that callers use, "
            "such as https://posology.hospital.example."
        )
    if not settings.languages or set(settings.languages) - set(LANGUAGES):
        raise UserError(
            f"Setting languages: is {list(settings.languages)}; write some of "
            f"{', '.join(LANGUAGES)}, the usual one first."
        )
    _check_models(settings)


def check_address(host: str, port: int) -> None:
    """UserError if nothing can listen there, before anything that takes time is done for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        raise UserError(
            f"port {port} of {host}: {error.strerror or error}. End what listens there, or name "
            "another with --port."
        ) from error


def _check_models(settings: Settings) -> None:
    """At least one, each with a name of its own that an address can hold."""
    if not settings.models:
        raise UserError("Setting models: is empty; name one with its folder, or on the command.")
    for name, count in Counter(model.name for model in settings.models).items():
        if count > 1:
            raise UserError(f"Setting models: {count} have the name {name!r}; name each once.")
        if not name or "/" in name:
            raise UserError(f"Setting models: the name {name!r} cannot stand in an address.")
