"""The privacy policy, sentence by sentence, in the order of docs/privacy.md."""

from collections.abc import Iterator
from typing import Final

from devcloud.privacydocs.policy_held import KEPT, NEVER, SEEN, STORED
from devcloud.privacydocs.policy_rights import RIGHTS, SECURITY
from devcloud.privacydocs.sentence import Sentence


POLICY: Final = {
    "Stored": STORED,
    "Never": NEVER,
    "Kept": KEPT,
    "Seen by": SEEN,
    "Rights": RIGHTS,
    "Security": SECURITY,
}


def sentences() -> Iterator[Sentence]:
    for each in POLICY.values():
        yield from each
