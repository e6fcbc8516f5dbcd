"""Azure DevOps organizations on the wire, as they are listed, added and changed."""

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
    """What is absent or null stays as it is."""

    name: Organization | None = Field(
        None, description="its new name in Azure DevOps. Time stays with it; logs keep the name that it had"
    )
    is_active: bool | None = None
    is_default: Literal[True] | None = Field(None, description="in the place of the one that is the default now")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.is_active is None and self.is_default is None:
            raise ValueError("must change something")
        return self

    def to_change(self) -> OrganizationChange:
        return OrganizationChange(self.name, self.is_active, makes_default=bool(self.is_default))
