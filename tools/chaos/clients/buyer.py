"""Buyers: purchase in the Marketplace, use the product, and change or cancel the subscription."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from devcloud.emulators.entra import people
from devcloud.emulators.entra.people import Directory
from devcloud.emulators.marketplace.errors import MarketplaceError
from shared import clock
from tools.chaos.clients.browser import confirm_purchase
from tools.chaos.clients.history import History
from tools.chaos.clients.http import Client, StopCondition
from tools.chaos.clients.identities import mint_token, new_id
from tools.chaos.clients.person import Person
from tools.chaos.cloud.cloud import Cloud


_PLANS: Final[tuple[dict[str, Any], ...]] = ({"plan": "paid"}, {"plan": "gold"}, {"plan": "seats", "quantity": 5})
_MAX_VISITS: Final = 6
_CANCEL_SHARE: Final = 0.7


@dataclass
class Purchase:
    """A subscription with its directory; `was_confirmed`: the landing page told the buyer that it is active."""

    id: str
    tid: str
    was_confirmed: bool = False


@dataclass
class Buyer:
    """One thread that acts as one firm after another."""

    name: str
    cloud: Cloud
    rng: random.Random
    stop: StopCondition
    purchases: list[Purchase] = field(default_factory=list)
    members: list[Person] = field(default_factory=list)

    def work(self) -> None:
        while not self.stop.is_over:
            member = self._add_member()
            purchase = self._buy(member)
            for _ in range(self.rng.randint(1, 3)):
                self._use_product(member)
                self._change_purchase(purchase)
            if self.rng.random() < _CANCEL_SHARE:
                self._execute("unsubscribe", purchase)
            self.stop.wait(self.rng.uniform(0.2, 2.0))

    def _add_member(self) -> Person:
        tid, oid, name = new_id(self.rng), new_id(self.rng), f"{self.name}.{len(self.members)}"
        home = Directory(tid, f"Firm {name}", f"{tid[:8]}.example")
        people.add_people(people.Person(oid, name, f"{oid}@contoso.example", oid, home, home))
        client = Client(self.cloud.bases, mint_token(self.cloud, tid, oid, name), self.rng)
        self.members.append(Person(name, History(tid, oid), client, self.rng, self.stop, clock.now()))
        return self.members[-1]

    def _buy(self, member: Person) -> Purchase:
        """Buys, and repeats the landing page until it confirms, for a random number of visits."""
        bought = self.cloud.marketplace.admin.execute(
            "POST buy", {"person": member.history.oid, **self.rng.choice(_PLANS)}
        )
        purchase = Purchase(bought["subscription"], member.history.tid)
        self.purchases.append(purchase)
        for _ in range(self.rng.randint(1, _MAX_VISITS)):
            try:
                purchase.was_confirmed = confirm_purchase(bought["landingUrl"], member.history.oid)
            except requests.RequestException:
                purchase.was_confirmed = False
            if purchase.was_confirmed or self.stop.wait(self.rng.uniform(0.1, 0.8)):
                break
        return purchase

    def _use_product(self, member: Person) -> None:
        """Signs in and tracks time, so that the person is an active user of the month."""
        member.request("sign-in", "POST", "sign-in")
        member.perform("switch")
        member.perform("stop")
        self.stop.count()

    def _change_purchase(self, purchase: Purchase) -> None:
        match self.rng.choice(("change", "suspend", "renew")):
            case "change":
                metered = self.cloud.marketplace.operations.subscription(purchase.id).quantity is None
                changes = (
                    {"plan": self.rng.choice(("paid", "gold"))} if metered else {"quantity": self.rng.randint(1, 9)}
                )
                self._execute("change", purchase, **changes)
            case "suspend":
                self._execute("suspend", purchase)
                self.stop.wait(self.rng.uniform(0.0, 0.5))
                self._execute("reinstate", purchase)
            case "renew":
                self._execute("renew", purchase)

    def _execute(self, name: str, purchase: Purchase, **arguments: object) -> None:
        try:
            self.cloud.marketplace.admin.execute(f"POST {name}", {"subscription": purchase.id, **arguments})
        except MarketplaceError:
            return  # not possible in the present state
