# SPDX-License-Identifier: MPL-2.0
"""Two clients, one protocol: Python members among conclave's, and Python admins over them."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import secrets

from conclave_admin import Admin
from conclave_client import Member
from conclave_epoch import CREATION_CONTEXT, write_fields
from conclave_wire import ADMIN
from harness import World, contains, equal, main, room, wait_for
from mixed import letting_in, python, python_reads, reads


def check_whole_roster(member, group_name, names):
    """Roster and proofs agree with the root that the admin signed."""
    group = member.groups[group_name]
    member.until(lambda: group.roster is not None and sorted(e.name for e in group.roster.values()) == sorted(names), 60, "roster is known")
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
            user.ok("join", "tea", "--wait", "60")
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
        wait_for(lambda: bob.run("send", "tea", "without pat").returncode == 0, 60, "bob can send")
        pat.until(lambda: before.ended, 60, "pat knows it is over")
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
        ada.until_served(lambda: len(group.roster) == 3, 60, "pat is in")
        pat.until(lambda: "den" in pat.groups, 60, "pat knows")
        before = pat.groups["den"]
        pat.leave("den")
        request = pat.join_request(before.id, before.epoch.transcript)
        pat.wire.call("join", before.id, request)
        ada.commit("den", ada.prepare("den", requests=[request], removed=[before.leaf]))
        pat.until(lambda: pat.groups["den"] is not before, 60, "pat is in again")
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
        ada.until(lambda: len(group.texts()) == len(from_bob), 60, "all came")
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

        wait_for(pushed, 60, "the push came")
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
        ada.until_served(lambda: "bob" not in [entry.name for entry in group.roster.values()], 60, "bob is removed")
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
        joining = carol.start("join", "den", "--wait", "60")
        ada.until_served(lambda: len(group.roster) == 12, 60, "all are in")
        equal(joining.wait(), 0)
        for member in pythons:
            member.until(lambda m=member: "den" in m.groups, 60, "it is in")
        pythons[0].send("den", "we are many")
        reads(bob, "den", "we are many")
        for member in (pythons[0], pythons[2], pythons[3], pythons[8]):
            member.leave("den")
        bob.ok("leave", "den")
        ada.until_served(lambda: len(group.roster) == 7, 60, "those are removed")
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


if __name__ == "__main__":
    main(globals())
