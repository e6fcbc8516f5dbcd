"""The endpoints of the Entra emulator for faults; the faults are those of every emulator."""

from typing import Literal

from devcloud.emulators.faults import Fault, Faults


__all__ = ["Endpoint", "Fault", "Faults"]
Endpoint = Literal["discovery", "keys", "keys_v1", "authorize", "token", "devicecode"]
