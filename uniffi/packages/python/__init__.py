"""Privet's phone side: one `Client` is one phone in one home.

The calls are those of docs/reference/app-core.md; how an app uses them, docs/guide/write-an-app.md. Generated code is in
`privet._generated`; here is only what Python does differently."""

import asyncio

from privet import _generated
from privet._generated import *  # noqa: F403
from privet._generated import Client, CoreError, LiveItem

__all__ = [*_generated.__all__, "events", "items"]


async def events(client):
    """What happens, until the client is shut down: `async for event in privet.events(client)`."""
    while True:
        try:
            event = await client.next_event(60_000)
        except CoreError.Stopped:
            return
        if event is not None:
            yield event


async def items(live):
    """A live view until its end, which is the last item: `async for item in privet.items(live)`."""
    while True:
        try:
            item = await live.next(60_000)
        except CoreError.Stopped:
            return
        if not isinstance(item, LiveItem.IDLE):
            yield item
        if isinstance(item, LiveItem.END):
            return


# A KeyWrapper's coroutines are called from threads of the library, which have no event loop: they run in the one that opened a client last.
# Without this an app that forgot to name it would wait for its keystore for ever.
_loop = None
_open = Client.open


async def _open_here(config, keys):
    global _loop
    _loop = asyncio.get_running_loop()
    return await _open(config, keys)


def _event_loop():
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        if _loop is None:
            raise
        return _loop


_open_here.__doc__ = _open.__doc__
Client.open = staticmethod(_open_here)
_generated._uniffi_get_event_loop = _event_loop
