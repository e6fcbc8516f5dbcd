"""Which of Entra's endpoints can be told to fail; what they can be told is the same for every emulator."""

from typing import Literal

from devcloud.emulators.faults import Fault, Faults


__all__ = ["Endpoint", "Fault", "Faults"]
Endpoint = Literal["discovery", "keys", "keys_v1", "authorize", "token"]
