"""What the RFCs of JWT and JWS ask of whoever verifies a token, as tokens that must be refused."""

from posology.conformance.statements.statement import Level, Statement

_ABSENT = "the tester has no key: posology conform --make-key"


def _token(name: str, level: Level, about: str, source: str) -> Statement:
    return Statement(f"jwt-{name}", level, about, source, _ABSENT)


ROWS = (
    _token("kid", "SHALL", "A foreign key under the client's kid is refused", "RFC 7515 5.2"),
    _token("jku", "SHALL", "A foreign key set named by jku is refused", "RFC 8725 3.10"),
    _token("jwk", "SHALL", "A key that the token brings in jwk is refused", "RFC 7515 10.1"),
    _token("x5c", "SHALL", "A certificate that the token brings is refused", "RFC 7515 10.1"),
    _token("crit", "SHALL", "An unknown critical header is refused", "RFC 7515 4.1.11"),
    _token("zero", "SHALL", "A signature of zeros is refused", "RFC 7518 3.4"),
    _token("garbage", "SHALL", "What is no token is refused", "RFC 7519 7.2"),
    _token("aud", "SHALL", "A token for another service is refused", "RFC 7519 4.1.3"),
    _token("exp", "SHALL", "An expired token is refused", "RFC 7519 4.1.4"),
    _token("nbf", "SHALL", "A token that is not yet valid is refused", "RFC 7519 4.1.5"),
    _token("path", "SHOULD", "A token for another endpoint is refused", "RFC 8725 3.9"),
    _token("replay", "SHOULD", "A token is accepted once", "CDS Hooks 2.0 #trusting-cds-clients"),
    _token("claims", "SHOULD", "A token without exp, iat or jti is refused", "RFC 8725 3.10"),
)
