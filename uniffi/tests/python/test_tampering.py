"""A relay that changes what it passes on: nothing of it is shown as verified, the person is told, and the truth is taken afterwards."""

import asyncio
import queue

import pytest

import privet
from phone import SOON, event, finished_clip, items, only, until, verified

# The relay that can be told to tamper stands before the phones.
HOUSE = ()


class Lines(privet.LogSink):
    def __init__(self):
        self.lines = queue.Queue()

    def log(self, level, target, line):
        self.lines.put((level, target, line))


async def test_a_clip_that_was_changed_is_refused_and_the_true_one_is_taken(house, phone):
    client = await phone("collector").pair(house)
    known = await finished_clip(client)
    await house.do("tamper", on=True)
    try:
        with pytest.raises(privet.CoreError.Tampered) as raised:
            clip = await client.open_clip(known.id)
            await clip.len()
        assert raised.value.reason
        alert = await event(client, lambda e: isinstance(e, privet.Event.TRUST_ALERT))
        assert "does not verify" in alert.what
        assert alert.what in [alert.what for alert in (await client.status()).alerts]
    finally:
        await house.do("tamper", on=False)

    clip = await client.open_clip(known.id)
    assert (await clip.verify()).ok
    clip.stop()


async def test_live_pictures_that_were_changed_are_never_called_verified(house, phone):
    client = await phone("watcher").pair(house)
    camera = (await client.cameras())[0]
    live = await client.open_live(camera.id, privet.LiveFormat.ACCESS_UNITS, 2000)
    await items(live, lambda seen: verified(seen[-1]))

    await house.do("tamper", on=True)
    try:
        broken = lambda item: isinstance(item, privet.LiveItem.SEGMENT) and isinstance(item.trust, privet.Trust.BROKEN)
        # What was on its way before is true still; then one that was changed has its verdict, or is missing and told.
        told = lambda item: broken(item) or (
            isinstance(item, privet.LiveItem.GAP) and item.reason == privet.GapReason.FAILED_VERIFICATION
        )
        seen = await items(live, lambda seen: told(seen[-1]))
        # From then on no segment is called verified: each one is changed.
        first = next(n for n, item in enumerate(seen) if told(item))
        more = seen[first:] + await items(live, lambda seen: sum(map(told, seen)) >= 2)
        assert not any(map(verified, more)), more
        assert all(isinstance(picture.trust, privet.Trust.PENDING) for picture in only(privet.LiveItem.MEDIA, more))
        await until("the alert", lambda: alerted(client))
        assert live.stats().broken > 0
    finally:
        await house.do("tamper", on=False)
    await items(live, lambda seen: verified(seen[-1]))
    live.stop()


async def alerted(client):
    return [alert for alert in (await client.status()).alerts if "does not verify" in alert.what]


async def test_the_apps_log_has_it_too(house, phone):
    client = await phone("logger").pair(house)
    known = await finished_clip(client)
    sink = Lines()
    privet.set_log_sink(sink, privet.LogLevel.WARN)
    await house.do("tamper", on=True)
    try:
        with pytest.raises(privet.CoreError.Tampered):
            await (await client.open_clip(known.id)).len()
        level, target, line = await asyncio.to_thread(sink.lines.get, timeout=SOON)
        assert level == privet.LogLevel.WARN and target == "privet::trust" and "does not verify" in line
    finally:
        await house.do("tamper", on=False)
        privet.set_log_sink(None, privet.LogLevel.ERROR)
