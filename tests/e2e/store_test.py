# SPDX-License-Identifier: MPL-2.0
"""The operator's care of the store: checking it, backups, and what users see after a restore."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from harness import BUILD, SLOW, Skip, World, contains, equal, main, matches, room, wait_for

CONCLAVED = os.path.join(BUILD, "conclaved")


def conclaved(*args, code=0):
    """Runs it to its end; what it printed."""
    result = subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW,
                            check=False)
    if result.returncode != code:
        raise AssertionError(f"conclaved {' '.join(args)}: exit {result.returncode} instead of {code}\n{result.stdout}{result.stderr}")
    return result.stdout if code == 0 else result.stdout + result.stderr


# --- fsck -------------------------------------------------------------------------------------

def test_a_sound_store_is_called_sound():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "room", alice, bob)
        bob.ok("send", "room", "a text")
        output = conclaved("--fsck", "--data", world.broker.data, code=1)
        contains(output, f"a broker runs on this directory (pid {world.broker.process.pid})")
        equal(world.broker.stop(), 0)
        output = conclaved("--fsck", "--data", world.broker.data)
        matches(output, r"(?m)^ +2 accounts$")
        matches(output, r"(?m)^ +1 groups$")
        matches(output, r"(?m)^ +3 events$")
        matches(output, r"(?m)^ +0 problems\nsound$")
        equal(conclaved("--fsck", "--data", world.broker.data), output)  # nothing was changed
        world.broker.start()


def test_damage_is_found_and_named():
    with World() as world:
        data = world.broker.data
        equal(world.broker.stop(), 0)
        contains(conclaved("--fsck", "--data", world.dir + "/nowhere", code=1), "--data DIR")
        assert not os.path.exists(world.dir + "/nowhere")
        os.rename(data + "/broker.key", data + "/key")
        output = conclaved("--fsck", "--data", data, code=1)
        contains(output, "broker.key: not found; restore it from a backup")
        contains(output, "damaged")
        assert not os.path.exists(data + "/broker.key")
        os.rename(data + "/key", data + "/broker.key")
        with open(data + "/store/CURRENT", "w", encoding="ascii") as file:
            file.write("garbage\n")
        contains(conclaved("--fsck", "--data", data, code=1), "can't be opened: the file is damaged")
        shutil.rmtree(data)
        world.broker.start()


def test_fsck_says_where_it_looked_and_why_it_can_not():
    with World() as world:
        data = world.broker.data
        equal(world.broker.stop(), 0)
        os.chmod(data, 0o770)
        contains(conclaved("--fsck", "--data", data, code=1), "nobody else may write to it: chmod 700")
        os.chmod(data, 0o700)
        default = os.path.join(world.dir, "data", "conclave-broker")
        os.makedirs(os.path.dirname(default))
        os.rename(data, default)
        for home, code, part in (({"XDG_DATA_HOME": os.path.dirname(default)}, 0, "sound"), ({"HOME": "relative"}, 1, "set HOME or give --data DIR"),
                                 ({"HOME": world.dir}, 1, "give the directory of a broker or of a backup")):
            result = subprocess.run([CONCLAVED, "--fsck"], capture_output=True, text=True, timeout=60 * SLOW, env=home, check=False)
            equal(result.returncode, code, result.stdout + result.stderr)
            contains(result.stdout + result.stderr, part)


# --- Restore ----------------------------------------------------------------------------------

def backup(world, name="backup"):
    """A backup of the running broker."""
    directory = os.path.join(world.dir, name)
    result = subprocess.run([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, "backup", directory], capture_output=True,
                            text=True, timeout=60 * SLOW, check=False)
    equal(result.returncode, 0, result.stderr)
    return directory


def restore(world, directory, name="restored"):
    """Ends the broker and begins again from the backup, in a new data directory."""
    world.broker.kill()
    world.broker.data = os.path.join(world.dir, name)
    output = conclaved("--restore", directory, "--data", world.broker.data)
    contains(output, "the broker as it was at 20")
    matches(conclaved("--fsck", "--data", world.broker.data), r"(?m)^ +[1-9] restores$")
    world.broker.start()


def notices(user, group, kind):
    return [line["reason"] for line in user.json("history", group, "--last", "1000") if line.get("kind") == kind]


def fetch(user, condition):
    """Listens until what should come has come."""
    wait_for(lambda: condition() or (user.run("listen", "--wait", "1") and condition()), 60, f"{user.name} has read it")


def test_after_a_restore_the_group_goes_on_and_keeps_what_only_its_members_have():
    with World() as world:
        alice, bob, carol = world.users("alice", "bob", "carol")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "kept")
        fetch(alice, lambda: alice.texts("tea") == ["kept"])
        directory = backup(world)
        for text in ("lost 1", "lost 2"):
            bob.ok("send", "tea", text)
        fetch(alice, lambda: alice.texts("tea") == ["kept", "lost 1", "lost 2"])
        serve.stop()
        restore(world, directory)
        alice.ok("send", "tea", "after")  # takes the broker's number of "lost 1"
        for user in (alice, bob):
            fetch(user, lambda: user.texts("tea")[-1] == "after")
            equal(user.texts("tea"), ["kept", "lost 1", "lost 2", "after"])
            equal(notices(user, "tea", "broker"), [])
            equal(len(notices(user, "tea", "restored")), 1)
            matches(notices(user, "tea", "restored")[0], r"messages 4 to 5 exist only here")
        bob.ok("send", "tea", "and on")
        alice.start("serve")
        carol.ok("join", "tea", "--wait", "30")
        bob.ok("send", "tea", "in a new epoch")
        for user in (alice, carol):
            fetch(user, lambda: user.texts("tea")[-1:] == ["in a new epoch"])
        equal(len(notices(alice, "tea", "gap") + notices(bob, "tea", "gap")), 0)
        world.broker.stop()
        matches(conclaved("--fsck", "--data", world.broker.data), r"(?m)^sound$")
        world.broker.start()


def test_a_second_restore_is_told_from_what_each_member_has():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        first = backup(world, "first")
        bob.ok("send", "tea", "one")
        second = backup(world, "second")
        bob.ok("send", "tea", "two")
        fetch(bob, lambda: bob.texts("tea") == ["one", "two"])
        restore(world, second, "restored-2")
        fetch(alice, lambda: notices(alice, "tea", "restored"))  # never saw "two"
        matches(notices(alice, "tea", "restored")[-1], "it has all that this device has")
        restore(world, first, "restored-1")
        bob.ok("send", "tea", "three")  # was not there in between
        fetch(alice, lambda: len(notices(alice, "tea", "restored")) == 2)
        matches(notices(alice, "tea", "restored")[-1], "WARNING: the broker was restored, and can't say what it lost")
        equal(notices(bob, "tea", "restored"), ["the broker was restored from a backup; messages 3 to 4 exist only here and "
                                                "with others who have read them"])
        equal(bob.texts("tea"), ["one", "two", "three"])
        equal(alice.texts("tea"), ["one"])


def test_keys_never_go_back_with_a_restored_broker():
    with World() as world:
        alice, bob, carol = world.users("alice", "bob", "carol")
        serve = room(world, "tea", alice, bob)
        directory = backup(world)
        carol.ok("join", "tea", "--wait", "30")
        bob.ok("send", "tea", "lost")
        for user in (alice, bob):
            fetch(user, lambda: user.texts("tea") == ["lost"])
        serve.stop()
        restore(world, directory)
        for user in (alice, bob):
            fetch(user, lambda: notices(user, "tea", "restored"))
            equal(user.texts("tea"), ["lost"])
            matches(notices(user, "tea", "restored")[-1], "WARNING: .* older key .* Leave and join again")
            user.run("send", "tea", "not from here")
            equal(user.texts("tea"), ["lost"])
            equal(len(notices(user, "tea", "restored")), 1)
        fetch(carol, lambda: notices(carol, "tea", "restored"))
        contains(notices(carol, "tea", "restored")[-1], "doesn't know this group, or you in it")
        contains(alice.expect(3, "leave", "tea"), "only admin")
        bob.ok("leave", "tea")
        alice.ok("leave", "tea")
        serve = room(world, "tea", alice, bob)
        bob.ok("send", "tea", "anew")
        fetch(alice, lambda: alice.texts("tea")[-1] == "anew")
        serve.stop()


def test_a_log_set_back_without_a_restore_is_an_alarm():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        directory = backup(world)
        bob.ok("send", "tea", "hidden")
        fetch(bob, lambda: bob.texts("tea") == ["hidden"])
        world.broker.stop()
        shutil.rmtree(world.broker.data + "/store")
        shutil.copytree(directory + "/store", world.broker.data + "/store")
        world.broker.start()
        fetch(bob, lambda: notices(bob, "tea", "broker"))
        equal(notices(bob, "tea", "restored"), [])
        matches(notices(bob, "tea", "broker")[-1], "WARNING: BAD_CURSOR: the broker has messages up to 2, this device up to 3")
        equal(bob.texts("tea"), ["hidden"])


def test_what_can_not_be_restored_is_refused_and_leaves_nothing():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        directory = backup(world)
        target = os.path.join(world.dir, "target")
        contains(conclaved("--restore", directory, "--data", world.broker.data, code=1), "a broker runs on this directory")
        world.broker.stop()
        contains(conclaved("--restore", directory, "--data", world.broker.data, code=1), "has a store already: move")
        contains(conclaved("--restore", world.dir, "--data", target, code=1), "is no backup")
        contains(conclaved("--restore", target, "--data", target, code=1), "No such file")
        with open(directory + "/backup.info", "r+", encoding="ascii") as file:
            file.write("conclave-backup 9")
        contains(conclaved("--restore", directory, "--data", target, code=1), "newer version")
        with open(directory + "/backup.info", "r+", encoding="ascii") as file:
            file.write("conclave-backup 1")
        damaged = shutil.copytree(directory, os.path.join(world.dir, "damaged"))
        log = next(name for name in sorted(os.listdir(damaged + "/store")) if name.endswith(".sst") or name.endswith(".log"))
        os.truncate(damaged + "/store/" + log, 100)
        contains(conclaved("--restore", damaged, "--data", target, code=1), "is damaged: it has")
        shutil.rmtree(damaged + "/store")
        shutil.copytree(directory + "/store", damaged + "/store")
        with open(damaged + "/store/CURRENT", "r+", encoding="ascii") as file:
            file.write("GARBAGE")
        contains(conclaved("--restore", damaged, "--data", target, code=1), "is damaged: take another one")
        equal(os.listdir(target), ["broker.lock"])
        os.mkdir(target + "/store.restoring", 0o700)  # as an interrupted one leaves it
        contains(conclaved("--data", target, code=1), "restore_unfinished")
        conclaved("--restore", directory, "--data", target)
        equal(sorted(os.listdir(target)), ["broker.key", "broker.lock", "store"])
        world.broker.data = target
        world.broker.start()
        bob.ok("listen", "tea", "--wait", "1")


def test_a_restore_that_fails_leaves_the_directory_as_it_was():
    with World() as world:
        world.users("alice")
        directory = backup(world)
        world.broker.stop()
        target = os.path.join(world.dir, "target")
        other = os.path.join(world.dir, "other")
        os.mkdir(target, 0o700)

        def fails(backup_, part, left):
            contains(conclaved("--restore", backup_, "--data", target, code=1), part)
            equal(sorted(set(os.listdir(target)) - {"broker.lock"}), left)
        # Another broker's key: what is there would be mixed with what is restored.
        with open(os.open(target + "/broker.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(b"no key")
        fails(directory, "has the key of another broker", ["broker.key"])
        shutil.copy(os.path.join(directory, "broker.key"), target)
        damaged = shutil.copytree(directory, other)
        os.symlink("/etc/passwd", damaged + "/store/000099.sst")
        fails(damaged, "can't be copied", ["broker.key"])
        os.remove(damaged + "/store/000099.sst")
        os.remove(damaged + "/broker.key")
        fails(damaged, "broker.key: not found", ["broker.key"])
        with open(target + "/store.restoring", "w", encoding="ascii") as file:
            file.write("no folder")
        fails(directory, "can't be removed", ["broker.key", "store.restoring"])
        os.remove(target + "/store.restoring")
        conclaved("--restore", directory, "--data", target)  # the key that is there is the backup's own


def test_a_backup_on_another_disk():
    with World() as world:
        if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(world.dir).st_dev:
            raise Skip("no other file system at hand")
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        bob.ok("send", "tea", "kept")
        disk = tempfile.mkdtemp(prefix="conclave-disk-", dir="/dev/shm")
        try:
            restore(world, backup(world, os.path.join(disk, "backup")))
            fetch(alice, lambda: alice.texts("tea") == ["kept"])
        finally:
            shutil.rmtree(disk)


if __name__ == "__main__":
    main(globals())
