# SPDX-License-Identifier: MPL-2.0
"""What hostile users, members and admins may try in groups: each attempt has its own status, and nobody else notices."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import secrets

import nacl.signing

from conclave_admin import Admin, Holding, Prepared
from conclave_blocks import varint
from conclave_client import Member
from conclave_commit import Add, first_transcript, write_join_request, write_leave
from conclave_epoch import TEXT, text_content
from conclave_wire import ADMIN, STATUS, BrokerSaid
from den import den, joined, same
from harness import equal, main
from mixed import python


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
        mal.until(lambda: "den" in mal.groups, 60, "mal is in")
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
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 60, "mal is removed")
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
        ada.until(lambda: "once" in ada.groups["den"].texts(), 60, "ada reads it")
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
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 60, "mal is removed")
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
        mal.until(lambda: "den" in mal.groups, 60, "mal is in")
        mal.close()


def test_nobody_is_added_unasked():
    with den() as (world, ada, bea):
        mal = python(world, Member, "mal")
        group = ada.groups["den"].id
        request = mal.join_request(group, ada.groups["den"].epoch.transcript)
        unasked = ada.prepare("den", requests=[request])
        equal(ada.duties.refusal("commit", group, unasked.bytes, unasked.welcomes), "BAD_COMMIT")
        equal(mal.wire.call("poll_keys", []).keys, [], "welcomes that wait")
        mal.wire.call("join", group, request)
        ada.commit("den", unasked)
        mal.until(lambda: "den" in mal.groups, 60, "mal is in")
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
