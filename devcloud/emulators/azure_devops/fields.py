"""The fields of work items: names, types and values."""

import math
from typing import Any, Final

from devcloud.emulators.azure_devops.errors import rule_error, unknown_field
from devcloud.emulators.azure_devops.items import STATES, WITH_HOURS


COMPLETED: Final = "Microsoft.VSTS.Scheduling.CompletedWork"
REMAINING: Final = "Microsoft.VSTS.Scheduling.RemainingWork"
HISTORY: Final = "System.History"
_HOURS: Final = {
    COMPLETED: "Completed Work",
    REMAINING: "Remaining Work",
    "Microsoft.VSTS.Scheduling.OriginalEstimate": "Original Estimate",
}
_TEXTS: Final = {"System.Title": "Title", HISTORY: "History", "System.Reason": "Reason", "System.Tags": "Tags"}
_READ_ONLY: Final = {
    "System.Id": "ID",
    "System.Rev": "Rev",
    "System.WorkItemType": "Work Item Type",
    "System.TeamProject": "Team Project",
    "System.AreaPath": "Area Path",
    "System.IterationPath": "Iteration Path",
    "System.CreatedDate": "Created Date",
    "System.ChangedDate": "Changed Date",
    "System.ChangedBy": "Changed By",
}
_KNOWN: Final = {*_HOURS, *_TEXTS, *_READ_ONLY, "System.State", "System.AssignedTo"}
_LONGEST_TITLE: Final = 255
_CATEGORIES: Final = {
    "New": "Proposed",
    "Active": "InProgress",
    "Resolved": "Resolved",
    "Closed": "Completed",
    "Removed": "Removed",
}


def check_known(name: str) -> None:
    """Raises AzureDevOpsError for an unknown field."""
    if name not in _KNOWN:
        raise unknown_field(name)


def check_value(kind: str, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Raises AzureDevOpsError for a value that the type does not accept."""
    check_known(name)
    if name in _HOURS:
        if kind not in WITH_HOURS:
            raise unknown_field(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise rule_error(_HOURS[name], "InvalidValue")
    elif name in _READ_ONLY:
        raise rule_error(_READ_ONLY[name], "ReadOnly")
    elif name == "System.State" and value not in STATES[kind]:
        raise rule_error("State", "HasValues, LimitedToValues, AllowsOldValue, InvalidNotOldValue")
    elif name == "System.Title" and not (isinstance(value, str) and 0 < len(value) <= _LONGEST_TITLE):
        raise rule_error("Title", "Required, HasValues" if not value else "InvalidTooLong")
    elif name in _TEXTS and not isinstance(value, str):
        raise rule_error(_TEXTS[name], "InvalidType")


def fields_of(kind: str) -> list[dict[str, Any]]:
    """The response document of a type's fields."""
    names = {**_TEXTS, **_READ_ONLY, "System.State": "State", "System.AssignedTo": "Assigned To"}
    if kind in WITH_HOURS:
        names |= _HOURS
    return [{"referenceName": name, "name": shown, "alwaysRequired": False} for name, shown in names.items()]


def states_of(kind: str) -> list[dict[str, Any]]:
    """The response document of a type's states with categories."""
    return [{"name": name, "color": "b2b2b2", "category": _CATEGORIES[name]} for name in STATES[kind]]
