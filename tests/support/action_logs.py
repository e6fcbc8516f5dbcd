"""The action log in Table Storage: reads partitions, and writes rows in the former format."""

from collections.abc import Iterable

from azure.data.tables import TableEntity, TableServiceClient

from tenants.actions.log.model import Action, month_of


def empty(service: TableServiceClient) -> None:
    for table in service.list_tables():
        client = service.get_table_client(table.name)
        for row in client.list_entities():
            client.delete_entity(row)


def write_numbered(service: TableServiceClient, actions: Iterable[Action]) -> None:
    """Writes actions in the former format, under row numbers."""
    for each in actions:
        entity = TableEntity(PartitionKey=f"{each.tenant_id:012d}", RowKey=each.row_key, UserId=str(each.user_id))
        entity |= {"ActionType": each.action_type, "Page": each.page, "HappenedAt": each.happened_at}
        service.create_table_if_not_exists(f"actions{month_of(each.row_key)}").upsert_entity(entity)


def partitions(service: TableServiceClient) -> set[str]:
    return {
        row["PartitionKey"]
        for table in service.list_tables()
        for row in service.get_table_client(table.name).list_entities()
    }
