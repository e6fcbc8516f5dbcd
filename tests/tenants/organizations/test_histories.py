"""After any history of organizations and projects, reports and lists are as in a plain model."""

import collections
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.budget import tries


# Names and their projects: variants by composition, invisible characters and case.
SPELLINGS = {
    "Büro": "büro",
    "Bu\N{COMBINING DIAERESIS}ro": "büro",
    "Website": "website",
    "Web\N{ZERO WIDTH SPACE}site": "website",
    "WEBSITE ": "website",
    "Portal": "portal",
}
ORGANIZATIONS = ["contoso", "Contoso", "labs", "LABS", "othercorp"]
MINUTE = 60_000
some = st.integers(0, 20)


@dataclass(eq=False)
class Organization:
    name: str
    is_active: bool = True


@dataclass(eq=False)
class Project:
    """`joined_to` is the one that an admin joined it with."""

    organization: Organization
    name: str
    is_one: str
    joined_to: "Project | None" = None

    @property
    def counts_as(self) -> "Project":
        return self if self.joined_to is None else self.joined_to.counts_as


@dataclass
class Model:
    organizations: list[Organization]
    default: Organization
    projects: list[Project] = field(default_factory=list)
    entries: list[tuple[Project, int, int]] = field(default_factory=list)  # on which, the work item, milliseconds

    def organization(self, name: str) -> Organization | None:
        return next((each for each in self.organizations if each.name.lower() == name.lower()), None)

    def project(self, organization: Organization, spelling: str) -> Project:
        one = SPELLINGS[spelling]
        for each in self.projects:
            if each.organization is organization and each.is_one == one:
                return each
        self.projects.append(Project(organization, spelling.strip(), one))
        return self.projects[-1]


class Histories(RuleBasedStateMachine):
    def __init__(self, world) -> None:
        super().__init__()
        self.world, self.minutes = world, 0

    @initialize()
    def a_tenant(self):
        self.ada = self.world.tenant()
        contoso = Organization("contoso")
        self.model = Model([contoso], contoso)

    @rule(name=st.sampled_from(ORGANIZATIONS), project=st.sampled_from(list(SPELLINGS)), number=st.integers(1, 3))
    def enter(self, name, project, number):
        self.minutes += 1
        answer = self.ada.enter(
            "2026-11-20T09:00:00Z",
            f"2026-11-20T09:{self.minutes:02}:00Z",
            organization=name,
            project=project,
            workItemId=number,
        )
        organization = self.model.organization(name)
        if organization is None or not organization.is_active:
            assert answer.code == "wrong_organization"
            return
        on = self.model.project(organization, project)
        assert (answer.status, answer.body["organization"], answer.body["project"]) == (201, organization.name, on.name)
        self.model.entries.append((on, number, self.minutes * MINUTE))

    @rule(name=st.sampled_from(ORGANIZATIONS))
    def add(self, name):
        answer = self.ada.post("organizations", {"name": name})
        if self.model.organization(name) is not None:
            assert answer.code == "organization_exists"
            return
        assert answer.status == 201
        self.model.organizations.append(Organization(name))

    @rule(which=some, name=st.sampled_from(ORGANIZATIONS))
    def rename(self, which, name):
        organization, answer = self._change(which, {"name": name})
        if self.model.organization(name) not in {None, organization}:
            assert answer.code == "organization_exists"
            return
        assert answer.status == 200
        organization.name = name

    @rule(which=some, is_active=st.booleans(), is_default=st.booleans())
    def activate(self, which, is_active, is_default):
        organization, answer = self._change(
            which, {"isActive": is_active, **({"isDefault": True} if is_default else {})}
        )
        if not is_active and (is_default or organization is self.model.default):
            assert answer.code == "default_organization"
            return
        assert answer.status == 200
        organization.is_active = is_active
        if is_default:
            self.model.default = organization

    @rule(name=st.sampled_from(ORGANIZATIONS))
    def choose_the_default(self, name):
        answer = self.ada.http.send(
            "PATCH", "tenant", {"azureDevOpsOrganization": name}, token=self.ada.token, headers={"If-Match": "*"}
        )
        assert answer.status == 200
        organization = self.model.organization(name)
        if organization is None:
            organization = Organization(name)
            self.model.organizations.append(organization)
        organization.is_active = True
        self.model.default = organization

    @precondition(lambda self: self.model.projects)
    @rule(one=some, other=some)
    def join(self, one, other):
        one, other = (self.model.projects[number % len(self.model.projects)] for number in (one, other))
        answer = self.ada.post(f"projects/{self._id(one)}/join", {"projectId": self._id(other)})
        if one.organization is not other.organization:
            assert answer.code == "other_organization"
        elif one.joined_to is not None or other.counts_as is one:
            assert answer.code == "project_joined"
        else:
            assert answer.status == 200
            one.joined_to = other

    @precondition(lambda self: self.model.projects)
    @rule(one=some)
    def separate(self, one):
        one = self.model.projects[one % len(self.model.projects)]
        answer = self.ada.delete(f"projects/{self._id(one)}/join")
        assert answer.status == (409 if one.joined_to is None else 200)
        one.joined_to = None

    @invariant()
    def projects_add_up(self):
        sums = collections.Counter[tuple[str, str]]()
        for project, _, ms in self.model.entries:
            sums[project.organization.name, project.counts_as.name] += ms
        rows = self._report(groupBy="project")
        assert {(row["organization"], row["project"]): row["elapsedMs"] for row in rows} == sums
        assert len(rows) == len(sums)

    @invariant()
    def work_items_add_up(self):
        sums = collections.Counter[tuple[str, int]]()
        for project, number, ms in self.model.entries:
            sums[project.organization.name, number] += ms
        rows = self._report(groupBy="workItem")
        assert {(row["workItem"]["organization"], row["workItem"]["id"]): row["elapsedMs"] for row in rows} == sums
        assert len(rows) == len(sums)

    @invariant()
    def filters_find_what_is_theirs(self):
        for organization in self.model.organizations:
            of = [each for each in self.model.entries if each[0].organization is organization]
            assert len(self.ada.entries(organization=organization.name)) == len(of)
            rows = self._report(groupBy="user", organization=organization.name)
            assert sum(row["elapsedMs"] for row in rows) == sum(ms for _, _, ms in of)
        for spelling, one in SPELLINGS.items():
            named = {each.counts_as for each in self.model.projects if each.is_one == one}
            of = [each for each in self.model.entries if each[0].counts_as in named]
            assert len(self.ada.entries(project=spelling)) == len(of)
            assert sum(row["elapsedMs"] for row in self._report(project=spelling)) == sum(ms for _, _, ms in of)

    @invariant()
    def organizations_are_as_they_were_made(self):
        shown = {
            each["name"]: (each["isActive"], each["isDefault"]) for each in self.ada.get("organizations").body["items"]
        }
        assert shown == {each.name: (each.is_active, each is self.model.default) for each in self.model.organizations}
        assert self.ada.get("tenant").body["azureDevOpsOrganization"] == self.model.default.name

    def _change(self, which, body):
        organization = self.model.organizations[which % len(self.model.organizations)]
        known = {each["name"]: each["id"] for each in self.ada.get("organizations").body["items"]}
        return organization, self.ada.patch(f"organizations/{known[organization.name]}", body)

    def _id(self, project):
        known = {(each["organization"], each["name"]): each["id"] for each in self.ada.get("projects").body["items"]}
        return known[project.organization.name, project.name]

    def _report(self, **params):
        return self.ada.report(**params).body["rows"]


@pytest.mark.timeout(600)
def test_organizations_and_projects_are_where_a_plain_model_has_them(world):
    run_state_machine_as_test(
        lambda: Histories(world),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=tries(5),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )
