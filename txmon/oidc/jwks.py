"""The issuer's public keys, each bound to the algorithms that it may verify.

    keys = key_set(document, ("RS256", "ES256"))
    keys.find("2026-11", "RS256")                  a public key, or None

A key verifies what its type, its curve and its own `alg` allow, never what a token asks for. Keys that cannot
be used are left out, and so are two that answer to the same name. Owns the reading; fetches nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
NAME_MAX = 200
_KEYS_MAX = 100
_RSA_BITS = (2048, 8192)
# key type and curve -> what it may verify, and how it is read
_KINDS: dict[tuple[str, str | None], tuple[tuple[str, ...], Callable[[Any], Any]]] = {
    ("RSA", None): (("RS256", "PS256"), RSAAlgorithm.from_jwk),
    ("EC", "P-256"): (("ES256",), ECAlgorithm.from_jwk),
    ("OKP", "Ed25519"): (("EdDSA",), OKPAlgorithm.from_jwk),
}


class KeySet:
    """Public keys by name and algorithm."""

    def __init__(self, keys: Mapping[tuple[str, str], PublicKey]) -> None:
        self._keys = dict(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, name: str, algorithm: str) -> PublicKey | None:
        """Return the key of a name that verifies an algorithm."""
        return self._keys.get((name, algorithm))


def key_set(document: Any, allowed: Collection[str]) -> KeySet:
    """Read a JWK Set (RFC 7517); what cannot be used of it is left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[tuple[str, str], PublicKey] = {}
    times: Counter[tuple[str, str]] = Counter()
    for jwk in (listed if isinstance(listed, list) else [])[:_KEYS_MAX]:
        for name, algorithm, key in _usable(jwk):
            if algorithm in allowed:
                found[name, algorithm] = key
                times[name, algorithm] += 1
    return KeySet({place: key for place, key in found.items() if times[place] == 1})


def _usable(jwk: Any) -> Iterator[tuple[str, str, PublicKey]]:
    """Yield a key under each algorithm that it verifies."""
    if not isinstance(jwk, dict) or "d" in jwk:  # a private key in public is nobody's any more
        return
    name, curve = jwk.get("kid"), jwk.get("crv")
    kind = _KINDS.get((str(jwk.get("kty")), None if curve is None else str(curve)))
    if kind is None or not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX:
        return
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return
    if jwk.get("use") not in (None, "sig"):
        return
    algorithms, read = kind
    try:
        key = read(jwk)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return
    if isinstance(key, RSAPublicKey) and not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
        return
    for algorithm in algorithms:
        if jwk.get("alg") in (None, algorithm):
            yield name, algorithm, key
