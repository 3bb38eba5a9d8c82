# SPDX-License-Identifier: MPL-2.0
"""An operator's hands on a broker: its command, config file, signals and log; accounts, and a client that makes it wait."""
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import msgpack
import nacl.signing
import zmq

from conclave_wire import CODES, BrokerSaid, Connection
from harness import BUILD, REPO, SLOW, wait_for
from planted import FIELDS, OK, REPLY, REQUEST, UNWATCH, WATCH

CONCLAVED = os.path.join(BUILD, "conclaved")


def conclaved(*args, **options):
    """Runs it to its end, which must come by itself."""
    return subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20 * SLOW,
                          check=False, **options)


def config(world, text, name="conclaved.conf"):
    path = os.path.join(world.dir, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def events(world, *names):
    lines = [json.loads(line) for line in world.broker.log_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] in names]


def after(world, signal_number, *names):
    """Sends a signal; the next line of one of these events."""
    before = len(events(world, *names))
    world.broker.process.send_signal(signal_number)
    wait_for(lambda: len(events(world, *names)) > before, 20, f"one of {names} is logged")
    return events(world, *names)[before]


def page(name):
    with open(os.path.join(REPO, "broker", name), encoding="utf-8") as file:
        return file.read()


def reload(world, text):
    """Writes the config file, sends SIGHUP, and returns what was logged of it, without times and levels."""
    config(world, text)
    before = world.broker.log_text().count("\n")
    after(world, signal.SIGHUP, "config_reloaded", "config_not_reloaded")
    lines = [json.loads(line) for line in world.broker.log_text().splitlines()[before:]]
    return [{name: value for name, value in line.items() if name not in ("time", "level")}
            for line in lines if line["event"].startswith("config_")]


@contextlib.contextmanager
def connection(world):
    wire = Connection(world.broker.url)
    try:
        wire.hello()
        yield wire
    finally:
        wire.close()


class Tool:
    """One at the broker's socket for its operator's tools, who says what it likes."""

    def __init__(self, context, world):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 60000
        self.socket.connect("ipc://" + os.path.join(world.broker.data, "operator.sock"))
        self.last = 0

    def send(self, verb, *fields):
        self.last += 1
        self.socket.send(msgpack.packb([REQUEST, verb, self.last, b"", "", list(fields)]))
        return self.last

    def receive(self):
        assert self.socket.poll(60000 * SLOW), "nothing came"
        return msgpack.unpackb(self.socket.recv())

    def answer(self, number):
        while True:
            message = self.receive()
            if message[0] == REPLY and message[2] == number:
                return message[3], message[4]

    def ask(self, verb, *fields):
        return self.answer(self.send(verb, *fields))


@contextlib.contextmanager
def tools(world):
    """Makes tools, and closes them."""
    context = zmq.Context()
    made = []

    def make():
        made.append(Tool(context, world))
        return made[-1]
    try:
        yield make
    finally:
        for tool in made:
            tool.socket.close()
        context.term()


def settle(world):
    """Until the steps of all that the broker has answered by now are where its tools find them: a thread takes them there after the answers.
    Steps keep their order, so one of our own is waited for."""
    with tools(world) as make, contextlib.closing(Connection(world.broker.url)) as wire:
        tool = make()
        assert tool.ask(WATCH, "", "", CODES["hello"], 0, 0, 0, 0, 0)[0] == OK
        wire.last_id = secrets.randbits(48)
        wire.call("hello", 1, 1, "to settle", seconds=60 * SLOW)
        while not any(step[FIELDS.index("request")] == wire.last_id for step in tool.receive()[3][1]):
            pass
        assert tool.ask(UNWATCH)[0] == OK  # its place is free again


def account(world, name):
    key = nacl.signing.SigningKey.generate()
    with connection(world) as wire:
        wire.register(name, key)
    return name, key


def refused(world, name):
    """Registers; "" or the refusal."""
    try:
        account(world, name)
        return ""
    except BrokerSaid as refusal:
        return str(refusal)


class Deaf:
    """A client that asks for more than the system's buffers hold and reads none of it."""

    def __init__(self, world):
        self.wire = Connection(world.broker.url, [(zmq.RCVHWM, 1), (zmq.RCVBUF, 4096)])
        self.wire.hello()
        requests = [self.wire.request("hello", 1, 1, "deaf") for _ in range(64)]
        with connection(world) as other:
            for _ in range(2000):
                self.wire.send_frame(*requests)
                other.hello()  # in one turn only 64 are answered

    def close(self):
        self.wire.close()
