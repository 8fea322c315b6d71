"""One house for all drills of a run: each leaves it whole, and reckons with its own people alone."""

from collections.abc import Iterator

import pytest

from tests.drills.house import House


@pytest.fixture(scope="session")
def _standing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    running = House(tmp_path_factory.mktemp("house"))
    yield running
    running.stop()


@pytest.fixture
def house(_standing_house: House) -> House:
    """A running house, all of whose processes are up."""
    _standing_house.mend()
    return _standing_house
