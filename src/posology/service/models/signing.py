"""Signed models: a manifest with the SHA-256 of every file, signed with Ed25519."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from posology.errors import ArtifactError, UserError

SIGNATURE = "signature.json"
"""File in the model's folder."""
_SIGNED = ("policy.json", "weights.safetensors", "checksums.json", "golden.json")


def make_keys(name: Path) -> tuple[Path, Path]:
    """A new pair of keys: NAME.key, for its owner alone, and NAME.pub, for services."""
    private, public = name.with_suffix(".key"), name.with_suffix(".pub")
    for path in (private, public):
        if path.exists():
            raise UserError(f"{path}: exists already; a key is never overwritten.")
    key = Ed25519PrivateKey.generate()
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def sign(folder: Path, private_key: Path) -> None:
    """Write the signature of the folder's files; an older one is replaced."""
    key = _read_private_key(private_key)
    files = _digests(folder)
    body = {
        "files": files,
        "key": key_id(key.public_key()),
        "signature": base64.b64encode(key.sign(_message(files))).decode(),
    }
    draft = folder / f".{SIGNATURE}"
    draft.write_text(json.dumps(body, indent=1, sort_keys=True))
    draft.replace(folder / SIGNATURE)


def verify(folder: Path, trusted: tuple[Path, ...]) -> str:
    """Name of the trusted key that signed the folder as it is; empty if it has no signature.

    ArtifactError if a file was changed after it was signed, or the key is not trusted.
    """
    path = folder / SIGNATURE
    if not path.exists():
        return ""
    try:
        body = json.loads(path.read_bytes())
        files: dict[str, str] = body["files"]
        signature = base64.b64decode(body["signature"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: is no signature of a model; sign it again.") from error
    keys = {key_id(key): (name, key) for name, key in map(_read_public_key, trusted)}
    if body.get("key") not in keys:
        raise ArtifactError(
            f"{path}: is of key {body.get('key')}, which is none of the {len(keys)} trusted keys; "
            "add its public key to trusted_keys, or sign the model with a trusted one."
        )
    name, key = keys[body["key"]]
    try:
        key.verify(signature, _message(files))
    except InvalidSignature as error:
        raise ArtifactError(f"{path}: the signature is false; sign the model again.") from error
    found = _digests(folder)
    changed = sorted({n for n in {*files, *found} if files.get(n) != found.get(n)})
    if changed:
        raise ArtifactError(
            f"{folder / changed[0]}: was changed after the model was signed; restore the folder "
            "from a copy, or review and sign it again."
        )
    return name


def key_id(key: Ed25519PublicKey) -> str:
    """First 16 hex digits of the SHA-256 of the public key."""
    raw, plain = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return hashlib.sha256(key.public_bytes(raw, plain)).hexdigest()[:16]


def _digests(folder: Path) -> dict[str, str]:
    try:
        return {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in _SIGNED}
    except OSError as error:
        raise ArtifactError(
            f"{error.filename}: cannot be read ({error.strerror}), and is part of a signed model."
        ) from error


def _message(files: dict[str, str]) -> bytes:
    return b"posology model 1\n" + json.dumps(files, sort_keys=True).encode()


def _read_private_key(path: Path) -> Ed25519PrivateKey:
    key = _read(path, lambda content: serialization.load_pem_private_key(content, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{path}: is no private Ed25519 key; `posology serve make-keys` makes one.")
    return key


def _read_public_key(path: Path) -> tuple[str, Ed25519PublicKey]:
    key = _read(path, serialization.load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise UserError(f"{path}: is no public Ed25519 key; `posology serve make-keys` makes one.")
    return path.stem, key


def _read(path: Path, load: Any) -> object:
    try:
        return load(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it is no PEM file of a key without password"
        raise UserError(f"{path}: cannot be read as a key ({reason}).") from error
