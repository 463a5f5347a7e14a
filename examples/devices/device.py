# A device: takes a reading every INTERVAL_MS, keeps it in STATE_FILE until the gateway has `stored` it, and sends it again
# after a cut. README.md beside this file explains the rules. `python3 device.py` runs it (Python 3.9 or later).
import asyncio
import itertools
import json
import math
import os
import random
import re
import ssl
import sys
import time
from collections import OrderedDict

env = os.environ.get
STATE_FILE = env("STATE_FILE") or "device.state"
COUNT = float(env("COUNT") or "inf")
SECOND = float(env("SECOND_MS") or 1000) / 1000
# Ends of a connection after which the first wait is 5 seconds, or a minute.
BUSY = ("server_full", "overloaded", "handshake_timeout", "handshake_failed")
WRONG = ("unauthorized", "too_many_errors", "certificate")


def read_sensor():
    """Replace this by your sensor."""
    return {"temperature": round(random.uniform(20, 25), 2)}


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse(line):
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}  # it was cut off, and says nothing


class Device:
    def __init__(self):
        text = open(STATE_FILE, errors="replace").read() if os.path.exists(STATE_FILE) else ""
        # All up to this seq are stored. -1: no gateway knows the count of this file.
        self.stored = max((int(seq) for seq in re.findall(r"^stored (\d+)\n", text, re.M)), default=-1)
        # Messages that are not stored, by seq, as they are sent. A crash may have cut off the last line of the file. Then it
        # was never sent, and its number is free.
        messages = re.findall(r'^(\{"type":"metrics","seq":(\d+),.*\}\})\n', text, re.M)
        self.kept = OrderedDict((int(seq), line) for line, seq in messages if int(seq) > self.stored)
        self.highest = max(self.stored, 0, *self.kept)
        self.wait_factor = 1
        self.writer = None
        self.send_at = math.inf  # when messages may be sent
        self.rewrite_file()

    def rewrite_file(self):
        """Writes what is still needed to a new file. A crash leaves the old file or the new one."""
        self.file, self.lines_in_file = open(STATE_FILE + ".new", "w"), 0
        self.append(f"stored {self.stored}", *self.kept.values(), is_synced=True)
        os.replace(STATE_FILE + ".new", STATE_FILE)
        directory = os.open(os.path.dirname(STATE_FILE) or ".", os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def append(self, *lines, is_synced=False):
        self.file.write("".join(line + "\n" for line in lines))
        self.file.flush()
        self.lines_in_file += len(lines)
        if is_synced:
            os.fsync(self.file.fileno())

    def keep(self, data):
        """A message may be sent once it is on the disk."""
        seq = self.highest + 1
        line = json.dumps({"type": "metrics", "seq": seq, "data": data}, separators=(",", ":"))
        self.append(line, is_synced=True)
        self.kept[seq] = line
        self.highest = seq

    async def take_readings(self):
        while self.highest < COUNT:
            if len(self.kept) < int(env("MAX_KEPT") or 10_000):
                self.keep({"n": self.highest + 1, **read_sensor()})
            else:
                say(f"no reading is taken: {len(self.kept)} wait to be stored")
            self.send()
            await asyncio.sleep(float(env("INTERVAL_MS") or 60_000) / 1000)

    def on_stored(self, seq):
        self.stored = max(self.stored, seq)
        self.highest = max(self.highest, seq)
        while self.kept and next(iter(self.kept)) <= seq:
            self.kept.popitem(last=False)
        self.append(f"stored {self.stored}")
        if self.lines_in_file > len(self.kept) + 1000:
            self.rewrite_file()

    def send(self):
        """Sends what may be sent: in order, and at most 100 messages that are not confirmed."""
        if self.highest >= COUNT and not self.kept:
            os._exit(0)  # all is on the disk
        if time.monotonic() < self.send_at:
            return
        for seq, line in itertools.islice(self.kept.items(), 100):
            if seq > self.sent:
                self.write(line)
                self.sent = seq

    def write(self, line):
        self.writer.write(line.encode() + b"\n")

    def identify(self):
        # A new file begins a new count, so it asks nothing.
        resume = env("RESUME") != "false" and self.stored >= 0
        place = {"zipcode": env("ZIPCODE", "90210"), "city": env("CITY", "Beverly Hills")}
        device = {"device_id": env("DEVICE_ID") or "device-1", "token": env("SLUICE_TOKEN"), "resume": resume}
        # A field may be left out, but not be empty.
        fields = {name: value for name, value in {**place, **device}.items() if value}
        self.write(json.dumps({"type": "identify", **fields}))

    async def replies(self):
        """One connection: what the gateway says on it."""
        ca = env("SLUICE_CA")
        context = ssl.create_default_context(cafile=ca) if ca else None
        address = (env("SLUICE_HOST") or "localhost", int(env("SLUICE_PORT") or 8080))
        failure = "handshake_failed" if ca else "cut"
        try:
            opening = asyncio.open_connection(*address, ssl=context)
            reader, self.writer = await asyncio.wait_for(opening, 60 * SECOND)
            failure, self.sent = None, 0
            self.identify()
            silent_minutes = 0
            while silent_minutes < 3:
                try:
                    line = await asyncio.wait_for(reader.readline(), 60 * SECOND)
                except asyncio.TimeoutError:
                    silent_minutes += 1
                    self.write('{"type":"keepalive"}')
                    continue
                silent_minutes = 0
                if not line:
                    break
                yield parse(line)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            say(f"connection: {error!r}")
            if re.search("CERT|UNKNOWN_CA", str(error)):
                failure = "certificate"
        self.send_at = math.inf
        if self.writer:
            self.writer.transport.abort()
        if failure:
            yield {"status": "error", "code": failure, "message": "no connection"}

    def hear(self, reply):
        status, code, seq = reply.get("status"), reply.get("code"), reply.get("seq", 0)
        if status == "identified":
            self.on_stored(reply.get("stored_seq") or 0)
            self.send_at = 0.0
        elif status == "stored":
            self.on_stored(seq)
            self.wait_factor = 1
        elif status == "error":
            say(f"error {code}{f' of seq {seq}' if seq else ''}: {reply.get('message')}")
            line = self.kept.pop(seq, None)
            if line and code == "queue_full":
                # No fault of the message. Higher ones are sent already, so it needs a new seq.
                self.keep(json.loads(line)["data"])
                self.send_at = time.monotonic() + SECOND
                asyncio.get_running_loop().call_later(SECOND, self.send)
        self.send()

    async def stay_connected(self):
        while True:
            end = {"code": "cut"}
            async for reply in self.replies():
                if reply.get("status") in ("error", "closing"):
                    end = reply
                self.hear(reply)
            await asyncio.sleep(self.wait(end))

    def wait(self, end):
        """How long to wait before the next connection, in seconds."""
        code, told_ms = end.get("code"), end.get("reconnect_after_ms")
        if code in ("wrong_protocol", "tls_required"):
            say("The address, the port or the TLS settings are wrong. No retry would help.")
            os._exit(78)
        first = (60 if code in WRONG else 5 if code in BUSY else 1) * SECOND
        wait = first if told_ms is None else told_ms / 1000
        jitter = 1 + random.random() / 2
        if end.get("status") == "closing":
            return wait
        if code == "kicked":
            return wait * jitter
        wait *= self.wait_factor * jitter
        self.wait_factor = min(2 * self.wait_factor, 60)
        return wait

    async def run(self):
        await asyncio.gather(self.take_readings(), self.stay_connected())


asyncio.run(Device().run())
