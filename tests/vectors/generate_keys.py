#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Writes keys.txt: golden bytes for sections 3 and 7 to 10 of proto/PROTOCOL.md, made from that text alone.

Needs python3-nacl. Lines are `key = hex`; keys that begin with "in." are inputs. Where the protocol says "random", the bytes come from
stream(label), one draw after the other: R first, then for each commit in the order of section 9: keys of nodes that never had one, when a
step first needs them (levels from below, positions from the left), fresh leaves (adds, then removals and refreshes by leaf), and path
secrets (levels from below, positions from the left).
"""
import hashlib
import os

from nacl.bindings import (crypto_aead_chacha20poly1305_ietf_encrypt as aead, crypto_scalarmult_base,
                           crypto_sign, crypto_sign_seed_keypair)

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


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def statement(kind, *fields):
    return b"conclave/1 " + kind + b"\0" + b"".join(lp(f) for f in fields)


def h(kind, *fields):
    return hashlib.blake2b(statement(kind, *fields), digest_size=32).digest()


def kdf(key, label, x=b""):
    return hashlib.blake2b(lp(label) + lp(x), key=key, digest_size=32).digest()


def fill(label, size):
    """Bytes that look random and stay the same."""
    return hashlib.shake_256(b"vector " + label.encode()).digest(size)


class Stream:
    """Draws: BLAKE2b over label, then the number of the draw in 4 bytes."""

    def __init__(self, label):
        self.label, self.count = label.encode(), 0

    def draw(self, size):
        out = hashlib.blake2b(self.label + u(4, self.count), digest_size=size).digest()
        self.count += 1
        return out


class Person:
    def __init__(self, name):
        self.name = name.encode()
        self.seed = put(f"in.{name}.seed", fill(name, 32))
        self.key, self.secret = crypto_sign_seed_keypair(self.seed)

    def sign(self, message):
        return crypto_sign(message, self.secret)[:64]

    def ask(self, label, transcript):
        """A join request with a fresh prekey."""
        prekey_secret = put(f"in.{label}.prekey_secret", fill(label, 32))
        self.prekey = crypto_scalarmult_base(prekey_secret)
        part = b"\1" + GROUP + name8(self.name) + self.key + self.prekey + transcript + b"\0"
        request = put(f"{label}.request", part + self.sign(statement(b"join", GROUP, part)))
        self.request_hash = put(f"{label}.request_hash", h(b"join-request", request))


GROUP = put("in.group", fill("group", 16))
GROUP_NAME = b"the-group"
put("in.group_name", GROUP_NAME)
ZERO = bytes(32)


def node(level, position):
    return (position << (level + 1)) + (1 << level) - 1


class Group:
    """The holder: all node keys by (level, position), and the roster by leaf."""

    def __init__(self, creator):
        self.keys, self.roster, self.depth, self.epoch = {}, {}, 0, 0
        self.membership = ZERO
        self.transcript = put("transcript_0", h(b"group", GROUP, creator.key, GROUP_NAME))

    def get(self, at):
        if at not in self.keys:
            self.keys[at] = self.stream.draw(32)
        return self.keys[at]

    def step(self, at, label):
        self.keys[at] = kdf(self.get(at), label, self.r)

    def root(self):
        """Of the roster."""
        level = []
        for leaf in range(1 << self.depth):
            entry = self.roster.get(leaf)
            level.append(h(b"roster-entry", u(4, leaf), entry[0].name, entry[0].key, u(8, entry[1]),
                           u(1, entry[2])) if entry else ZERO)
        while len(level) > 1:
            level = [ZERO if level[i] == level[i + 1] == ZERO
                     else h(b"roster-node", level[i], level[i + 1]) for i in range(0, len(level), 2)]
        return level[0]

    def move_tree(self, adds, gone, staying):
        """Steps 1 to 4; returns the wraps."""
        while self.depth < self.next_depth:
            old = (self.depth, 0)
            grown = kdf(self.get(old), b"grow", self.r)
            self.step(old, b"next")
            self.depth += 1
            self.keys[(self.depth, 0)] = grown
        for level in range(1, self.depth + 1):
            for position in sorted({leaf >> level for leaf in adds}):
                self.step((level, position), b"join")
        for leaf in sorted(adds) + sorted(gone):
            self.keys[(0, leaf)] = self.stream.draw(32)
        wraps, secrets = {}, {}
        for level in range(1, self.depth + 1):
            for position in sorted({leaf >> level for leaf in gone}):
                children = [(level - 1, position * 2), (level - 1, position * 2 + 1)]
                source = next((c for c in children if c in secrets), None)
                secret = kdf(secrets[source], b"path", self.r) if source else self.stream.draw(32)
                secrets[(level, position)] = secret
                for child in children:
                    if child == source or not any(s >> child[0] == child[1] for s in staying):
                        continue
                    number = node(*child)
                    wraps[number] = aead(secret, GROUP + u(8, self.epoch + 1) + u(4, number), bytes(12),
                                         kdf(self.get(child), b"wrap", self.r))
                    self.step(child, b"next")
                self.keys[(level, position)] = kdf(secret, b"node", self.r)
        return wraps

    def commit(self, label, admin, adds=(), removals=(), refreshes=(), roles=()):
        self.stream = Stream(label)
        self.r = self.stream.draw(16)
        free = (leaf for leaf in range(1 << 17) if leaf not in self.roster)
        added = dict(zip(free, adds))
        self.next_depth = self.depth
        while added and max(added) >= 1 << self.next_depth:
            self.next_depth += 1
        before = set(self.roster)
        removed = {leaf: self.roster[leaf][0] for leaf in removals}
        refreshed = {leaf: self.roster[leaf][0] for leaf in refreshes}
        for leaf in removed:
            del self.roster[leaf]
        for leaf, person in added.items():
            self.roster[leaf] = (person, self.epoch + 1, 0)
        for leaf, role in roles:
            self.roster[leaf] = self.roster[leaf][:2] + (role,)
        gone = set(removed) | set(refreshed)
        wraps = self.move_tree(set(added), gone, before - gone)
        self.depth = self.next_depth
        committer = next(leaf for leaf, entry in self.roster.items() if entry[0] is admin)
        body = b"\1\0" + GROUP + u(8, self.epoch) + self.transcript + self.r + u(1, self.depth)
        body += u(4, committer) + u(2, len(added))
        for leaf, p in sorted(added.items()):
            body += u(4, leaf) + name8(p.name) + p.key + p.request_hash
        body += u(2, len(removed))
        for leaf, p in sorted(removed.items()):
            body += u(4, leaf) + name8(p.name) + p.key
        body += u(2, len(refreshed))
        for leaf, p in sorted(refreshed.items()):
            body += u(4, leaf) + p.request_hash
        body += u(2, len(roles)) + b"".join(u(4, leaf) + u(1, role) for leaf, role in roles)
        body += put(f"{label}.roster_root", self.root()) + u(2, len(wraps))
        body += b"".join(u(4, child) + wrap for child, wrap in sorted(wraps.items()))

        self.transcript = put(f"{label}.transcript", h(b"transcript", self.transcript, body))
        root = (self.depth, 0)
        es = put(f"{label}.epoch_secret", kdf(self.get(root), b"epoch", self.transcript))
        self.step(root, b"next")
        confirm = put(f"{label}.confirm", kdf(es, b"confirm"))
        tag = put(f"{label}.tag", kdf(confirm, b"tag", self.transcript))
        mac = put(f"{label}.mac", kdf(self.membership, b"mac", self.transcript + tag))
        self.membership = put(f"{label}.membership", kdf(es, b"membership"))
        self.tree = put(f"{label}.tree", kdf(es, b"tree"))
        signature = admin.sign(statement(b"commit", GROUP, self.transcript, tag))
        put(f"{label}.commit", body + tag + mac + signature)
        self.epoch += 1
        for leaf, person in sorted(added.items()) + sorted(refreshed.items()):
            self.welcome(f"{label}.welcome.{person.name.decode()}", admin, leaf, person, es)
        for leaf, entry in self.roster.items():
            put(f"{label}.path.{entry[0].name.decode()}", self.path(leaf))

    def path(self, leaf):
        return b"".join(self.keys[(level, leaf >> level)] for level in range(self.depth + 1))

    def welcome(self, label, admin, leaf, person, es):
        admins = sorted((l, e[0]) for l, e in self.roster.items() if e[2] == 1)
        plain = b"\1" + GROUP + name8(GROUP_NAME) + u(8, self.epoch) + self.transcript + u(4, leaf)
        plain += u(1, self.depth) + es + self.path(leaf) + u(2, len(admins))
        plain += b"".join(u(4, l) + name8(p.name) + p.key for l, p in admins)
        signed = statement(b"welcome", GROUP, self.transcript, person.key, person.prekey, u(4, leaf),
                           h(b"welcome", plain))
        put(label, plain + admin.sign(signed))


def secret_tree(tree, depth, leaf):
    """The first chain key of a leaf."""
    secret = tree
    for level in reversed(range(depth)):
        secret = kdf(secret, b"right" if leaf >> level & 1 else b"left")
    return kdf(secret, b"chain")


def message(label, group, sender, leaf, generation, message_key, number, content, fields=b""):
    salt = Stream(label).draw(8)
    header = b"\1" + varint(group.epoch) + varint(leaf) + varint(generation) + salt
    signed = [b"message", GROUP, group.transcript, header, b"\1", u(8, number), content]
    signature = sender.sign(statement(*signed, *([fields] if fields else [])))
    inner = signature + b"\1" + varint(number) + varint(len(content)) + content + fields
    inner += bytes(-len(inner) % 64)
    put(f"{label}.sealed", header + aead(inner, GROUP + header, bytes(12), kdf(message_key, b"seal", header)))


def words(hash_bytes, count):
    """Their numbers, 2 bytes each."""
    bits = bin(int.from_bytes(b"\1" + hash_bytes, "big"))[3:]
    return b"".join(u(2, int(bits[i * 11:i * 11 + 11], 2)) for i in range(count))


key, x = put("in.kdf.key", fill("kdf key", 32)), put("in.kdf.x", fill("kdf x", 16))
for text in ("grow next join path node wrap epoch confirm membership tree tag mac left right chain message "
             "ratchet seal").split():
    put(f"kdf.{text}", kdf(key, text.encode(), x))

alice, bob, carol, dave, erin, frank = map(Person, "alice bob carol dave erin frank".split())
group = Group(alice)
alice.ask("alice.1", group.transcript)
group.commit("commit_0", alice, adds=[alice], roles=[(0, 1)])
bob.ask("bob.1", group.transcript)
carol.ask("carol.1", group.transcript)
group.commit("commit_1", alice, adds=[bob, carol])
dave.ask("dave.1", group.transcript)
erin.ask("erin.1", group.transcript)
group.commit("commit_2", alice, adds=[dave, erin])
erin.ask("erin.2", group.transcript)
group.commit("commit_3", alice, removals=[2], refreshes=[4], roles=[(1, 1)])
frank.ask("frank.1", group.transcript)
group.commit("commit_4", alice, adds=[frank], removals=[3])
group.commit("commit_5", alice)

chain = put("chain_0", secret_tree(group.tree, group.depth, 1))
content = put("in.content", varint(1700000000123) + "héllo".encode())
creation = b"\1" + u(1, 25) + fill("trace id", 16) + fill("span id", 8) + b"\1"
optional = [b""] * 3 + [put("in.fields_3", creation), put("in.fields_4", creation + b"\x09\3new")]
for generation, fields in enumerate(optional):
    message_key = put(f"message_key_{generation}", kdf(chain, b"message"))
    message(f"message_{generation}", group, bob, 1, generation, message_key, 7 + generation, content, fields)
    chain = put(f"chain_{generation + 1}", kdf(chain, b"ratchet"))

put("words.pair", words(h(b"words-pair", *sorted([alice.key, bob.key])), 12))
put("words.key", words(h(b"words-key", alice.key), 12))
put("words.group", words(h(b"words-group", GROUP, group.transcript), 3))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys.txt"), "w") as out:
    out.write("# Made by generate_keys.py.\n" + "\n".join(lines) + "\n")
