# SPDX-License-Identifier: MPL-2.0
"""One home, several processes: the lock, commands handed to the holder, takeover, passwords, damaged files, exit codes 5 to 8."""
import os
import shutil
import signal
import stat
import time

from harness import User, World, contains, equal, main, matches, room, wait_for


def holder_ready(user):
    """Until the user's serving process takes commands."""
    wait_for(lambda: user.run("whoami").returncode == 0, 20, "the home answers")


def test_commands_are_handed_to_the_process_that_serves():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        serve = bob.start("serve")
        holder_ready(bob)
        bob.set_password("not needed any more")
        bob.ok("send", "tea", "through the socket")
        alice.ok("listen", "tea", "--count", "1", "--wait", "20")
        equal(alice.texts("tea"), ["through the socket"])
        status = bob.json("status")
        equal(status[0]["holder_pid"], serve.process.pid, "holder")
        equal(serve.stop(), 0)
        # Without a holder the password counts again, and it is wrong.
        bob.expect(5, "groups")


def test_two_commands_at_once_wait_for_each_other():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        runs = [bob.start("send", "tea", f"text {i}") for i in range(5)]
        equal([run.wait(60) for run in runs], [0] * 5, "exit codes")
        alice.ok("listen", "tea", "--count", "5", "--wait", "20")
        equal(sorted(alice.texts("tea")), [f"text {i}" for i in range(5)])


def test_a_home_in_use_says_by_whom():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        send = alice.start("send", "tea")  # reads standard input, holds the home, takes no commands
        wait_for(lambda: send.write("one\n") or "one" in "".join(send.lines) or time.sleep(0.3) or True, 10, "it runs")
        time.sleep(1)
        contains(alice.expect(7, "--timeout", "1", "register", "other"), str(send.process.pid))
        send.process.stdin.close()
        equal(send.wait(), 0)


def test_a_listener_takes_over_when_the_holder_ends():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        serve = bob.start("serve")
        holder_ready(bob)
        listen = bob.start("listen", "tea")
        alice.ok("send", "tea", "first")
        wait_for(lambda: "first" in listen.texts(), 20, "the first text shows")
        serve.kill()
        alice.ok("send", "tea", "second")
        wait_for(lambda: "second" in listen.texts(), 30, "the second shows after takeover")
        bob.ok("send", "tea", "the listener holds the home now")
        equal(listen.stop(), 0)
        equal(listen.texts()[:2], ["first", "second"])


def test_the_password_can_be_changed_and_the_old_one_opens_nothing():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        new = os.path.join(world.dir, "new-password")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write("battery staple\n")
        alice.ok("passwd", "--new-password-file", new, "--kdf", "interactive")
        alice.expect(5, "whoami")
        alice.set_password("battery staple")
        alice.ok("send", "tea", "still me")
        alice.ok("whoami")


def test_files_are_private_and_a_readable_identity_is_refused():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        for folder, folders, names in os.walk(alice.home):
            for name in folders + names:
                mode = stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode)
                equal(mode & 0o077, 0, "mode of " + name)
        identity = [n for n in os.listdir(alice.home) if n.startswith("identity")][0]
        os.chmod(os.path.join(alice.home, identity), 0o644)
        contains(alice.expect(6, "whoami"), "chmod")


def test_a_damaged_identity_is_not_a_wrong_password():
    with World() as world:
        alice, = world.users("alice")
        path = os.path.join(alice.home, [n for n in os.listdir(alice.home) if n.startswith("identity")][0])
        with open(path, "r+b") as file:
            file.seek(-40, os.SEEK_END)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        alice.expect(6, "whoami")
        os.truncate(path, 20)
        alice.expect(6, "whoami")


def test_another_brokers_key_is_untrusted():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        address, key = world.broker.url.split("#")
        other = ("A" if key[0] != "A" else "B") + key[1:]
        alice.expect(8, "--broker", f"{address}#{other}", "--timeout", "5", "send", "tea", "x")


def test_an_unreachable_broker_is_exit_4_and_local_commands_work_without_it():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "kept")
        serve.stop()
        equal(world.broker.stop(), 0)
        for command in (["history", "tea"], ["groups"], ["whoami"]):
            bob.ok("--timeout", "1", *command)
        equal(bob.texts("tea"), ["kept"])
        matches(bob.expect(4, "--timeout", "1", "send", "tea", "offline 1"), r"\b1\b")
        matches(bob.expect(4, "--timeout", "1", "send", "tea", "offline 2"), r"\b2\b")
        bob.expect(4, "--timeout", "1", "send", "--no-queue", "tea", "dropped")
        world.broker.start()
        bob.ok("send", "tea", "online")
        alice.run("listen", "tea", "--count", "4", "--wait", "10")
        equal(alice.texts("tea"), ["kept", "offline 1", "offline 2", "online"])


def test_an_unregistered_name_is_gone_and_reserved():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("unregister", "--yes")
        alice.expect(6, "whoami") if os.path.exists(alice.home) else None
        other = User(world, "other")
        contains(other.expect(3, "--broker", world.broker.url_file, "register", "alice", "--kdf", "interactive"), "NAME_TAKEN")


def test_a_long_home_path_works():
    with World() as world:
        deep = os.path.join(world.dir, *["a-folder-with-a-long-name"] * 8)
        os.makedirs(deep)
        carol = User(world, "carol")
        carol.home = os.path.join(deep, "home")
        carol.register()
        carol.ok("create", "deep")
        serve = carol.start("serve")
        holder_ready(carol)
        carol.ok("send", "deep", "down here")
        equal(carol.texts("deep"), ["down here"])
        equal(serve.stop(), 0)


def test_signals_end_a_listener_cleanly():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            listen = alice.start("listen")
            time.sleep(1)
            listen.process.send_signal(number)
            assert listen.wait(20) in (0, 128 + number), (number, listen.process.returncode, listen.errors)
        alice.ok("send", "tea", "the home is free again")


def test_a_restored_copy_of_a_home_never_reuses_a_message_key():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "one")
        backup = bob.home_copy("backup")
        bob.ok("send", "tea", "two")
        shutil.rmtree(bob.home)
        shutil.copytree(backup.home, bob.home)
        # The copy would seal "three" under the generation that "two" used: the broker or the client must refuse, not reuse.
        result = bob.run("--timeout", "5", "send", "tea", "three")
        assert result.returncode in (0, 3, 4, 8), result
        alice.run("listen", "tea", "--count", "3", "--wait", "5")
        texts = alice.texts("tea")
        equal(texts[:2], ["one", "two"])
        equal(len(texts), len(set(texts)), "nothing twice")
        serve.stop()


if __name__ == "__main__":
    main(globals())
