"""Sets the time of a work item and a day."""

DAY = "2026-11-20"


def set_day(person, elapsed_ms, expected_ms, *, item=42, day=DAY, headers=None, organization="contoso", **more):
    body = {"project": "Website", "elapsedMs": elapsed_ms, "expectedMs": expected_ms, **more}
    path = f"days/{day}/work-items/{organization}/{item}"
    return person.http.send("PUT", path, body, token=person.token, headers=headers)
