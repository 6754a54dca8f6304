"""Whom the service trusts when it reads from a record system."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from posology.service.fhir import client


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    client._certificates.cache_clear()
    yield
    client._certificates.cache_clear()


def test_a_hospital_s_own_authority_is_trusted_by_ssl_cert_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Hospital CA")])
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    built = built.public_key(key.public_key()).not_valid_before(now)
    built = built.not_valid_after(now + datetime.timedelta(days=1))
    built = built.add_extension(x509.BasicConstraints(True, None), critical=True)
    file = tmp_path / "ca.pem"
    signed = built.sign(key, hashes.SHA256())
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    (trusted,) = client._certificates().get_ca_certs()
    assert trusted["subject"] == ((("commonName", "Hospital CA"),),)
    monkeypatch.delenv("SSL_CERT_FILE")
    client._certificates.cache_clear()
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert len(client._certificates().get_ca_certs()) > 20
