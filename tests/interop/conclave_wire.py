# SPDX-License-Identifier: MPL-2.0
"""Talking to a broker (PROTOCOL.md, sections 1, 2, 4 and 5): endpoints, frames, the tables of verbs, one connection with its session."""
import base64
import collections
import os
import re
import time

import msgpack
import zmq
from zmq.utils import z85

from conclave_blocks import check, sign

FRAME_MAX_BYTES = 320 * 1024
PATIENCE_S = 90  # for what must come; only a broken broker makes a test wait so long
REQUEST, REPLY, PUSH = 0, 1, 2
EVENTS, DUTIES = 1, 2  # purposes of a session
MESSAGE, COMMIT, LEAVE = 1, 2, 3  # kinds of an event
ADMIN = 1  # role
NO_MORE_LEAVES = 2**32 - 1

# In the notation of section 5. Requests are not checked here, so that a test can send anything.
RECORDS = """
cursor        group:b16 cursor:u
event         group:b16 sequence:u time_ms:u kind:u sender:n payload:b≤131072
group_state   group:b16 status:u head:u epoch:u rekey_due_since_ms:u
welcome       recipient:n sealed:b≤4096
pending_key   group:b16 group_name:n commit_sequence:u sealed:b≤4096
pending_join  group:b16 name:n since_ms:u request:b≤512
pending_leave group:b16 name:n sequence:u since_ms:u statement:b≤128
roster_entry  leaf:u name:n identity_key:b32 epoch_added:u role:u
hash          hash:b32
membership    group:b16 name:n leaf:u epoch_added:u role:u joined_sequence:u until_sequence:u
"""
VERBS = """
1  hello         version:u time_ms:u incarnation:b16 software:t≤64 frame_max_bytes:u in_flight_max:u
2  register
3  challenge     challenge:b32
4  login         token:b32 idle_ms:u absolute_ms:u
5  logout
6  unregister
7  whois         identity_key:b32 signature:b64 since_ms:u
8  register_invited
16 lookup        group:b16 epoch:u transcript:b32 members:u join_policy:u hold_ms:u creator:n creator_key:b32
17 groups        memberships:[membership]
18 create        sequence:u time_ms:u
19 join          epoch:u
20 leave         sequence:u
21 send          sequence:u time_ms:u
22 commit        sequence:u time_ms:u winner:b≤131072
23 roster        epoch:u depth:u next_leaf:u entries:[roster_entry]
24 roster_proof  epoch:u entries:[roster_entry] proof:[hash]
25 restored      sequence:u epoch:u time_ms:u
32 poll_messages events:[event] states:[group_state] more:u
33 poll_keys     keys:[pending_key] more:u
34 poll_joins    joins:[pending_join] more:u
35 poll_leaves   leaves:[pending_leave] more:u
"""
PUSHES = """
64 events   events:[event]
65 nudge    group:b16 task:u
66 replaced purpose:u
"""


class Shape:
    """A named sequence of typed fields, read strictly into a named tuple."""

    def __init__(self, name, fields):
        self.fields = [field.split(":") for field in fields]
        self.record = collections.namedtuple(name, [field for field, _ in self.fields])

    def read(self, values):
        check(isinstance(values, list) and len(values) == len(self.fields), f"{self.record.__name__}: number of fields")
        return self.record(*[read_field(kind, value) for (_, kind), value in zip(self.fields, values)])


def read_field(kind, value):
    if kind == "u":
        check(type(value) is int and 0 <= value < 1 << 64, "not an unsigned integer")
    elif kind == "n":
        check(isinstance(value, str) and len(value) <= 32, "not a name")
    elif kind[0] == "t":
        check(isinstance(value, str) and len(value.encode()) <= int(kind[2:]), "not a text of that size")
    elif kind[0] == "[":
        check(isinstance(value, list), "not a list")
        return [SHAPES[kind[1:-1]].read(item) for item in value]
    elif kind[1] == "≤":
        check(isinstance(value, bytes) and len(value) <= int(kind[2:]), "not bytes of that size")
    else:
        check(isinstance(value, bytes) and len(value) in (0, int(kind[1:])), "not bytes of that size")
    return value


SHAPES = {line.split()[0]: Shape(line.split()[0], line.split()[1:]) for line in RECORDS.split("\n") if line}
CODES, REPLIES, PUSH_SHAPES = {}, {}, {}
for _line in filter(None, VERBS.split("\n")):
    _code, _name, *_fields = _line.split()
    CODES[_name] = int(_code)
    REPLIES[int(_code)] = Shape(_name, _fields)
for _line in filter(None, PUSHES.split("\n")):
    _code, _name, *_fields = _line.split()
    PUSH_SHAPES[int(_code)] = Shape(_name, _fields)

_status_def = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "status.def")
with open(_status_def, encoding="utf-8") as _file:
    STATUS = {int(code): name for name, code in re.findall(r"^STATUS\((\w+), (\d+),", _file.read(), re.M)}


class BrokerSaid(Exception):
    """The broker refused; `status` is the name of the status, `reply` what else it said."""

    def __init__(self, status, reply=None):
        super().__init__(status)
        self.status = status
        self.reply = reply


class NoAnswer(Exception):
    pass


class Endpoint:
    """tcp://HOST:PORT#KEY"""

    def __init__(self, text):
        match = re.fullmatch(r"(tcp://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5}))#([A-Za-z0-9_-]{43})", text)
        check(match and 1 <= int(match[2]) <= 65535, "not an endpoint")
        self.address = match[1]
        self.key = base64.urlsafe_b64decode(match[3] + "=")


class Connection:
    """One DEALER socket and, after login, one session. Calls are answered one by one here; the protocol would allow 64 in flight."""

    def __init__(self, url, options=()):
        """`options`: more pairs for setsockopt."""
        self.endpoint = Endpoint(url)
        public, secret = zmq.curve_keypair()
        self.curve_key = z85.decode(public)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        self.socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(self.endpoint.key))
        self.socket.setsockopt(zmq.MAXMSGSIZE, FRAME_MAX_BYTES)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15000)
        self.socket.setsockopt(zmq.LINGER, 0)
        for option, value in options:
            self.socket.setsockopt(option, value)
        self.socket.connect(self.endpoint.address)
        self.token = b""
        self.last_id = 0
        self.pushes = collections.deque()
        self.push_number = 0
        self.strays = []  # replies nobody asked for

    def close(self):
        self.socket.close()

    # Frames

    def send_frame(self, *messages):
        self.send_bytes(b"".join(msgpack.packb(message) for message in messages))

    def send_bytes(self, *parts):
        self.socket.send_multipart(parts)

    def receive(self, seconds):
        """The messages of the next frame, [] after `seconds` without one."""
        if not self.socket.poll(max(0, seconds) * 1000):
            return []
        parts = self.socket.recv_multipart()
        check(len(parts) == 1, "a message of several parts")
        return list(split_frame(parts[0]))

    def sort(self, messages):
        """Keeps pushes and gives the replies."""
        replies = []
        for message in messages:
            check(isinstance(message, list) and message, "not a message")
            if message[0] == PUSH:
                check(len(message) == 4, "not a push")
                _, code, number, fields = message
                check(number == self.push_number + 1, f"push {number} after {self.push_number}")
                self.push_number = number
                if code in PUSH_SHAPES:
                    self.pushes.append(PUSH_SHAPES[code].read(fields))
            else:
                check(message[0] == REPLY and len(message) == 5, "not a reply")
                replies.append(message)
        return replies

    def take_pushes(self, seconds=0):
        """What was pushed, waiting up to `seconds` for the first."""
        end = time.monotonic() + seconds
        while not self.pushes and (left := end - time.monotonic()) > 0:
            self.strays += self.sort(self.receive(left))
        while messages := self.receive(0):
            self.strays += self.sort(messages)
        pushes = list(self.pushes)
        self.pushes.clear()
        return pushes

    # Calls

    def request(self, verb, *fields, token=None, trace=""):
        self.last_id += 1
        return [REQUEST, CODES[verb], self.last_id, self.token if token is None else token, trace, list(fields)]

    def call(self, verb, *fields, token=None, seconds=PATIENCE_S):
        """The reply as a named tuple; BrokerSaid if it is a refusal."""
        request = self.request(verb, *fields, token=token)
        self.send_frame(request)
        return self.answer(request, seconds)

    def answer(self, request, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for _, code, id_, status, fields in self.sort(self.receive(left)):
                if (code, id_) != (request[1], request[2]):
                    self.strays.append([REPLY, code, id_, status, fields])
                    continue
                if status:  # an empty array of fields says as much as empty fields
                    raise BrokerSaid(STATUS.get(status, f"status {status}"), REPLIES[code].read(fields) if fields else None)
                return REPLIES[code].read(fields)
        raise NoAnswer(f"no answer to {request[1]}")

    def refusal(self, verb, *fields, **options):
        """The status's name, for a call that may be refused."""
        try:
            self.call(verb, *fields, **options)
        except BrokerSaid as said:
            return said.status
        return "OK"

    # Sessions

    def hello(self):
        return self.call("hello", 1, 1, "conclave interop")

    def register(self, name, signing_key):
        identity_key = bytes(signing_key.verify_key)
        self.call("register", name, identity_key, sign(signing_key, "register", self.endpoint.key, name.encode(), identity_key))

    def login_fields(self, name, signing_key, purpose):
        challenge = self.call("challenge", name).challenge
        signature = sign(signing_key, "login", self.endpoint.key, name.encode(), challenge, self.curve_key, bytes([purpose]))
        return name, challenge, purpose, signature

    def login(self, name, signing_key, purpose):
        reply = self.call("login", *self.login_fields(name, signing_key, purpose))
        self.token = reply.token
        return reply


def split_frame(frame):
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=FRAME_MAX_BYTES)
    unpacker.feed(frame)
    yield from unpacker
    check(unpacker.tell() == len(frame), "a frame that ends within a message")
