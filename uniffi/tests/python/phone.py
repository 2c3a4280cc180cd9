"""A phone in these tests: a client with a folder of its own, and bounded waits for what it is told."""

import asyncio
import collections
import time

import privet

# How long anything may take that waits for a camera's next crossing of the box (every six seconds), or for a machine under load.
SOON = 60


def config(folder, name):
    return privet.Config(storage_dir=f"{folder}/{name}", device_name=name, cache_limit_mib=64, app_version="test")


def keys(folder, name):
    return privet.FileKeys(f"{folder}/{name}.key")


class Phone:
    """What one phone keeps over its clients: where its store is, and what it is called."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.client = None

    async def open(self):
        self.client = await privet.Client.open(config(self.folder, self.name), keys(self.folder, self.name))
        return self.client

    async def pair(self, house):
        client = self.client or await self.open()
        await client.pair(privet.PairingOffer.parse(await house.offer()))
        return client

    async def shut(self):
        client, self.client = self.client, None
        if client is not None:
            await client.shut_down()


async def event(client, wanted, within=SOON):
    """The next event that is wanted; those before it are passed over."""
    until = time.monotonic() + within
    seen = []
    while time.monotonic() < until:
        item = await client.next_event(500)
        if item is not None:
            seen.append(item)
            if wanted(item):
                return item
    raise AssertionError(f"waited {within} s in vain; there were {seen}; {await client.status()}")


async def until(what, condition, within=SOON):
    """Looks again and again until there is something."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = await condition()
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"waited {within} s in vain for {what}")


async def finished_clip(client, known=()):
    """The newest finished clip that is not among those known."""

    async def look():
        page = await client.clips(None, 0, 2**62, None, 50)
        return next((clip for clip in page.clips if clip.finished and clip.id not in known), None)

    return await until("a finished clip", look)


async def clip_of_motion(client):
    """A finished clip of a motion that this phone was told of: it was a member before."""
    motion = lambda e: isinstance(e, privet.Event.HAPPENED) and e.event.kind == "motion" and e.event.clip_id  # noqa: E731
    clip_id = (await event(client, motion)).event.clip_id

    async def look():
        page = await client.clips(None, 0, 2**62, None, 50)
        return next((clip for clip in page.clips if clip.finished and clip.id == clip_id), None)

    return await until("its end", look)


async def items(live, enough, within=SOON):
    """What a live view gives until it is enough, `enough` being asked after each item."""
    seen, end = [], time.monotonic() + within
    while time.monotonic() < end:
        item = await live.next(1000)
        if isinstance(item, privet.LiveItem.IDLE):
            continue
        seen.append(item)
        if enough(seen):
            return seen
        assert not isinstance(item, privet.LiveItem.END), seen[-1]
    kinds = collections.Counter(type(item).__name__ for item in seen)
    raise AssertionError(f"not enough within {within} s: {kinds}")


async def watch(client, count=1):
    """A live view of which so many segments were verified."""
    live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.ACCESS_UNITS, 2000)
    seen = await items(live, lambda seen: sum(map(verified, seen)) >= count)
    assert only(privet.LiveItem.MEDIA, seen)
    return live


def only(kind, seen):
    return [item for item in seen if isinstance(item, kind)]


def verified(segment):
    return isinstance(segment, privet.LiveItem.SEGMENT) and isinstance(segment.trust, privet.Trust.VERIFIED)
