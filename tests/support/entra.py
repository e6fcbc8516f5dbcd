"""temporary"""

import contextlib, json, threading, http.server, datetime as dt
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

API_CLIENT_ID = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
EXTENSION_CLIENT_ID = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"


class Entra:
    def __init__(self, authority, key):
        self.authority, self.key = authority, key

    def token(self, *, tid, oid, name, email, at, **claims):
        n = int(at.timestamp())
        c = dict(
            aud=API_CLIENT_ID,
            iss=f"{self.authority}/{tid}/v2.0",
            iat=n - 86400 * 400,
            nbf=n - 86400 * 400,
            exp=n + 86400 * 400,
            sub=oid,
            tid=tid,
            oid=oid,
            ver="2.0",
            azp=EXTENSION_CLIENT_ID,
            scp="access_as_user",
            name=name,
            preferred_username=email,
            email=email,
        )
        c.update(claims)
        return jwt.encode(c, self.key, algorithm="RS256", headers={"kid": "k"})


@contextlib.contextmanager
def running(folder):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    j = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    j.pop("key_ops", None)
    j.update(kid="k", use="sig")

    class H(http.server.BaseHTTPRequestHandler):
        def log_message(self, *a):
            pass

        def do_GET(self):
            b = json.dumps({"keys": [{**j, "issuer": self.server.a + "/{tenantid}/v2.0"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(b)))
            self.end_headers()
            self.wfile.write(b)

    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
    s.a = f"http://127.0.0.1:{s.server_port}"
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield Entra(s.a, key)
    s.shutdown()
    s.server_close()
