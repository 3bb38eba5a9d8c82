# SPDX-License-Identifier: MPL-2.0
"""What conclave-trace is shown in place of what a real broker did: steps put into a recording, and a broker's operator socket that says anything."""
import os
import re
import struct
import threading

import msgpack
import zmq
from harness import REPO

REQUEST, REPLY, PUSH = 0, 1, 2
TRACED, TRACED_MAX = 80, 512
WATCH, UNWATCH, EXPLAIN, OVERVIEW, BACKUP = 48, 49, 50, 51, 52
SEND, COMMIT, POLL_MESSAGES, NUDGE = 21, 22, 32, 65
OK, MALFORMED, TOO_MANY, GONE, STORE_FULL, DRAINING, NOT_FOUND = 0, 1, 7, 61, 70, 72, 74


def table(path, name):
    """The names in one of the C sources' X-macro tables, in their order."""
    with open(os.path.join(REPO, path), encoding="utf-8") as file:
        text = file.read()
    rows = re.search(r"#define " + name + r"\(?X?\)?((?:.*\\\n)*.*)", text)[1]
    return [row for row in re.findall(r"\b[A-Z0-9]+\((\w+)", rows) if row != "X"]


STEPS = {name.lower(): number for number, name in enumerate(table("broker/rules/trace.h", "TRACE_STEPS"))}
REASONS = {name.lower(): number for number, name in enumerate(table("broker/rules/trace.h", "TRACE_REASONS"))}
FIELDS = table("proto/operator.def", "TRACE_FIELDS")
EMPTY = {"user": "", "group": "", "trace_id": bytes(16), "span_id": bytes(8), "parent_id": bytes(8)}


def step(name, **fields):
    """A record as it travels. A number in place of a name is a step that nobody knows."""
    assert not set(fields) - set(FIELDS), fields
    values = {"time_us": 1_000_000, "turn": 1, **fields, "step": STEPS.get(name, name)}
    return [values.get(field, EMPTY.get(field, 0)) for field in FIELDS]


def traced(steps, dropped=0, number=1):
    return msgpack.packb([PUSH, TRACED, number, [dropped, steps]])


def record(path, *pushes):
    """A recording of pushes, each a list of steps or such a list and how many were lost before it."""
    with open(path, "wb") as file:
        file.write(b"CONCLAVE-TRACE\n\x01")
        for push in pushes:
            frame = traced(*(push if isinstance(push, tuple) else (push,)))
            file.write(struct.pack(">I", len(frame)) + frame)
    return path


class PlantedBroker:
    """A data directory whose operator socket answers by a table: verb → function(fields) that gives the frames to send, each a reply
    (status, fields), or bytes as they are."""

    def __init__(self, directory, answers):
        self.data = directory
        self.answers = answers
        self.asked = []  # (verb, fields)
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind("ipc://" + os.path.join(directory, "operator.sock"))
        self.is_ending = False
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.is_ending = True
        self.thread.join()
        self.socket.close()
        self.context.term()

    def _serve(self):
        while not self.is_ending:
            if self.socket.poll(50):
                tool, request = self.socket.recv_multipart()
                _, verb, number, _, _, fields = msgpack.unpackb(request)
                self.asked.append((verb, fields))
                for frame in self.answers.get(verb, lambda fields: [])(fields):
                    is_reply = isinstance(frame, tuple)
                    self.socket.send_multipart([tool, msgpack.packb([REPLY, verb, number, *frame]) if is_reply else frame])
