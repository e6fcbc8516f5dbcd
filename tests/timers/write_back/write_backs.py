"""Steps of tests of the write-back: turn it on, send with a token, add, correct and delete entries."""

from tests.support.world import WORK_ITEM


BUG, TASK, STORY = 42, 57, 61  # a user story has no hours
HEADER = "X-AzureDevOps-Token"


def change(person, **fields):
    changed = person.http.send("PATCH", "tenant", fields, token=person.token, headers={"If-Match": "*"})
    assert changed.status == 200, changed.raw


def send(person, method, path, token, body=None, **headers):
    return person.http.send(
        method, path, body, token=person.token, headers={**({} if token is None else {HEADER: token}), **headers}
    )


def run_timer(person, clock, token, *, item=BUG, minutes=30.0, **headers):
    """A timer of half an hour on an item, stopped with the token."""
    person.start(item)
    clock.tick(minutes=minutes)
    return send(person, "POST", "timers/stop", token, **headers)


def add_entry(person, token, start, stop, *, item=BUG):
    """An entry of one morning, added by hand."""
    times = {"startedAt": f"2026-11-20T{start}:00Z", "stoppedAt": f"2026-11-20T{stop}:00Z"}
    return send(person, "POST", "entries", token, {**WORK_ITEM, "workItemId": item, **times})


def correct_entry(person, entry, token, **fields):
    path, body = f"entries/{entry['id']}", {"reason": "it was wrong", **fields}
    return send(person, "PATCH", path, token, body, **{"If-Match": f'"{entry["version"]}"'})


def delete_entry(person, entry, token):
    path = f"entries/{entry['id']}?reason=wrong"
    return send(person, "DELETE", path, token, **{"If-Match": f'"{entry["version"]}"'})


def retry(person, entry_id, token):
    return send(person, "POST", f"entries/{entry_id}/write-back", token)
