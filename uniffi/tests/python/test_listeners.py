"""Listeners as apps write them: one that raises, one that is slow, one that goes. Nothing hangs, and what was not told is said."""

import asyncio
import queue
import threading

import privet
from phone import SOON, event, until


class Listener(privet.EventListener):
    """Keeps what it was told; does `first` with it before."""

    def __init__(self, first=lambda event: None):
        self.first, self.told = first, queue.Queue()

    def on_event(self, event):
        self.told.put(event)
        self.first(event)

    async def hears(self, wanted):
        """The names in the joins that it was told, until one is wanted."""

        def listen():
            while True:
                event = self.told.get(timeout=SOON)
                if isinstance(event, privet.Event.DEVICES_CHANGED) and wanted in event.what:
                    return

        await asyncio.wait_for(asyncio.to_thread(listen), SOON)


async def test_a_listener_that_raises_hurts_nobody_but_itself(house, phone):
    def fails(event):
        raise RuntimeError("the app has a defect")

    client = await phone("unlucky").pair(house)
    listener = Listener(fails)
    client.set_listener(listener)
    await phone("first").pair(house)
    await asyncio.to_thread(listener.told.get, timeout=SOON)
    # The library goes on, for calls and for who pulls events, and takes another listener.
    await phone("second").pair(house)
    await event(client, lambda e: isinstance(e, privet.Event.DEVICES_CHANGED) and "second" in e.what)
    better = Listener()
    client.set_listener(better)
    await phone("third").pair(house)
    await better.hears("third")
    client.set_listener(None)


async def test_a_slow_listener_holds_up_nobody_and_is_told_all(house, phone):
    gate = threading.Event()
    client = await phone("slow").pair(house)
    listener = Listener(lambda event: gate.wait(SOON))
    client.set_listener(listener)
    try:
        await phone("while it sleeps").pair(house)
        # It sits in its first event. Calls answer, and who pulls has everything.
        assert await client.wait_synced(30_000)
        await event(client, lambda e: isinstance(e, privet.Event.DEVICES_CHANGED) and "while it sleeps" in e.what)
        assert listener.told.qsize() <= 1
    finally:
        gate.set()
    await listener.hears("while it sleeps")
    client.set_listener(None)


async def test_a_listener_that_went_is_not_called_any_more(house, phone):
    client = await phone("quiet").pair(house)
    gone, stays = Listener(), Listener()
    client.set_listener(gone)
    client.set_listener(stays)
    # The thread of the one that went ends; from then on the count stands.
    await phone("newcomer").pair(house)
    await stays.hears("newcomer")
    assert not any(
        isinstance(event, privet.Event.DEVICES_CHANGED) and "newcomer" in event.what for event in list(gone.told.queue)
    )
    client.set_listener(None)


async def test_the_end_of_a_client_ends_its_listener(house, phone):
    short = phone("short")
    client = await short.pair(house)
    listener = Listener()
    client.set_listener(listener)
    await short.shut()
    before = threading.active_count()
    await until("its thread's end", lambda: asyncio.to_thread(lambda: threading.active_count() <= before))
