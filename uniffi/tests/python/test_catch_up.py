"""A phone that was away, and a relay, a hub that were: afterwards nothing is missing."""

import asyncio

import privet
from phone import clip_of_motion, event, finished_clip, items, only, until, verified


async def test_a_phone_that_was_away_has_what_happened_meanwhile(house, phone):
    away = phone("away")
    await away.pair(house)
    await away.shut()

    # A clip and new phones: told while it was away. Of a motion that began when both had joined: who joins is not told of earlier ones.
    home = await phone("home").pair(house)
    clip = await clip_of_motion(home)
    await phone("guest").pair(house)

    client = await away.open()
    assert await client.wait_synced(30_000)
    # The catch-up of an app in the background: synced, then all that is told is there without waiting.
    told = []
    while (item := await client.next_event(0)) is not None:
        told.append(item)
    joined = [item.what for item in told if isinstance(item, privet.Event.DEVICES_CHANGED)]
    assert any("home" in what for what in joined) and any("guest" in what for what in joined), told
    ready = [item.clip_id for item in told if isinstance(item, privet.Event.CLIP_READY)]
    assert clip.id in ready
    opened = await client.open_clip(clip.id)
    assert (await opened.verify()).ok
    opened.stop()
    assert clip.id in [happened.clip_id for happened in (await client.events(None, 0, 2**62, None, 50)).events]


async def test_what_is_known_is_there_without_a_relay(house, phone):
    offline = phone("offline")
    client = await offline.pair(house)
    clip = await client.open_clip((await finished_clip(client)).id)
    whole = await clip.len()
    clip.stop()
    await offline.shut()
    await house.do("relay", on=False)
    try:
        client = await offline.open()
        assert not await client.wait_synced(0)
        assert [camera.name for camera in await client.cameras()] == house.ready["cameras"]
        assert "offline" in [device.name for device in await client.devices()]
        # All of it was fetched, and is here still.
        again = await client.open_clip(clip.info().id)
        assert await again.len() == whole and (await again.verify()).ok
        again.stop()
    finally:
        await house.do("relay", on=True)


async def test_a_relay_that_comes_back_is_found_and_live_goes_on(house, phone):
    client = await phone("stubborn").pair(house)
    live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.FMP4, 2000)
    last = only(privet.LiveItem.MEDIA, await items(live, lambda seen: verified(seen[-1])))[-1].frame

    def link(wanted):
        return lambda e: isinstance(e, privet.Event.LINK) and (e.state == privet.LinkState.RELAY) == wanted

    await house.do("relay", on=False)
    down = await event(client, link(False))
    assert down.state in (privet.LinkState.OFFLINE, privet.LinkState.CONNECTING)
    assert not (await client.status()).caught_up
    await house.do("relay", on=True)
    await asyncio.to_thread(client.network_changed)
    await event(client, link(True))
    assert await client.wait_synced(30_000)
    # The same view; the hub may take its time to come back.
    await items(live, lambda seen: verified(seen[-1]) and seen[-1].last_frame > last, within=90)
    live.stop()


async def test_a_hub_that_was_restarted_is_trusted_as_before(house, phone):
    client = await phone("loyal").pair(house)
    number = await client.safety_number()
    await house.do("hub", on=False)
    await house.do("hub", on=True)
    camera = (await client.cameras())[0]
    live = await until("a live view", lambda: opened(client, camera.id))
    await items(live, lambda seen: verified(seen[-1]))
    live.stop()
    assert await client.safety_number() == number
    assert not (await client.status()).alerts


async def opened(client, camera):
    try:
        return await client.open_live(camera, privet.LiveFormat.FMP4, 2000)
    except (privet.CoreError.Timeout, privet.CoreError.Network):
        return None
