"""The error of a port that cannot be used has its reason."""

import pytest

from devcloud import ports
from devcloud.emulators import server


def test_the_error_of_a_used_port_names_the_cause():
    with ports.listen(0) as first:
        port = first.getsockname()[1]

        with pytest.raises(ports.PortUnusable, match=f"port {port} is taken: .* with --port"):
            ports.listen(port)


def emulator(port):
    with server.serving(lambda _: pytest.fail("it was served"), port=port):
        pytest.fail("it was served")


@pytest.mark.parametrize("listen", [ports.listen, emulator])
def test_another_error_has_the_systems_message(monkeypatch, listen):
    monkeypatch.setattr(ports, "LOOPBACK", "192.0.2.1")  # an address that no machine has

    with pytest.raises(ports.PortUnusable) as refused:
        listen(7071)

    assert str(refused.value) == "cannot listen on port 7071 of 192.0.2.1: Cannot assign requested address"
