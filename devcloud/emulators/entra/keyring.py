"""The signing keys: two published ones, kept in a file so that tokens survive a restart, and one nobody published."""

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
    """One RSA key with the id it is published under."""

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
        form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self._private.private_bytes(serialization.Encoding.PEM, form, no_password).decode()

    def jwk(self, issuer: str) -> dict[str, str]:
        """The public half as Entra publishes it: no `alg`, but whose tokens it signs."""
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": self._n,
            "e": "AQAB",
            "issuer": issuer,
        }

    def signed(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """The compact token, signed RS256 whatever the header says: tests need tokens that lie."""
        parts = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._private.sign(parts.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{parts}.{base64url(signature)}"


class KeyRing:
    """The first key signs; the others are published, so that what they signed still holds."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changing = threading.Lock()
        self.published: tuple[SigningKeyPair, ...] = self._load() or self._keep(_generate(PUBLISHED))

    @property
    def current(self) -> SigningKeyPair:
        return self.published[0]

    @cached_property
    def unpublished(self) -> SigningKeyPair:
        """A key that no key set ever held."""
        return SigningKeyPair.generate()

    def rotate(self, *, drop_old: bool) -> SigningKeyPair:
        """Signs with a new key from now on; `drop_old` also withdraws every earlier one, as after a leak."""
        with self._changing:
            kept = () if drop_old else self.published[: PUBLISHED - 1]
            self.published = self._keep((*_generate(PUBLISHED - len(kept)), *kept))
            return self.current

    def _load(self) -> tuple[SigningKeyPair, ...]:
        if not self._file.exists():
            return ()
        return tuple(SigningKeyPair.from_pem(pem) for pem in json.loads(self._file.read_text()))

    def _keep(self, pairs: tuple[SigningKeyPair, ...]) -> tuple[SigningKeyPair, ...]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            json.dump([pair.to_pem() for pair in pairs], opened)
        draft.replace(self._file)
        return pairs


def _generate(count: int) -> tuple[SigningKeyPair, ...]:
    return tuple(SigningKeyPair.generate() for _ in range(count))
