"""Subject numbers: the same text gives the same int64 on every machine and in every source."""

from collections.abc import Iterable
from hashlib import blake2b

import pyarrow as pa

_INT64 = range(-(2**63), 2**63)


def subject_number(text: str) -> int:
    """The number of a subject's identifier.

    An integer in the range of int64, written as integers are ("17", not "017"), stays itself. Any
    other text becomes the first 63 bits of its BLAKE2b hash (RFC 7693), so that numbers need no
    table: a million such subjects collide with a chance of 5e-8 (the birthday bound).
    """
    text = text.strip()
    if not text:
        raise ValueError("an empty text names no subject")
    if len(text) <= 20 and text.lstrip("-").isdigit():
        try:
            number = int(text)
        except ValueError:  # digits of other kinds, such as a superscript two
            number = 2**63
        if number in _INT64 and str(number) == text:
            return number
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def subject_numbers(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The numbers of a column of identifiers; null where it is null or empty.

    Each different identifier is hashed once.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    encoded = texts.cast(pa.string()).dictionary_encode()
    numbers = pa.array(_each(encoded.dictionary.to_pylist()), pa.int64())
    return numbers.take(encoded.indices)


def _each(texts: Iterable[str]) -> list[int | None]:
    return [subject_number(text) if text.strip() else None for text in texts]
