"""The people of a test and their requests: own directories, real tokens, real HTTP."""

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from tests.support import markers
from tests.support.contract import find_undocumented
from tests.support.entra import Entra


START = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
WORK_ITEM = {"organization": "contoso", "project": "Website", "workItemId": 42}


class FakeClock:
    """A clock that moves by `tick` and `set` only."""

    def __init__(self, at: dt.datetime = START) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at

    def tick(self, **by: float) -> dt.datetime:
        self.at += dt.timedelta(**by)
        return self.at

    def set(self, at: str) -> None:
        self.at = dt.datetime.fromisoformat(at).astimezone(dt.UTC)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.raw) if self.raw else None

    @property
    def code(self) -> str:
        code: str = self.body["code"]
        return code


@dataclass(frozen=True)
class Http:
    """Sends requests to a host over persistent connections; urllib3 takes a third of the time of requests."""

    base: str
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=8))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - any JSON, or bytes as they are
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": "*/*", "Accept-Encoding": "gzip", **markers.HEADERS, **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if key is not None:
            sent["Idempotency-Key"] = key
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else f"{self.base}/api/{path.removeprefix('/api/')}"
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        options: dict[str, Any] = {"timeout": 30, "redirect": False, "retries": False}  # the response as it came
        got = self.pool.urlopen(method, url, body=data, headers=sent, **options)
        wrong = find_undocumented(method, urlsplit(url).path, got.status, got.headers, got.data)
        assert wrong is None, f"{wrong}, unlike the contract"
        return Answer(got.status, got.headers, got.data)


@dataclass(frozen=True)
class Person:
    """A person in a directory, with a token and methods for requests."""

    http: Http
    tid: str
    oid: str
    name: str
    email: str
    token: str

    def __post_init__(self) -> None:
        markers.add_person(self.oid, self.email)

    def get(self, path: str, **params: str) -> Answer:
        return self.http.send("GET", path, token=self.token, params=params)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:  # noqa: ANN401 - any JSON
        return self.http.send("POST", path, body, token=self.token, key=key)

    def delete(self, path: str, *, version: int | str | None = None, **params: str) -> Answer:
        return self.http.send("DELETE", path, token=self.token, headers=_if_match(version), params=params)

    def patch(self, path: str, body: Any, *, version: int | str | None = None) -> Answer:  # noqa: ANN401 - any JSON
        return self.http.send("PATCH", path, body, token=self.token, headers=_if_match(version))

    def start(self, work_item_id: int = 42, *, key: str | None = None, **more: Any) -> Answer:  # noqa: ANN401 - JSON
        return self.post("timers/start", {**WORK_ITEM, "workItemId": work_item_id, **more}, key=key)

    def stop(self, *, key: str | None = None) -> Answer:
        return self.post("timers/stop", key=key)

    def enter(
        self,
        started_at: str = "2026-11-20T09:00:00Z",
        stopped_at: str = "2026-11-20T10:00:00Z",
        **more: Any,  # noqa: ANN401
    ) -> Answer:
        """Adds a time entry by hand."""
        key = more.pop("key", None)
        return self.post("entries", {**WORK_ITEM, "startedAt": started_at, "stoppedAt": stopped_at, **more}, key=key)

    def correct(self, entry: Answer, **fields: Any) -> Answer:  # noqa: ANN401 - any JSON
        """Corrects an entry at the version of a response."""
        body = {"reason": "it was wrong", **fields}
        return self.patch(f"entries/{entry.body['id']}", body, version=entry.body["version"])

    def remove(self, entry: Answer) -> Answer:
        """Deletes an entry at the version of a response."""
        path, headers = f"entries/{entry.body['id']}/delete", _if_match(entry.body["version"])
        return self.http.send("POST", path, {"reason": "by mistake"}, token=self.token, headers=headers)

    def entries(self, **params: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("entries", pageSize="200", **params).body["items"]
        return items

    def running(self) -> Answer:
        return self.get("timers/running")

    def report(self, month: str = "2026-11", **params: str) -> Answer:
        return self.get("reports/month", month=month, **params)

    def log(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("timer-log", pageSize="200").body["items"]
        return items


def read_pages(person: Person, link: str | None) -> list[dict[str, Any]]:
    """The items of all pages from an address on."""
    found: list[dict[str, Any]] = []
    while link:
        answer = person.get(link)
        assert answer.status == 200, answer.raw
        found += answer.body["items"]
        link = answer.body.get("nextLink")
    return found


class World:
    """Creates people and tenants for one test."""

    def __init__(self, http: Http, entra: Entra, clock: FakeClock) -> None:
        self.http, self.entra, self.clock = http, entra, clock
        self._numbers = itertools.count(1)

    def person(self, tid: str | None = None, name: str | None = None, **claims: Any) -> Person:  # noqa: ANN401 - claims
        """A person with a valid token, in a new directory by default."""
        tid, oid = tid or new_id(), new_id()
        name = name or f"Person {next(self._numbers)}"
        email = claims.pop("email", f"{name.replace(' ', '.').lower()}.{oid[:4]}@contoso.example")
        token = self.entra.token(tid=tid, oid=oid, name=name, email=email, at=self.clock(), **claims)
        return Person(self.http, tid, oid, name, email, token)

    def renew_token(self, person: Person, **claims: Any) -> Person:  # noqa: ANN401 - claims
        """The same person with a new token; `claims` are changes of their data in the directory."""
        who = {"tid": person.tid, "oid": person.oid, "name": person.name, "email": person.email}
        return replace(person, token=self.entra.token(**{**who, **claims}, at=self.clock()))

    def tenant(self, time_zone: str = "UTC", name: str = "Contoso") -> Person:
        """Creates a tenant on its trial; returns the super admin."""
        admin = self.person()
        body = {"name": name, "azureDevOpsOrganization": "contoso", "timeZone": time_zone}
        made = admin.post("tenants", body)
        assert made.status == 201, made.raw
        return admin

    def member(self, admin: Person, **claims: Any) -> Person:  # noqa: ANN401 - claims
        """Adds a colleague of the admin, signed in."""
        colleague = self.person(admin.tid, **claims)
        signed_in = colleague.post("sign-in")
        assert signed_in.status == 200, signed_in.raw
        return colleague


def _if_match(version: int | str | None) -> dict[str, str] | None:
    return None if version is None else {"If-Match": f'"{version}"'}


def new_id() -> str:
    return str(uuid.uuid4())  # noqa: TID251 - tests make their own ids
