"""The privacy policy, sentence by sentence, in the order of docs/privacy.md."""

from collections.abc import Iterator
from typing import Final

from tools.docs.privacy.policy_held import KEPT, NEVER, SEEN, STORED
from tools.docs.privacy.policy_rights import RIGHTS, SECURITY
from tools.docs.privacy.sentence import Sentence


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
