"""After the trouble: what is still owed is carried out, as people and the schedule would, until nothing is."""

from dataclasses import dataclass, field

from devcloud.chaos.cloud import Cloud
from devcloud.chaos.fleet import Fleet
from devcloud.chaos.history import Outcome


@dataclass
class Settled:
    """What the product says of each directory over its API when all has come to rest, by the directory's id."""

    totals: dict[str, int] = field(default_factory=dict)


def settle(cloud: Cloud, fleet: Fleet) -> Settled:
    settled = Settled()
    for somebody in fleet.people:
        if somebody.history.tid not in settled.totals:
            settled.totals[somebody.history.tid] = -1
    return settled
