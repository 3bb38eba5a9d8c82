# SPDX-License-Identifier: MPL-2.0
"""What a hostile connection may try against a real broker: each attempt has its own status, and nobody else notices."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import random
import secrets
import time

import msgpack
import nacl.signing

from conclave_blocks import sign
from conclave_client import Member
from conclave_wire import CODES, DUTIES, EVENTS, FRAME_MAX_BYTES, PATIENCE_S, STATUS, Connection
from den import den, same
from harness import World, equal, main, wait_for
from mixed import python


def answers(wire, *parts, count=1, seconds=PATIENCE_S):
    """[(verb, id, status)] of the next replies to raw bytes."""
    wire.send_bytes(*parts)
    found, end = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found += [(reply[1], reply[2], STATUS[reply[3]]) for reply in wire.sort(wire.receive(end - time.monotonic()))]
    return found


def alive(wire, name):
    wire.call("whois", name)


def nothing_more(wire, what):
    """What is asked now is answered next: nothing else was on its way."""
    request = wire.request("whois", "ada")
    equal(answers(wire, msgpack.packb(request)), [(CODES["whois"], request[2], "OK")], what)


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
        found = []
        while len(found) < 300 and (replies := wire.sort(wire.receive(PATIENCE_S))):
            found += replies  # what is unanswered counts as in flight
        equal(len(found), 300, "answers to garbage")
        nothing_more(wire, "after the garbage")
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
        found = answers(wire, good[0] + good[1] + bad + good[2], count=3)
        equal([status for _, _, status in found], ["OK", "OK", "UNKNOWN_VERB"])
        nothing_more(wire, "what stands after the fault is not read")
        found = answers(wire, b"".join(msgpack.packb(wire.request("whois", "ada")) for _ in range(64)), count=64)
        equal([status for _, _, status in found], ["OK"] * 64)
        found = answers(wire, b"".join(msgpack.packb(wire.request("whois", "ada")) for _ in range(300)), count=257)
        equal([status for _, _, status in found].count("OK"), 64, "requests in flight")
        equal((len(found), found[-1]), (257, (0, 0, "TOO_MANY")), "what the 257th is told")
        nothing_more(wire, "the rest is not read")
        equal(answers(wire, good[0] + b"\xc1", count=2), [(CODES["whois"], 2, "OK"), (0, 0, "MALFORMED")])
        wire.send_bytes(good[0], good[1])
        nothing_more(wire, "a message of two parts")
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
        equal([getattr(push, "purpose", None) for push in wire.take_pushes(PATIENCE_S)], [EVENTS], "the push")
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

        def answered_in_time():
            started = time.monotonic()
            ada.wire.login("ada", ada.signing_key, EVENTS)
            status = ada.wire.refusal("groups")
            if time.monotonic() - started < 1:
                equal(status, "OK", "before a second is over")
            return status == "OK"

        wait_for(answered_in_time, 60, "it is answered within a second")
        time.sleep(1.5)
        equal(ada.wire.refusal("groups"), "SESSION_EXPIRED")
        wait_for(answered_in_time, 60, "it is answered after a new login")
        ada.close()


if __name__ == "__main__":
    main(globals())
