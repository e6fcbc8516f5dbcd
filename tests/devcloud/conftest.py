from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devcloud import processes


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Host]:
    """The sample app, served once for all tests without changes."""
    directory: Path = tmp_path_factory.mktemp("sample")
    with processes.host(directory / "log", NOTES=str(directory / "notes")) as host:
        yield host
