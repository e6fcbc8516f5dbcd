"""The fields of a work item: which there are, which type has them, and which values they take."""

import math
from typing import Any, Final

from devcloud.emulators.azure_devops.items import STATES, WITH_HOURS
from devcloud.emulators.azure_devops.refusal import broken_rule, no_field


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
    """Raises Refused for a field that no type has."""
    if name not in _KNOWN:
        raise no_field(name)


def check_value(kind: str, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Raises Refused unless a work item of that type takes the value."""
    check_known(name)
    if name in _HOURS:
        if kind not in WITH_HOURS:
            raise no_field(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise broken_rule(_HOURS[name], "InvalidValue")
    elif name in _READ_ONLY:
        raise broken_rule(_READ_ONLY[name], "ReadOnly")
    elif name == "System.State" and value not in STATES[kind]:
        raise broken_rule("State", "HasValues, LimitedToValues, AllowsOldValue, InvalidNotOldValue")
    elif name == "System.Title" and not (isinstance(value, str) and 0 < len(value) <= _LONGEST_TITLE):
        raise broken_rule("Title", "Required, HasValues" if not value else "InvalidTooLong")
    elif name in _TEXTS and not isinstance(value, str):
        raise broken_rule(_TEXTS[name], "InvalidType")


def fields_of(kind: str) -> list[dict[str, Any]]:
    """The fields of a type, as a list of them is answered."""
    names = {**_TEXTS, **_READ_ONLY, "System.State": "State", "System.AssignedTo": "Assigned To"}
    if kind in WITH_HOURS:
        names |= _HOURS
    return [{"referenceName": name, "name": shown, "alwaysRequired": False} for name, shown in names.items()]


def states_of(kind: str) -> list[dict[str, Any]]:
    """The states of a type with their categories, as a list of them is answered."""
    return [{"name": name, "color": "b2b2b2", "category": _CATEGORIES[name]} for name in STATES[kind]]
