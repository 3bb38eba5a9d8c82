# SPDX-License-Identifier: MPL-2.0
"""One home, several processes: the lock, commands handed to the holder, takeover, passwords, damaged files, exit codes 5 to 8."""
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import time

from crash_test import everything
from harness import Skip, User, World, contains, equal, main, matches, room, wait_for


def holder_ready(user, serve):
    """Until that process holds the home and takes commands: before, a command would hold it itself."""
    wait_for(lambda: f'"holder_pid":{serve.process.pid},' in user.run("--json", "status").stdout, 60, "it holds the home")


def test_commands_are_handed_to_the_process_that_serves():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        serve = bob.start("serve")
        holder_ready(bob, serve)
        bob.set_password("not needed any more")
        bob.ok("send", "tea", "through the socket")
        alice.ok("listen", "tea", "--count", "1", "--wait", "60")
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
        alice.ok("listen", "tea", "--count", "5", "--wait", "60")
        equal(sorted(alice.texts("tea")), [f"text {i}" for i in range(5)])


def test_a_home_in_use_says_by_whom():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        send = alice.start("send", "tea")  # reads standard input, holds the home, takes no commands
        send.write("one\n")
        wait_for(lambda: send.lines, 60, "it sends")
        contains(alice.expect(7, "--timeout", "1", "register", "other"), str(send.process.pid))
        send.process.stdin.close()
        equal(send.wait(), 0)


def test_a_listener_takes_over_when_the_holder_ends():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        serve = bob.start("serve")
        holder_ready(bob, serve)
        listen = bob.start("listen", "tea")
        alice.ok("send", "tea", "first")
        wait_for(lambda: "first" in listen.texts(), 60, "the first text shows")
        serve.kill()
        alice.ok("send", "tea", "second")
        wait_for(lambda: "second" in listen.texts(), 60, "the second shows after takeover")
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


def test_an_emptied_or_missing_vault_is_damage_and_not_a_new_one():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        for name in ("member.vault", "admin.vault"):
            path = os.path.join(alice.home, name)
            kept = path + ".kept"
            shutil.copy(path, kept)
            os.truncate(path, 0)
            alice.expect(6, "groups")
            alice.expect(6, "send", "tea", "x")
            os.remove(path)
            alice.expect(6, "groups")
            shutil.move(kept, path)
        alice.ok("send", "tea", "back again")
        equal(alice.texts("tea"), ["back again"])


def test_a_full_disk_loses_nothing():
    with World() as world:
        disk = os.path.join(world.dir, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", disk], capture_output=True, check=False).returncode:
            raise Skip("no right to mount a small disk")
        try:
            fill_and_recover(world, disk)
        finally:
            subprocess.run(["umount", "-l", disk], check=False)


def fill_and_recover(world, disk):
    alice, bob = world.users("alice", "bob")
    carol = User(world, "carol")
    carol.home = os.path.join(disk, "home")
    carol.register()
    serve = room(world, "tea", alice, bob, carol)
    listen = carol.start("listen", "tea")
    carol_sends, fails = [], 0
    wait_for(lambda: carol.run("whoami").returncode == 0, 60, "carol's home answers")
    with open(os.path.join(disk, "ballast"), "wb") as ballast:
        with contextlib.suppress(OSError):
            for _ in range(6000):
                ballast.write(bytes(1024))
                ballast.flush()
    sent = []
    for i in range(40):
        text = f"{i} " + "x" * 8000
        sent.append(text)
        bob.ok("send", "tea", text)
    for i in range(3):
        result = carol.run("--timeout", "5", "send", "tea", f"from the full disk {i}")
        (carol_sends if result.returncode == 0 else []).append(f"from the full disk {i}")
        if result.returncode:
            fails += 1
            assert result.returncode in (4, 6), result
            assert "full" in result.stderr or "space" in result.stderr or "written" in result.stderr or result.returncode == 4, result.stderr
    assert fails, "the disk was not full"
    code = listen.stop()
    assert code in (0, 4, 6), (code, listen.errors)
    os.remove(os.path.join(disk, "ballast"))
    carol.ok("send", "tea", "there is room again")
    texts = everything(carol, "tea", sent)
    equal([text for text in texts if text in sent], sent, "what bob sent")
    equal(len(texts), len(set(texts)), "nothing twice")
    theirs = everything(alice, "tea", [*carol_sends, "there is room again"])
    for text in [*carol_sends, "there is room again"]:
        assert theirs.count(text) == 1, (text, theirs.count(text))
    equal(len(theirs), len(set(theirs)), "nothing twice at alice's")
    serve.stop()


def test_a_read_only_home_is_a_clear_error():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        alice.ok("send", "tea", "kept")
        mounts = [["mount", "--bind", alice.home, alice.home], ["mount", "-o", "remount,ro,bind", alice.home]]
        if any(subprocess.run(mount, capture_output=True, check=False).returncode for mount in mounts):
            subprocess.run(["umount", "-l", alice.home], capture_output=True, check=False)
            raise Skip("no right to mount")
        try:
            matches(alice.expect(6, "send", "tea", "x"), "[Rr]ead-only")
        finally:
            subprocess.run(["umount", "-l", alice.home], check=False)
        alice.ok("send", "tea", "well")
        equal(alice.texts("tea"), ["kept", "well"])


def test_keys_of_a_group_that_was_left_are_in_no_file():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "hello")

        def key_rows():
            copy = bob.home_copy(f"copy{time.monotonic_ns()}")
            with contextlib.closing(sqlite3.connect(os.path.join(copy.home, "member.vault"))) as vault:
                return {bytes(key): bytes(value) for key, value in vault.execute("SELECT key, value FROM vault")}

        before = key_rows()
        bob.ok("leave", "tea")
        after = key_rows()
        gone = [value for key, value in before.items() if after.get(key) != value]
        assert len(gone) > 2, "keys went"
        for name in os.listdir(bob.home):
            with open(os.path.join(bob.home, name), "rb") if name != "socket" else open(os.devnull, "rb") as file:
                content = file.read()
            for value in gone:
                assert value[24:56] not in content, f"an erased row is still in {name}"
        serve.stop()


def test_what_is_in_the_sockets_place_is_replaced_and_not_followed():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        path = os.path.join(alice.home, "socket")
        target = os.path.join(world.dir, "precious")
        with open(target, "w", encoding="ascii") as file:
            file.write("precious")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(os.path.join(world.dir, "stale"))
        stale.close()
        for place in (lambda: os.symlink(target, path), lambda: os.symlink(os.path.join(world.dir, "stale"), path),
                      lambda: os.link(os.path.join(world.dir, "stale"), path), lambda: os.mkfifo(path)):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
            place()
            alice.ok("whoami")
            serve = alice.start("serve")
            wait_for(lambda: serve.lines, 60, "it serves")
            alice.ok("send", "tea", "over the socket")
            equal(serve.stop(), 0)
        with open(target, encoding="ascii") as file:
            equal(file.read(), "precious")


def test_another_brokers_key_is_untrusted():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        address, key = world.broker.url.split("#")
        other = ("A" if key[0] != "A" else "B") + key[1:]
        alice.expect(8, "--broker", f"{address}#{other}", "--timeout", "60", "send", "tea", "x")


def test_an_unreachable_broker_is_exit_4_and_local_commands_work_without_it():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "kept")
        serve.stop()
        equal(world.broker.stop(), 0)
        for command in (["history", "tea"], ["groups"], ["whoami"]):
            bob.ok("--timeout", "20", *command)
        equal(bob.texts("tea"), ["kept"])
        matches(bob.expect(4, "--timeout", "1", "send", "tea", "offline 1"), r"\b1\b")
        matches(bob.expect(4, "--timeout", "1", "send", "tea", "offline 2"), r"\b2\b")
        bob.expect(4, "--timeout", "1", "send", "--no-queue", "tea", "dropped")
        world.broker.start()
        bob.ok("send", "tea", "online")
        equal(everything(alice, "tea", ["online"]), ["kept", "offline 1", "offline 2", "online"])


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
        holder_ready(carol, serve)
        carol.ok("send", "deep", "down here")
        equal(carol.texts("deep"), ["down here"])
        equal(serve.stop(), 0)


def test_signals_end_a_listener_cleanly():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            listen = alice.start("listen")
            holder_ready(alice, listen)
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
        result = bob.run("--json", "--timeout", "5", "send", "tea", "three")
        assert result.returncode in (0, 3, 4, 8), result
        texts = everything(alice, "tea", ["one", "two"])
        if result.returncode == 0:
            place = json.loads(result.stdout)["seq"]
            wait_for(lambda: any(line["seq"] >= place for line in alice.json("history", "tea")), 60, "alice has what came of it")
            texts = alice.texts("tea")
        equal(texts[:2], ["one", "two"])
        equal(len(texts), len(set(texts)), "nothing twice")
        serve.stop()


if __name__ == "__main__":
    main(globals())
