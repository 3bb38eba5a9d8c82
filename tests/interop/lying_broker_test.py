# SPDX-License-Identifier: MPL-2.0
"""What `conclave` shows, and how it ends, when the broker lies."""
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import User, World, contains, equal, main, wait_for  # noqa: E402

from conclave_admin import Admin  # noqa: E402
from conclave_wire import COMMIT, MESSAGE  # noqa: E402
from lying_broker import LyingBroker, Refusal  # noqa: E402


class LyingWorld(World):
    def __enter__(self):
        self.liar = LyingBroker()
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.liar.close()


@contextlib.contextmanager
def tea(*others):
    """alice serves tea, the others are in."""
    with LyingWorld() as world:
        people = [User(world, name) for name in ("alice", *others)]
        for person in people:
            person.ok("--broker", world.liar.url, "register", person.name, "--kdf", "interactive")
        people[0].ok("create", "tea")
        people[0].serve = people[0].start("serve")
        for person in people[1:]:
            person.ok("join", "tea", "--wait", "60")
        yield (world, world.liar, *people)


def say(person, text):
    person.ok("send", "tea", text)


def read(person):
    """A second with the broker, which is a few passes over all polling tasks; it may find things that it refuses."""
    return person.run("listen", "tea", "--wait", "1")


def reads(person, condition, what):
    """As many seconds as it takes."""
    wait_for(lambda: read(person) and condition(), 60, what)


def reads_texts(person, *texts):
    reads(person, lambda: len(person.texts("tea")) >= len(texts), f"{person.name} has {len(texts)} texts")
    equal(person.texts("tea"), [*texts])


def notices(person, kind):
    return [line["reason"] for line in person.json("history", "tea", "--last", "1000") if line["type"] == "notice" and line["kind"] == kind]


def test_it_is_a_broker_as_long_as_it_does_not_lie():
    with tea("bob") as (world, liar, alice, bob):
        say(alice, "one")
        say(bob, "two")
        reads_texts(bob, "one", "two")
        bob.ok("leave", "tea")
        wait_for(lambda: liar.named("tea").epoch == 3, 60, "the key is new")


def test_another_key_for_a_name_is_blocked_with_exit_code_8():
    with tea("bob") as (world, liar, alice, bob):
        alice.ok("create", "den")
        liar.lies["lookup"] = lambda user, asked, status, reply: (status, reply[:7] + [bytes(31) + b"\7"])
        contains(bob.expect(8, "join", "den"), "KEY_CHANGED")
        equal([line["group"] for line in bob.json("groups")], ["tea"])


def test_a_lookup_that_leads_to_another_group_is_refused():
    with tea("bob") as (world, liar, alice, bob):
        alice.ok("create", "den")
        den = liar.named("den")
        liar.lies["lookup"] = lambda user, asked, status, reply: (status, [liar.named("tea").id] + reply[1:])
        contains(bob.expect(8, "join", "den"), "another group")
        carol = User(world, "carol")
        carol.ok("--broker", liar.url, "register", "carol", "--kdf", "interactive")
        liar.lies["lookup"] = lambda user, asked, status, reply: (status, liar.on_lookup(None, user, "den"))
        carol.ok("join", "tea")
        carol.run("--timeout", "2", "send", "tea", "for the tea party only")
        carol.run("--timeout", "2", "send", "tea", "again")
        equal([sender for kind, sender, _ in den.log if kind == MESSAGE], [], "what went to den")


def test_already_a_member_is_not_believed():
    with tea() as (world, liar, alice):
        bob = User(world, "bob")
        bob.ok("--broker", liar.url, "register", "bob", "--kdf", "interactive")
        liar.lies["join"] = lambda *_: ("ALREADY_MEMBER", [])
        contains(bob.expect(3, "join", "tea"), "ALREADY_MEMBER")


def test_replays_are_shown_once():
    with tea("bob") as (world, liar, alice, bob):
        say(alice, "one")
        say(bob, "mine")
        reads_texts(bob, "one", "mine")
        liar.view = lambda user, group, log: log + log if user == "bob" else log
        reads(bob, lambda: len(notices(bob, "undecryptable")) >= len(liar.named("tea").log), "each replayed event is told")
        for _ in range(2):
            read(bob)
        equal(bob.texts("tea"), ["one", "mine"])
        equal(len(notices(bob, "undecryptable")), len(liar.named("tea").log), "one notice for each replayed event")


def test_a_dropped_message_shows_as_a_gap():
    with tea("bob") as (world, liar, alice, bob):
        for text in ("one", "two", "three"):
            say(alice, text)
        liar.view = lambda user, group, log: [e for e in log if user != "bob" or e[0] != MESSAGE or e != group.log[-2]]
        reads_texts(bob, "one", "three")
        contains(notices(bob, "gap")[0], "1 messages of alice")


def test_reordered_and_altered_messages_do_not_pass():
    with tea("bob") as (world, liar, alice, bob):
        for text in ("one", "two", "three"):
            say(alice, text)
        def tamper(user, group, log):
            if user == "bob":
                log[-3], log[-2] = log[-2], log[-3]
                kind, sender, payload = log[-1]
                log[-1] = kind, sender, payload[:-1] + bytes([payload[-1] ^ 1])
            return log
        liar.view = tamper
        reads(bob, lambda: len(notices(bob, "undecryptable")) >= 2, "both are told")
        equal(bob.texts("tea"), ["two"])
        equal(len(notices(bob, "undecryptable")), 2)


def test_another_groups_events_do_not_pass():
    with tea("bob") as (world, liar, alice, bob):
        alice.ok("create", "den")
        alice.ok("send", "den", "for nobody else")
        den = liar.named("den").log
        liar.view = lambda user, group, log: log + den[1:] if user == "bob" else log
        reads(bob, lambda: notices(bob, "undecryptable"), "the strange event is told")
        equal(bob.texts("tea"), [])
        equal(len(notices(bob, "undecryptable")), 1)


def test_a_forged_commit_is_told_once_and_the_true_one_still_counts():
    with tea("bob", "carol") as (world, liar, alice, bob, carol):
        carol.ok("leave", "tea")
        wait_for(lambda: liar.named("tea").log[-1][0] == COMMIT, 60, "the key is new")
        liar.view = lambda user, group, log: log[:-1] + [(COMMIT, "alice", log[-1][2][:-1] + bytes([log[-1][2][-1] ^ 1]))] if user == "bob" else log
        reads(bob, lambda: notices(bob, "undecryptable"), "the forged commit is told")
        for _ in range(3):
            read(bob)
        equal(len(notices(bob, "undecryptable")), 1)
        liar.view = lambda user, group, log: log
        say(alice, "after")
        reads_texts(bob, "after")


def test_sent_without_being_stored_is_noticed_and_the_text_stays():
    with tea("bob") as (world, liar, alice, bob):
        liar.lies["send"] = lambda user, asked, status, reply: ("OK", [1 << 40, 1])
        stored = liar.on_send
        liar.on_send = lambda *_: [1 << 40, 1]
        bob.run("send", "tea", "lost")
        liar.on_send = stored
        del liar.lies["send"]
        reads(bob, lambda: notices(bob, "broker"), "the loss is told")
        for _ in range(2):
            read(bob)
        equal(bob.texts("tea"), ["lost"])
        equal(len(notices(bob, "broker")), 1)
        say(bob, "kept")
        equal(bob.texts("tea"), ["lost", "kept"])


def test_senseless_statuses_are_named_and_lose_nothing():
    with tea("bob") as (world, liar, alice, bob):
        for status in ("NAME_TAKEN", "BAD_TYPE", 99, 12345678901):
            liar.lies["send"] = lambda user, asked, _, reply, status=status: (status, [])
            equal(bob.run("send", "tea", "x").returncode, 3, f"exit code for {status}")
        del liar.lies["send"]
        for verb in ("poll_messages", "poll_keys", "poll_joins", "poll_leaves"):
            liar.lies[verb] = lambda *_: ("GROUP_FULL", [])
            assert bob.run("--timeout", "3", "send", "tea", "y").returncode in (0, 3, 4), verb
            del liar.lies[verb]
        say(bob, "well")
        equal(bob.texts("tea")[-1], "well")


def test_rubbish_and_replies_nobody_asked_for_do_no_harm():
    with tea("bob") as (world, liar, alice, bob):
        for raw in ([b"\xff" * 300], [os.urandom(310 * 1024)], [b"\x95\x01\xcd\xff\xff\x01\x00\x90"], [b"a", b"b", b"c"], [b""],
                    [b"\x95\x01\x20\xcf" + b"\xff" * 8 + b"\x00\x93\xdd\xff\xff\xff\xff"], [b"\x95\x01\x15\x63\x00\x92\x01\x01"]):
            liar.raw = [raw]
            assert bob.run("--timeout", "8", "send", "tea", "through").returncode in (0, 4), raw[0][:20]
        liar.raw = []
        say(bob, "well")
        equal(bob.texts("tea")[-1], "well")


def test_a_handshake_answered_with_another_verb_goes_nowhere():
    with tea("bob") as (world, liar, alice, bob):
        seen = []
        liar.lies["challenge"] = lambda user, asked, status, reply: ("OK", ("poll_messages", [[[bytes(16), 1, 1, 3, "eve", b"x"]], [], 0]))
        liar.lies["login"] = lambda user, asked, status, reply: seen.append(asked[1]) or (status, reply)
        bob.expect(4, "--timeout", "3", "send", "tea", "x")
        equal(seen, [], "challenges sent back")


def test_more_without_end_does_not_spin():
    with tea("bob") as (world, liar, alice, bob):
        polls = []
        liar.lies["poll_messages"] = lambda user, asked, status, reply: polls.append(user) or (status, [[], [], 1])
        liar.lies["poll_keys"] = lambda user, asked, status, reply: (status, [[], 1])
        listen = bob.start("listen", "tea")
        wait_for(lambda: polls.count("bob") > 2, 60, "bob polls")
        started, before = time.monotonic(), len(polls)
        time.sleep(2)
        asked = len(polls) - before
        assert asked < 30 * (time.monotonic() - started), asked
        listen.stop()


def test_no_answer_at_all_ends_with_exit_code_4():
    with tea("bob") as (world, liar, alice, bob):
        for verb in ("send", "poll_messages", "hello", "login"):
            liar.lies[verb] = lambda *_: None
            bob.expect(4, "--timeout", "2", "send", "tea", "waits")
            del liar.lies[verb]
        say(bob, "last")
        texts = [sender for kind, sender, _ in liar.named("tea").log if kind == MESSAGE]
        equal(len(texts), 5, "each text is stored once")


def test_refused_for_good_at_login_is_exit_code_3():
    with tea("bob") as (world, liar, alice, bob):
        liar.lies["login"] = lambda *_: ("BAD_SIGNATURE", [])
        result = bob.run("send", "tea", "x")
        assert result.returncode in (3, 8), (result.returncode, result.stderr)


def test_false_proofs_leave_placeholders_until_true_ones_come():
    with tea() as (world, liar, alice):
        liar.lies["roster"] = lambda user, asked, status, reply: (status, reply[:3] + [[[0, "alice", bytes(32), 1, 1]]])
        liar.lies["roster_proof"] = lambda user, asked, status, reply: (status, reply[:2] + [[[bytes(32)]]])
        bob = User(world, "bob")
        bob.ok("--broker", liar.url, "register", "bob", "--kdf", "interactive")
        bob.run("join", "tea", "--wait", "60")
        say(alice, "one")
        reads(bob, lambda: any("not proven" in reason for reason in notices(bob, "undecryptable")), "a placeholder is there")
        equal(bob.texts("tea"), [])
        liar.lies.clear()
        reads_texts(bob, "one")


def test_wild_numbers_are_shown_and_harm_nothing():
    with tea("bob") as (world, liar, alice, bob):
        say(alice, "one")
        top = (1 << 64) - 1
        liar.lies["poll_messages"] = lambda user, asked, status, reply: (
            status, [[[e[0], e[1], top, *e[3:]] for e in reply[0]], [[s[0], s[1], top, top, top] for s in reply[1]], 0])
        reads_texts(bob, "one")
        bob.ok("history", "tea")
        bob.ok("groups")


def test_forged_welcomes_do_not_keep_a_join_from_succeeding():
    with tea() as (world, liar, alice):
        bob = User(world, "bob")
        bob.ok("--broker", liar.url, "register", "bob", "--kdf", "interactive")
        tea_id = liar.named("tea").id
        alice.serve.stop()
        bob.ok("join", "tea")
        for sequence in (1, 7, 1 << 60):
            liar.lies["poll_keys"] = lambda user, asked, status, reply, sequence=sequence: (
                status, [[[tea_id, "tea", sequence, os.urandom(300)]] if user == "bob" else reply[0], 0])
            bob.run("--timeout", "2", "status")
            bob.run("--timeout", "2", "join", "tea")
        liar.lies.clear()
        alice.serve = alice.start("serve")
        bob.ok("join", "tea", "--wait", "60")
        say(bob, "in")
        equal(bob.texts("tea"), ["in"])


def test_a_name_that_comes_back_with_another_key_is_not_let_in():
    with tea("bob") as (world, liar, alice, bob):
        bob.ok("leave", "tea")
        wait_for(lambda: len(liar.named("tea").roster) == 1, 60, "bob is out")
        liar.users.pop("bob")
        other = User(world, "bob")
        other.home += "-other"
        other.ok("--broker", liar.url, "register", "bob", "--kdf", "interactive")
        other.ok("join", "tea")
        wait_for(lambda: notices(alice, "key-changed"), 60, "alice is warned")
        for _ in range(3):
            alice.ok("send", "tea", "as before")
        equal(len(notices(alice, "key-changed")), 1)
        equal(len(liar.named("tea").roster), 1, "members")


def test_two_commits_of_one_epoch_are_an_alarm():
    with LyingWorld() as world:
        liar = world.liar
        eve = Admin(liar.url, "eve").register()
        eve.create("tea")
        bob, carol = User(world, "bob"), User(world, "carol")
        for person in (bob, carol):
            person.ok("--broker", liar.url, "register", person.name, "--kdf", "interactive")
            joining = person.start("join", "tea", "--wait", "60")
            eve.until_served(lambda: any(e.name == person.name for e in liar.named("tea").roster.values()), 60, "the commit")
            equal(joining.wait(), 0)
        one, two = eve.prepare("tea"), eve.prepare("tea")
        branches = {"bob": [one.bytes], "carol": [two.bytes]}
        liar.view = lambda user, group, log: log + [(COMMIT, "eve", data) for data in branches.get(user, [])]
        for person in (bob, carol):
            reads(person, lambda who=person: who.json("groups")[0]["epoch"] == 4, "the commit counts")
            equal(notices(person, "fork"), [])
        branches["bob"].append(two.bytes)  # the other branch's commit, and what follows on one's own after it
        one.adopt(eve.holding("tea"))
        three = eve.prepare("tea")
        branches["bob"].append(three.bytes)
        branches["carol"].append(three.bytes)
        for person, epoch in ((bob, 5), (carol, 4)):
            reads(person, lambda who=person, at=epoch: notices(who, "fork") and who.json("groups")[0]["epoch"] == at, "the alarm")
            read(person)
            equal(len(notices(person, "fork")), 1, person.name)
            equal([line["epoch"] for line in person.json("groups")], [epoch])
        eve.close()


def test_a_refused_commit_leaves_the_admin_its_keys():
    with tea() as (world, liar, alice):
        bob = User(world, "bob")
        bob.ok("--broker", liar.url, "register", "bob", "--kdf", "interactive")
        alice.serve.stop()
        bob.ok("join", "tea")
        for status in ("NOT_ADMIN", "UNKNOWN_GROUP", "NOT_MEMBER"):
            commit = liar.on_commit

            def refuse(*_, status=status):
                raise Refusal(status)

            liar.on_commit = refuse
            alice.run("--timeout", "20", "send", "tea", "x")
            liar.on_commit = commit
        alice.serve = alice.start("serve")
        bob.ok("join", "tea", "--wait", "60")


if __name__ == "__main__":
    main(globals())
