# SPDX-License-Identifier: MPL-2.0
"""Each kind of trace record, and each reason that one can have, by a real run and matched to what happened. The last test compares
them with those that the broker declares: a new one needs a test here."""
import contextlib
import json
import os
import re
import resource
import secrets
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import nacl.signing
import zmq

from conclave_blocks import sign
from conclave_client import POLL_BYTES, Member
from conclave_epoch import TEXT, text_content
from conclave_wire import DUTIES, EVENTS, PUSH, PUSH_SHAPES, REPLY, Connection, Endpoint
from den import den, joined, python
from harness import REPO, SLOW, Skip, World, contains, equal, main, room, wait_for
from operating import config, reload
from trace_test import holds, of, past, sent_and_pushed, tracer, until_told

HISTORY = ("--trace-history", "20000")
BIG = 16000  # bytes of a text
WINDOW_BYTES = 256 * 1024  # PUSH_WINDOW_BYTES of proto/limits.h
FILE_BYTES = 384 * 1024  # as large as the broker's files may become, where one is to fail
matched = set()  # (step, reason) of each record that a test found to tell what happened


def some(steps, step, **wanted):
    found = of(steps, step, **wanted)
    assert found, f"no '{step}' with {wanted} in:\n" + "\n".join(str(s) for s in of(steps, step))
    matched.update((s["step"], s.get("reason", "")) for s in found)
    return found


def one(steps, step, **wanted):
    found = some(steps, step, **wanted)
    equal(len(found), 1, f"records of '{step}' with {wanted}")
    return found[0]


# --- A message's way --------------------------------------------------------------------------

def test_a_message_s_way_is_told_from_its_sender_to_its_readers():
    with World(broker_args=HISTORY) as world:
        alice, bob, carol = world.users("alice", "bob", "carol")
        serve = room(world, "tea", alice, bob, carol)
        follow = bob.start("listen", "tea")
        alice.ok("send", "tea", "first")
        wait_for(lambda: "first" in follow.texts(), 30, "bob follows")
        answer, count = sent_and_pushed(world, alice, "tea", "hello", "bob", follow)
        sequence = answer["seq"]
        carol.ok("listen", "tea", "--count", str(1 + count), "--wait", "20")

        def cursors_of_carol():
            moved = of(past(world, "--step", "cursor-moved"), "cursor moved", user="carol", group="tea")
            return any(step["sequence"] >= sequence for step in moved)
        until_told(carol, cursors_of_carol, "carol's cursor is told")
        steps = past(world)

        appended = one(steps, "appended", verb="send", group="tea", sequence=sequence)
        equal((appended["user"], appended["purpose"]), ("alice", "events"))
        received = one(steps, "received", span_id=appended["span_id"])
        accepted = one(steps, "accepted", span_id=appended["span_id"])
        for key in ("user", "group", "verb", "turn", "request", "trace_id"):
            equal(received[key], appended[key], key)
        assert received["size_bytes"] > 100, received
        stored = one(steps, "stored", turn=appended["turn"])
        assert stored["count"] >= 1 and stored["size_bytes"] > 100 and stored["duration_us"] > 0, stored
        assert received["time_us"] <= accepted["time_us"] <= appended["time_us"] <= stored["time_us"]
        pushed = [s for s in some(steps, "pushed", group="tea") if holds(s, sequence)]
        assert {"bob"} <= {s["user"] for s in pushed}, pushed
        fanned, = [s for s in some(steps, "fanned out", group="tea") if holds(s, sequence)]
        equal(fanned["count"], len(pushed))
        fetched = [s for s in some(steps, "fetched", user="carol", group="tea") if holds(s, sequence)]
        # By one poll, or by two when the first one's answer was late.
        assert 1 <= len(fetched) == len({s["span_id"] for s in fetched}), fetched
        for step in fetched:
            equal(step["count"], step["last_sequence"] - step["sequence"] + 1)
        got = [s for s in pushed if s["user"] == "bob"][0]
        equal(got["sequence"], got["last_sequence"])
        assert got["size_bytes"] < fetched[0]["size_bytes"] < 5000, "several events, measured in the same way"
        some(steps, "cursor moved", user="carol", group="tea")
        for step in steps:
            assert not set(step) & {"payload", "token", "key", "sealed", "text"}, step
        serve.stop()


# --- Sessions ---------------------------------------------------------------------------------

def test_sessions_are_told_with_who_and_why_they_end():
    with World() as world:
        equal(world.broker.stop(), 0)
        world.broker.args = [*HISTORY, "--config", config(world, "idle-seconds = 600\n")]
        world.broker.start()
        ada = python(world, Member, "ada")
        duties = ada.connection(DUTIES)
        second = ada.connection(EVENTS)
        duties.call("logout")
        equal(ada.wire.refusal("groups"), "REPLACED")
        equal(reload(world, "idle-seconds = 2\n")[-1]["changed"], 1)
        wait_for(lambda: of(past(world), "session ended", status="SESSION_EXPIRED"), 30, "the silent session expires")
        assert second.refusal("groups") != "OK", "it has ended"
        steps = past(world)
        opened = some(steps, "session opened", user="ada")
        equal([s["purpose"] for s in opened], ["events", "duties", "events"])
        equal([s["turn"] for s in opened], [s["turn"] for s in of(steps, "accepted", verb="login")], "each by its login")
        ended = {s["status"]: s for s in some(steps, "session ended", user="ada")}
        equal({status: s["purpose"] for status, s in ended.items()},
              {"REPLACED": "events", "NOT_LOGGED_IN": "duties", "SESSION_EXPIRED": "events"})
        equal(ended["REPLACED"]["turn"], opened[2]["turn"])
        equal(ended["NOT_LOGGED_IN"]["turn"], one(steps, "accepted", verb="logout")["turn"])
        assert ended["SESSION_EXPIRED"]["time_us"] >= opened[2]["time_us"] + 2000000, ended
        for wire in (ada.wire, duties, second):
            wire.close()


# --- Refusals ---------------------------------------------------------------------------------

def registration(wire, name):
    key = nacl.signing.SigningKey.generate()
    public = bytes(key.verify_key)
    return name, public, sign(key, "register", wire.endpoint.key, name.encode(), public)


def test_what_is_refused_is_told_with_its_verb_and_its_status():
    with den(*HISTORY) as (world, ada, bea):
        group, unknown = bea.groups["den"].id, secrets.token_bytes(16)
        mal = python(world, Member, "mal")
        wire = Connection(world.broker.url)
        told = {}

        def refuse(asks, status, verb, *fields, user=None, of_group=None, **options):
            equal(asks.refusal(verb, *fields, **options), status, verb)
            told[verb, status] = {"request": asks.last_id, "user": user, "group": of_group}

        refuse(wire, "HELLO_FIRST", "lookup", "den")
        wire.hello()
        refuse(wire, "NOT_LOGGED_IN", "groups")
        refuse(wire, "BAD_TOKEN", "groups", token=secrets.token_bytes(32))
        refuse(wire, "WRONG_CONNECTION", "groups", token=bea.wire.token)
        refuse(wire, "NAME_TAKEN", "register", *registration(wire, "bea"))
        refuse(wire, "UNKNOWN_USER", "whois", "nobody")
        refuse(wire, "BAD_SIGNATURE", "login", "bea", wire.call("challenge", "bea").challenge, EVENTS, bytes(64))
        refuse(wire, "CHALLENGE_EXPIRED", "login", "bea", bytes(32), EVENTS, bytes(64))
        refuse(wire, "UNSUPPORTED_VERSION", "hello", 7, 9, "of a later time")
        refuse(bea.wire, "UNKNOWN_GROUP", "send", unknown, b"sealed", user="bea")
        refuse(bea.wire, "BAD_HEADER", "send", group, b"sealed", user="bea", of_group="den")
        refuse(bea.wire, "NOT_ADMIN", "commit", group, b"commit", [], user="bea", of_group="den")
        refuse(mal.wire, "NOT_MEMBER", "send", group, b"sealed", user="mal", of_group="den")
        refuse(mal.wire, "BAD_TYPE", "lookup", 7)
        wire.send_frame([0, 99, 4711, b"", "", []])  # [0, verb, id, token, traceparent, fields]
        wire.send_bytes(b"\xc1")
        wait_for(lambda: of(past(world, "--refused"), "refused", status="MALFORMED"), 20, "the last one is told")

        steps = past(world)
        for (verb, status), wanted in told.items():
            step = one(steps, "refused", verb=verb, status=status)
            equal({key: step.get(key) for key in wanted}, wanted, f"{verb}: {status}")
            received = one(steps, "received", span_id=step["span_id"])
            for key in ("turn", "verb", "request", "user", "group"):
                equal(received.get(key), step.get(key), key)
            for kind in ("accepted", "appended"):
                equal(of(steps, kind, span_id=step["span_id"]), [])
            equal(past(world, "--status", status, "--verb", verb), [step], f"--status {status}")
        equal(one(steps, "refused", status="UNKNOWN_VERB")["request"], 4711)
        one(steps, "refused", status="MALFORMED")
        equal(past(world, "--refused"), of(steps, "refused"), "nothing else was refused")
        equal(len(of(steps, "refused")), len(told) + 2)
        mal.close()
        wire.close()


# --- Pushes that are dropped ------------------------------------------------------------------

def dropped(world, user, reason):
    return of(past(world, "--step", "push-dropped"), "push dropped", user=user, reason=reason)


def is_event_or_nudge(push):
    return getattr(push, "events", None) != []  # else it is a sign of life


def next_pushes(wire, count):
    """What is pushed, without signs of life: so many events or nudges, and what else is there then."""
    found = []

    def has_come():
        found.extend(filter(is_event_or_nudge, wire.take_pushes(1)))
        return sum(len(getattr(push, "events", [push])) for push in found) >= count
    wait_for(has_come, 30, f"{count} are pushed")
    return found


def pushed_sequences(wire, count):
    return [event.sequence for push in next_pushes(wire, count) for event in getattr(push, "events", [])]


def changes(world, change):
    """Of connections, told by a thread of the broker's own."""
    return world.broker.log_text().count(f'"change":"{change}"')


def first_to_go(world, member, accounts):
    """Closes it, until the broker has seen it: closing is the affair of a thread of libzmq's. Each account has closed the connection that made it."""
    member.close()
    wait_for(lambda: changes(world, "disconnected") == accounts + 1, 30, "the broker has seen it")


def test_who_has_polled_a_part_only_is_behind():
    with den(*HISTORY) as (world, ada, bea):
        group = bea.groups["den"]
        bea.sync()
        for text in ("one", "two"):
            ada.send("den", text)
        next_pushes(bea.wire, 2)
        reply = bea.wire.call("poll_messages", [[group.id, group.cursor]], 1)
        equal((len(reply.events), reply.more), (1, 1), "a part")
        sequence = ada.send("den", "three").sequence
        step = wait_for(lambda: dropped(world, "bea", "behind"), 20, "the drop is told")[0]
        one(past(world), "push dropped", user="bea", reason="behind")
        equal((step["group"], step["sequence"], step["last_sequence"], step["count"]), ("den", sequence, sequence, 1))
        pushes = next_pushes(bea.wire, 1)
        equal([type(push).__name__ for push in pushes], ["nudge"], "she is told to poll, and nothing else")
        bea.sync()
        equal(bea.groups["den"].texts()[-3:], ["one", "two", "three"])
        one([s for s in past(world, "--step", "fetched", "--user", "bea") if holds(s, sequence)], "fetched", group="den")


def test_who_does_not_poll_has_a_full_window():
    with den(*HISTORY) as (world, ada, bea):
        bea.sync()
        polled = some(past(world), "accepted", user="bea", verb="poll_messages")[-1]
        sent = [ada.send("den", "x" * BIG).sequence for _ in range(WINDOW_BYTES // BIG + 2)]
        steps = past(world)
        step = one(steps, "push dropped", user="bea", reason="window full")
        pushed = [s for s in some(steps, "pushed", user="bea", group="den") if s["time_us"] > polled["time_us"]]
        room_left = WINDOW_BYTES - sum(s["size_bytes"] for s in pushed)
        assert 0 <= room_left < step["size_bytes"], (room_left, step)
        equal([s["sequence"] for s in pushed] + [step["sequence"]], sent[:len(pushed) + 1], "up to there she got all")
        equal(pushed_sequences(bea.wire, len(pushed)), sent[:len(pushed)], "which is what came")
        bea.sync()
        assert {holds(s, sent[-1]) for s in some(past(world), "fetched", user="bea")} == {True, False}, "the rest came by poll"


def is_sign_of_life(message):
    return message[0] == PUSH and getattr(PUSH_SHAPES[message[1]].read(message[3]), "events", None) == []


def messages_of(wire, seconds):
    """All that comes until there was nothing but signs of life for so long, without a look at push numbers."""
    found, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        messages = wire.receive(left)
        found += messages
        if any(not is_sign_of_life(message) for message in messages):
            end = time.monotonic() + seconds
    return found


def test_a_connection_that_takes_nothing_has_a_full_queue():
    with den(*HISTORY) as (world, ada, _):
        dee = joined(world, ada, "dee")
        dee.sync()
        dee.wire.close()
        deaf = Connection(world.broker.url, [(zmq.RCVHWM, 1), (zmq.RCVBUF, 4096)])
        deaf.hello()
        deaf.login("dee", dee.signing_key, EVENTS)
        group = dee.groups["den"]
        for _ in range(10):
            ada.send("den", "x" * BIG)
        since = time.monotonic()
        while not dropped(world, "dee", "queue full"):
            assert time.monotonic() - since < 60 * SLOW, "its queue never became full"
            for _ in range(25):  # each answer holds all ten
                deaf.send_frame(deaf.request("poll_messages", [[group.id, group.cursor]], POLL_BYTES))
                time.sleep(0.004)
            ada.send("den", "more")
        # Now it reads, up to the answer to a question that is asked now. Of pushes it sees by their numbers which ones it lacks, up to the last one.
        seen = []

        def is_answered():
            request = deaf.request("poll_messages", [[group.id, group.cursor]], POLL_BYTES)
            deaf.send_frame(request)
            seen.extend(messages_of(deaf, 2 * SLOW))
            return any(message[0] == REPLY and message[2] == request[2] for message in seen)
        wait_for(is_answered, 60, "it is answered again")
        before = len(seen)

        def is_pushed():
            ada.send("den", "the last one")
            seen.extend(messages_of(deaf, 2 * SLOW))
            return any(message[0] == PUSH and not is_sign_of_life(message) for message in seen[before:])
        wait_for(is_pushed, 60, "it is pushed to again")
        numbers = [message[2] for message in seen if message[0] == PUSH]
        assert any(message[0] == REPLY for message in seen) and numbers, "it reads again"
        lacks = set(range(1, max(numbers))) - set(numbers)
        steps = some(past(world), "push dropped", user="dee", reason="queue full")
        equal(len(steps), len(lacks), "pushes dropped, pushes that never came")
        for step in steps:  # either events or a nudge
            if "verb" in step:
                equal((step["verb"], "sequence" in step), ("nudge", False))
            else:
                assert step["group"] == "den" and step["sequence"] > 0 and step["size_bytes"] > 0, step
                equal([s for s in past(world, "--step", "pushed", "--user", "dee") if holds(s, step["sequence"])], [], "what was dropped was not pushed")
        deaf.close()


def test_a_connection_that_is_gone_takes_its_session_with_it():
    with den(*HISTORY) as (world, ada, _):
        eve = joined(world, ada, "eve")
        eve.sync()
        eve.close()

        def is_told():
            ada.send("den", "is eve there?")
            return dropped(world, "eve", "connection gone")
        wait_for(is_told, 20, "the drop is told")
        steps = past(world)
        step = one(steps, "push dropped", user="eve", reason="connection gone")
        last = some(steps, "appended", user="ada", verb="send")[-1]["sequence"]
        equal((step["group"], step["sequence"], step["last_sequence"], step["count"]), ("den", last, last, 1))
        equal([s for s in of(steps, "pushed", user="eve") if holds(s, last)], [], "what was dropped was not pushed")
        fanned = one(steps, "fanned out", turn=step["turn"])
        equal(fanned["count"], len(of(steps, "pushed", turn=step["turn"])))
        ended = one(steps, "session ended", user="eve", turn=step["turn"])
        equal(ended["status"], "NOT_LOGGED_IN")
        ada.send("den", "she is not")
        equal(len(of(past(world), "push dropped", user="eve")), 1, "who has no session gets no push")


def test_all_frames_to_a_connection_that_is_gone_are_told_as_dropped():
    with den(*HISTORY) as (world, ada, _):
        eve = joined(world, ada, "eve")
        eve.sync()
        first_to_go(world, eve, 3)
        group, requests = ada.groups["den"], []
        for number in range(8):
            group.my_number += 1
            sealed = group.seal(TEXT, group.my_number, text_content(f"{number}" * BIG, 1), ada.signing_key)
            group.my_sealed[sealed] = (group.my_number, f"{number}" * BIG)
            requests.append(ada.wire.request("send", group.id, sealed))
        ada.wire.send_frame(*requests)  # one turn, whose events are more than one frame of pushes holds
        last = ada.wire.answer(requests[-1]).sequence
        sequences = list(range(last - len(requests) + 1, last + 1))
        steps = past(world)
        told = some(steps, "push dropped", user="eve", group="den", reason="connection gone")
        assert len(told) > 1 and len({step["turn"] for step in told}) == 1, told
        equal([n for step in told for n in range(step["sequence"], step["last_sequence"] + 1)], sequences)
        equal([s for s in of(steps, "pushed", user="eve") if s["last_sequence"] >= sequences[0]], [])
        fanned = one(steps, "fanned out", turn=told[0]["turn"])
        equal(fanned["count"], len({s["user"] for s in of(steps, "pushed", turn=told[0]["turn"])}))
        ada.sync()


def test_what_comes_after_a_removal_is_not_pushed():
    with den(*HISTORY) as (world, ada, _):
        dave, fay = (joined(world, ada, name) for name in ("dave", "fay"))
        for member in (dave, fay, ada):
            member.sync()
        holding, requests = ada.holding("den"), []
        for name in ("dave", "fay"):
            leaf, = [leaf for leaf, entry in holding.roster.items() if entry.name == name]
            prepared = ada.prepare("den", removed={leaf})
            requests.append(ada.duties.request("commit", holding.group, prepared.bytes, prepared.welcomes))
            prepared.adopt(holding)
        ada.duties.send_frame(*requests)  # one frame, one turn
        last = ada.duties.answer(requests[1]).sequence
        ada.sync()
        steps = past(world)
        step = one(steps, "push dropped", user="dave", reason="left")
        equal((step["group"], step["sequence"], step["last_sequence"]), ("den", last, last))
        one(steps, "pushed", user="dave", sequence=last - 1, last_sequence=last - 1)
        equal([s["sequence"] for s in of(steps, "pushed", user="fay", turn=step["turn"])], [last - 1, last])
        equal(pushed_sequences(dave.wire, 1), [last - 1], "his own removal is the last that dave gets")
        for member in (dave, fay):
            member.close()


# --- The store --------------------------------------------------------------------------------

def test_a_write_that_finds_no_room_is_told():
    with World() as world:
        config = os.path.join(world.dir, "conclaved.conf")

        def reserve(megabytes):
            with open(config, "w", encoding="ascii") as file:
                file.write(f"store-reserve-mb = {megabytes}\ntrace-history = 20000\n")
            world.broker.process.send_signal(signal.SIGHUP)
            wait_for(lambda: f'"new":"{megabytes}"' in world.broker.log_text(), 20, "the reserve is changed")

        equal(world.broker.stop(), 0)
        with open(config, "w", encoding="ascii") as file:
            file.write("store-reserve-mb = 0\ntrace-history = 20000\n")
        world.broker.args = ["--config", config]
        world.broker.start()
        wire = Connection(world.broker.url)
        wire.hello()
        reserve(100000000)
        equal(wire.refusal("register", *registration(wire, "ada")), "STORE_FULL")
        reserve(1)
        wait_for(lambda: wire.refusal("register", *registration(wire, "ada")) == "OK", 20, "there is room again")
        steps = past(world)
        failed = one(steps, "store failed")
        received = one(steps, "received", verb="register", turn=failed["turn"])
        equal(received["request"], 2, "the request that was refused")
        equal((failed["status"], of(steps, "stored", turn=failed["turn"])), ("STORE_FULL", []))
        assert failed["count"] >= 1 and failed["size_bytes"] > 0 and failed["duration_us"] > 0, failed
        done = of(steps, "accepted", verb="register")[-1]
        one(steps, "stored", turn=done["turn"])
        contains(tracer(world, "--past-only", "--step", "store-failed", "watch"), "STORE_FULL")
        wire.close()


def test_a_write_that_fails_is_told():
    with den(*HISTORY, "--store-reserve-mb", "0") as (world, ada, _):
        group, pid = ada.groups["den"], world.broker.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_BYTES, before[1]))
        asked = 0
        while not of(past(world, "--step", "store-failed"), "store failed"):
            group.my_number += 1
            sealed = group.seal(TEXT, group.my_number, text_content("x" * BIG, 1), ada.signing_key)
            group.my_sealed[sealed] = (group.my_number, "x" * BIG)
            request = ada.wire.request("send", group.id, sealed)
            ada.wire.send_frame(request)
            asked += 1
            assert asked * BIG < 2 * FILE_BYTES, "no file became too large"
        steps = past(world)
        failed = some(steps, "store failed")[0]
        equal((failed["status"], of(steps, "stored", turn=failed["turn"])), ("STORE_FAILED", []))
        some(steps, "received", user="ada", verb="send", turn=failed["turn"])
        some(steps, "stored")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        wait_for(lambda: "store_reopened" in world.broker.log_text(), 30, "the store is opened again")
        ada.sync()


# --- Handshakes -------------------------------------------------------------------------------

def handshakes(world):
    """They are told by a thread of their own, and waited for."""
    lines = tracer(world, "--past-only", "--json", "--step", "handshake-failed", "watch", settles=False).splitlines()
    return [json.loads(line) for line in lines]


def next_failure(world, before):
    """The reason of the one that has failed since there were `before`, and nothing else is told of it."""
    steps = wait_for(lambda: handshakes(world)[before:], 30, "the failed handshake is told")
    equal(set(steps[0]), {"time_us", "step", "reason"}, "nobody is known by then")
    return one(steps[:1], "handshake failed")["reason"]


def greeting(mechanism):
    """Of ZMTP 3.0."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32)


def test_handshakes_that_fail_are_told_with_the_reason():
    with World(broker_args=HISTORY) as world:
        address = Endpoint(world.broker.url).address
        host, port = address.removeprefix("tcp://").rsplit(":", 1)

        def failure(tries):
            before = len(handshakes(world))
            with tries():
                return next_failure(world, before)

        @contextlib.contextmanager
        def with_another_key():
            public, secret = zmq.curve_keypair()
            other = zmq.curve_keypair()[0]
            context = zmq.Context()
            dealer = context.socket(zmq.DEALER)
            for option, value in ((zmq.CURVE_PUBLICKEY, public), (zmq.CURVE_SECRETKEY, secret), (zmq.CURVE_SERVERKEY, other),
                                  (zmq.RECONNECT_IVL, -1), (zmq.LINGER, 0)):
                dealer.setsockopt(option, value)
            dealer.connect(address)
            yield
            dealer.close()
            context.term()
        # A broker that stood still for the three seconds that a handshake has says that.
        wait_for(lambda: failure(with_another_key) == "other protocol", 60, "another broker's key is told")
        # A client of libzmq's that finds no CURVE may be quicker to hang up than the broker is to refuse it.
        for what, says, stays, reason in (("no CURVE", greeting(b"NULL"), True, "other protocol"),
                                          ("a password", greeting(b"PLAIN"), True, "other protocol"),
                                          ("nobody who says anything", b"", True, "no detail"),
                                          ("nobody who stays", b"", False, "no detail")):
            @contextlib.contextmanager
            def raw_client(says=says, stays=stays):
                raw = socket.create_connection((host, int(port)))
                raw.sendall(says)
                if not stays:
                    raw.close()
                yield
                raw.close()
            wait_for(lambda tries=raw_client, reason=reason: failure(tries) == reason, 60, f"{what}: {reason} is told")


def test_a_handshake_beyond_the_quota_is_not_allowed():
    with World(broker_args=HISTORY) as world:
        equal(world.broker.stop(), 0)
        world.broker.descriptors = 400  # 40 connections
        world.broker.start()
        first = Connection(world.broker.url)
        first.hello()
        before = world.broker.log_text().count("\n")

        def answers(code):
            return sum(line.count(f'"answer":"{code}"') for line in world.broker.log_text().splitlines()[before:])

        def come(count):
            return [Connection(world.broker.url, [(zmq.RECONNECT_IVL, -1)]) for _ in range(count)]
        accepted = changes(world, "accepted")
        crowd = come(60)
        # Those who come before they are counted are let in.
        wait_for(lambda: answers(300) > 0 or changes(world, "accepted") - accepted > 40, 30, "they are counted")
        crowd += come(20)

        def failed(reason):
            return len(of(handshakes(world), "handshake failed", reason=reason))
        # Nobody is late, unless the broker stood still for the three seconds that a handshake has.
        wait_for(lambda: answers(200) + answers(300) + failed("no detail") >= len(crowd), 60, "each was let in or not")
        assert answers(300) > 0, "some were not"
        wait_for(lambda: failed("not allowed") == answers(300), 60, "each of those is told")
        some(handshakes(world), "handshake failed", reason="not allowed")
        assert {step["reason"] for step in handshakes(world)} <= {"not allowed", "no detail"}, handshakes(world)
        equal(first.refusal("hello", 1, 1, "still here"), "OK")
        for wire in (*crowd, first):
            wire.close()


# --- All of them ------------------------------------------------------------------------------

def declared(table):
    with open(os.path.join(REPO, "broker", "rules", "trace.h"), encoding="ascii") as file:
        text = re.search(rf"#define {table}\(X\)(.*?)\n\n", file.read(), re.S)[1]
    return re.findall(r'X\([A-Z_]+, "([a-z ]*)"\)', text)


def test_every_kind_and_every_reason_has_been_produced_above():
    steps, reasons = declared("TRACE_STEPS"), declared("TRACE_REASONS")
    assert len(steps) >= 14 and len(reasons) >= 9, "the tables are read"
    with World() as world:
        offered = re.search(r"it must be (.*)", tracer(world, "--step", "nonsense", "watch", code=2))[1]
        equal(re.split(", | or ", offered), [step.replace(" ", "-") for step in steps], "steps that --step offers")
    with open(os.path.join(REPO, "broker", "conclave-trace.8.scd"), encoding="utf-8") as file:
        table = re.search(r"^# STEPS\n(.*?)^# ", file.read(), re.S | re.M)[1]
    equal(re.findall(r"\*([a-z-]+)\*", table), [step.replace(" ", "-") for step in steps], "steps in the manual page")
    if sys.argv[2:]:
        raise Skip("only some of the tests have run")
    equal(sorted(set(steps) - {step for step, _ in matched}), [], "steps that no test has produced")
    equal(sorted(set(reasons) - {reason for _, reason in matched}), [], "reasons that no test has produced")


if __name__ == "__main__":
    main(globals())
