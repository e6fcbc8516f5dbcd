"""Searches work items: asks Azure DevOps with the caller's token, then adds those that are known."""

from dataclasses import dataclass
from typing import Final

from shared.http.call import Call
from shared.tenancy.model import Organization
from timers import azure_devops
from timers.azure_devops.errors import AzureDevOpsError
from timers.picker import recent_store, search_store
from timers.picker.model import ListedItem, SearchState
from timers.search_rules import Search, rank_name, rank_number, top_matches
from timers.work_items.lookup_flow import look_up
from timers.work_items.store import CachedWorkItem


MAX_FOUND: Final = 20
_MAX_RECENT: Final = 500
_REMOTE_ONLY_RANK: Final = 10  # the rank of an item that only Azure DevOps finds
_QUERY_SECONDS: Final = 3.0  # a person waits while they type


@dataclass(frozen=True, slots=True)
class AzureDevOpsAnswer:
    """The items that Azure DevOps found, or its error."""

    state: SearchState
    items: tuple[ListedItem, ...] = ()
    error: AzureDevOpsError | None = None


def ask_azure_devops(call: Call, search: Search, organization: Organization) -> AzureDevOpsAnswer:
    """Asks in one organization, for the number or else for titles with all words; never raises its errors."""
    if not organization.is_active or not azure_devops.has_token(call):
        return AzureDevOpsAnswer(SearchState.NOT_ASKED)
    try:
        session = azure_devops.open_session(call, _QUERY_SECONDS, organization.name)
        numbers = session.search_titles(search.text, most=MAX_FOUND) if search.number is None else [search.number]
        found = look_up(call.app, call.caller, organization, numbers, session)
    except AzureDevOpsError as error:
        return AzureDevOpsAnswer(SearchState.FAILED, error=error)
    items = (_to_listed(organization.name, found[number]) for number in numbers if number in found)
    return AzureDevOpsAnswer(SearchState.ANSWERED, tuple(items))


def merge_results(call: Call, search: Search, organization: str | None, answer: AzureDevOpsAnswer) -> list[ListedItem]:
    """The best of the items that Azure DevOps found, and of those with the viewer's time, a reading, or the number."""
    with call.transaction() as tx:
        tenant_id, viewer, now = call.caller.tenant.id, call.caller.user.id, call.now
        worked = recent_store.read(tx, tenant_id, viewer, limit=_MAX_RECENT, now=now)
        known = [each.item for each in worked]
        if search.number is not None:
            everyone = call.sees_everyone
            number = search.number
            known += search_store.read_by_number(tx, tenant_id, number, viewer=viewer, everyone=everyone, now=now)
        known += search_store.read_items(tx, tenant_id, viewer, now=now)
    found = {_key(each): each for each in answer.items}
    items = {_key(each): each for each in reversed(known) if organization in {None, each.organization}}

    def rank(item: ListedItem) -> int | None:
        ranks = (rank_number(search, item.work_item_id), rank_name(search, item.title or ""))
        known_rank = min((each for each in ranks if each is not None), default=None)
        return _REMOTE_ONLY_RANK if known_rank is None and _key(item) in found else known_rank

    return top_matches({**dict(reversed(items.items())), **found}.values(), rank, limit=MAX_FOUND)


def _key(item: ListedItem) -> tuple[str, int]:
    return item.organization, item.work_item_id


def _to_listed(organization: str, item: CachedWorkItem) -> ListedItem:
    return ListedItem(
        organization, item.id, item.project, item.type, item.title, assignee_name=item.assignee_name, state=item.state
    )
