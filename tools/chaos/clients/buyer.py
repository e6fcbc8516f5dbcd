"""Buyers: firms that purchase in the Marketplace, use what they bought, and do to it what customers do."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from devcloud.emulators.entra import people
from devcloud.emulators.entra.people import Directory
from devcloud.emulators.marketplace.refusal import Refused
from shared import clock
from tools.chaos.clients.browser import confirm
from tools.chaos.clients.fleet import new_id, token
from tools.chaos.clients.history import History
from tools.chaos.clients.http import Client, Stop
from tools.chaos.clients.person import Person
from tools.chaos.cloud.cloud import Cloud


_PLANS: Final[tuple[dict[str, Any], ...]] = ({"plan": "paid"}, {"plan": "gold"}, {"plan": "seats", "quantity": 5})
_VISITS: Final = 6
_LEAVES: Final = 0.7


@dataclass
class Bought:
    """A subscription by Microsoft's id, whose it is, and whether the buyer was shown that it is active."""

    id: str
    tid: str
    was_shown: bool = False


@dataclass
class Buyer:
    """One thread that plays one firm after another."""

    name: str
    cloud: Cloud
    dice: random.Random
    stop: Stop
    bought: list[Bought] = field(default_factory=list)
    members: list[Person] = field(default_factory=list)

    def work(self) -> None:
        while not self.stop.is_over:
            firm = self._person()
            bought = self._purchase(firm)
            for _ in range(self.dice.randint(1, 3)):
                self._use(firm)
                self._change(bought)
            if self.dice.random() < _LEAVES:
                self._order("unsubscribe", bought)
            self.stop.wait(self.dice.uniform(0.2, 2.0))

    def _person(self) -> Person:
        tid, oid, name = new_id(self.dice), new_id(self.dice), f"{self.name}.{len(self.members)}"
        home = Directory(tid, f"Firm {name}", f"{tid[:8]}.example")
        people.introduce(people.Person(oid, name, f"{oid}@contoso.example", oid, home, home))
        client = Client(self.cloud.bases, token(self.cloud, tid, oid, name), self.dice)
        self.members.append(Person(name, History(tid, oid), client, self.dice, self.stop, clock.now()))
        return self.members[-1]

    def _purchase(self, firm: Person) -> Bought:
        """Buys, and comes back to the page until it says that all is well, or until the buyer loses patience."""
        sold = self.cloud.marketplace.admin.carry_out(
            "POST buy", {"person": firm.history.oid, **self.dice.choice(_PLANS)}
        )
        bought = Bought(sold["subscription"], firm.history.tid)
        self.bought.append(bought)
        for _ in range(self.dice.randint(1, _VISITS)):
            try:
                bought.was_shown = confirm(sold["landingUrl"], firm.history.oid)
            except requests.RequestException:
                bought.was_shown = False
            if bought.was_shown or self.stop.wait(self.dice.uniform(0.1, 0.8)):
                break
        return bought

    def _use(self, firm: Person) -> None:
        """What makes a person an active user of the month."""
        firm.ask("sign-in", "POST", "sign-in")
        firm.once("switch")
        firm.once("stop")
        self.stop.count()

    def _change(self, bought: Bought) -> None:
        match self.dice.choice(("change", "suspend", "renew")):
            case "change":
                metered = self.cloud.marketplace.operations.subscription(bought.id).quantity is None
                changes = (
                    {"plan": self.dice.choice(("paid", "gold"))} if metered else {"quantity": self.dice.randint(1, 9)}
                )
                self._order("change", bought, **changes)
            case "suspend":
                self._order("suspend", bought)
                self.stop.wait(self.dice.uniform(0.0, 0.5))
                self._order("reinstate", bought)
            case "renew":
                self._order("renew", bought)

    def _order(self, name: str, bought: Bought, **given: object) -> None:
        try:
            self.cloud.marketplace.admin.carry_out(f"POST {name}", {"subscription": bought.id, **given})
        except Refused:
            return  # Microsoft does not let them, as things are
