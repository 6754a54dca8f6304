"""What makes two hospitals' studies the same question: the protocol, key by key, and its hash.

Names in words, sources, the split, guidelines and the last day of the records may differ between
hospitals: they change no estimate's meaning. Everything else must be the same.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from posology.domain.serialization import serialize
from posology.domain.study import Study

PROTOCOL = (
    *("decision", "formulary", "assignment", "outcome", "reward", "follow_up", "safety"),
    *("diagnosis", "reference", "clock", "profile", "subgroups"),
)
"""Fields of a study that are part of it."""
_WORDS = frozenset({"title", "source", "until", "standard", "limits", "required_for_advice"})
"""Keys, anywhere in these fields, that are not."""

_NO_CRITERIA = ("decision.criteria", "[]")
"""Left out, so that what was shared before there were criteria can still be pooled."""

Protocol = tuple[tuple[str, str], ...]
"""Each key with its value as JSON, such as `("outcome.within_days", "90.0")`."""


def study_protocol(study: Study) -> Protocol:
    """Every key of the protocol, in the order of the study's fields."""
    return tuple(
        pair
        for name in PROTOCOL
        for pair in _flatten(name, serialize(getattr(study, name), {}))
        if pair != _NO_CRITERIA
    )


def protocol_hash(protocol: Sequence[Sequence[str]]) -> str:
    """SHA-256 of the protocol."""
    text = json.dumps([list(pair) for pair in protocol], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def describe_differences(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]
) -> tuple[str, ...]:
    """The keys in which two protocols differ, each with both values."""
    left, right = ({key: value for key, value in side} for side in (first, second))  # noqa: C416
    return tuple(
        f"{key} is {left.get(key, 'not there')} against {right.get(key, 'not there')}"
        for key in dict.fromkeys([*left, *right])
        if left.get(key) != right.get(key)
    )


def _flatten(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if key not in _WORDS:
                yield from _flatten(f"{path}.{key}", item)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for at, item in enumerate(value):
            yield from _flatten(f"{path}.{at}", item)
    else:
        yield path, json.dumps(value)
