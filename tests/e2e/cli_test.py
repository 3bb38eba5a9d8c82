# SPDX-License-Identifier: MPL-2.0
"""The command line itself: usage, help, colours, --json, exit codes; what is said on which stream."""
import json
import os
import shutil
import subprocess

from harness import BUILD, User, World, contains, equal, main, matches, room, wait_for

PROGRAM = os.path.join(BUILD, "conclave")
COMMANDS = ("register create join leave send listen history groups whoami members pending serve chat status ignore passwd "
            "unregister").split()


def call(*args, env=None):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          env=dict(os.environ, **(env or {})), check=False)


def test_help_and_version_need_nothing():
    result = call("--version")
    equal(result.returncode, 0)
    matches(result.stdout, r"^conclave \d+\.\d+\.\d+\n$")
    for args in (["help"], ["--help"], ["-h"]):
        result = call(*args)
        equal((result.returncode, result.stderr), (0, ""))
        for command in COMMANDS:
            matches(result.stdout, rf"(?m)^  {command}\b")
    for command in COMMANDS:
        result = call("help", command)
        equal(result.returncode, 0)
        contains(result.stdout, f"usage: conclave [options] {command}")
        equal(call(command, "--help").stdout, result.stdout, "help of " + command)


def test_usage_errors_are_exit_2_and_one_line():
    for args in (["frobnicate"], ["create"], ["create", "a", "b"], ["send"], ["--frob", "groups"], ["listen", "--count", "x"],
                 ["create", "Not A Name"], ["join", "9lives"], ["--poll-ms", "5", "groups"], ["register", "x", "--kdf", "weak"],
                 ["help", "nothing"], ["--home"]):
        result = call(*args)
        equal(result.returncode, 2, "exit code of " + " ".join(args))
        equal(result.stdout, "")
        matches(result.stderr, r"^conclave: [^\n]+ \((USAGE|BAD_NAME)\)[^\n]*\n$")
    contains(call("sned", "tea").stderr, "did you mean send?")


def test_hostile_arguments_reach_the_terminal_neutralised():
    result = call("\x1b]0;owned\x07\u202e")
    equal(result.returncode, 2)
    assert "\x1b" not in result.stderr and "\x07" not in result.stderr and "\u202e" not in result.stderr, result.stderr


def test_without_terminal_or_identity_it_says_what_to_do():
    with World() as world:
        nobody = User(world, "nobody")
        contains(nobody.expect(6, "whoami"), "register")
        contains(nobody.expect(2, "register", "nobody"), "--broker")
        result = subprocess.run([PROGRAM, "--home", nobody.home, "--broker", world.broker.url_file, "register", "x"],
                                capture_output=True, text=True, stdin=subprocess.DEVNULL, env=world.env, start_new_session=True,
                                timeout=60, check=False)
        equal(result.returncode, 2)
        contains(result.stderr, "--password-file")
        nobody.expect(2, "--broker", "tcp://nowhere", "register", "nobody")


def test_the_environment_stands_in_for_options():
    with World() as world:
        alice = User(world, "alice")
        env = dict(world.env, CONCLAVE_HOME=alice.home, CONCLAVE_BROKER=world.broker.url, CONCLAVE_PASSWORD_FILE=alice.password_file)
        for args in (["register", "alice", "--kdf", "interactive"], ["create", "tea"], ["whoami"]):
            result = subprocess.run([PROGRAM, *args], capture_output=True, text=True, env=env, timeout=60, check=False)
            equal(result.returncode, 0, result.stderr)
        contains(result.stdout, "alice")


def test_every_command_speaks_json():
    with World() as world:
        alice = User(world, "alice")
        bob, = world.users("bob")

        def one(user, kind, *args):
            lines = [line for line in user.json(*args) if line["type"] == kind]
            assert lines, (args, user.json(*args) if args[0] == "groups" else None)
            return lines[0]

        equal(one(alice, "registered", "--broker", world.broker.url_file, "register", "alice", "--kdf", "interactive")["name"],
              "alice")
        equal(one(alice, "created", "create", "tea")["group"], "tea")
        equal(one(bob, "requested", "join", "tea")["group"], "tea")
        equal(one(alice, "sent", "send", "tea", "one")["group"], "tea")
        equal(one(bob, "joined", "join", "tea", "--wait", "60")["group"], "tea")
        alice.ok("send", "tea", "two \"quoted\" \x1b[31m ✓")
        message = one(bob, "message", "listen", "tea", "--count", "1", "--wait", "60")
        for key in ("group", "epoch", "seq", "sender", "generation", "number", "time", "sent_time", "text"):
            assert key in message, key
        notice = one(alice, "notice", "history", "tea")
        for key in ("group", "epoch", "seq", "kind", "who", "reason"):
            assert key in notice, key
        group = one(bob, "group", "groups")
        equal((group["group"], group["state"], group["members"], group["admin"]), ("tea", "in", 2, False))
        equal(one(bob, "identity", "whoami")["name"], "bob")
        members = bob.json("members", "tea")
        equal(sorted((m["name"], m["role"]) for m in members), [("alice", "admin"), ("bob", "member")])
        equal(alice.json("pending", "tea"), [])
        status = wait_for(lambda: (said := one(alice, "status", "status"))["reachable"] and said, 60, "the broker answers in time")
        equal(status["outbox"], 0)
        equal(one(bob, "ignored", "ignore", "alice")["on"], True)
        equal(one(bob, "ignored", "ignore", "alice", "--off")["on"], False)
        serve = alice.start("serve")
        equal(json.loads(serve.queue.get(timeout=60))["type"], "serving")
        serve.stop()
        new = User(world, "new")
        equal(one(bob, "password-changed", "passwd", "--new-password-file", new.password_file, "--kdf", "interactive")["name"], "bob")
        bob.set_password("correct horse")
        equal(one(bob, "left", "leave", "tea")["group"], "tea")
        equal(one(bob, "unregistered", "unregister", "--yes")["type"], "unregistered")


def test_safety_words_are_the_same_on_both_sides():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        of_bob = [m["words"] for m in alice.json("members", "tea") if m["name"] == "bob"]
        of_alice = [m["words"] for m in bob.json("members", "tea") if m["name"] == "alice"]
        equal(of_bob, of_alice, "words")
        equal(len(of_bob[0].split()), 12, "number of words")


def test_quiet_says_only_what_was_asked_for():
    with World() as world:
        alice, = world.users("alice")
        equal(alice.ok("--quiet", "create", "tea"), "")
        equal(alice.ok("--quiet", "send", "tea", "x"), "")
        contains(alice.ok("--quiet", "history", "tea"), "x")


def test_colours_only_where_wanted():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        alice.ok("send", "tea", "x")
        assert "\x1b" not in alice.ok("history", "tea"), "a pipe gets no colours"
        world.env["CLICOLOR_FORCE"] = "1"
        contains(alice.ok("history", "tea"), "\x1b[")
        world.env["NO_COLOR"] = "1"
        assert "\x1b" not in alice.ok("history", "tea"), "NO_COLOR"


def test_texts_that_cannot_be_sent_are_refused_before():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        contains(alice.expect(2, "send", "tea", "x" * (16 * 1024 + 1)), "16384")
        alice.ok("send", "tea", "y" * 16384)
        result = subprocess.run(alice.command(["send", "tea"]), input=b"fine\n\xff\xfe\n", capture_output=True, env=world.env,
                                timeout=60, check=False)
        equal(result.returncode, 2)
        contains(result.stderr.decode(), "UTF-8")
        # It ends at the bad line; what was said before is there, or waits for the next command.
        wait_for(lambda: alice.texts("tea") == ["y" * 16384, "fine"] or alice.run("listen", "tea", "--wait", "1") is None, 60, "the good line is there")


def test_a_reader_that_goes_away_loses_no_line():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        alice.ok("send", "tea", input="".join(f"line {i}\n" for i in range(300)))
        listen = subprocess.Popen(alice.command(["--json", "listen", "tea"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=world.env)
        try:
            first = [json.loads(listen.stdout.readline()) for _ in range(3)]
            listen.stdout.close()
            alice.run("send", "tea", "line 300")  # the listener notices when it writes this one, and ends while it holds the home
            listen.wait(60)
        finally:
            listen.kill()
            listen.wait()
        shown = [line["text"] for line in first if line["type"] == "message"]

        def shown_to_the_end():
            shown.extend(line["text"] for line in alice.json("listen", "tea", "--wait", "2") if line["type"] == "message")
            return shown[-1] == alice.texts("tea")[-1]

        # What was written into the pipe's buffer counts as shown; whatever comes later continues to the end, in order.
        wait_for(shown_to_the_end, 60, "the last line is shown")
        numbers = [int(text.split()[1]) for text in shown]
        equal(numbers, sorted(set(numbers)), "order")


def test_history_pages_through_more_than_a_thousand_lines():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        texts = [f"{i}" for i in range(1300)]
        alice.ok("send", "tea", input="".join(text + "\n" for text in texts), timeout=240)
        equal(alice.texts("tea"), texts)
        equal(alice.texts("tea", last=1100), texts[-1100:])
        equal(alice.texts("tea", last=3), texts[-3:])


def test_waiting_for_messages_that_do_not_come_is_exit_4():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        contains(alice.expect(4, "listen", "tea", "--count", "1", "--wait", "0.5"), "0 of 1")
        alice.ok("listen", "tea", "--wait", "0.5")


def test_an_interrupted_registration_can_be_finished():
    with World() as world:
        alice, = world.users("alice")
        # The same name and identity again: harmless, and it settles a registration whose answer was lost.
        alice.ok("register", "alice")
        contains(alice.expect(2, "register", "other"), "IDENTITY_EXISTS")
        world.broker.stop()
        bob = User(world, "bob")
        contains(bob.expect(4, "--broker", world.broker.url if os.path.exists(world.broker.url_file) else "tcp://127.0.0.1:1#" + "A" * 43,
                            "--timeout", "1", "register", "bob", "--kdf", "interactive"), "UNREACHABLE")
        contains(bob.expect(6, "whoami"), "NO_IDENTITY")


def test_a_chat_in_a_pipe_sends_lines_and_ends():
    with World() as world:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        output = alice.ok("chat", "tea", input="from a pipe\n//literal\n/who\n")
        contains(output, "In tea: alice")
        equal(alice.texts("tea"), ["from a pipe", "/literal"])
        contains(alice.expect(3, "chat", "nowhere", input="x\n"), "NOT_MEMBER")


def test_serve_says_when_the_broker_goes_and_comes_and_is_another():
    with World() as world:
        ada, = world.users("ada")
        serve = ada.start("serve")
        equal(json.loads(serve.queue.get(timeout=20))["type"], "serving")

        def says(line):
            wait_for(lambda: serve.errors[-1:] == [line], 40, "serve says: " + line)

        wait_for(lambda: ada.json("status")[0]["reachable"], 20, "it is connected")
        world.broker.kill()
        says("The broker is not reachable: the broker can't be reached")
        world.broker.start()
        says("The broker is reachable again.")
        world.broker.kill()
        shutil.rmtree(world.broker.data)
        world.broker.start()
        says("The broker is not reachable: the broker at this address has another key")
        equal(serve.stop(), 0)


if __name__ == "__main__":
    main(globals())
