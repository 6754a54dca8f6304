"""Signed models: a manifest with the SHA-256 of every file, signed with Ed25519."""

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from posology.errors import ArtifactError, UserError
from posology.records.io.atomic_replace import exchange_folders
from posology.records.io.drafts import draft_file, draft_folder, write_secret, write_whole

SIGNATURE = "signature.json"
"""File in the model's folder."""
GOLDEN = "golden.json"
"""File of golden patients and the answers to them."""
_SIGNED = ("policy.json", "weights.safetensors", "checksums.json", GOLDEN)


def make_keys(name: Path) -> tuple[Path, Path]:
    """A new pair of keys: NAME.key, for its owner alone, and NAME.pub, for services.

    Where there is NAME.key alone, as a killed run leaves it, its NAME.pub is written.
    """
    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    for path in (private, public):
        if path.exists() and public.exists():
            raise UserError(f"{path}: exists already; a key is never overwritten.")
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True)
        made = Ed25519PrivateKey.generate()
        write_secret(private, made.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    key = _read_private_key(private).public_key()
    with draft_file(public) as draft:
        draft.write_bytes(key.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def sign(folder: Path, private_key: Path, golden: bytes | None = None) -> None:
    """Replace the folder by one with the signature of its files; an older one is replaced.

    golden: content of golden.json, which is written in the same step.
    """
    key = _read_private_key(private_key)
    folder = folder.resolve()
    with draft_folder(folder) as draft:
        new = draft / "signed"
        shutil.copytree(folder, new, copy_function=_link)
        if golden is not None:
            with draft_file(new / GOLDEN) as file:
                file.write_bytes(golden)
        files = _digests(new)
        body = {
            "files": files,
            "key": key_id(key.public_key()),
            "signature": base64.b64encode(key.sign(_message(files))).decode(),
        }
        write_whole(new / SIGNATURE, json.dumps(body, indent=1, sort_keys=True))
        exchange_folders(new, folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # no links in this file system
        shutil.copy2(source, target)


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
