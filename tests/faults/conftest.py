import pytest

from faults.warm import WarmProcess


@pytest.fixture(scope='session')
def warm():
    """A process that forks the tools, see :mod:`faults.warm`."""
    with WarmProcess() as process:
        yield process
