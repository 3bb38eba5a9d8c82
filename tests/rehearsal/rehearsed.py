# SPDX-License-Identifier: MPL-2.0
"""A world whose programs count their durable writes and can be told to die at one of them, and people who then do what a user
would: start the program again and repeat the command."""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import harness  # pylint: disable=wrong-import-position

harness.BUILD = os.path.join(harness.BUILD, "rehearsal")
KILLED = -signal.SIGKILL


def environment(world, who, plan=None):
    """The countdown of one person, or of the broker; plan is `before:N`, `after:N` or `lost:N`."""
    env = dict(world.env, CONCLAVE_REHEARSAL_COUNT=os.path.join(world.dir, "count-" + who),
               CONCLAVE_REHEARSAL_CLOCK=os.path.join(world.dir, "clock-" + who))
    if plan:
        env["CONCLAVE_REHEARSAL_DIE"] = plan
    return env


def count(world, who):
    path = os.path.join(world.dir, "count-" + who)
    return os.path.getsize(path) if os.path.exists(path) else 0


class RehearsedBroker(harness.Broker):
    """Started again whenever it was killed; ending in any other way is a failure."""

    def __init__(self, world, plan, args=()):
        super().__init__(world, args=args)
        self.env = environment(world, "broker", plan)
        self.deaths = 0
        self.failure = None
        self.closing = threading.Event()
        self.address = None
        self.keeper = threading.Thread(target=self._keep)

    def start(self):
        for _ in range(3):
            try:
                super().start()
                self.address = self.url
                return self
            except AssertionError:
                if self.process.poll() != KILLED:
                    raise
                self.deaths += 1
        raise AssertionError("conclaved can't be started again: " + self.log_text()[-2000:])

    def keep(self):
        self.start()
        self.keeper.start()

    def _keep(self):
        while not self.closing.wait(0.02):
            code = self.process.poll()
            if code is None:
                continue
            if code != KILLED:
                self.failure = f"conclaved ended with {code}: " + self.log_text()[-2000:]
                return
            self.deaths += 1
            try:
                self.start()
            except AssertionError as failure:
                self.failure = str(failure)
                return

    def close(self):
        self.closing.set()
        if self.keeper.is_alive():
            self.keeper.join()
        if self.process and self.process.poll() is None:
            self.kill()


class Person(harness.User):
    def __init__(self, world, name, plan=None):
        super().__init__(world, name)
        self.env = environment(world, name, plan)
        self.deaths = 0
        self.acknowledged = []
        self.taken = []

    def attempt(self, *args):
        """The exit code and what was said; a process that was killed counts as a death."""
        result = self.run(*args)
        if result.returncode == KILLED:
            self.deaths += 1
        return result.returncode, result.stdout + result.stderr

    def state(self, group):
        """The group as this device has it; None while it has none."""
        for _ in range(3):
            result = self.run("--json", "groups")
            if result.returncode == 0:
                rows = [harness.json.loads(line) for line in result.stdout.splitlines()]
                return next((row for row in rows if row.get("group") == group), None)
            if result.returncode != KILLED:
                raise AssertionError(f"{self.name}: groups: exit {result.returncode}: {result.stderr}")
            self.deaths += 1
        raise AssertionError(f"{self.name}: groups was killed again and again")

    def insist(self, *args, done=lambda: False):
        """Repeats a command until it says yes. Where an earlier attempt was killed it may be refused as done already."""
        interrupted = False
        for _ in range(6):
            code, said = self.attempt(*args)
            if code == 0 or (interrupted and code == 3 and done()):
                return
            if code not in (KILLED, 4):
                raise AssertionError(f"{self.name}: conclave {' '.join(args)}: exit {code}: {said}")
            interrupted = True
        raise AssertionError(f"{self.name}: conclave {' '.join(args)} never succeeded: {said}")

    def register(self):
        self.insist("--broker", self.world.broker.address, "register", self.name, "--kdf", "interactive")

    def create(self, group):
        self.insist("create", group, done=lambda: self.is_in(group))

    def join(self, group):
        self.insist("join", group, "--wait", "60", done=lambda: self.is_in(group))

    def leave(self, group):
        self.insist("leave", group, done=lambda: not self.is_in(group))

    def is_in(self, group):
        row = self.state(group)
        return bool(row) and row["state"] == "in"

    def lines_kept(self, group):
        for _ in range(3):
            result = self.run("--json", "history", group, "--last", "1000")
            if result.returncode == 0:
                return [harness.json.loads(line) for line in result.stdout.splitlines()]
            if result.returncode != KILLED:
                raise AssertionError(f"{self.name}: history: exit {result.returncode}: {result.stderr}")
            self.deaths += 1
        raise AssertionError(f"{self.name}: history was killed again and again")

    def texts_kept(self, group):
        return [line["text"] for line in self.lines_kept(group) if line["type"] == "message"]

    def outbox(self):
        """How many texts wait, once the rest has gone out; None if that can't be told now."""
        result = self.run("--json", "status")
        self.deaths += result.returncode == KILLED
        rows = [harness.json.loads(line) for line in result.stdout.splitlines()]
        return next((row["outbox"] for row in rows if "outbox" in row), None) if result.returncode == 0 else None

    def say(self, group, text):
        """After a kill a careful user looks whether the text waits or has gone out, and types it again only if neither."""
        for _ in range(6):
            code, said = self.attempt("send", group, text)
            if code == 0:
                self.acknowledged.append(text)
                return
            if code not in (KILLED, 4):
                raise AssertionError(f"{self.name}: send {text}: exit {code}: {said}")
            harness.wait_for(lambda: self.outbox() == 0, 60, f"nothing waits in {self.name}'s outbox")
            if text in self.texts_kept(group):
                return
        raise AssertionError(f"{self.name}: {text!r} could not be sent: {said}")


class Serving:
    """`serve` of an admin, started again whenever it was killed; ending in any other way is a failure."""

    def __init__(self, person):
        self.person = person
        self.failure = None
        self.closing = threading.Event()
        self.running = person.start("serve")
        self.keeper = threading.Thread(target=self._keep)
        self.keeper.start()

    def _keep(self):
        while not self.closing.wait(0.02):
            code = self.running.process.poll()
            if code is None:
                continue
            if code != KILLED:
                self.failure = f"serve ended with {code}: " + "\n".join(self.running.errors)
                return
            self.person.deaths += 1
            self.running = self.person.start("serve")

    def close(self):
        self.closing.set()
        self.keeper.join()
        if self.failure:
            raise AssertionError(self.failure)
        return self.running.stop()


class RehearsedWorld(harness.World):
    def __init__(self, victim=None, plan=None, broker_args=()):
        super().__init__(poll_ms=100)
        self.victim, self.plan = victim, plan
        self.broker = RehearsedBroker(self, plan if victim == "broker" else None, args=broker_args)

    def __enter__(self):
        self.broker.keep()
        return self

    def __exit__(self, *exc):
        self.broker.close()
        super().__exit__(*exc)

    def person(self, name):
        return Person(self, name, self.plan if self.victim == name else None)
