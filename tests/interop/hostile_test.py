# SPDX-License-Identifier: MPL-2.0
"""What a hostile client may try against a real broker: each attempt has its own status, and nobody else notices."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import contextlib
import random
import secrets
import time

import msgpack
import nacl.signing

from conclave_admin import Admin, Holding, Prepared
from conclave_blocks import sign, varint
from conclave_client import Member
from conclave_commit import Add, first_transcript, write_join_request, write_leave
from conclave_epoch import TEXT, text_content
from conclave_wire import (ADMIN, CODES, DUTIES, EVENTS, FRAME_MAX_BYTES, STATUS, BrokerSaid, Connection)
from harness import World, equal, main, wait_for

def python(world, kind, name):
    return kind(world.broker.url, name).register()


@contextlib.contextmanager
def den(*args):
    """A world with a group of two well-behaved members, who talk before and after."""
    with World(broker_args=args) as world:
        ada, bea = python(world, Admin, "ada"), python(world, Member, "bea")
        ada.create("den")
        bea.request_join("den")
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 20, "bea is in")
        bea.until(lambda: "den" in bea.groups, 20, "bea knows")
        yield world, ada, bea
        ada.send("den", "all is well")
        bea.until(lambda: "all is well" in bea.groups["den"].texts(), 20, "bea reads ada")
        bea.send("den", "very well")
        ada.until(lambda: "very well" in ada.groups["den"].texts(), 20, "ada reads bea")
        equal(world.broker.process.poll(), None, "the broker's exit code")
        ada.close()
        bea.close()


def joined(world, ada, name):
    member = python(world, Member, name)
    member.request_join("den")
    ada.until_served(lambda: name in [entry.name for entry in ada.groups["den"].roster.values()], 20, f"{name} is in")
    member.until(lambda: "den" in member.groups, 20, f"{name} knows")
    return member


def answers(wire, *parts, count=1, seconds=5):
    """[(verb, id, status)] of the next replies to raw bytes."""
    wire.send_bytes(*parts)
    found, end = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found += [(reply[1], reply[2], STATUS[reply[3]]) for reply in wire.sort(wire.receive(end - time.monotonic()))]
    return found


def same(found, expected):
    """Compares two dictionaries of statuses and names those that differ."""
    equal({what: status for what, status in found.items() if status != expected[what]},
          {what: status for what, status in expected.items() if status != found[what]}, "statuses")


def alive(wire, name):
    wire.call("whois", name)


# --- Frames -----------------------------------------------------------------------------------

def test_frames_that_are_not_messages():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()
        foreign = {"a map": b"\x80", "nil": b"\xc0", "a float as id": msgpack.packb([0, 1, 1.0, b"", "", []])}
        frames = foreign | {
            "nothing": b"",
            "a reserved byte": b"\xc1",
            "a number": b"\x05",
            "a text": b"\xa3abc",
            "an empty array": b"\x90",
            "an unknown kind": msgpack.packb([7, 1, 1, b"", "", []]),
            "a kind of another type": msgpack.packb(["0", 1, 1, b"", "", []]),
            "a verb of another type": msgpack.packb([0, "hello", 1, b"", "", []]),
            "a negative verb": msgpack.packb([0, -1, 1, b"", "", []]),
            "an id of another type": msgpack.packb([0, 1, b"1", b"", "", []]),
            "four billion elements": b"\xdd\xff\xff\xff\xff",
            "four billion elements after a good start": b"\xdd\xff\xff\xff\xff\x00\x01\x01",
            "an array that ends": b"\x96\x00\x01",
        }
        same({what: answers(wire, frame) for what, frame in frames.items()},
             {what: [(0, 0, "BAD_TYPE" if what in foreign else "MALFORMED")] for what in frames})
        luck = random.Random(7)
        for _ in range(300):
            wire.send_bytes(luck.randbytes(luck.randrange(200)))
        alive(wire, "ada")
        wire.close()


def test_faults_after_the_id_carry_it():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()
        whois = CODES["whois"]
        deep = b"\x91" * 2000 + b"\x90"
        head = b"\x96\x00" + bytes([whois]) + b"\x2a"
        frames = {
            "an unknown verb": (msgpack.packb([0, 99, 42, b"", "", []]), "UNKNOWN_VERB"),
            "a push's verb": (msgpack.packb([0, 64, 42, b"", "", []]), "UNKNOWN_VERB"),
            "verb 0": (msgpack.packb([0, 0, 42, b"", "", []]), "UNKNOWN_VERB"),
            "a number for a name": (msgpack.packb([0, whois, 42, b"", "", [5]]), "BAD_TYPE"),
            "bytes for a name": (msgpack.packb([0, whois, 42, b"", "", [b"ada"]]), "BAD_TYPE"),
            "nil for a name": (msgpack.packb([0, whois, 42, b"", "", [None]]), "BAD_TYPE"),
            "a map for a name": (msgpack.packb([0, whois, 42, b"", "", [{}]]), "BAD_TYPE"),
            "a float for a name": (msgpack.packb([0, whois, 42, b"", "", [1.5]]), "BAD_TYPE"),
            "true for a name": (msgpack.packb([0, whois, 42, b"", "", [True]]), "BAD_TYPE"),
            "an extension for a name": (msgpack.packb([0, whois, 42, b"", "", [msgpack.ExtType(1, b"ada")]]), "BAD_TYPE"),
            "a map for the fields": (msgpack.packb([0, whois, 42, b"", "", {}]), "BAD_TYPE"),
            "a text for the token": (msgpack.packb([0, whois, 42, "", "", ["ada"]]), "BAD_TYPE"),
            "bytes for the trace": (msgpack.packb([0, whois, 42, b"", b"", ["ada"]]), "BAD_TYPE"),
            "a negative number": (msgpack.packb([0, CODES["hello"], 42, b"", "", [-1, 1, "x"]]), "BAD_TYPE"),
            "a text not in UTF-8": (msgpack.packb([0, CODES["hello"], 42, b"", "", [1, 1]])[:-3] + b"\x93\x01\x01\xa2\xff\xfe", "MALFORMED"),
            "a text with NUL": (msgpack.packb([0, CODES["hello"], 42, b"", "", [1, 1, "a\0b"]]), "MALFORMED"),
            "a key too short": (msgpack.packb([0, CODES["register"], 42, b"", "", ["mal", bytes(31), bytes(64)]]), "BAD_TYPE"),
            "a trace too long": (msgpack.packb([0, whois, 42, b"", "x" * 65, ["ada"]]), "TOO_LARGE"),
            "a software name too long": (msgpack.packb([0, CODES["hello"], 42, b"", "", [1, 1, "x" * 65]]), "TOO_LARGE"),
            "a key too long": (msgpack.packb([0, CODES["register"], 42, b"", "", ["mal", bytes(33), bytes(64)]]), "BAD_TYPE"),
            "a token too long": (msgpack.packb([0, whois, 42, bytes(33), "", ["ada"]]), "TOO_LARGE"),
            "a name too long": (msgpack.packb([0, whois, 42, b"", "", ["a" * 33]]), "BAD_NAME"),
            "a field missing": (msgpack.packb([0, whois, 42, b"", "", []]), "MALFORMED"),
            "a field too many": (msgpack.packb([0, whois, 42, b"", "", ["ada", "bea"]]), "MALFORMED"),
            "an array that ends": (head, "MALFORMED"),
            "bytes that end": (head + b"\xc4\xff", "MALFORMED"),
            "a gigabyte claimed": (head + b"\xc6\x40\x00\x00\x00", "MALFORMED"),
            "deep nesting": (head + b"\xc4\x00\xa0" + deep, "MALFORMED"),
        }
        same({what: answers(wire, frame) for what, (frame, _) in frames.items()},
             {what: [(msgpack.unpackb(frame[2:3]), 42, status)] for what, (frame, status) in frames.items()})
        wire.close()


def test_limits_in_fields():
    with den() as (world, ada, bea):
        group = ada.groups["den"].id
        equal(ada.wire.refusal("send", group, bytes(17409)), "TOO_LARGE")
        equal(ada.wire.refusal("join", group, bytes(513)), "TOO_LARGE")
        equal(ada.wire.refusal("leave", group, bytes(129)), "TOO_LARGE")
        equal(ada.wire.refusal("commit", group, bytes(131073), []), "TOO_LARGE")
        equal(ada.wire.refusal("commit", group, b"", [["bea", bytes(4097)]]), "TOO_LARGE")
        equal(ada.wire.refusal("commit", group, b"", [["bea"]]), "MALFORMED")
        equal(ada.wire.refusal("commit", group, b"", ["bea"]), "BAD_TYPE")
        equal(ada.wire.refusal("send", bytes(15), b"x"), "BAD_TYPE")
        equal(ada.wire.refusal("poll_messages", [[group, 0]] * 1025, 1000), "TOO_LARGE")
        equal(ada.wire.refusal("login", "ada", bytes(32), 7, bytes(64)), "BAD_TYPE", "an unknown purpose")


def test_a_frame_of_many_messages():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()
        good = [msgpack.packb(wire.request("whois", "ada")) for _ in range(3)]
        bad = msgpack.packb([0, 99, 77, b"", "", []])
        found = answers(wire, good[0] + good[1] + bad + good[2], count=4, seconds=1)
        equal([status for _, _, status in found], ["OK", "OK", "UNKNOWN_VERB"], "what stands after the fault is not read")
        found = answers(wire, b"".join(msgpack.packb(wire.request("whois", "ada")) for _ in range(64)), count=64)
        equal([status for _, _, status in found], ["OK"] * 64)
        found = answers(wire, b"".join(msgpack.packb(wire.request("whois", "ada")) for _ in range(300)), count=300, seconds=1)
        equal([status for _, _, status in found].count("OK"), 64, "requests in flight")
        equal((len(found), found[-1]), (257, (0, 0, "TOO_MANY")), "what the 257th is told")
        equal(answers(wire, good[0] + b"\xc1", count=2), [(CODES["whois"], 2, "OK"), (0, 0, "MALFORMED")])
        equal(answers(wire, good[0], good[1], seconds=0.5), [], "a message of two parts")
        alive(wire, "ada")
        wire.close()


def test_a_frame_over_the_limit_ends_the_connection_only():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()
        equal(answers(wire, bytes(FRAME_MAX_BYTES + 1), seconds=1), [])
        wire.close()
        alive(bea.wire, "ada")


# --- Accounts and sessions --------------------------------------------------------------------

def test_states_of_a_connection():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        equal(wire.refusal("challenge", "ada"), "HELLO_FIRST")
        equal(wire.refusal("groups"), "HELLO_FIRST")
        equal(wire.refusal("hello", 2, 9, "future"), "UNSUPPORTED_VERSION")
        equal(wire.refusal("challenge", "ada"), "HELLO_FIRST")
        equal(wire.call("hello", 0, 9, "both").version, 1)
        equal(wire.refusal("groups"), "NOT_LOGGED_IN")
        equal(wire.refusal("send", bytes(16), b""), "NOT_LOGGED_IN")
        equal(wire.refusal("logout"), "NOT_LOGGED_IN")
        equal(wire.refusal("unregister", bytes(64)), "NOT_LOGGED_IN")
        wire.close()


def test_registering():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()
        key = nacl.signing.SigningKey.generate()
        public = bytes(key.verify_key)
        for name in ("", "A", "Ada", "1a", ".a", "-a", "a b", "a/b", "ä", "a" * 33, "a\n", "a\u200b"):
            signature = sign(key, "register", wire.endpoint.key, name.encode(), public)
            equal(wire.refusal("register", name, public, signature), "BAD_NAME", repr(name))
        good = sign(key, "register", wire.endpoint.key, b"mal", public)
        equal(wire.refusal("register", "mal", public, bytes(64)), "BAD_SIGNATURE")
        equal(wire.refusal("register", "other", public, good), "BAD_SIGNATURE", "a signature for another name")
        elsewhere = sign(key, "register", bytes(32), b"mal", public)
        equal(wire.refusal("register", "mal", public, elsewhere), "BAD_SIGNATURE", "a signature for another broker")
        equal(wire.refusal("register", "mal", bytes(32), good), "BAD_KEY")
        taken = sign(key, "register", wire.endpoint.key, b"ada", public)
        equal(wire.refusal("register", "ada", public, taken), "NAME_TAKEN")
        equal([wire.refusal("register", "mal", public, good) for _ in range(2)], ["OK", "OK"], "the same again")
        equal(wire.refusal("whois", "nobody"), "UNKNOWN_USER")

        equal(bea.wire.refusal("unregister", sign(bea.signing_key, "unregister", wire.endpoint.key, b"bea")), "STILL_MEMBER")
        wire.login("mal", key, EVENTS)
        equal(wire.refusal("unregister", bytes(64)), "BAD_SIGNATURE")
        equal(wire.refusal("unregister", sign(key, "unregister", wire.endpoint.key, b"mal")), "OK")
        wire.close()
        wire = Connection(world.broker.url)
        wire.hello()
        equal(wire.refusal("register", "mal", public, good), "NAME_TAKEN", "the name stays reserved")
        wire.close()


def test_logging_in():
    with den() as (world, ada, bea):
        wire = Connection(world.broker.url)
        wire.hello()

        def login(name, challenge, purpose, signature):
            return wire.refusal("login", name, challenge, purpose, signature)

        stranger = nacl.signing.SigningKey.generate()
        equal(login(*wire.login_fields("ada", stranger, EVENTS)), "BAD_SIGNATURE")
        equal(login(*wire.login_fields("nobody", stranger, EVENTS)), "BAD_SIGNATURE", "an unknown name")
        name, challenge, purpose, signature = wire.login_fields("ada", ada.signing_key, DUTIES)
        equal(login(name, challenge, EVENTS, signature), "BAD_SIGNATURE", "a signature for another purpose")
        equal(login(name, challenge, purpose, signature), "CHALLENGE_EXPIRED", "a challenge counts once")
        equal(login(name, secrets.token_bytes(32), purpose, signature), "CHALLENGE_EXPIRED")
        fields = wire.login_fields("ada", ada.signing_key, DUTIES)
        equal(login("bea", *fields[1:]), "CHALLENGE_EXPIRED", "another name's challenge")

        other = Connection(world.broker.url)
        other.hello()
        fields = wire.login_fields("ada", ada.signing_key, EVENTS)
        equal(other.refusal("login", *fields), "CHALLENGE_EXPIRED", "a challenge of another connection")
        stolen = other.curve_key
        other.curve_key = wire.curve_key
        fields = other.login_fields("ada", ada.signing_key, EVENTS)
        other.curve_key = stolen
        equal(other.refusal("login", *fields), "BAD_SIGNATURE", "a signature relayed from another connection")
        other.close()
        wire.close()


def test_tokens_and_sessions():
    with den() as (world, ada, bea):
        equal(bea.wire.refusal("groups", token=b""), "NOT_LOGGED_IN")
        equal(bea.wire.refusal("groups", token=secrets.token_bytes(32)), "BAD_TOKEN")
        equal(bea.wire.refusal("groups", token=ada.wire.token), "WRONG_CONNECTION")
        equal(bea.wire.refusal("groups"), "OK", "the own token goes on")
        wire = Connection(world.broker.url)
        wire.hello()
        equal(wire.refusal("groups", token=ada.wire.token), "WRONG_CONNECTION")
        equal(wire.refusal("groups", token=secrets.token_bytes(32)), "BAD_TOKEN")
        mal = nacl.signing.SigningKey.generate()
        wire.register("mal", mal)
        wire.login("mal", mal, EVENTS)
        newer = Connection(world.broker.url)
        newer.hello()
        newer.login("mal", mal, EVENTS)
        equal([getattr(push, "purpose", None) for push in wire.take_pushes(5)], [EVENTS], "the push")
        equal(wire.refusal("groups"), "REPLACED")
        second = Connection(world.broker.url)
        second.hello()
        second.login("mal", mal, DUTIES)
        equal(newer.refusal("groups"), "OK", "another purpose replaces nothing")
        newer.call("logout")
        equal(newer.refusal("groups"), "NOT_LOGGED_IN")
        for each in (wire, newer, second):
            each.close()


def test_a_session_ends_when_its_client_is_silent():
    with World(broker_args=["--idle-seconds", "1"]) as world:
        ada = python(world, Member, "ada")
        equal(ada.wire.refusal("groups"), "OK")
        time.sleep(1.5)
        equal(ada.wire.refusal("groups"), "SESSION_EXPIRED")
        ada.wire.login("ada", ada.signing_key, EVENTS)
        equal(ada.wire.refusal("groups"), "OK", "after a new login")
        ada.close()


# --- Groups -----------------------------------------------------------------------------------

def test_strangers_get_nowhere():
    with den() as (world, ada, bea):
        mal = python(world, Member, "mal")
        nowhere, group = secrets.token_bytes(16), ada.groups["den"].id
        calls = {"send": [b"\x01"], "leave": [b"\x01"], "commit": [b"\x01", []], "roster": [0, 10], "roster_proof": [0]}
        for verb, rest in calls.items():
            equal(mal.wire.refusal(verb, nowhere, *rest), "UNKNOWN_GROUP", verb)
            equal(mal.wire.refusal(verb, group, *rest), "NOT_MEMBER", verb)
        equal(mal.wire.refusal("join", nowhere, b"\x01"), "UNKNOWN_GROUP")
        equal(mal.wire.refusal("lookup", "nowhere"), "UNKNOWN_GROUP")
        equal(mal.wire.refusal("lookup", "No Where"), "BAD_NAME")
        reply = mal.wire.call("poll_messages", [[nowhere, 0], [group, 0]], 1000)
        equal(reply.events, [])
        equal([STATUS[state.status] for state in reply.states], ["UNKNOWN_GROUP", "NOT_MEMBER"])
        equal(mal.wire.call("poll_joins").joins, [])
        equal(bea.wire.refusal("commit", group, b"\x01", []), "NOT_ADMIN")
        mal.close()


def test_join_requests():
    with den() as (world, ada, bea):
        mal = python(world, Member, "mal")
        group, transcript = ada.groups["den"].id, ada.groups["den"].epoch.transcript
        good = mal.join_request(group, transcript)
        join = lambda data: mal.wire.refusal("join", group, data)
        stranger = nacl.signing.SigningKey.generate()
        equal(join(b""), "BAD_JOIN")
        equal(join(good[:-1]), "BAD_JOIN")
        equal(join(good + b"\0"), "BAD_JOIN")
        equal(join(b"\x02" + good[1:]), "BAD_JOIN", "an unknown format")
        equal(join(good[:-1] + bytes([good[-1] ^ 1])), "BAD_SIGNATURE")
        equal(join(write_join_request(group, "bea", mal.signing_key, bytes(range(32)), transcript)), "BAD_JOIN", "another name")
        equal(join(write_join_request(group, "mal", stranger, bytes(range(32)), transcript)), "BAD_SIGNATURE", "another key")
        equal(join(write_join_request(bytes(16), "mal", mal.signing_key, bytes(range(32)), transcript)), "BAD_JOIN", "another group")
        equal(join(write_join_request(group, "mal", mal.signing_key, bytes(range(32)), bytes(32))), "OK", "the admin's to judge")
        equal(ada._good_joins(ada.groups["den"]), [], "requests the admin serves")
        equal(bea.wire.refusal("join", group, bea.join_request(group, transcript)), "ALREADY_MEMBER")
        equal(join(good), "OK", "a newer one replaces it")
        equal(ada._good_joins(ada.groups["den"]), [good])
        ada.serve()
        mal.until(lambda: "den" in mal.groups, 20, "mal is in")
        mal.close()


def test_leaves():
    with den() as (world, ada, bea):
        mal = joined(world, ada, "mal")
        group = mal.groups["den"]
        leave = lambda member, data: member.wire.refusal("leave", group.id, data)
        good = write_leave(group.id, group.leaf, group.epoch_added, mal.signing_key)
        equal(leave(mal, b""), "BAD_LEAVE")
        equal(leave(mal, good + b"\0"), "BAD_LEAVE")
        equal(leave(mal, good[:-1] + bytes([good[-1] ^ 1])), "BAD_SIGNATURE")
        equal(leave(mal, write_leave(group.id, group.leaf, group.epoch_added + 1, mal.signing_key)), "BAD_LEAVE", "another membership")
        equal(leave(mal, write_leave(group.id, 1, 2, mal.signing_key)), "NOT_YOUR_LEAF", "somebody else's leaf")
        equal(leave(bea, good), "NOT_YOUR_LEAF", "somebody else's statement")
        own = ada.groups["den"]
        equal(leave(ada, write_leave(own.id, own.leaf, own.epoch_added, ada.signing_key)), "LAST_ADMIN")
        first = mal.wire.call("leave", group.id, good)
        equal(mal.wire.call("leave", group.id, good), first, "the same again")
        late = group.seal(TEXT, 1, text_content("late", 1), mal.signing_key)
        equal(mal.wire.refusal("send", group.id, late), "ALREADY_LEFT")
        for verb, rest in {"commit": [b"", []], "roster": [0, 10], "roster_proof": [0]}.items():
            equal(mal.wire.refusal(verb, group.id, *rest), "NOT_MEMBER", verb)
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 20, "mal is removed")
        equal(mal.wire.call("leave", group.id, good), first, "the same after the removal")
        equal(mal.wire.refusal("send", group.id, late), "NOT_MEMBER")
        reply = mal.wire.call("poll_messages", [[group.id, 0]], 1000)
        equal([event.sequence for event in reply.events], [group.cursor, first.sequence], "what a leaver may still read")
        reply = mal.wire.call("poll_messages", [[group.id, first.sequence]], 1000)
        equal((reply.events, STATUS[reply.states[0].status]), ([], "NOT_MEMBER"))
        mal.close()


def test_messages():
    with den() as (world, ada, bea):
        group = bea.groups["den"]
        send = lambda sealed, member=bea: member.wire.refusal("send", group.id, sealed)

        def sealed(epoch, leaf, generation, rest=bytes(144)):
            return b"\x01" + varint(epoch) + varint(leaf) + varint(generation) + secrets.token_bytes(8) + rest

        epoch, leaf = group.epoch.number, group.leaf
        for what, header in {"nothing": b"", "a format": b"\x02" + bytes(160), "a varint longer than needed": b"\x01\x83\x00" + bytes(160),
                             "a header that ends": b"\x01\x02\x01\x00abc",
                             "less than a tag after it": sealed(epoch, leaf, 0, bytes(15))}.items():
            equal(send(header), "BAD_HEADER", what)
        equal(send(sealed(epoch + 1, leaf, 0)), "EPOCH_AHEAD")
        equal(send(sealed(2**64 - 1, leaf, 0)), "EPOCH_AHEAD")
        equal(send(sealed(epoch - 1, leaf, 0)), "STALE_EPOCH")
        equal(send(sealed(epoch, 0, 100)), "NOT_YOUR_LEAF", "ada's leaf")
        equal(send(sealed(epoch, 77, 0)), "NOT_YOUR_LEAF", "nobody's leaf")
        first = group.seal(TEXT, 1, text_content("once", 1), bea.signing_key)
        answer = bea.wire.call("send", group.id, first)
        equal(bea.wire.call("send", group.id, first), answer, "the same bytes again")
        equal(send(sealed(epoch, leaf, 0)), "GENERATION_USED")
        equal(send(sealed(epoch, leaf, 500)), "OK", "a generation skipped")
        equal(send(sealed(epoch, leaf, 499)), "GENERATION_USED", "a generation before the last")
        ada.commit("den", ada.prepare("den"))
        equal(bea.wire.call("send", group.id, first), answer, "the same bytes in a later epoch")
        equal(send(sealed(epoch, leaf, 501)), "STALE_EPOCH")
        equal(send(sealed(epoch, leaf, 500)), "GENERATION_USED", "the generation is looked at before the epoch")
        ada.until(lambda: "once" in ada.groups["den"].texts(), 20, "ada reads it")
        equal(ada.groups["den"].texts().count("once"), 1)
        bea.sync()
        group.my_number = 1


def test_nobody_writes_while_a_rekey_is_due():
    with den() as (world, ada, bea):
        mal = joined(world, ada, "mal")
        bea.sync()
        group = bea.groups["den"]
        mal.leave("den")
        sealed = group.seal(TEXT, 1, text_content("too early", 1), bea.signing_key)
        equal(bea.wire.refusal("send", group.id, sealed), "REKEY_DUE")
        state = bea.wire.call("poll_messages", [[group.id, group.cursor]], 1000).states[0]
        assert state.rekey_due_since_ms > 0, state
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 20, "mal is removed")
        equal(bea.wire.refusal("send", group.id, sealed), "STALE_EPOCH")
        mal.close()


# --- Commits ----------------------------------------------------------------------------------

def test_commits():
    with den() as (world, ada, bea):
        mal = python(world, Member, "mal")
        request = mal.join_request(ada.groups["den"].id, ada.groups["den"].epoch.transcript)
        mal.wire.call("join", ada.groups["den"].id, request)
        group = ada.groups["den"].id
        commit = lambda data, welcomes=(): ada.duties.refusal("commit", group, data, list(welcomes))
        good = ada.prepare("den", requests=[request])
        equal(commit(b""), "BAD_COMMIT")
        equal(commit(good.bytes[:-1], good.welcomes), "BAD_COMMIT")
        equal(commit(good.bytes + b"\0", good.welcomes), "BAD_COMMIT")
        equal(commit(good.bytes[:-1] + bytes([good.bytes[-1] ^ 1]), good.welcomes), "BAD_SIGNATURE")
        equal(commit(good.bytes), "BAD_WELCOME", "no welcome")
        equal(commit(good.bytes, good.welcomes * 2), "BAD_WELCOME", "two welcomes")
        equal(commit(good.bytes, [["bea", good.welcomes[0][1]]]), "BAD_WELCOME", "a welcome for another")

        def changed(change, requests=(request,), removed=()):
            bad = ada.prepare("den", requests=list(requests), removed=list(removed))
            change(bad.commit)
            bad.commit.write_body()
            return commit(bad.commit.finish(bad.commit.tag, bad.commit.code, ada.signing_key), bad.welcomes)

        def setter(name, value):
            return lambda made: setattr(made, name, value)

        stranger = Add(2, "stranger", bytes(32), bytes(32))
        changes = {
            "another group": (setter("group", bytes(16)), "BAD_COMMIT"),
            "an epoch behind": (setter("epoch", 1), "STALE_EPOCH"),
            "an epoch ahead": (setter("epoch", 50), "EPOCH_AHEAD"),
            "another history": (setter("transcript", bytes(32)), "BAD_COMMIT"),
            "a depth that shrinks": (setter("depth", 0), "BAD_COMMIT"),
            "a depth over the limit": (setter("depth", 18), "BAD_COMMIT"),
            "somebody else as committer": (setter("committer", 1), "NOT_YOUR_LEAF"),
            "a wrong root": (setter("root", bytes(32)), "BAD_COMMIT"),
            "a name nobody registered": (setter("adds", [stranger]), "BAD_COMMIT"),
            "a key that isn't the registered one": (lambda made: setattr(made.adds[0], "identity_key", bytes(32)), "BAD_COMMIT"),
            "a leaf that is held": (lambda made: setattr(made.adds[0], "leaf", 1), "BAD_COMMIT"),
            "a role for a free leaf": (setter("roles", {3: 1}), "BAD_COMMIT"),
            "an unknown role": (setter("roles", {1: 2}), "BAD_COMMIT"),
            "no admin left": (setter("roles", {0: 0}), "BAD_COMMIT"),
        }
        same({what: changed(change) for what, (change, _) in changes.items()}, {what: status for what, (_, status) in changes.items()})
        equal(changed(lambda made: setattr(made.removals[0], "name", "mal"), (), [1]), "BAD_COMMIT", "a removal of somebody else")

        first = ada.duties.call("commit", group, good.bytes, good.welcomes)
        again = ada.duties.call("commit", group, good.bytes, good.welcomes)
        equal(again, first, "the same again")
        rival = ada.prepare("den")
        try:
            ada.duties.call("commit", group, rival.bytes, [])
            raise AssertionError("two commits for one epoch")
        except BrokerSaid as said:
            equal((said.status, said.reply.winner), ("STALE_EPOCH", good.bytes))
        good.adopt(ada.holdings[group])
        mal.until(lambda: "den" in mal.groups, 20, "mal is in")
        mal.close()


def test_creating():
    with den() as (world, ada, bea):
        mal = python(world, Admin, "mal")

        def first(name="lair", request_key=None, **changes):
            group = secrets.token_bytes(16)
            holding = Holding(group, name, first_transcript(group, mal.identity_key, name))
            request = mal.join_request(group, holding.transcript)
            made = Prepared(holding, mal.signing_key, [request], roles={0: ADMIN})
            for field, value in changes.items():
                setattr(made.commit, field, value)
            made.commit.write_body()
            data = made.commit.finish(made.commit.tag, made.commit.code, mal.signing_key)
            return group, name, 0, 60000, request, data, made.welcomes

        def create(*fields):
            return mal.duties.refusal("create", *fields)

        good = first()
        equal(create(*first("den")), "GROUP_TAKEN")
        for name in ("", "Lair", "a b"):
            equal(create(good[0], name, *good[2:]), "BAD_NAME", name)
        equal(create(good[0], "other", *good[2:]), "BAD_COMMIT", "a commit for another name")
        equal(create(*good[:5], good[5][:-1] + bytes([good[5][-1] ^ 1]), good[6]), "BAD_SIGNATURE")
        equal(create(*good[:4], b"", *good[5:]), "BAD_JOIN")
        equal(create(*good[:6], []), "BAD_WELCOME")
        equal(create(*first(epoch=1)), "BAD_COMMIT")
        equal(create(*first(roles={})), "BAD_COMMIT", "a creator who is no admin")
        equal(create(*first(root=bytes(32))), "BAD_COMMIT")
        equal(create(ada.groups["den"].id, *good[1:]), "GROUP_TAKEN", "the id of another group")
        equal(mal.wire.refusal("lookup", "lair"), "UNKNOWN_GROUP", "nothing was made")
        answer = mal.duties.call("create", *good)
        equal(mal.duties.call("create", *good), answer, "the same again")
        equal(answer.sequence, 1)
        equal(create(*first()), "GROUP_TAKEN")
        mal.close()


if __name__ == "__main__":
    main(globals())
