#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Writes proto.txt: golden bytes for what proto/ derives, made from PROTOCOL.md alone.

Needs python3-nacl and python3-msgpack. Lines are `key = hex`; keys that begin with "in." are inputs.
"""
import base64
import hashlib
import os
import sys

import msgpack
from nacl.signing import SigningKey

lines = []


def put(key, value):
    lines.append(f"{key} = {value.hex()}")
    return value


def u(size, value):
    return value.to_bytes(size, "big")


def lp(data):
    return u(4, len(data)) + data


def name8(name):
    return u(1, len(name)) + name


def statement(kind, *fields):
    return b"conclave/1 " + kind + b"\0" + b"".join(lp(f) for f in fields)


def h(kind, *fields):
    return hashlib.blake2b(statement(kind, *fields), digest_size=32).digest()


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def fill(label, size):
    """Bytes that look random and stay the same."""
    return hashlib.shake_256(b"vector " + label.encode()).digest(size)


def key_text(key):
    return base64.urlsafe_b64encode(key).rstrip(b"=")


alice, bob = SigningKey(fill("alice", 32)), SigningKey(fill("bob", 32))
alice_key, bob_key = alice.verify_key.encode(), bob.verify_key.encode()
group = fill("group", 16)
broker_key = fill("broker", 32)


def sign(who, text):
    return who.sign(text).signature


def inputs():
    put("in.group", group)
    put("in.broker_key", broker_key)
    put("in.alice_key", alice_key)
    put("in.bob_key", bob_key)
    put("in.alice_name", b"alice")
    put("in.bob_name", b"bob.b-2_x")
    put("in.group_name", b"reading-group")


def statements():
    challenge, client = put("in.challenge", fill("challenge", 32)), put("in.client_key", fill("client", 32))
    for key, text in (
        ("register", statement(b"register", broker_key, b"alice", alice_key)),
        ("login", statement(b"login", broker_key, b"alice", challenge, client, b"\2")),
        ("unregister", statement(b"unregister", broker_key, b"alice")),
    ):
        put(f"statement.{key}", text)
        put(f"signature.{key}", sign(alice, text))
    put("hash.empty", h(b"empty"))
    put("hash.fields", h(b"fields", b"", b"a", fill("long", 1000)))
    put("in.hash.long", fill("long", 1000))


def varints():
    for value in (0, 1, 127, 128, 300, 16383, 16384, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        put(f"varint.{value}", varint(value))


def join_request():
    prekey, transcript = put("in.join.prekey", fill("prekey", 32)), put("in.join.transcript", fill("t", 32))
    part = b"\1" + group + name8(b"bob.b-2_x") + bob_key + prekey + transcript + b"\0"
    put("join.statement", statement(b"join", group, part))
    whole = put("join.bytes", part + sign(bob, statement(b"join", group, part)))
    return put("join.hash", h(b"join-request", whole))


def leave():
    leaf, epoch = u(4, 70000), u(8, 2**40 + 5)
    text = put("leave.statement", statement(b"leave", group, leaf, epoch))
    put("leave.bytes", b"\1" + group + leaf + epoch + sign(bob, text))


def commits(request_hash):
    t0 = put("transcript.0", h(b"group", group, alice_key, b"reading-group"))
    tag, mac = put("in.commit.tag", fill("tag", 32)), put("in.commit.mac", fill("mac", 32))
    random, root = put("in.commit.random", fill("random", 16)), put("in.commit.root", fill("root", 32))
    adds = [(3, b"bob.b-2_x", bob_key, request_hash), (5, b"carol", fill("carol", 32), fill("carol join", 32))]
    removals = [(1, b"dave", fill("dave", 32))]
    refreshes = [(4, fill("refresh", 32)), (6, fill("refresh 6", 32))]
    roles = [(0, 1), (3, 1), (4, 0)]
    wraps = [(0, fill("wrap 0", 48)), (5, fill("wrap 5", 48)), (11, fill("wrap 11", 48))]

    def listed(items):
        return u(2, len(items)) + b"".join(items)

    def body(epoch, transcript, depth, adds, removals, refreshes, roles, wraps):
        return (
            b"\1\0" + group + u(8, epoch) + transcript + random + u(1, depth) + u(4, 0)
            + listed([u(4, l) + name8(n) + k + r for l, n, k, r in adds])
            + listed([u(4, l) + name8(n) + k for l, n, k in removals])
            + listed([u(4, l) + r for l, r in refreshes])
            + listed([u(4, l) + u(1, r) for l, r in roles])
            + root
            + listed([u(4, c) + w for c, w in wraps])
        )

    transcript = t0
    first = [(0, b"alice", alice_key, fill("alice join", 32))]
    for name, parts in (
        ("first", (0, 0, first, [], [], [(0, 1)], [])),
        ("second", (1, 3, adds, removals, refreshes, roles, wraps)),
        ("empty", (2, 3, [], [], [], [], [])),
    ):
        the_body = body(parts[0], transcript, *parts[1:])
        transcript = put(f"commit.{name}.next", h(b"transcript", transcript, the_body))
        text = put(f"commit.{name}.statement", statement(b"commit", group, transcript, tag))
        put(f"commit.{name}.bytes", the_body + tag + mac + sign(alice, text))


def headers():
    salt = put("in.header.salt", fill("salt", 8))
    for epoch, leaf, generation in ((0, 0, 0), (1, 127, 128), (2**64 - 1, 131071, 2**32 - 1)):
        header = b"\1" + varint(epoch) + varint(leaf) + varint(generation) + salt
        put(f"header.{epoch}.{leaf}.{generation}", header)


def roster():
    zero = bytes(32)
    depth = 3
    members = {
        leaf: (b"member%d" % leaf, fill(f"member {leaf}", 32), 7 * leaf + 1, leaf % 2) for leaf in (0, 1, 3, 6)
    }

    def leaf_hash(leaf):
        if leaf not in members:
            return zero
        name, key, epoch, role = members[leaf]
        return h(b"roster-entry", u(4, leaf), name, key, u(8, epoch), u(1, role))

    def node(level, index):
        if level == 0:
            return leaf_hash(index)
        left, right = node(level - 1, 2 * index), node(level - 1, 2 * index + 1)
        return zero if left == right == zero else h(b"roster-node", left, right)

    for leaf, (_, key, _, _) in members.items():
        put(f"in.roster.{leaf}.key", key)
        put(f"roster.{leaf}.hash", leaf_hash(leaf))
        proof = [node(level, (leaf >> level) ^ 1) for level in range(depth)]
        put(f"roster.{leaf}.proof", b"".join(proof))
    put("roster.root.3", node(3, 0))
    put("roster.root.4", node(4, 0))
    put("roster.root.5", node(5, 0))


def endpoints():
    put("in.endpoint.key", broker_key)
    put("endpoint.key_text", key_text(broker_key))
    text = key_text(broker_key)
    put("endpoint.name", b"tcp://broker.example.org:5555#" + text)
    put("endpoint.ipv4", b"tcp://192.0.2.7:1#" + text)
    put("endpoint.ipv6", b"tcp://[2001:db8::1]:65535#" + text)


def messages():
    def pack(value):
        return msgpack.packb(value, use_bin_type=True)

    token, sealed = put("in.message.token", fill("token", 32)), put("in.message.sealed", fill("sealed", 300))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    put("in.message.trace", trace.encode())
    put("message.hello", pack([0, 1, 1, b"", "", [1, 1, "conclave 0.1.0"]]))
    put("message.send", pack([0, 21, 70000, token, trace, [group, sealed]]))
    put("message.send_reply", pack([1, 21, 70000, 0, [2**33, 1700000000000]]))
    put("message.refused_commit", pack([1, 22, 2**64 - 1, 50, [0, 0, sealed]]))
    put("message.refused_lookup", pack([1, 16, 9, 30, [bytes(16), 0, bytes(32), 0, 0, 0, "", bytes(32)]]))
    put("message.malformed", pack([1, 0, 0, 1, []]))
    put("message.unknown_verb", pack([1, 40, 5, 2, []]))
    events = [[group, 1, 1700000000000, 2, "alice", sealed], [group, 2, 1700000000001, 1, "bob.b-2_x", b""]]
    states = [[group, 0, 2, 1, 0], [fill("other", 16), 32, 0, 0, 0]]
    put("message.poll_messages", pack([0, 32, 3, token, "", [[[group, 0]], 65536]]))
    put("message.poll_messages_reply", pack([1, 32, 3, 0, [events, states, 1]]))
    put("message.events", pack([2, 64, 17, [events]]))
    put("message.nudge", pack([2, 65, 18, [group, 3]]))


def main():
    inputs()
    statements()
    varints()
    request_hash = join_request()
    leave()
    commits(request_hash)
    headers()
    roster()
    endpoints()
    messages()
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "proto.txt")
    with open(path, "w", encoding="ascii") as out:
        out.write("# Made by generate_proto.py from PROTOCOL.md. key = hex\n" + "\n".join(lines) + "\n")


main()
