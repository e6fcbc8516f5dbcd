"""The fields of a work item: which there are, which type has them, and which values they take."""

import math
from typing import Any, Final

from devcloud.azure_devops.items import STATES, WITH_HOURS
from devcloud.azure_devops.refusal import broken_rule, no_field


COMPLETED: Final = "Microsoft.VSTS.Scheduling.CompletedWork"
HISTORY: Final = "System.History"
_HOURS: Final = {
    COMPLETED: "Completed Work",
    "Microsoft.VSTS.Scheduling.RemainingWork": "Remaining Work",
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
