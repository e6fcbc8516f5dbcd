"""The directory of the bench: one key, published over loopback, and tokens for the people of the load."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from shared import clock


API, EXTENSION = "6e74172b-be56-4843-9ff4-e66a39bb12e3", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
TID = "b0b0b0b0-0000-4000-8000-000000000000"
_KID = "bench"
_VALID_SECONDS = 12 * 3600


def oid(number: int) -> str:
    return f"b0b0b0b0-0000-4000-8000-{number:012x}"


class Directory:
    """Signs tokens as Entra words them."""

    def __init__(self, authority: str, key: rsa.RSAPrivateKey) -> None:
        self.authority, self._key = authority, key
        self.keys_url = f"{authority}/common/discovery/v2.0/keys"
        self.issuer = f"{authority}/{TID}/v2.0"

    def token(self, number: int) -> str:
        """An access token of one person of the bench."""
        now = int(clock.now().timestamp())
        claims = {
            "aud": API,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + _VALID_SECONDS,
            "tid": TID,
            "oid": oid(number),
            "sub": oid(number),
            "uti": "AAAAAAAAAAAAAAAAAAAAAA",
            "ver": "2.0",
            "azp": EXTENSION,
            "azpacr": "0",
            "scp": "access_as_user",
            "name": f"Person {number}",
            "preferred_username": f"person{number}@contoso.example",
            "email": f"person{number}@contoso.example",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": _KID})


@contextlib.contextmanager
def directory() -> Iterator[Directory]:
    """A directory whose keys are served for as long as the context lasts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Keys) as server:
        made = Directory(f"http://127.0.0.1:{server.server_port}", key)
        _Keys.document = _key_set(key, made.authority)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def _key_set(key: rsa.RSAPrivateKey, authority: str) -> bytes:
    def number(value: int) -> str:
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    public = key.public_key().public_numbers()
    published = {"kty": "RSA", "use": "sig", "kid": _KID, "n": number(public.n), "e": number(public.e)}
    return json.dumps({"keys": [{**published, "issuer": f"{authority}/{{tenantid}}/v2.0"}]}).encode()


class _Keys(BaseHTTPRequestHandler):
    document = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.document)))
        self.end_headers()
        self.wfile.write(self.document)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
