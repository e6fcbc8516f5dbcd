"""The signing keys: two published ones, stored in a file for restarts, and an unpublished one."""

import base64
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


PUBLISHED: Final = 2
KEY_BITS: Final = 2048


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKeyPair:
    """One RSA key with its published id."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self._private = private
        numbers = private.public_key().public_numbers()
        self._n = base64url(numbers.n.to_bytes(KEY_BITS // 8, "big"))
        self.kid = base64url(hashlib.sha256(self._n.encode()).digest()[:20])

    @classmethod
    def generate(cls) -> "SigningKeyPair":
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS))

    @classmethod
    def from_pem(cls, pem: str) -> "SigningKeyPair":
        private = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError("not an RSA key")
        return cls(private)

    def to_pem(self) -> str:
        key_format, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self._private.private_bytes(serialization.Encoding.PEM, key_format, no_password).decode()

    def jwk(self, issuer: str) -> dict[str, str]:
        """The public key as Entra publishes it: without `alg`, with `issuer`."""
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": self._n,
            "e": "AQAB",
            "issuer": issuer,
        }

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """The compact token, always signed with RS256; tests use false headers."""
        parts = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._private.sign(parts.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{parts}.{base64url(signature)}"


class KeyRing:
    """The first key signs; the others are published, so that their tokens stay valid."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changing = threading.Lock()
        self.published: tuple[SigningKeyPair, ...] = self._load() or self._save(_generate(PUBLISHED))

    @property
    def current(self) -> SigningKeyPair:
        return self.published[0]

    @cached_property
    def unpublished(self) -> SigningKeyPair:
        """A key that was never published."""
        return SigningKeyPair.generate()

    def rotate(self, *, drop_old: bool) -> SigningKeyPair:
        """Signs with a new key; `drop_old` also withdraws all earlier keys, as after a leak."""
        with self._changing:
            kept_pairs = () if drop_old else self.published[: PUBLISHED - 1]
            self.published = self._save((*_generate(PUBLISHED - len(kept_pairs)), *kept_pairs))
            return self.current

    def _load(self) -> tuple[SigningKeyPair, ...]:
        if not self._file.exists():
            return ()
        return tuple(SigningKeyPair.from_pem(pem) for pem in json.loads(self._file.read_text()))

    def _save(self, pairs: tuple[SigningKeyPair, ...]) -> tuple[SigningKeyPair, ...]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([pair.to_pem() for pair in pairs], file)
        temporary.replace(self._file)
        return pairs


def _generate(count: int) -> tuple[SigningKeyPair, ...]:
    return tuple(SigningKeyPair.generate() for _ in range(count))
