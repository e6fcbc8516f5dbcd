"""The blocks of docs/scripting.md run as they are, against the product and the Entra emulator."""

import csv
import datetime as dt
import io
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msal  # type: ignore[import-untyped]
import pytest
import requests

from devcloud.emulators.entra.clients import SCRIPTS, TIMETRACKER_API
from devcloud.emulators.entra.people import Directory, Person, add_people, temporary_people
from shared import clock as real_clock
from tests.support.world import WORK_ITEM, new_id
from tests.support.world import Person as Caller


PAGE = (Path(__file__).resolve().parents[2] / "docs/scripting.md").read_text()
BASH, PYTHON = (re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("bash", "python"))
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def person():
    with temporary_people():
        directory = Directory(new_id(), "Script", "script.example")
        account = Person("scripter", "Sam Script", "sam@script.example", new_id(), directory, directory)
        add_people(account)
        yield account


@pytest.fixture
def environment(app, host, entra, clock, person):  # noqa: ARG001 - the app is in place while requests come
    """The values of the page; tokens are of the present."""
    clock.at = real_clock.now()
    return {
        "API": host,
        "API_ID": TIMETRACKER_API.id,
        "CLIENT_ID": SCRIPTS.id,
        "AUTHORITY": f"{entra.authority}/{person.directory.tid}",
    }


@pytest.fixture
def sam(world, environment, person):  # noqa: ARG001 - the app accepts the client
    """The person of the script, with a tenant."""
    sam = world.person(person.directory.tid)
    sam = world.renew_token(Caller(sam.http, sam.tid, person.oid, person.name, person.email, sam.token))
    body = {"name": "Script", "azureDevOpsOrganization": "contoso", "timeZone": "UTC"}
    assert sam.post("tenants", body).status == 201
    return sam


@on_sqlite
def test_a_token_comes_by_curl_and_is_renewed(environment, sam, person):
    enter = 'curl -sS "$(field verification_uri <<< "$started")" -d "code=$(field user_code <<< "$started")" '
    enter += f"-d person={person.oid} > /dev/null"
    first = 'FIRST=$TOKEN; echo; test "$TOKEN"'
    again = 'test "$TOKEN" != "$FIRST"; curl -sS -H "Authorization: Bearer $TOKEN" "$API/api/me"'
    script = "\n".join(["set -e", BASH[0], enter, BASH[1], first, BASH[2], again])
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    message, me, me_again = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert message.startswith("To sign in, use a web browser to open the page")
    assert f'"id":"{sam.get("me").body["id"]}"' in me
    assert me == me_again


class PlainHttp(requests.adapters.HTTPAdapter):
    """MSAL accepts https only, also in answers, and the emulator speaks http."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        request.url = str(request.url).replace("https:", "http:")
        response = super().send(request, *args, **options)
        response._content = response.content.replace(b"http:", b"https:")
        return response


@on_sqlite
def test_the_example_lists_a_month_as_csv(environment, sam, person, monkeypatch, capsys):
    day = (real_clock.now() - dt.timedelta(days=40)).date().replace(day=10)
    others = [day.replace(day=1) - dt.timedelta(days=1), day.replace(day=28) + dt.timedelta(days=4)]
    for number, date in enumerate([day, day, day.replace(day=1), *others]):
        hour = f"{date}T{9 + number:02}"
        assert sam.enter(f"{hour}:00:00Z", f"{hour}:45:00Z", workItemId=7 + number).status == 201
    session = requests.Session()
    session.mount("https://127.0.0.1", PlainHttp())
    plain = partial(msal.PublicClientApplication, http_client=session, instance_discovery=False)
    monkeypatch.setattr(msal, "PublicClientApplication", plain)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("http:", "https:") if name == "AUTHORITY" else value)
    monkeypatch.setattr(sys, "argv", ["example", f"{day:%Y-%m}"])

    def enter(message: str, file: object = None) -> None:  # noqa: ARG001 - as print takes it
        page, code = re.findall(r"page https(\S+) .* code (\w+)", message)[0]
        entered = requests.post(f"http{page}", data={"code": code, "person": person.oid}, timeout=10)
        assert entered.status_code == 200

    exec(  # noqa: S102 - the example of our own page
        PYTHON[0].replace('"pageSize": 200', '"pageSize": 1'), {"print": enter}
    )
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))

    assert header == ["date", "project", "work item", "hours"]
    assert rows == sorted(
        [str(date), WORK_ITEM["project"], str(number), "0.7500"]
        for date, number in ((day, 7), (day, 8), (day.replace(day=1), 9))
    )


def test_the_page_has_the_values_of_the_local_product():
    assert {SCRIPTS.id, TIMETRACKER_API.id} <= set(re.findall(r"[0-9a-f-]{36}", PAGE))
