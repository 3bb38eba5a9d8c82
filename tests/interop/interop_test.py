# SPDX-License-Identifier: MPL-2.0
"""Two clients, one protocol: Python members among conclave's, Python admins over them, and a Python member that misbehaves."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import secrets

import nacl.signing

from conclave_admin import Admin
from conclave_blocks import Refused, kdf, sign
from conclave_client import Member
from conclave_commit import read_join_request
from conclave_epoch import (CREATION_CONTEXT, TEXT, inner_plaintext, membership_code, message_statement, seal_plaintext, text_content,
                            write_fields, write_header)
from conclave_welcome import Welcome, seal_welcome
from conclave_wire import ADMIN
from harness import World, contains, equal, main, room, wait_for


def python(world, kind, name):
    return kind(world.broker.url, name).register()


def reads(user, group, text):
    """Waits until a C user has read a text."""
    wait_for(lambda: text in user.texts(group) or user.run("listen", group, "--count", "1", "--wait", "1") and False, 30,
             f"{user.name} reads {text!r}")


def python_reads(member, group, text):
    member.until(lambda: text in member.groups[group].texts(), 30, f"{member.name} reads {text!r}")


def letting_in(admin, user, group):
    """A C user joins while a Python admin serves."""
    joining = user.start("join", group, "--wait", "30")
    admin.until_served(lambda: joining.process.poll() is not None, 40, f"{user.name} is in")
    equal(joining.wait(), 0, "exit code of join: " + "\n".join(joining.errors))


def check_whole_roster(member, group_name, names):
    """Roster and proofs agree with the root that the admin signed."""
    group = member.groups[group_name]
    member.until(lambda: group.roster is not None and sorted(e.name for e in group.roster.values()) == sorted(names), 30, "roster is known")
    for leaf, entry in group.roster.items():
        equal(member.fetch_proof(group, leaf), entry, f"proven entry of leaf {leaf}")
        equal(member.whois(entry.name), entry.identity_key, f"registered key of {entry.name}")


# --- A Python member in a group of a C admin --------------------------------------------------

def test_python_talks_in_a_group_of_a_c_admin():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        alice.ok("send", "tea", "before pat")
        pat = python(world, Member, "pat")
        group = pat.join("tea")
        bob.ok("send", "tea", "hello pat")
        pat.send("tea", "hello bob ✓")
        alice.ok("send", "tea", "hello both")
        python_reads(pat, "tea", "hello both")
        equal(group.texts(), ["hello pat", "hello bob ✓", "hello both"])
        equal([line.sender for line in group.lines], ["bob", "pat", "alice"])
        reads(bob, "tea", "hello both")
        equal(bob.texts("tea"), ["before pat", "hello pat", "hello bob ✓", "hello both"])
        check_whole_roster(pat, "tea", ["alice", "bob", "pat"])
        pat.close()


def traceparent(context):
    return f"00-{context[:16].hex()}-{context[16:24].hex()}-{context[24:].hex()}"


def test_creation_contexts_and_fields_of_later_versions_are_read_or_skipped():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        pat = python(world, Member, "pat")
        group = pat.join("tea")
        sent = alice.json("--trace", "send", "tea", "traced")[0]
        alice.ok("send", "tea", "not traced")
        context = secrets.token_bytes(24) + b"\1"
        pat.send("tea", "traced by pat", fields=write_fields({CREATION_CONTEXT: context, 9: b"of a later version"}))
        pat.send("tea", "odd context", fields=write_fields({CREATION_CONTEXT: bytes(25)}))
        pat.send("tea", "a full block of fields", fields=write_fields({9: bytes(255), 200: bytes(253)}))
        python_reads(pat, "tea", "not traced")
        told = {line.text: line.creation_context and traceparent(line.creation_context) for line in group.lines if line.sender == "alice"}
        equal(told, {"traced": sent["traceparent"], "not traced": None}, "what pat was told")
        reads(bob, "tea", "a full block of fields")
        told = {line["text"]: line.get("traceparent") for line in bob.json("history", "tea") if line["type"] == "message"}
        equal(told, {"traced": sent["traceparent"], "not traced": None, "traced by pat": traceparent(context), "odd context": None,
                     "a full block of fields": None}, "what bob was told")
        pat.close()


def test_python_survives_growth_and_a_leave():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        pat = python(world, Member, "pat")
        group = pat.join("tea")
        for name in ("carol", "dave", "erin"):
            user, = world.users(name)
            user.ok("join", "tea", "--wait", "30")
            user.ok("send", "tea", f"{name} is here")
            pat.send("tea", f"welcome {name}")
            reads(user, "tea", f"welcome {name}")
        python_reads(pat, "tea", "erin is here")
        equal(group.depth, 3, "depth of the tree")
        check_whole_roster(pat, "tea", ["alice", "bob", "pat", "carol", "dave", "erin"])

        epoch = group.epoch.number
        bob.ok("leave", "tea")
        pat.send("tea", "bob has gone")
        assert group.epoch.number > epoch, "a leave makes a new epoch"
        reads(alice, "tea", "bob has gone")
        assert "bob has gone" not in bob.texts("tea")
        alice.ok("send", "tea", "indeed")
        python_reads(pat, "tea", "indeed")
        check_whole_roster(pat, "tea", ["alice", "pat", "carol", "dave", "erin"])
        equal([line.problem for line in group.lines if line.problem], [], "problems")
        pat.close()


def test_python_leaves_and_comes_again():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        pat = python(world, Member, "pat")
        before = pat.join("tea")
        bob.ok("send", "tea", "one")
        python_reads(pat, "tea", "one")
        statement = pat.leave("tea")
        pat.wire.call("leave", before.id, statement)  # the same again is answered the same
        wait_for(lambda: bob.run("send", "tea", "without pat").returncode == 0, 20, "bob can send")
        pat.until(lambda: before.ended, 20, "pat knows it is over")
        equal(before.texts(), ["one"])
        assert not [line for line in before.lines if line.sequence > before.cursor]

        again = pat.join("tea")
        assert again is not before
        bob.ok("send", "tea", "two")
        python_reads(pat, "tea", "two")
        equal(again.texts(), ["two"])
        pat.close()


def test_a_commit_that_removes_somebody_and_adds_them_again():
    with World() as world:
        bob, = world.users("bob")
        ada, pat = python(world, Admin, "ada"), python(world, Member, "pat")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        pat.request_join("den")
        ada.until_served(lambda: len(group.roster) == 3, 20, "pat is in")
        pat.until(lambda: "den" in pat.groups, 20, "pat knows")
        before = pat.groups["den"]
        pat.leave("den")
        request = pat.join_request(before.id, before.epoch.transcript)
        pat.wire.call("join", before.id, request)
        ada.commit("den", ada.prepare("den", requests=[request], removed=[before.leaf]))
        pat.until(lambda: pat.groups["den"] is not before, 20, "pat is in again")
        pat.send("den", "back again")
        reads(bob, "den", "back again")
        bob.ok("send", "den", "at another leaf")
        python_reads(pat, "den", "at another leaf")
        for member in (ada, pat):
            member.close()


def test_texts_of_all_lengths():
    with World() as world:
        bob, = world.users("bob")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        from_bob = ["b" * length for length in range(1, 75)] + ["b" * 16384]
        from_ada = ["a" * length for length in range(1, 75)] + ["a" * 16384]
        bob.ok("send", "den", input="".join(text + "\n" for text in from_bob))
        ada.until(lambda: len(group.texts()) == len(from_bob), 20, "all came")
        equal(group.texts(), from_bob)
        for text in from_ada:
            ada.send("den", text)
        reads(bob, "den", from_ada[-1])
        equal(bob.texts("den"), from_bob + from_ada)
        ada.close()


def test_pushes_alone_carry_a_conversation():
    with World() as world:
        alice, = world.users("alice")
        room(world, "tea", alice)
        pat = python(world, Member, "pat")
        group = pat.join("tea")
        pat.sync()
        alice.ok("send", "tea", "pushed")

        def pushed():
            for push in pat.wire.take_pushes(1):
                for event in getattr(push, "events", []):
                    group.take_event(event)
            return "pushed" in group.texts()

        wait_for(pushed, 20, "the push came")
        pat.close()


# --- A Python admin over C members ------------------------------------------------------------

def test_c_members_in_a_group_of_a_python_admin():
    with World() as world:
        bob, carol, dave = world.users("bob", "carol", "dave")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        letting_in(ada, carol, "den")
        ada.send("den", "welcome")
        for user in (bob, carol):
            reads(user, "den", "welcome")
            user.ok("send", "den", f"{user.name} says hello")
        python_reads(ada, "den", "carol says hello")
        reads(bob, "den", "carol says hello")

        letting_in(ada, dave, "den")
        bob.ok("leave", "den")
        ada.until_served(lambda: "bob" not in [entry.name for entry in group.roster.values()], 20, "bob is removed")
        ada.send("den", "after bob")
        carol.ok("send", "den", "yes, after bob")
        python_reads(ada, "den", "yes, after bob")
        for user in (carol, dave):
            reads(user, "den", "yes, after bob")
        assert not [text for text in bob.texts("den") if "after bob" in text]
        contains(bob.expect(3, "send", "den", "still here?"), "NOT_MEMBER")
        equal(dave.texts("den"), ["after bob", "yes, after bob"])
        check_whole_roster(ada, "den", ["ada", "carol", "dave"])
        ada.close()


def test_many_join_and_leave_under_a_python_admin():
    """Commits with several adds and removals at once, as members in C and in Python see them."""
    with World() as world:
        bob, carol = world.users("bob", "carol")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        pythons = [python(world, Member, f"p{number}") for number in range(9)]
        for member in pythons:
            member.request_join("den")
        joining = carol.start("join", "den", "--wait", "30")
        ada.until_served(lambda: len(group.roster) == 12, 40, "all are in")
        equal(joining.wait(), 0)
        for member in pythons:
            member.until(lambda m=member: "den" in m.groups, 20, "it is in")
        pythons[0].send("den", "we are many")
        reads(bob, "den", "we are many")
        for member in (pythons[0], pythons[2], pythons[3], pythons[8]):
            member.leave("den")
        bob.ok("leave", "den")
        ada.until_served(lambda: len(group.roster) == 7, 20, "those are removed")
        carol.ok("send", "den", "we are fewer")
        for member in (pythons[1], pythons[4], pythons[5], pythons[6], pythons[7]):
            python_reads(member, "den", "we are fewer")
        for member in (pythons[0], pythons[8]):
            member.sync()
            assert member.groups["den"].ended and "we are fewer" not in member.groups["den"].texts()
        for member in [ada, *pythons]:
            member.close()


def test_a_c_member_becomes_an_admin_in_the_roster():
    with World() as world:
        bob, carol = world.users("bob", "carol")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        leaf = next(leaf for leaf, entry in group.roster.items() if entry.name == "bob")
        ada.commit("den", ada.prepare("den", roles={leaf: ADMIN}))
        equal(sorted(name for name, _ in group.admins.values()), ["ada", "bob"])
        letting_in(ada, carol, "den")
        carol.ok("send", "den", "two admins here")
        reads(bob, "den", "two admins here")
        python_reads(ada, "den", "two admins here")
        ada.close()


# --- A Python member that misbehaves among C members ------------------------------------------

def misbehaving(world):
    alice, bob = world.users("alice", "bob")
    room(world, "tea", alice, bob)
    mal = python(world, Member, "mal")
    return alice, bob, mal, mal.join("tea")


def send_sealed(member, group, make):
    """Sends what make(header, message key) gives, under this member's next header."""
    chain = group.epoch.senders.chain(group.leaf)
    header = write_header(group.epoch.number, group.leaf, chain.generation)
    member.wire.call("send", group.id, make(header, chain.take(chain.generation)))


def signed_plaintext(member, group, header, type_, number, content):
    statement = message_statement(group.id, group.epoch.transcript, header, type_, number, content)
    return inner_plaintext(sign(member.signing_key, *statement), type_, number, content)


def test_garbage_in_a_good_envelope_disturbs_nobody():
    with World() as world:
        alice, bob, mal, group = misbehaving(world)

        def sealed(plaintext_of):
            return lambda header, key: seal_plaintext(group.id, header, key, plaintext_of(header))

        content = text_content("forged", 1)
        good = [lambda header: signed_plaintext(mal, group, header, TEXT, 1, content)]
        bad = {
            "garbage": lambda header, key: header + secrets.token_bytes(208),
            "nothing but a tag": lambda header, key: header + bytes(16),
            "an empty plaintext": sealed(lambda header: b""),
            "a wrong signature": sealed(lambda header: inner_plaintext(secrets.token_bytes(64), TEXT, 2, content)),
            "a signature over another number": sealed(lambda header: signed_plaintext(mal, group, header, TEXT, 3, content)[:65]
                                                      + inner_plaintext(bytes(64), TEXT, 4, content)[65:]),
            "padding that is not zeros": sealed(lambda header: good[0](header)[:-1] + b"\x01"),
            "optional fields out of order": sealed(lambda header: inner_plaintext(bytes(64), TEXT, 5, content, b"\2\0\1\0")),
            "an optional field beyond the end": sealed(lambda header: inner_plaintext(bytes(64), TEXT, 6, content, b"\1\xff")),
            "optional fields that nobody signed": sealed(lambda header: good[0](header)[:64] + inner_plaintext(b"", TEXT, 1, content, b"\1\0")
                                                         .ljust(64, b"\0")),
            "a length beyond the end": sealed(lambda header: bytes(64) + b"\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + bytes(52)),
            "a varint without an end": sealed(lambda header: bytes(64) + b"\x01" + b"\xff" * 63),
            "sealed under another key": lambda header, key: seal_plaintext(group.id, header, kdf(key, "other"), good[0](header)),
        }
        for what, make in bad.items():
            send_sealed(mal, group, make)
            bob.ok("send", "tea", "after " + what)
            reads(alice, "tea", "after " + what)
        group.my_number = 20
        mal.send("tea", "and now a good one")
        for user in (alice, bob):
            reads(user, "tea", "and now a good one")
            texts = user.texts("tea")
            assert "forged" not in texts, texts
            equal(len(unreadable(user.json("history", "tea", "--last", "100"))), len(bad), "placeholders")
        mal.close()


def unreadable(lines):
    return [line for line in lines if line["type"] == "notice" and line["kind"] == "undecryptable"]


def odd_content(type_, content):
    """A well-signed message with content that no good client writes; the C clients go on."""
    with World() as world:
        alice, bob, mal, group = misbehaving(world)
        mal.send_content(group, type_, content, 1, None)
        group.my_number = 1
        mal.send("tea", "and now a good one")
        for user in (alice, bob):
            reads(user, "tea", "and now a good one")
            user.ok("history", "tea")
            user.ok("--json", "history", "tea")
        mal.close()
        return alice.json("history", "tea", "--last", "100")


def test_text_that_is_not_utf8():
    odd_content(TEXT, b"\x01\xff\xfe\xc0\x80")


def test_text_with_a_zero_byte():
    odd_content(TEXT, b"\x01nul\0nul")


def test_text_without_a_time():
    odd_content(TEXT, b"")


def test_text_longer_than_allowed():
    odd_content(TEXT, b"\x01" + b"x" * 16400)


def test_content_of_an_unknown_type_is_a_placeholder():
    lines = odd_content(200, b"from the future")
    assert "from the future" not in str(lines), lines
    equal(len(unreadable(lines)), 1, "placeholders")


def test_terminal_escapes_are_harmless():
    with World() as world:
        alice, bob, mal, group = misbehaving(world)
        evil = "\x1b[2J\x1b]0;owned\x07red\u202etxt\u009b31m\r\nalice: spoofed\u2028x"
        mal.send("tea", evil)
        bob.ok("send", "tea", "after the escapes")
        reads(alice, "tea", "after the escapes")
        for user in (alice, bob):
            shown = user.ok("history", "tea")
            contains(shown, "after the escapes")
            for character in "\x1b\x07\x9b\r\u202e\u2028":
                assert character not in shown, (character, shown)
            assert not [line for line in shown.splitlines() if line.startswith("alice: spoofed")], shown
        mal.close()


def test_a_number_used_twice_is_shown_once():
    with World() as world:
        alice, bob, mal, group = misbehaving(world)
        mal.send("tea", "first")
        mal.send_content(group, TEXT, text_content("again", 1), 1, "again")
        mal.send_content(group, TEXT, text_content("jump", 1), 10, "jump")
        reads(bob, "tea", "jump")
        reads(alice, "tea", "jump")
        equal([text for text in bob.texts("tea") if text in ("first", "again", "jump")], ["first", "jump"])
        mal.close()


# --- A Python admin that misbehaves over C members --------------------------------------------

def not_followed(change, reason, removed=()):
    """A commit that the broker can't see through: nobody follows it, and nobody falls over."""
    with World() as world:
        bob, carol = world.users("bob", "carol")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, bob, "den")
        letting_in(ada, carol, "den")
        ada.send("den", "so far so good")
        reads(bob, "den", "so far so good")
        forged = ada.prepare("den", removed=removed)
        change(forged.commit)
        forged.commit.write_body()
        code = membership_code(ada.holding("den").membership, forged.commit.next_transcript, forged.commit.tag)
        if reason == "BAD_MAC":
            code = bytes(32)
        ada.duties.call("commit", group.id, forged.commit.finish(forged.commit.tag, code, ada.signing_key), forged.welcomes)
        try:
            ada.sync()
            raise AssertionError("Python followed")
        except Refused:
            pass
        equal(bob.run("listen", "den", "--count", "2", "--wait", "1").returncode, 4, "exit code of listen")
        contains(unreadable(bob.json("history", "den"))[0]["reason"], reason)
        equal(bob.run("--timeout", "1", "send", "den", "in the forged epoch").returncode, 4, "exit code of send")
        equal(bob.texts("den"), ["so far so good"])
        equal(world.broker.process.poll(), None, "the broker's exit code")
        ada.close()


def test_a_commit_with_a_wrong_tag_is_not_followed():
    not_followed(lambda commit: setattr(commit, "tag", bytes(32)), "BAD_CONFIRMATION")


def test_a_commit_with_a_wrong_membership_code_is_not_followed():
    not_followed(lambda commit: None, "BAD_MAC")


def test_a_commit_with_wrong_wraps_is_not_followed():
    not_followed(lambda commit: commit.wraps.update({child: bytes(48) for child in commit.wraps}), "BAD_SEAL", removed=[2])


def test_a_commit_without_the_wraps_is_not_followed():
    not_followed(lambda commit: commit.wraps.clear(), "", removed=[2])


def not_entered(forge):
    """A welcome that isn't right lets nobody in, and the others go on."""
    with World() as world:
        bob, carol = world.users("bob", "carol")
        ada = python(world, Admin, "ada")
        group = ada.create("den")
        letting_in(ada, carol, "den")
        joining = bob.start("join", "den", "--wait", "3")
        pending = wait_for(lambda: ada.duties.call("poll_joins").joins, 20, "bob asks")[0]
        prepared = ada.prepare("den", requests=[pending.request])
        forge(ada, prepared, pending.request)
        ada.commit("den", prepared)
        code = joining.wait()
        assert code > 0, f"join ended with {code}"
        ada.send("den", "only carol reads this")
        reads(carol, "den", "only carol reads this")
        carol.ok("send", "den", "and ada this")
        python_reads(ada, "den", "and ada this")
        assert bob.run("--timeout", "1", "send", "den", "am I in?").returncode > 0
        assert "only carol reads this" not in bob.run("history", "den").stdout
        ada.close()


def resealed(admin, prepared, request, signing_key=None, **changes):
    """The welcome again, changed."""
    commit, asked = prepared.commit, read_join_request(request)
    leaf = commit.adds[0].leaf
    admins = {0: (admin.name, admin.identity_key)}
    welcome = Welcome(commit.group, "den", commit.epoch + 1, prepared.transcript, leaf, secrets.token_bytes(32),
                      prepared.tree.path_keys(leaf), admins)
    for field, value in changes.items():
        setattr(welcome, field, value)
    prepared.welcomes = [[asked.name, seal_welcome(welcome, asked.identity_key, asked.prekey, signing_key or admin.signing_key)]]


def test_a_welcome_of_garbage():
    not_entered(lambda ada, prepared, request: setattr(prepared, "welcomes", [["bob", secrets.token_bytes(300)]]))


def test_a_welcome_signed_by_another_key():
    not_entered(lambda ada, prepared, request: resealed(ada, prepared, request, nacl.signing.SigningKey.generate()))


def test_a_welcome_with_a_wrong_secret():
    not_entered(resealed)


def test_a_welcome_to_another_history():
    not_entered(lambda ada, prepared, request: resealed(ada, prepared, request, transcript=bytes(32)))


def test_a_commit_for_another_request():
    """The broker doesn't compare the request's hash; the newcomer does."""
    def forge(ada, prepared, request):
        forged = ada.prepare("den", requests=[request], amend=lambda commit: setattr(commit.adds[0], "request_hash", bytes(32)))
        prepared.__dict__.update(forged.__dict__)

    not_entered(forge)


if __name__ == "__main__":
    main(globals())
