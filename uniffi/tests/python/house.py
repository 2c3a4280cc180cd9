"""`privet-house` as pytest sees it: a real relay, hub and cameras, told what to do in lines of JSON.

The lines are in docs/design/0020-phone-bindings.md. Every wait is bounded; a house that does not answer is an error with the end of its log."""

import asyncio
import json
import os
import queue
import subprocess
import threading

# How long the house may take for one line: it may start a hub or a camera.
ANSWER = 90


class Trouble(Exception):
    """The house could not do it."""


class House:
    def __init__(self, log, *words):
        program = os.environ.get("PRIVET_HOUSE")
        assert program, "PRIVET_HOUSE says where privet-house is; ./dev test python sets it"
        self._log = log
        with open(log, "wb") as errors:
            self._process = subprocess.Popen(
                [program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self._line()
        self.folder = self.ready["folder"]

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _line(self):
        try:
            line = self._lines.get(timeout=ANSWER)
        except queue.Empty:
            line = None
        if line is None:
            with open(self._log) as errors:
                raise Trouble(f"privet-house does not answer; it said: {errors.read()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise Trouble(answer["error"])
        return answer

    def tell(self, do, **more):
        """One line, and its answer."""
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        return self._line()

    async def do(self, do, **more):
        """The same from a coroutine: the event loop goes on, keystores in Python need it."""
        return await asyncio.to_thread(self.tell, do, **more)

    async def offer(self):
        return (await self.do("offer"))["offer"]

    def end(self):
        """Its input ends, and so must it, with everything that it started."""
        self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
