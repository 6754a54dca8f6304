"""The service's secret, and one of its own for each use."""

import hashlib
import hmac
import secrets
from pathlib import Path

from posology.errors import UserError
from posology.records.io.drafts import write_secret

KEY = "service.key"
"""File in the service's folder."""


def derive_key(key: bytes, purpose: str) -> bytes:
    """HMAC-SHA256 of the purpose: one secret's uses cannot be confused."""
    return hmac.new(key, b"posology\0" + purpose.encode(), hashlib.sha256).digest()


def read_key(path: Path) -> bytes:
    """The 32 bytes of the file; UserError if it is damaged."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise UserError(f"{path}: is no key of a service; restore it from a copy.") from error
    if len(key) != 32:
        raise UserError(f"{path}: holds {len(key)} bytes, not 32; restore it from a copy.")
    return key


def read_or_make_key(path: Path) -> bytes:
    """The key of the file, which only its owner may read; made at the first start."""
    if path.exists():
        return read_key(path)
    key = secrets.token_bytes(32)
    write_secret(path, f"{key.hex()}\n".encode())
    return key
