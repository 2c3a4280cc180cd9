"""Objects that are let go of, waits that are stopped and processes that are killed, each in the middle of a call."""

import asyncio
import gc
import time

import pytest

import privet
from other import Other
from phone import finished_clip, items, until, verified

# `stop` ends a wait at once; so much is a slow machine's.
AT_ONCE = 5


async def live_of(client):
    return await client.open_live((await client.cameras())[0].id, privet.LiveFormat.FMP4, 2000)


async def idle(live, house):
    """Nothing comes any more: a wait for the next item is a real one."""
    await items(live, verified_last)
    await house.do("camera", on=False)
    while not isinstance(await live.next(1500), privet.LiveItem.IDLE):
        pass


def verified_last(seen):
    return verified(seen[-1])


async def over(call):
    """That the call ends, with an end or with `Stopped`, and how long that took."""
    began = time.monotonic()
    try:
        item = await call
        assert item is None or item is False or isinstance(item, privet.LiveItem.END), item
    except (privet.CoreError.Stopped, privet.CoreError.Revoked):
        pass
    return time.monotonic() - began


async def test_stop_ends_a_wait_at_once(house, phone):
    client = await phone("impatient").pair(house)
    live = await live_of(client)
    await idle(live, house)
    try:
        waiting = asyncio.ensure_future(live.next(60_000))
        blocked = asyncio.ensure_future(asyncio.to_thread(live.next_blocking, 60_000))
        # Both are in the library when something that comes after them was answered.
        await client.status()
        live.stop()
        assert await over(waiting) < AT_ONCE and await over(blocked) < AT_ONCE
        with pytest.raises(privet.CoreError.Stopped):
            await live.next(0)
    finally:
        await house.do("camera", on=True)


async def test_shut_down_ends_every_wait_at_once(house, phone):
    ends = phone("ends")
    client = await ends.pair(house)
    live = await live_of(client)
    while await client.next_event(0) is not None:
        pass
    waits = [asyncio.ensure_future(wait) for wait in (drain(live), drain_events(client))]
    await client.status()
    await ends.shut()
    for wait in waits:
        assert await over(wait) < AT_ONCE
    for call in (client.cameras, client.status, lambda: client.next_event(0)):
        with pytest.raises(privet.CoreError.Stopped):
            await call()


async def drain(live):
    while not isinstance(await live.next(60_000), privet.LiveItem.END):
        pass


async def drain_events(client):
    while True:
        await client.next_event(60_000)


async def test_what_is_dropped_in_the_middle_of_a_call_is_gone_without_harm(house, phone, tmp_path):
    client = await phone("careless").pair(house)
    known = await finished_clip(client)
    for _ in range(10):
        live = await live_of(client)
        clip = await client.open_clip(known.id)
        calls = [
            asyncio.ensure_future(live.next(30_000)),
            asyncio.ensure_future(clip.export_to(str(tmp_path / "dropped.mp4"), True)),
            asyncio.ensure_future(clip.verify()),
            asyncio.ensure_future(client.next_event(30_000)),
        ]
        # They have begun when the loop comes back to us.
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        del live, clip, calls, call
        gc.collect()
    assert (await (await client.open_clip(known.id)).verify()).ok
    live = await live_of(client)
    await items(live, verified_last)
    live.stop()


async def test_a_client_that_is_dropped_lets_go_of_its_store(house, phone):
    dropped = phone("dropped")
    await dropped.pair(house)
    # A call keeps what it needs until it is over, and no longer.
    call = asyncio.ensure_future(dropped.client.wait_synced(1))
    dropped.client = None
    await call
    del call
    gc.collect()

    async def opened():
        try:
            return await dropped.open()
        except privet.CoreError.Busy:
            return None

    client = await until("the store", opened, within=30)
    assert (await client.status()).paired


@pytest.mark.parametrize("call", ["live", "export", "settings"])
async def test_a_process_that_is_killed_in_a_call_leaves_a_store_that_opens(house, phone, tmp_path, call):
    killed = phone("killed")
    client = await killed.pair(house)
    more = [(await finished_clip(client)).id, str(tmp_path / "killed.mp4")] if call == "export" else []
    await killed.shut()
    for _ in range(3):
        async with Other(tmp_path, "killed", call, *more) as other:
            assert await other.says() == "open"
            assert await other.says() == "calling"
            await other.kill()
        client = await killed.open()
        assert (await client.status()).paired
        assert await client.wait_synced(30_000)
        assert [camera.name for camera in await client.cameras()] == house.ready["cameras"]
        await killed.shut()
    client = await killed.open()
    live = await live_of(client)
    await items(live, verified_last)
    live.stop()
    assert not (await client.status()).alerts


# Pairing takes some hundred milliseconds: from its first moment to past its end.
@pytest.mark.parametrize("after_ms", [0, 30, 100, 300])
async def test_a_pairing_that_is_killed_is_done_or_can_be_done_again(house, phone, tmp_path, after_ms):
    name = f"cut after {after_ms}"
    async with Other(tmp_path, name, "pair", await house.offer()) as other:
        assert await other.says() == "open"
        assert await other.says() == "calling"
        await asyncio.sleep(after_ms / 1000)
        await other.kill()
    cut = phone(name)
    client = await cut.open()
    if not (await client.status()).paired:
        await cut.pair(house)
    assert await client.wait_synced(30_000)
    assert await client.cameras()
