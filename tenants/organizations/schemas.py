"""Azure DevOps organizations in requests and responses."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.http.wire import WireModel
from tenants.organizations.service import OrganizationChange
from tenants.sign_in.schemas import AzureDevOpsOrganization
from timers import Organization


class OrganizationList(WireModel):
    items: list[AzureDevOpsOrganization]


class AddOrganization(WireModel):
    name: Organization


class ChangeOrganization(WireModel):
    """A field that is absent is not changed."""

    name: Organization | None = Field(
        None, description="the new name in Azure DevOps; its time stays with it, and logs keep the old name"
    )
    is_active: bool | None = None
    is_default: Literal[True] | None = Field(None, description="replaces the present default")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.is_active is None and self.is_default is None:
            raise ValueError("must change something")
        return self

    def to_change(self) -> OrganizationChange:
        return OrganizationChange(self.name, self.is_active, makes_default=bool(self.is_default))
