# SPDX-License-Identifier: MPL-2.0
"""One epoch's secrets and messages (PROTOCOL.md, sections 9 and 10): the secret tree, each sender's ratchet, sealing and opening."""
import secrets
from dataclasses import dataclass

from conclave_blocks import Reader, aead_open, aead_seal, check, kdf, sign, u64, varint, verify
from conclave_tree import children, node_above, root_node

FORMAT = 1
TEXT = 1  # type of a message
SKIP_MAX = 1000
LEAVES_MAX = 1 << 17
PADDING = 64
CREATION_CONTEXT = 1  # tag of an optional field
FIELDS_MAX = 512


@dataclass
class Header:
    epoch: int
    leaf: int
    generation: int
    bytes: bytes


def write_header(epoch, leaf, generation):
    return bytes([FORMAT]) + varint(epoch) + varint(leaf) + varint(generation) + secrets.token_bytes(8)


def read_header(sealed):
    r = Reader(sealed)
    check(r.integer(1) == FORMAT, "message of an unknown format")
    epoch, leaf, generation = r.varint(), r.varint(), r.varint()
    check(leaf < LEAVES_MAX and generation < 1 << 32, "leaf or generation out of range")
    r.bytes(8)
    return Header(epoch, leaf, generation, sealed[:r.at])


@dataclass
class Inner:
    """An opened message whose sender isn't checked yet."""
    header: Header
    transcript: bytes
    signature: bytes
    type: int
    number: int
    content: bytes
    fields: bytes  # the optional ones

    def check_sender(self, group, identity_key):
        statement = message_statement(group, self.transcript, self.header.bytes, self.type, self.number, self.content, self.fields)
        verify(identity_key, self.signature, *statement)

    def creation_context(self):
        """Trace id, span id and flags; None if there is none."""
        value = read_fields(Reader(self.fields)).get(CREATION_CONTEXT, b"")
        return value if len(value) == 25 and any(value[:16]) and any(value[16:24]) else None


def message_statement(group, transcript, header, type_, number, content, fields=b""):
    return ("message", group, transcript, header, bytes([type_]), u64(number), content) + ((fields,) if fields else ())


def write_fields(fields):
    return b"".join(bytes([tag, len(value)]) + value for tag, value in sorted(fields.items()))


def read_fields(r):
    """{tag: value}, up to the first zero or the end."""
    fields = {}
    while r.at < len(r.data) and r.data[r.at]:
        tag = r.integer(1)
        check(tag > max(fields, default=0), "optional fields out of order")
        fields[tag] = r.bytes(r.integer(1))
    return fields


def text_content(text, time_ms):
    return varint(time_ms) + text.encode()


def read_text(content):
    """(time in ms, text)"""
    r = Reader(content)
    return r.varint(), r.rest().decode("utf-8")


class Chain:
    """One sender's ratchet; a key is given out once."""

    def __init__(self, key):
        self.key = key
        self.generation = 0
        self.skipped = {}

    def take(self, generation):
        if generation in self.skipped:
            return self.skipped.pop(generation)
        check(generation >= self.generation, "message key was used and erased")
        check(generation - self.generation <= SKIP_MAX, "generation too far ahead")
        while self.generation < generation:
            skipped = self.generation
            self.skipped[skipped] = self._next()
        return self._next()

    def _next(self):
        message_key = kdf(self.key, "message")
        self.key = kdf(self.key, "ratchet")
        self.generation += 1
        return message_key


class SecretTree:
    """The chains of an epoch's senders, derived when first needed; what they came from is erased."""

    def __init__(self, secret, depth):
        self.depth = depth
        self.secrets = {root_node(depth): secret}
        self.chains = {}

    def chain(self, leaf):
        if leaf not in self.chains:
            check(leaf < 1 << self.depth, "leaf outside the tree")
            self._derive_down_to(leaf)
            self.chains[leaf] = Chain(kdf(self.secrets.pop(2 * leaf), "chain"))
        return self.chains[leaf]

    def _derive_down_to(self, leaf):
        for level in range(self.depth, 0, -1):
            node = node_above(leaf, level)
            if node in self.secrets:
                secret = self.secrets.pop(node)
                left, right = children(node)
                self.secrets[left], self.secrets[right] = kdf(secret, "left"), kdf(secret, "right")


class Epoch:
    """The secrets that all members share from one commit to the next."""

    def __init__(self, group, number, transcript, epoch_secret, depth):
        self.group = group
        self.number = number
        self.transcript = transcript
        self.confirm = kdf(epoch_secret, "confirm")
        self.membership = kdf(epoch_secret, "membership")
        self.senders = SecretTree(kdf(epoch_secret, "tree"), depth)

    def tag(self):
        """The confirmation tag of the commit that started this epoch."""
        return kdf(self.confirm, "tag", self.transcript)

    def next_code(self, commit, tag):
        """The membership code of a commit that leaves this epoch."""
        return membership_code(self.membership, commit.next_transcript, tag)

    def seal(self, leaf, type_, number, content, signing_key, fields=b""):
        chain = self.senders.chain(leaf)
        header = write_header(self.number, leaf, chain.generation)
        key = chain.take(chain.generation)
        signature = sign(signing_key, *message_statement(self.group, self.transcript, header, type_, number, content, fields))
        return seal_plaintext(self.group, header, key, inner_plaintext(signature, type_, number, content, fields))

    def open(self, sealed):
        header = read_header(sealed)
        check(header.epoch == self.number, "message of another epoch")
        key = self.senders.chain(header.leaf).take(header.generation)
        plaintext = aead_open(kdf(key, "seal", header.bytes), sealed[len(header.bytes):], self.group + header.bytes)
        r = Reader(plaintext)
        signature, type_, number = r.bytes(64), r.integer(1), r.varint()
        content = r.bytes(r.varint())
        start = r.at
        read_fields(r)
        fields = plaintext[start:r.at]
        check(len(fields) <= FIELDS_MAX, "optional fields are too long")
        check(not any(r.rest()) and len(plaintext) % PADDING == 0, "padding is not zeros to a multiple of 64")
        return Inner(header, self.transcript, signature, type_, number, content, fields)


def membership_code(key, transcript, tag):
    return kdf(key, "mac", transcript + tag)


def inner_plaintext(signature, type_, number, content, fields=b""):
    plaintext = signature + bytes([type_]) + varint(number) + varint(len(content)) + content + fields
    return plaintext + bytes(-len(plaintext) % PADDING)


def seal_plaintext(group, header, message_key, plaintext):
    return header + aead_seal(kdf(message_key, "seal", header), plaintext, group + header)
