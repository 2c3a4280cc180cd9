"""An app that goes to the background holds nothing that others wait for, and comes back without asking for a finger."""

import asyncio

import pytest

import privet
from other import Other
from phone import SOON, event, finished_clip, items, verified


class Counting(privet.KeyWrapper):
    """Counts how often it is asked for the key."""

    def __init__(self):
        self.asked = 0

    async def wrap(self, label, secret):
        return bytes(b ^ 0x5A for b in secret)

    async def unwrap(self, label, blob):
        self.asked += 1
        return bytes(b ^ 0x5A for b in blob)


async def test_in_the_background_another_process_may_have_the_store(house, phone, tmp_path):
    ann = phone("ann")
    client = await ann.pair(house)
    live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.FMP4, 2000)
    await items(live, lambda seen: verified(seen[-1]))
    async with Other(tmp_path, "ann", "open") as other:
        assert await other.says() == "Busy"

    await client.background(20_000)
    with pytest.raises(privet.CoreError.Background):
        await client.cameras()
    with pytest.raises(privet.CoreError.Background):
        await client.status()
    await asyncio.wait_for(ended(live), 5)
    # Said twice is said once.
    await client.background(1000)

    async with Other(tmp_path, "ann", "hold") as other:
        assert await other.says() == "open"
        with pytest.raises(privet.CoreError.Busy):
            await client.foreground()
        other.go_on()
        assert await other.says() == "shut"

    await client.foreground()
    await client.foreground()
    assert [camera.name for camera in await client.cameras()] == house.ready["cameras"]
    live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.FMP4, 2000)
    await items(live, lambda seen: verified(seen[-1]))
    live.stop()


async def ended(live):
    while True:
        try:
            if isinstance(await live.next(1000), privet.LiveItem.END):
                return
        except (privet.CoreError.Stopped, privet.CoreError.Background):
            return


async def test_what_happened_meanwhile_is_told_and_the_keystore_is_asked_once(house, loop, tmp_path):
    keys = Counting()
    config = privet.Config(storage_dir=str(tmp_path / "ben"), device_name="ben", cache_limit_mib=64, app_version="test")
    await (await privet.Client.open(config, keys)).shut_down()
    client = await privet.Client.open(config, keys)
    await client.pair(privet.PairingOffer.parse(await house.offer()))
    known = {clip.id for clip in (await client.clips(None, 0, 2**62, None, 50)).clips}
    await client.background(20_000)
    guest = privet.FileKeys(str(tmp_path / "guest.key"))
    guest_config = privet.Config(
        storage_dir=str(tmp_path / "guest"), device_name="guest", cache_limit_mib=64, app_version="test"
    )
    other = await privet.Client.open(guest_config, guest)
    await other.pair(privet.PairingOffer.parse(await house.offer()))
    clip = await finished_clip(other, known)
    await other.shut_down()

    await client.foreground()
    await event(client, lambda e: isinstance(e, privet.Event.CLIP_READY) and e.clip_id == clip.id)
    assert keys.asked == 1
    # From the background straight to the end.
    await client.background(20_000)
    await client.shut_down()
    with pytest.raises(privet.CoreError.Stopped):
        await client.foreground()


async def test_a_listener_goes_on_after_the_background(house, phone):
    class Names(privet.EventListener):
        def __init__(self, loop):
            self.loop, self.joined = loop, asyncio.Queue()

        def on_event(self, event):
            if isinstance(event, privet.Event.DEVICES_CHANGED):
                self.loop.call_soon_threadsafe(self.joined.put_nowait, event.what)

    client = await phone("cy").pair(house)
    listener = Names(asyncio.get_running_loop())
    client.set_listener(listener)
    await client.background(20_000)
    await client.foreground()
    await phone("dan").pair(house)

    async def dan():
        while "dan" not in await listener.joined.get():
            pass

    await asyncio.wait_for(dan(), SOON)
    client.set_listener(None)
