# SPDX-License-Identifier: MPL-2.0
"""The main job with real processes: register, create, join, talk, leave; who may read what; one order for all."""
import os
import threading

from harness import User, World, contains, equal, main, room, wait_for


def test_two_people_talk():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "Hello", "there")
        alice.ok("send", "tea", "Hi bob ✓")
        lines = bob.json("listen", "tea", "--count", "2", "--wait", "60")
        messages = [line for line in lines if line["type"] == "message"]
        equal([(m["sender"], m["text"]) for m in messages], [("bob", "Hello there"), ("alice", "Hi bob ✓")])
        for key in ("group", "epoch", "seq", "sender", "generation", "number", "time", "sent_time", "text"):
            assert key in messages[0], key
        equal(alice.texts("tea"), ["Hello there", "Hi bob ✓"])
        equal(serve.stop(), 0, "exit code of serve")


def test_a_newcomer_reads_nothing_from_before_and_a_leaver_nothing_after():
    with World() as world:
        alice, bob, carol = world.users("alice", "bob", "carol")
        room(world, "tea", alice, bob)
        alice.ok("send", "tea", "before carol")
        carol.ok("join", "tea", "--wait", "60")
        alice.ok("send", "tea", "all three")
        bob.ok("listen", "tea", "--count", "2", "--wait", "60")
        bob.ok("leave", "tea")
        alice.ok("send", "tea", "without bob")
        carol.ok("send", "tea", "indeed")
        carol.ok("listen", "tea", "--count", "3", "--wait", "60")
        equal(carol.texts("tea"), ["all three", "without bob", "indeed"])
        equal(bob.texts("tea"), ["before carol", "all three"])
        equal(alice.texts("tea"), ["before carol", "all three", "without bob", "indeed"])
        contains(bob.expect(3, "send", "tea", "still here?"), "NOT_MEMBER")


def test_concurrent_senders_give_one_order_to_all():
    with World() as world:
        people = world.users("alice", "bob", "carol", "dave")
        room(world, "tea", *people)
        each = 25

        def talk(user):
            user.ok("send", "tea", input="".join(f"{user.name} {i}\n" for i in range(each)))

        threads = [threading.Thread(target=talk, args=(user,)) for user in people[1:]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = each * 3
        views = []
        for user in people:
            wait_for(lambda u=user: len(u.texts("tea")) >= total or u.run("listen", "tea", "--wait", "1") and False, 60, "all is there")
            views.append(user.texts("tea"))
        equal(len(views[0]), total, "number of messages")
        for user, view in zip(people[1:], views[1:]):
            equal(view, views[0], "order of " + user.name)
        for user in people[1:]:
            equal([t for t in views[0] if t.startswith(user.name + " ")], [f"{user.name} {i}" for i in range(each)])


def test_an_admins_send_serves_who_waits():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        alice.ok("create", "tea")
        bob.ok("join", "tea")
        alice.ok("send", "tea", "come in")
        alice.ok("send", "tea", "and sit down")
        bob.ok("listen", "tea", "--count", "1", "--wait", "60")
        assert "and sit down" in bob.texts("tea")


def test_join_without_an_admin_online_waits_and_keeps_the_request():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        alice.ok("create", "tea")
        bob.expect(4, "join", "tea", "--wait", "1")
        pending = alice.json("pending", "tea")
        # Showing what is pending runs a pass, which already serves it: either it shows or bob is in.
        assert pending == [] or pending[0]["name"] == "bob", pending
        alice.ok("send", "tea", "hello")
        bob.ok("listen", "--count", "0", "--wait", "1")
        wait_for(lambda: bob.run("send", "tea", "thanks").returncode == 0, 60, "bob is in")


def test_the_broker_holds_no_plaintext():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "visible-name", alice, bob)
        canary = "canary-7f3a99-do-not-store"
        bob.ok("send", "visible-name", canary)
        alice.ok("listen", "visible-name", "--count", "1", "--wait", "60")
        equal(world.broker.stop(), 0, "exit code of the broker")
        found = {"canary": False, "name": False}
        for folder, _, names in os.walk(world.broker.data):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    bytes_ = file.read()
                found["canary"] |= canary.encode() in bytes_
                found["name"] |= b"visible-name" in bytes_
        found["canary"] |= canary in world.broker.log_text()
        equal(found, {"canary": False, "name": True}, "what the broker's files hold")


def test_refusals_have_their_exit_codes():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        alice.ok("create", "tea")
        contains(bob.expect(3, "send", "tea", "x"), "NOT_MEMBER")
        contains(bob.expect(3, "join", "nowhere"), "UNKNOWN_GROUP")
        contains(bob.expect(3, "create", "tea"), "GROUP_TAKEN")
        bob.expect(2, "create", "Not A Name")
        bob.expect(2, "frobnicate")
        contains(User(world, "alice2").expect(3, "--broker", world.broker.url_file, "register", "alice", "--kdf", "interactive"),
                 "NAME_TAKEN")
        bob.ok("join", "tea")
        alice.ok("send", "tea", "hello")
        contains(alice.expect(3, "leave", "tea"), "LAST_ADMIN")
        bob.set_password("wrong")
        bob.expect(5, "groups")


if __name__ == "__main__":
    main(globals())
