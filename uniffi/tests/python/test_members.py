"""Several phones in one home: all see each other and the camera; one that is removed is out, and the others go on."""

import asyncio

import pytest

import privet
from phone import SOON, event, items, only, until, verified, watch


async def names(client):
    return sorted(device.name for device in await client.devices())


async def test_three_phones_see_each_other_and_the_camera_at_once(house, phone):
    clients = [await phone(name).pair(house) for name in ("ann", "ben", "cy")]
    for client in clients:
        await until("all three", lambda: expected(client, ["ann", "ben", "cy"]))
        assert [d.name for d in await client.devices() if d.this_device] == [await own_name(client, clients)]
    lives = await asyncio.wait_for(asyncio.gather(*map(watch, clients)), SOON)
    for live in lives:
        live.stop()


async def expected(client, wanted):
    return set(wanted) <= set(await names(client))


async def own_name(client, clients):
    return ["ann", "ben", "cy"][clients.index(client)]


@pytest.mark.parametrize("by", ["a phone", "the hub"])
async def test_a_phone_that_is_removed_is_out_and_the_others_go_on(house, phone, by):
    stays = await phone(f"stays, {by}").pair(house)
    goes = await phone(f"goes, {by}").pair(house)
    kept, lost = await asyncio.gather(watch(stays, 2), watch(goes))
    before = (await items(kept, lambda seen: verified(seen[-1])))[-1].stream
    await until("both", lambda: expected(stays, [f"goes, {by}"]))

    if by == "the hub":
        await house.do("remove", name=f"goes, {by}")
    else:
        device = next(d for d in await stays.devices() if d.name == f"goes, {by}")
        await stays.remove_device(device.id)

    await event(goes, lambda e: isinstance(e, privet.Event.REMOVED))
    assert (await goes.status()).removed
    for call in (goes.cameras, goes.devices, lambda: goes.clips(None, 0, 2**62, None, 1)):
        with pytest.raises(privet.CoreError.Revoked):
            await call()
    await asyncio.wait_for(ended(lost), SOON)

    # With new keys: what the phone that stays is shown from now on, the other could not open.
    seen = await items(kept, lambda seen: sum(verified(item) and item.stream != before for item in seen) >= 2)
    # The hub began another stream for that, which is not a camera that was away.
    assert privet.GapReason.CAMERA_RESTART not in [gap.reason for gap in only(privet.LiveItem.GAP, seen)]
    kept.stop()
    await (again := await watch(stays)).next(0)
    again.stop()
    assert not await expected(stays, [f"goes, {by}"])
    assert f"goes, {by}" not in [device["name"] for device in (await house.do("devices"))["devices"]]


async def ended(live):
    while True:
        try:
            if isinstance(await live.next(1000), privet.LiveItem.END):
                return
        except (privet.CoreError.Stopped, privet.CoreError.Revoked):
            return


async def test_a_removed_phone_may_come_back_as_a_new_one(house, phone):
    lost = phone("lost")
    await lost.pair(house)
    await house.do("remove", name="lost")
    await event(lost.client, lambda e: isinstance(e, privet.Event.REMOVED))
    await lost.pair(house)
    assert await lost.client.cameras()
    assert (await lost.client.status()).paired


async def test_a_new_name_is_told_to_everybody(house, phone):
    old = phone("old")
    renamed, other = await old.pair(house), await phone("witness").pair(house)
    for wrong in ("", "x" * 1000):
        with pytest.raises(privet.CoreError.Invalid):
            await renamed.rename(wrong)
    await renamed.rename("Ada's new phone ✆")
    for client in (renamed, other):
        await until("the new name", lambda: expected(client, ["Ada's new phone ✆"]))
        assert "old" not in await names(client)
    assert "Ada's new phone ✆" in [device["name"] for device in (await house.do("devices"))["devices"]]
    # Kept: it is the home's name for it, not the one that the app gives at each start.
    await old.shut()
    assert "Ada's new phone ✆" in await names(await old.open())
