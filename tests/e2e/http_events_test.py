# SPDX-License-Identifier: MPL-2.0
"""The live page's events: what they tell of, and of those who read them slowly or in crowds."""
import contextlib
import http.client
import json
import os
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from conclave_wire import EVENTS
from harness import SLOW, World, equal, main, room, wait_for
from http_test import ANY, address, fresh_metrics, get, metrics, status
from operating import account, connection


class Stream:
    """Server-sent events, one after the other."""

    def __init__(self, world):
        self.client = http.client.HTTPConnection(*address(world), timeout=20 * SLOW)
        self.client.request("GET", "/events")
        self.answer = self.client.getresponse()
        self.status = self.answer.status

    def next(self, *names):
        """The next event of one of these names."""
        event = None
        while line := self.answer.readline().decode():
            if line.startswith("event: "):
                event = line[len("event: "):].strip()
            elif line.startswith("data: ") and event in names:
                return json.loads(line[len("data: "):])
        raise AssertionError("the stream ended")

    def until(self, name, condition):
        for _ in range(200):
            data = self.next(name)
            if condition(data):
                return data
        raise AssertionError("not among 200 events " + name)

    def close(self):
        self.client.close()


def test_events_tell_what_passes():
    with World(broker_args=ANY) as world:
        ada, bob = world.users("ada", "bob")
        serve = room(world, "tea", ada, bob)
        listener = bob.start("listen", "tea")
        stream = Stream(world)
        equal(stream.answer.getheader("Content-Type"), "text/event-stream")
        state = stream.until("state", lambda state: {"ada", "bob"} <= {user["name"] for user in state["users"]} and not state["problem"])
        equal([(group["name"], group["members"]) for group in state["groups"]], [("tea", 2)])
        equal([user["groups"] for user in state["users"]], [["tea"], ["tea"]])
        ada.ok("send", "tea", "a text that nobody here can read")
        steps, sends = [], []

        def is_told(tick):
            steps.extend(line["step"] for line in tick["steps"])
            sends.extend(sent for sent in tick["sends"] if sent["how"] == "send")
            return sends and {"received", "accepted", "appended", "stored"} <= set(steps)
        stream.until("tick", is_told)
        equal([(sent["user"], sent["group"]) for sent in sends], [("ada", "tea")])
        sealed = stream.until("sealed", lambda sealed: sealed["sequence"] == sends[0]["sequence"])
        equal((sealed["group"], sealed["sender"]), ("tea", "ada"))
        raw = bytes.fromhex(sealed["hex"])
        equal(len(raw), sealed["bytes"])
        assert 0 < sealed["header_bytes"] < len(raw) and b"nobody" not in raw
        wait_for(lambda: listener.texts() == ["a text that nobody here can read"], 30, "it arrives")
        stream.close()
        serve.stop()
        # Nobody looks: nobody listens.
        fresh_metrics(world, lambda now: now.value("http_streams") == 0, "the stream is gone")
        equal(world.broker.stop(), 0)


def test_who_is_shown_is_there():
    with World(poll_ms=5000, broker_args=ANY) as world:
        ada, bob = world.users("ada", "bob")
        serve = room(world, "tea", ada, bob)
        idle = bob.start("listen", "tea")
        with connection(world) as silent:  # one that never asks for anything, and reads what it is sent
            silent.login(*account(world, "eve"), EVENTS)
            # Not the rest of the commands that made the room: they have ended.
            fresh_metrics(world, lambda now: (now.value("users_online"), now.value("sessions")) == (3, 5), "three are online")
            serve.kill()
            killed = time.monotonic()
            stream = Stream(world)
            state = stream.until("state", lambda state: state["online"] == 2 and len(state["users"]) == 2
                                 or time.monotonic() - killed > 60 * SLOW)
            equal(({user["name"] for user in state["users"]}, state["online"], [group["online"] for group in state["groups"]]),
                  ({"bob", "eve"}, 2, [1]))
            # Who is idle or says nothing stays.
            wait_for(lambda: time.monotonic() - killed > 25, 30, "time passes")
            now = fresh_metrics(world, lambda now: now.value("snapshot_age_seconds") < 2, "the numbers are new")
            equal((now.value("users_online"), now.value("sessions")), (2, 3))
            pushes = silent.take_pushes()
            assert len(pushes) >= 2 and all(push.events == [] for push in pushes), pushes
        stream.close()
        equal(idle.stop(), 0)


def drop(world, bytes_a_second):
    """Opens a stream, reads so much of it and lets things happen until it is dropped, once."""
    before = metrics(world).value("http_streams_dropped_total")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(address(world))
    slow.setblocking(False)
    slow.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_for(lambda: metrics(world).value("http_streams") == 2, 20, "it is open")
    started, got = time.monotonic(), 0
    with connection(world) as wire:

        def is_dropped():
            nonlocal got
            requests = [wire.request("hello", 1, 1, "busy") for _ in range(64)]
            wire.send_frame(*requests)
            wire.answer(requests[-1])
            due = int((time.monotonic() - started) * bytes_a_second) - got
            with contextlib.suppress(BlockingIOError, ConnectionError):
                got += len(slow.recv(due)) if due > 0 else 0
            return metrics(world).value("http_streams_dropped_total") > before

        wait_for(is_dropped, 180, "it is dropped")
    wait_for(lambda: metrics(world).value("http_streams") == 1, 20, "its place is free")
    equal(metrics(world).value("http_streams_dropped_total"), before + 1)
    slow.close()


def test_slow_streams_are_dropped_and_counted():
    with World(broker_args=ANY) as world:
        stream, seen = Stream(world), []
        reader = threading.Thread(target=lambda: seen.extend(iter(lambda: stream.answer.readline(), b"")))
        reader.start()
        drop(world, 0)
        drop(world, 5000)
        # Who reads stays, to the end, which is no drop.
        equal(world.broker.stop(), 0)
        reader.join(20 * SLOW)
        assert seen.count(b"event: state\n") > 3, len(seen)
        stream.close()


def test_streams_are_bounded():
    with World(broker_args=ANY) as world:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(address(world))
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: metrics(world).value("http_streams") == 1, 20, "it is open")
        streams = [Stream(world) for _ in range(15)]
        equal([stream.status for stream in streams], [200] * 15)
        equal(get(world, "/events")[::2], (503, "too many live pages are open\n"))
        equal(status(world, "/events", "HEAD"), 503)
        equal(status(world, "/metrics"), 200)
        streams[0].close()
        wait_for(lambda: metrics(world).value("http_streams") == 15, 20, "its place is free")
        streams[0] = Stream(world)
        equal(streams[0].status, 200)
        for stream in streams:
            stream.next("tick")
        # All end with the broker, at once.
        equal(world.broker.stop(), 0)
        for stream in streams:
            try:
                while True:
                    stream.next("nothing")
            except (AssertionError, http.client.IncompleteRead, ConnectionError):
                pass
            stream.close()
        slow.close()
        world.broker.start()


if __name__ == "__main__":
    main(globals())
