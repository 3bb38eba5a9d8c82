# SPDX-License-Identifier: MPL-2.0
"""The chat on real terminals (tmux panes): the guided start, two chats side by side, half-typed lines, hostile text, commands, the terminal afterwards."""
import os
import shlex
import shutil
import signal
import subprocess

from harness import BUILD, Skip, World, contains, equal, main, room, wait_for

PROGRAM = os.path.join(BUILD, "conclave")


class Terminal:
    """A tmux pane of its own server that runs a conclave command, then a shell line that says how the terminal was left."""

    def __init__(self, world, command, columns=100, rows=40, env=None):
        if not shutil.which("tmux"):
            raise Skip("tmux is missing")
        world.terminals = getattr(world, "terminals", 0) + 1
        self.socket = os.path.join(world.dir, f"tmux-{world.terminals}")
        line = " ".join(shlex.quote(word) for word in command) + '; echo "ended $?"; stty -a | grep -o " icanon\\| -icanon\\| echo \\| -echo "; cat'
        environment = dict(world.env, **(env or {}))
        environment.pop("TMUX", None)
        environment["SHELL"] = "/bin/sh"
        self.tmux("new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), "sh", "-c", line, env=environment)

    def tmux(self, *args, env=None):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *args], capture_output=True, text=True, check=True,
                              env=env).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-J", "-t", "t").rstrip("\n")

    def raw(self):
        return self.tmux("capture-pane", "-p", "-e", "-t", "t")

    def type(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def line(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)
        self.tmux("send-keys", "-t", "t", "Enter")

    def until(self, part, times=1):
        try:
            wait_for(lambda: self.screen().count(part) >= times, 60, f"{part!r} is on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None
        return self.screen()

    def last(self):
        return self.screen().splitlines()[-1]

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, check=False)


class Terminals:
    """Closes what was opened."""

    def __init__(self, world):
        self.world = world
        self.open = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for terminal in self.open:
            terminal.close()

    def chat(self, user, *args, **keywords):
        terminal = Terminal(self.world, user.command(["chat", *args]), **keywords)
        self.open.append(terminal)
        return terminal

    def run(self, *command, **keywords):
        terminal = Terminal(self.world, command, **keywords)
        self.open.append(terminal)
        return terminal


def personal_broker_pid(world):
    """The detached broker that the guide started, by its data folder: only ours."""
    data = os.path.join(world.env["XDG_DATA_HOME"], "conclave-broker")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"conclaved") and data.encode() in words:
            return int(pid)
    return None


def test_two_chats_side_by_side():
    with World() as world, Terminals(world) as terminals:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        a, b = terminals.chat(alice, "tea"), terminals.chat(bob, "tea")
        a.until("tea> ".rstrip())
        b.until("tea>")
        a.line("hello bob")
        b.until("alice: hello bob")
        b.line("é ✓ 👋 日本")
        a.until("bob: é ✓ 👋 日本")
        b.until("bob: é ✓ 👋 日本")
        equal(bob.texts("tea"), ["hello bob", "é ✓ 👋 日本"], "and in the history, through the chat's socket")


def test_an_arriving_message_leaves_a_half_typed_line_intact():
    with World() as world, Terminals(world) as terminals:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        a, b = terminals.chat(alice, "tea"), terminals.chat(bob, "tea")
        a.until("tea>")
        b.until("tea>")
        a.tmux("send-keys", "-t", "t", "-l", "half é typ")
        a.until("tea> half é typ")
        b.line("in between")
        a.until("bob: in between")
        wait_for(lambda: a.last() == "tea> half é typ", 60, "the half-typed line is there again")
        a.line("ed")
        b.until("alice: half é typed")


def test_hostile_text_is_neutralised():
    with World() as world, Terminals(world) as terminals:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        a = terminals.chat(bob, "tea")
        a.until("tea>")
        alice.ok("send", "tea", "--", "\x1b[2J\x1b]0;owned\x07 clear \u202e gone")
        screen = a.until(" gone")
        contains(screen, "U+001B")
        contains(screen, "U+202E")
        contains(screen, "joined")  # what stood there before still does
        serve.stop()


def test_commands_of_the_chat():
    with World() as world, Terminals(world) as terminals:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob).stop()
        a = terminals.chat(alice, "tea", rows=60)
        a.until("tea>")
        a.line("/help")
        for name in "help groups join leave members who create switch quit".split():
            a.until("/" + name)
        a.line("/who")
        a.until("In tea: alice (admin), bob")
        a.line("/members")
        a.until("compare them over another channel")
        a.line("/create cake")
        a.until("cake>")
        a.line("in the other room")
        a.until("alice: in the other room")
        a.line("/switch tea")
        a.until("tea>")
        a.line("/groups")
        a.until("cake ")
        a.line("/memmbers")
        a.until("did you mean /members?")
        a.line("//slash")
        a.until("alice: /slash")
        a.type("/swi", "Tab")
        a.until("/switch ")
        a.type("ca", "Tab", "Enter")
        a.until("cake>")
        a.line("/leave")
        a.until("You have left cake")
        a.line("/quit")
        a.until("ended 0")
        equal(alice.texts("tea"), ["/slash"])
        equal(alice.texts("cake"), ["in the other room"])


def test_a_leave_without_an_admin_shows_a_banner_and_keeps_the_text():
    with World() as world, Terminals(world) as terminals:
        alice, bob, carol = world.users("alice", "bob", "carol")
        room(world, "tea", alice, bob, carol).stop()
        b = terminals.chat(bob, "tea")
        b.until("tea>")
        carol.ok("leave", "tea")
        b.until("waiting for a new key since carol left; your text is kept")
        b.line("kept for later")
        b.until("(waits) kept for later")
        # A pass of the admin makes the new key.
        wait_for(lambda: alice.ok("status") and "bob: kept for later" in b.screen(), 60, "bob's text is sent")
        wait_for(lambda: b.last().startswith("tea>"), 60, "the prompt is as before")


def test_offline_is_said_and_texts_are_sent_later():
    with World() as world, Terminals(world) as terminals:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        a = terminals.chat(alice, "tea")
        a.until("tea>")
        world.broker.stop()
        a.until("tea (offline)>")
        a.line("written offline")
        a.until("(waits) written offline")
        world.broker.start()
        a.until("online again")
        a.until("alice: written offline")
        equal(alice.texts("tea"), ["written offline"])


def test_control_keys_resize_and_the_terminal_afterwards():
    with World() as world, Terminals(world) as terminals:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        a = terminals.chat(alice, "tea")
        a.until("tea>")
        a.tmux("send-keys", "-t", "t", "-l", "never sent")
        a.type("C-c")
        a.until("/quit or Ctrl-D ends")
        a.tmux("resize-window", "-t", "t", "-x", "60", "-y", "20")
        a.line("after the resize")
        a.until("alice: after the resize")
        a.type("C-d")
        a.until("ended 0")
        screen = a.until(" echo")
        assert "-echo" not in screen and "-icanon" not in screen, screen
        equal(alice.texts("tea"), ["after the resize"])


def test_a_signal_ends_the_chat_and_gives_the_terminal_back():
    with World() as world, Terminals(world) as terminals:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        a = terminals.chat(alice, "tea")
        a.until("tea>")
        os.kill(alice.json("status")[0]["holder_pid"], signal.SIGTERM)
        a.until("ended 0")
        screen = a.until(" echo")
        assert "-echo" not in screen and "-icanon" not in screen, screen


def test_an_attached_chat_takes_over():
    with World() as world, Terminals(world) as terminals:
        alice, = world.users("alice")
        alice.ok("create", "tea")
        serve = alice.start("serve")
        wait_for(lambda: serve.lines, 60, "it serves")
        a = terminals.chat(alice, "tea")
        a.until("Attached")
        serve.kill()
        a.until("taking over")
        a.line("after the takeover")
        a.until("alice: after the takeover")


def test_the_guided_start_with_a_personal_broker():
    with World() as world, Terminals(world) as terminals:
        pid = None
        try:
            first = terminals.run(PROGRAM)
            first.until("Your name")
            first.line("Not A Name")
            first.until("Sorry")
            first.line("ann")
            first.until("Password:")
            first.line("secret words")
            first.until("The same again:")
            first.line("secret words")
            assert "secret words" not in first.screen(), "a password is not shown"
            first.until("Start one on this machine")
            first.line("1")
            first.until("You are registered as ann")
            pid = personal_broker_pid(world)
            assert pid, "a broker runs"
            first.until("What now")
            first.line("1")
            first.until("The group's name")
            first.line("tea")
            first.until("tea>")

            second = terminals.run(PROGRAM, env={"CONCLAVE_HOME": os.path.join(world.dir, "second")})
            second.until("Your name")
            second.line("ann")  # taken: another one is asked for
            second.until("Password:")
            second.line("pass")
            second.until("The same again:")
            second.line("pass")
            second.until("The one on this machine")
            second.line("1")
            second.until("Another name")
            second.line("ben")
            second.until("What now")
            second.line("2")
            second.until("The group's name")
            second.line("tee")
            second.until("UNKNOWN_GROUP")
            second.until("What now", times=2)
            second.line("2")
            second.until("The group's name", times=2)
            second.line("tea")
            second.until("Compare these words with ann")
            second.until("ben joined")
            second.line("hello")
            first.until("ben: hello")
            first.type("C-d")
            first.until("ended 0")
            again = terminals.run(PROGRAM)
            again.until("Password:")
            again.line("secret words")
            again.until("ben: hello")
        finally:
            pid = pid or personal_broker_pid(world)
            if pid:
                os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main(globals())
