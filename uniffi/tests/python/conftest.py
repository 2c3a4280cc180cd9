"""One event loop for the whole run, a house for each module, and an end that Python survives.

Coroutine tests run without a plugin: Debian's pytest is all that is needed."""

import asyncio
import inspect
import os
import pathlib

import pytest

import privet
from house import House
from phone import Phone

# No test may take longer, whatever hangs.
BOUND = 120


@pytest.fixture(scope="session")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    loop = pyfuncitem._request.getfixturevalue("loop")
    loop.run_until_complete(asyncio.wait_for(pyfuncitem.obj(**arguments), BOUND))
    return True


@pytest.fixture(scope="module")
def house(request, tmp_path_factory):
    """A house that is the module's own; `HOUSE` in the module has more words for its start. The relay itself is before the phones:
    only who asks for it gets the one that tampers."""
    log = tmp_path_factory.mktemp("house") / "log"
    house = House(log, *getattr(request.module, "HOUSE", ("--honest",)))
    yield house
    house.end()


@pytest.fixture
def phone(loop, tmp_path):
    """Makes phones by name; those that are still open at the end are shut down."""
    made = []

    def make(name):
        made.append(Phone(tmp_path, name))
        return made[-1]

    yield make

    async def shut_all():
        for phone in made:
            await phone.shut()

    loop.run_until_complete(asyncio.wait_for(shut_all(), 60))


@pytest.fixture(scope="session")
def sealed():
    """A clip that uniffi/tests/sealed_clip.rs sealed and exported, and the root that vouches for it."""
    folder = pathlib.Path(os.environ.get("PRIVET_SEALED_CLIP", ""))
    assert (folder / "clip.mp4").is_file(), "PRIVET_SEALED_CLIP says where the sealed clip is; ./dev test python sets it"
    return folder / "clip.mp4", bytes.fromhex((folder / "root.hex").read_text())


def pytest_sessionfinish():
    # Python before 3.14 ends the process when a thread of the library comes back to it after its end.
    assert privet.settle(20_000), "threads of the library are still in Python's code"
