# SPDX-License-Identifier: MPL-2.0
"""Who may register at a broker, and what its operator does to accounts: while it runs, and while it doesn't."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True

from harness import BUILD, SLOW, User, World, contains, equal, main, matches, room, wait_for

CONCLAVED = os.path.join(BUILD, "conclaved")


def user(world, *args, code=0):
    """conclaved user ...; what it printed."""
    result = subprocess.run([CONCLAVED, "user", *args, "--data", world.broker.data], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=30 * SLOW, check=False)
    if result.returncode != code:
        raise AssertionError(f"conclaved user {' '.join(args)}: exit {result.returncode} instead of {code}\n{result.stdout}{result.stderr}")
    return result.stdout if code == 0 else result.stdout + result.stderr


def newcomer(world, name):
    return User(world, name)


def register(someone, *args, code=0):
    return someone.expect(code, "--broker", someone.world.broker.url_file, "register", someone.name, "--kdf", "interactive", *args)


def invite_of(world, name, verb="add"):
    return json.loads(user(world, verb, name, "--json"))["invite"]


def test_by_invite_only():
    with World(broker_args=("--registration", "invite")) as world:
        alice, bob = newcomer(world, "alice"), newcomer(world, "bob")
        contains(register(alice, code=3), "register with --invite")
        output = user(world, "add", "alice")  # the broker runs
        invite = output.splitlines()[0]
        matches(invite, r"^[A-Za-z0-9_-]{32}$")
        contains(output, f"register alice --invite {invite}")
        contains(register(bob, "--invite", invite, code=3), "wrong, used or expired")
        contains(register(alice, "--invite", "short", code=2), "not whole")
        register(alice, "--invite", invite)
        contains(user(world, "add", "alice", code=1), "the name is taken")
        equal(world.broker.stop(), 0)
        invite = invite_of(world, "bob")  # the broker doesn't run
        world.broker.start()
        register(bob, "--invite", invite)
        room(world, "tea", alice, bob).stop()
        rows = [json.loads(line) for line in user(world, "list", "--json").splitlines()]
        equal([(row["name"], row["state"], row["groups"]) for row in rows], [("bob", "active", 1), ("alice", "active", 1)])
        secrets = [invite.encode(), output.splitlines()[0].encode()]
        assert not any(secret in world.broker.log_text().encode() for secret in secrets), "an invite is in the log"


def test_a_data_directory_with_a_long_path():
    with World() as world:
        equal(world.broker.stop(), 0)
        world.broker.data = os.path.join(world.dir, "a-folder-with-a-long-name-" * 5)
        world.broker.start()
        matches(invite_of(world, "alice"), r"^[A-Za-z0-9_-]{32}$")


def test_closed_and_open_again_without_a_restart():
    with World() as world:
        config = os.path.join(world.dir, "conclaved.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write("registration = closed\n")
        world.broker.args += ["--config", config]
        world.broker.restart()
        alice = newcomer(world, "alice")
        contains(register(alice, code=3), "takes no new users")
        with open(config, "w", encoding="ascii") as file:
            file.write("registration = open\n")
        world.broker.process.send_signal(1)
        wait_for(lambda: alice.run("--broker", world.broker.url_file, "register", "alice", "--kdf", "interactive").returncode == 0,
                 60, "the broker is open")


def test_a_disabled_account_is_told_so():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        listening = bob.start("listen")
        alice.ok("send", "tea", "hello")
        wait_for(lambda: listening.texts() == ["hello"], 30, "bob is there")
        equal(user(world, "disable", "bob"), "bob is disabled\n")
        matches(user(world, "list"), r"(?m)^bob +disabled ")
        refused = bob.run("send", "tea", "from outside")  # refused, or kept for later if the listening client knows already
        assert refused.returncode in (3, 4), refused
        contains(refused.stderr, "disabled by the broker's operator")
        listening.stop()
        contains(user(world, "disable", "nobody", code=1), "no such user")
        equal(user(world, "enable", "bob"), "bob is enabled\n")
        bob.ok("send", "tea", "back again")


def test_a_lost_key_can_be_replaced_outside_of_groups_only():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        contains(user(world, "reset", "bob", code=1), "the key of a member can't be replaced; disable the account instead")
        bob.ok("leave", "tea")
        alice.start("serve")
        invite = invite_of(world, "bob", "reset")
        again = newcomer(world, "bob")
        again.home += "-2"
        contains(register(again, code=3), "register with --invite")
        register(again, "--invite", invite)
        again.ok("join", "tea")
        wait_for(lambda: any(line.get("kind") == "key-changed" for line in alice.json("history", "tea")), 30,
                 "alice is warned of bob's other key")


def test_all_of_it_without_the_broker():
    with World() as world:
        alice, _ = world.users("alice", "bob")
        room(world, "tea", alice).stop()
        equal(world.broker.stop(), 0)
        matches(user(world, "add", "carol", "--valid-hours", "2"), r"^[A-Za-z0-9_-]{32}\n")
        equal(user(world, "disable", "bob"), "bob is disabled\n")
        rows = {row["name"]: row for row in map(json.loads, user(world, "list", "--json").splitlines())}
        equal({name: (row["state"], row["groups"]) for name, row in rows.items()},
              {"alice": ("active", 1), "bob": ("disabled", 0), "carol": ("invited", 0)})
        matches(user(world, "list"), r"(?m)^carol +invited +until 20")
        contains(user(world, "add", "alice", code=1), "the name is taken")
        contains(user(world, "enable", "nobody", code=1), "no such user")
        contains(user(world, "reset", "alice", code=1), "the key of a member can't be replaced")
        invites = {name: invite_of(world, name, verb) for name, verb in (("bob", "reset"), ("carol", "add"))}
        world.broker.start()
        for name, invite in invites.items():
            again = newcomer(world, name)
            again.home += "-2"
            register(again, "--invite", invite)


def test_where_no_account_can_be_reached():
    with World() as world:
        world.users("alice")
        data = world.broker.data

        def fails(*parts, **env):
            env = {"LC_ALL": "C.UTF-8", "HOME": world.dir, **env}
            args = [CONCLAVED, "user", "list", *(["--data", world.broker.data] if world.broker.data else [])]
            result = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * SLOW, env=env, check=False)
            equal(result.returncode, 1, result.stdout + result.stderr)
            for part in parts:
                contains(result.stderr, part)
        os.rename(os.path.join(data, "operator.sock"), os.path.join(data, "elsewhere"))
        fails(f"the broker (pid {world.broker.process.pid}) can't be reached")
        os.rename(os.path.join(data, "elsewhere"), os.path.join(data, "operator.sock"))
        equal(world.broker.stop(), 0)
        with open(data + "/store/CURRENT", "r+", encoding="ascii") as file:
            whole = file.read()
            file.seek(0)
            file.write("GARBAGE")
        fails("store", "the file is damaged")
        with open(data + "/store/CURRENT", "w", encoding="ascii") as file:
            file.write(whole)
        os.chmod(data, 0o777)
        fails(data, "private")
        os.chmod(data, 0o700)
        world.broker.data = os.path.join(world.dir, "none")
        fails("no data directory there: give --data DIR")
        assert not os.path.exists(world.broker.data), "asking makes nothing"
        os.mkdir(world.broker.data, 0o700)
        fails("store", "start the broker once")
        world.broker.data = None
        fails("no data directory there", HOME="")
        fails("no data directory there")
        os.makedirs(os.path.join(world.dir, ".local/share"))
        os.rename(data, os.path.join(world.dir, ".local/share/conclave-broker"))
        contains(subprocess.run([CONCLAVED, "user", "list"], capture_output=True, text=True, env={"HOME": world.dir}, timeout=30 * SLOW,
                                check=True).stdout, "alice")
        world.broker.data = data


def test_wrong_usage():
    with World() as world:
        for args in ((), ("add",), ("frobnicate",), ("add", "Not A Name"), ("add", "bob", "--valid-hours", "0"), ("list", "--bogus")):
            contains(user(world, *args, code=2), "conclaved")
        contains(user(world, "add", "bob", "--help"), "usage: conclaved user")
        equal(user(world, "list", "--json"), "", "who asks for help invites nobody")
    for args in ((), ("--json",), ("--valid-hours", "3")):
        result = subprocess.run([CONCLAVED, "user", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=30 * SLOW, check=False)
        equal((result.returncode, result.stdout), (2, ""))
        contains(result.stderr, "usage: conclaved user")


if __name__ == "__main__":
    main(globals())
