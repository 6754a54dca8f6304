"""The service's secret, one of its own for each use, and texts that only the service can read."""

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

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
    if not path.exists():
        with suppress(FileExistsError):  # another service that starts now was first
            write_secret(path, f"{secrets.token_hex(32)}\n".encode())
    return read_key(path)


def read_secret_file(path: Path) -> str:
    """The secret of a client of another system; UserError if the file does not hold one."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"client_secret_file {path}: cannot be read ({reason}).") from error
    if not secret:
        raise UserError(f"client_secret_file {path}: is empty; write the client's secret into it.")
    return secret


def seal(text: str, key: bytes) -> str:
    """The text, encrypted, in letters that a cookie and a link can hold. key: of this use alone."""
    return _fernet(key).encrypt(text.encode()).decode().rstrip("=")


def unseal(sealed: str, key: bytes) -> str | None:
    """The text; None if it is none that this service sealed for this use."""
    try:
        return _fernet(key).decrypt(sealed + "=" * (-len(sealed) % 4)).decode()
    except (InvalidToken, ValueError):
        return None


def _fernet(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))
