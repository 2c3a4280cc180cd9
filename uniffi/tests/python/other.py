"""Another process with a phone's store: what an extension, a second start of the app or a crash is to the first one.

Run as a script it does one thing and says each step on a line; as a module it starts that script and waits, bounded, for what it says."""

import asyncio
import pathlib
import sys

import privet
from phone import SOON, config, keys


class Other:
    def __init__(self, folder, name, *words):
        self._words = (str(folder), name, *words)

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(pathlib.Path(__file__)),
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_):
        await self.kill()

    async def says(self):
        line = await asyncio.wait_for(self._process.stdout.readline(), SOON)
        return line.decode().strip()

    def go_on(self):
        self._process.stdin.write(b"\n")

    async def kill(self):
        """As the system kills: without a word."""
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.wait_for(self._process.wait(), SOON)


def say(word):
    print(word, flush=True)


async def main(folder, name, do, *more):
    try:
        client = await privet.Client.open(config(folder, name), keys(folder, name))
    except privet.CoreError.Busy:
        return say("Busy")
    say("open")
    if do == "hold":
        await asyncio.to_thread(sys.stdin.readline)
    elif do == "pair":
        say("calling")
        await client.pair(privet.PairingOffer.parse(more[0]))
        say("paired")
    elif do == "live":
        live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.FMP4, 2000)
        while not isinstance(await live.next(1000), privet.LiveItem.MEDIA):
            pass
        say("calling")
        while True:
            await live.next(1000)
    elif do == "export":
        clip = await client.open_clip(more[0])
        say("calling")
        while True:
            await clip.export_to(more[1], True)
    elif do == "settings":
        say("calling")
        for turn in range(1_000_000):
            await client.set_profile((privet.Profile.HOME, privet.Profile.AWAY)[turn % 2])
    await client.shut_down()
    say("shut")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    # Python before 3.14 ends the process when a thread of the library comes back to it after its end.
    privet.settle(10_000)
