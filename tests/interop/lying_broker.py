# SPDX-License-Identifier: MPL-2.0
"""A broker that keeps its logs in memory, trusts everybody, and lies on command. It runs in a thread of the test."""
import base64
import contextlib
import os
import threading
import time

import msgpack
import zmq
from zmq.utils import z85

from conclave_commit import Reader, first_transcript, read_commit, read_join_request
from conclave_roster import FREE, after_commit, node_hash
from conclave_wire import CODES, COMMIT, FRAME_MAX_BYTES, LEAVE, MESSAGE, NO_MORE_LEAVES, REPLY, REPLIES, STATUS

NAMES = {code: name for name, code in CODES.items()}
STATUS_CODES = {name: code for code, name in STATUS.items()}


class Refusal(Exception):
    pass


class Group:
    def __init__(self, id_, name, creator, creator_key, hold_ms):
        self.id, self.name, self.creator, self.creator_key, self.hold_ms = id_, name, creator, creator_key, hold_ms
        self.epoch, self.depth, self.roster = 0, 0, {}
        self.transcript = first_transcript(id_, creator_key, name)
        self.log = []  # (kind, sender, payload)
        self.joins, self.leaves, self.welcomes = {}, {}, {}

    def append(self, kind, sender, payload):
        self.log.append((kind, sender, payload))
        return len(self.log)

    def leaf_of(self, user):
        return next((leaf for leaf, entry in self.roster.items() if entry.name == user), None)

    def proof(self, leaf):
        level = {at: entry.hash(at) for at, entry in self.roster.items()}
        hashes = []
        for _ in range(self.depth):
            hashes.append(level.get(leaf ^ 1, FREE))
            level = {at: node_hash(level.get(2 * at, FREE), level.get(2 * at + 1, FREE)) for at in {at >> 1 for at in level}}
            leaf >>= 1
        return hashes

    def commit(self, sender, data, welcomes):
        if (COMMIT, sender, data) in self.log:  # asked again: the answer was late or got lost
            return self.log.index((COMMIT, sender, data)) + 1
        commit = read_commit(data)
        if commit.epoch != self.epoch:
            raise Refusal("STALE_EPOCH")
        self.roster = after_commit(self.roster, commit)
        self.epoch, self.depth, self.transcript = commit.epoch + 1, commit.depth, commit.next_transcript
        sequence = self.append(COMMIT, sender, data)
        for recipient, sealed in welcomes:
            self.joins.pop(recipient, None)
            self.welcomes.setdefault(recipient, []).append((sequence, sealed))
        for removal in commit.removals:
            self.leaves.pop(removal.name, None)
        return sequence


class LyingBroker:
    """`lies` maps a verb to a function of (user, request fields, status, reply fields): it returns a status and fields, or None for no
    answer at all. `view` maps a group's log to what a user is shown of it. `raw` is sent as it is, instead of the next reply."""

    def __init__(self):
        public, secret = zmq.curve_keypair()
        self.key = z85.decode(public)
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.users, self.groups, self.sessions = {}, {}, {}
        self.lies, self.view, self.raw = {}, lambda user, group, log: log, []
        self.traceparents = {}  # verb: of its requests, in order
        self.is_ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"tcp://127.0.0.1:{self.port}#" + base64.urlsafe_b64encode(self.key).decode().rstrip("=")

    def close(self):
        self.is_ending = True
        self.thread.join()
        self.socket.close()

    def named(self, name):
        return next((group for group in self.groups.values() if group.name == name), None)

    def _run(self):
        while not self.is_ending:
            if not self.socket.poll(50):
                continue
            peer, *parts = self.socket.recv_multipart()
            unpacker = msgpack.Unpacker(raw=False, max_buffer_size=FRAME_MAX_BYTES)
            unpacker.feed(b"".join(parts))
            for _, code, id_, _, traceparent, fields in unpacker:
                self.traceparents.setdefault(NAMES[code], []).append(traceparent)
                self._answer(peer, code, id_, fields)

    def _answer(self, peer, code, id_, fields):
        verb, user = NAMES[code], self.sessions.get(peer, "")
        try:
            status, reply = "OK", getattr(self, "on_" + verb)(peer, user, *fields)
        except Refusal as refusal:
            status, reply = str(refusal), []
        lie = self.lies.get(verb)  # the test takes lies back at any moment
        if lie:
            told = lie(user, fields, status, list(reply))
            if told is None:
                return
            status, reply = told
        with contextlib.suppress(IndexError):
            self.socket.send_multipart([peer, *self.raw.pop(0)])
            return
        status_code = STATUS_CODES[status] if isinstance(status, str) else status
        if isinstance(reply, tuple):  # (verb to pretend, fields)
            code, reply = CODES[reply[0]], reply[1]
        self.socket.send_multipart([peer, msgpack.packb([REPLY, code, id_, status_code, list(reply)])])

    # The verbs, taken at their word

    def group(self, id_):
        if id_ not in self.groups:
            raise Refusal("UNKNOWN_GROUP")
        return self.groups[id_]

    def on_hello(self, peer, user, *_):
        return [1, int(time.time() * 1000), bytes(16), "a liar", FRAME_MAX_BYTES, 64]

    def on_register(self, peer, user, name, key, signature):
        if self.users.setdefault(name, (key, signature))[0] != key:
            raise Refusal("NAME_TAKEN")
        return []

    def on_challenge(self, peer, user, name):
        return [os.urandom(32)]

    def on_login(self, peer, user, name, challenge, purpose, signature):
        self.sessions[peer] = name
        return [os.urandom(32), 3600000, 86400000]

    def on_logout(self, peer, user):
        return []

    def on_unregister(self, peer, user, signature):
        return []

    def on_whois(self, peer, user, name):
        if name not in self.users:
            raise Refusal("UNKNOWN_USER")
        return [*self.users[name], 0]

    def on_lookup(self, peer, user, name):
        group = self.named(name)
        if not group:
            raise Refusal("UNKNOWN_GROUP")
        return [group.id, group.epoch, group.transcript, len(group.roster), 0, group.hold_ms, group.creator, group.creator_key]

    def on_groups(self, peer, user):
        return [[]]

    def on_create(self, peer, user, id_, name, policy, hold_ms, request, commit, welcomes):
        group = self.groups.setdefault(id_, Group(id_, name, user, self.users[user][0], hold_ms))
        return [group.commit(user, commit, welcomes), 1]

    def on_join(self, peer, user, id_, request):
        group = self.group(id_)
        read_join_request(request)
        group.joins[user] = request
        return [group.epoch]

    def on_leave(self, peer, user, id_, statement):
        group = self.group(id_)
        if (LEAVE, user, statement) in group.log:
            return [group.log.index((LEAVE, user, statement)) + 1]
        sequence = group.append(LEAVE, user, statement)
        group.leaves[user] = (sequence, statement)
        return [sequence]

    def on_send(self, peer, user, id_, sealed):
        group = self.group(id_)
        for at, (kind, sender, payload) in enumerate(group.log, 1):
            if payload == sealed:
                return [at, 1]
        r = Reader(sealed)
        r.bytes(1)
        if r.varint() != group.epoch:
            raise Refusal("STALE_EPOCH")
        return [group.append(MESSAGE, user, sealed), int(time.time() * 1000)]

    def on_commit(self, peer, user, id_, commit, welcomes):
        return [self.group(id_).commit(user, commit, welcomes), 1, b""]

    def on_roster(self, peer, user, id_, first, count):
        group = self.group(id_)
        entries = [[leaf, e.name, e.identity_key, e.epoch_added, e.role] for leaf, e in sorted(group.roster.items()) if leaf >= first]
        return [group.epoch, group.depth, NO_MORE_LEAVES, entries]

    def on_roster_proof(self, peer, user, id_, leaf):
        group = self.group(id_)
        entry = group.roster.get(leaf)
        if not entry:
            raise Refusal("UNKNOWN_LEAF")
        return [group.epoch, [[leaf, entry.name, entry.identity_key, entry.epoch_added, entry.role]], [[h] for h in group.proof(leaf)]]

    def on_poll_messages(self, peer, user, cursors, budget):
        events, states = [], []
        for id_, cursor in cursors:
            if id_ not in self.groups:
                states.append([id_, STATUS_CODES["UNKNOWN_GROUP"], 0, 0, 0])
                continue
            group = self.groups[id_]
            log = self.view(user, group, list(group.log))
            events += [[id_, at, 1000 + at, kind, sender, payload]
                       for at, (kind, sender, payload) in enumerate(log, 1) if at > cursor]
            states.append([id_, 0, len(log), group.epoch, 0])
        return [events, states, 0]

    def on_poll_keys(self, peer, user, done):
        keys = []
        for group in self.groups.values():
            waiting = [w for w in group.welcomes.get(user, []) if [group.id, w[0]] not in [list(d) for d in done]]
            group.welcomes[user] = waiting
            keys += [[group.id, group.name, sequence, sealed] for sequence, sealed in waiting]
        return [keys, 0]

    def on_poll_joins(self, peer, user):
        return [[[g.id, name, 1, request] for g in self.groups.values() if g.creator == user for name, request in g.joins.items()], 0]

    def on_poll_leaves(self, peer, user):
        return [[[g.id, name, sequence, 1, statement] for g in self.groups.values() if g.creator == user
                 for name, (sequence, statement) in g.leaves.items()], 0]


assert set(REPLIES) >= set(NAMES)
