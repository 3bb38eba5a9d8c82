# SPDX-License-Identifier: MPL-2.0
"""Python members and admins of a group who misbehave, in all that the broker can't see: what conclave makes of it."""
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
from conclave_epoch import TEXT, inner_plaintext, membership_code, message_statement, seal_plaintext, text_content, write_header
from conclave_welcome import Welcome, seal_welcome
from harness import World, contains, equal, main, room, wait_for
from mixed import letting_in, python, python_reads, reads

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
        told = wait_for(lambda: unreadable(bob.json("history", "den")) or bob.run("listen", "den", "--wait", "1") and [], 60, "bob is told")
        contains(told[0]["reason"], reason)
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
        pending = wait_for(lambda: ada.duties.call("poll_joins").joins, 60, "bob asks")[0]
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
