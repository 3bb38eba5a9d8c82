# SPDX-License-Identifier: MPL-2.0
"""A world of real processes for the end-to-end tests: a broker, users with homes of their own, and a runner that prints TAP."""
import atexit
import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Sanitizer builds are slower; deadlines stretch with them, and no test asserts a duration.
IS_SANITIZED = "san-" in BUILD
SLOW = 6 if IS_SANITIZED else 1
REPORTS = tempfile.mkdtemp(prefix="conclave-reports-") if IS_SANITIZED else None
said = []  # reports that stood on a standard error

# Whatever started the tests (nohup, a shell's background): what they start heeds signals.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


def collect_reports():
    """From now on each process writes what its sanitizers find to a file of its own, whoever started it and however it ends."""
    atexit.register(shutil.rmtree, REPORTS, ignore_errors=True)
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        os.environ[name] = ":".join(filter(None, [os.environ.get(name), f"log_path={REPORTS}/report"]))


if IS_SANITIZED:
    collect_reports()


def look_for_reports(text):
    """gcc's UBSan heeds no log_path when ASan is there too: what a process has said on its standard error."""
    if IS_SANITIZED and "runtime error: " in text:
        said.append(text)


def check_reports():
    """A test in which any process had something to report has failed."""
    found = "\n".join(said)
    said.clear()
    for report in sorted(os.listdir(REPORTS)) if IS_SANITIZED else []:
        with open(os.path.join(REPORTS, report), encoding="utf-8", errors="replace") as file:
            found += f"{report}:\n{file.read()}"
        os.remove(os.path.join(REPORTS, report))
    assert not found, "a sanitizer reports:\n" + found


class Broker:
    """conclaved on a data directory and a port that stay the same over restarts."""

    def __init__(self, world, data=None, args=()):
        self.world = world
        self.data = data or os.path.join(world.dir, "broker")
        self.args = list(args)
        self.env = world.env
        self.listen = "tcp://127.0.0.1:*"
        self.descriptors = None  # how many it may have; None: as many as we
        self.process = None
        self.log = os.path.join(world.dir, "broker.log")

    @property
    def url_file(self):
        return os.path.join(self.data, "broker.url")

    @property
    def url(self):
        with open(self.url_file, encoding="ascii") as file:
            return file.read().strip()

    def start(self):
        if os.path.exists(self.url_file):
            os.remove(self.url_file)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "conclaved"), "--data", self.data, "--listen", self.listen, "--log-format", "json",
             "--log-level", "debug", *([] if "--http" in self.args else ["--http", "off"]), *self.args],
            stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=self.env,
            preexec_fn=self.limit_descriptors if self.descriptors else None)
        wait_for(lambda: os.path.exists(self.url_file) or self.process.poll() is not None, 20, "the broker is ready")
        if self.process.poll() is not None:
            raise AssertionError("conclaved ended at start: " + self.log_text()[-2000:])
        self.listen = self.url.split("#")[0]
        return self

    def limit_descriptors(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(60 * SLOW)

    def restart(self):
        if self.process.poll() is None:
            self.kill()
        return self.start()

    def log_text(self):
        """Its whole lines: of one that is being written a part may be there."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        return text[:text.rfind("\n") + 1]


class Running:
    """A conclave process that goes on; its --json lines are collected as they come."""

    def __init__(self, user, args, stdin=subprocess.PIPE):
        self.args = args
        self.process = subprocess.Popen(user.command(args), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=user.env)
        self.lines = []
        self.queue = queue.Queue()
        self.errors = []
        self.threads = [threading.Thread(target=self._collect, daemon=True),
                        threading.Thread(target=self._collect_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _collect(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            self.queue.put(line)

    def _collect_errors(self):
        for raw in self.process.stderr:
            self.errors.append(raw.decode("utf-8", "replace").rstrip("\n"))

    def objects(self):
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def texts(self):
        return [line["text"] for line in self.objects() if line.get("type") == "message"]

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds=30):
        code = self.process.wait(seconds * SLOW)
        for thread in self.threads:
            thread.join(30 * SLOW)
        return code


class User:
    def __init__(self, world, name, password="correct horse"):
        self.world = world
        self.name = name
        self.env = world.env
        self.home = os.path.join(world.dir, "home-" + name)
        self.password_file = os.path.join(world.dir, "password-" + name)
        self.set_password(password)

    def set_password(self, password):
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(password + "\n")

    def command(self, args):
        return [os.path.join(BUILD, "conclave"), "--home", self.home, "--password-file", self.password_file, "--poll-ms",
                str(self.world.poll_ms), *args]

    def run(self, *args, input=None, timeout=60):
        result = subprocess.run(self.command(args), input=input, capture_output=True, text=True, timeout=timeout * SLOW,
                                env=self.env, check=False,
                                **({} if input is not None else {"stdin": subprocess.DEVNULL}))
        look_for_reports(result.stderr)
        return result

    def ok(self, *args, input=None, timeout=60):
        return self.expect(0, *args, input=input, timeout=timeout)

    def expect(self, code, *args, input=None, timeout=60):
        """Runs, asserts the exit code, returns what was printed."""
        result = self.run(*args, input=input, timeout=timeout)
        if result.returncode != code:
            raise AssertionError(f"{self.name}: conclave {' '.join(args)}: exit {result.returncode} instead of {code}\n"
                                 f"stdout: {result.stdout}\nstderr: {result.stderr}")
        return result.stdout + (result.stderr if code else "")

    def json(self, *args, code=0, timeout=60):
        result = self.run("--json", *args, timeout=timeout)
        if result.returncode != code:
            raise AssertionError(f"{self.name}: conclave --json {' '.join(args)}: exit {result.returncode}\n"
                                 f"stdout: {result.stdout}\nstderr: {result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def texts(self, group, last=10000):
        return [line["text"] for line in self.json("history", group, "--last", str(last)) if line["type"] == "message"]

    def start(self, *args, stdin=subprocess.PIPE):
        running = Running(self, ["--json", *args], stdin)
        self.world.running.append(running)
        return running

    def register(self):
        self.ok("--broker", self.world.broker.url_file, "register", self.name, "--kdf", "interactive")
        return self

    def home_copy(self, name):
        """The home as it is now, for someone who steals it."""
        copy = User(self.world, name)
        shutil.copytree(self.home, copy.home, ignore=lambda folder, names: [n for n in names if n.endswith(".socket")])
        shutil.copy(self.password_file, copy.password_file)
        return copy


class World:
    def __init__(self, poll_ms=200, broker_args=()):
        self.dir = tempfile.mkdtemp(prefix="conclave-e2e-")
        self.poll_ms = poll_ms
        self.env = dict(os.environ, LC_ALL="C.UTF-8", HOME=self.dir, XDG_DATA_HOME=os.path.join(self.dir, "data"),
                        TERM="xterm-256color")
        for variable in ("CONCLAVE_HOME", "CONCLAVE_BROKER", "CONCLAVE_PASSWORD_FILE", "NO_COLOR"):
            self.env.pop(variable, None)
        self.running = []
        self.broker = Broker(self, args=broker_args)

    def __enter__(self):
        self.broker.start()
        return self

    def __exit__(self, *exc):
        if exc[1]:
            exc[1].add_note(self.state())
        processes = [running.process for running in self.running] + [self.broker.process]
        self.end([process for process in processes if process and process.poll() is None])
        for running in self.running:
            look_for_reports("\n".join(running.errors))
        if os.path.exists(self.broker.log):
            look_for_reports(self.broker.log_text())
        if exc[0] and os.environ.get("KEEP"):
            print("# kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def state(self):
        """Who runs or how they ended, and what each said last."""
        said = [("conclave " + " ".join(running.args), running.process, running.lines[-5:] + running.errors[-5:]) for running in self.running]
        if self.broker.process:
            said.append(("conclaved", self.broker.process, self.broker.log_text().splitlines()[-15:]))
        return "\n".join(f"{name}: {'runs' if process.poll() is None else f'ended with {process.returncode}'}" +
                         "".join("\n    " + line[:300] for line in lines) for name, process, lines in said)

    @staticmethod
    def end(processes):
        """By SIGTERM, so that what is done at the end runs too; who doesn't end is killed."""
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def users(self, *names):
        return [User(self, name).register() for name in names]


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain until " + what)


def room(world, group, admin, *others):
    """A group whose admin serves, with the others in; returns the admin's serving process."""
    admin.ok("create", group)
    serve = admin.start("serve")
    for other in others:
        other.ok("join", group, "--wait", "30")
    return serve


def equal(actual, expected, what="values"):
    if actual != expected:
        raise AssertionError(f"{what} differ:\n  got      {actual!r}\n  expected {expected!r}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"{part!r} is not in:\n{text}")


def matches(text, pattern):
    if not re.search(pattern, text):
        raise AssertionError(f"{pattern!r} does not match:\n{text}")


class Skip(Exception):
    pass


def main(tests):
    """Runs every function test_* of a module's globals, or those named after the build folder, and prints TAP."""
    wanted = sys.argv[2:]
    cases = [(name, test) for name, test in tests.items() if name.startswith("test_") and (not wanted or name in wanted)]
    failures = 0
    for number, (name, test) in enumerate(cases, 1):
        title = name[len("test_"):].replace("_", " ")
        started = time.monotonic()
        try:
            try:
                test()
            finally:
                check_reports()
            print(f"ok {number} - {title} ({time.monotonic() - started:.1f} s)")
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}")
        except BaseException:  # a failed test must not hide the ones after it
            failures += 1
            print(f"not ok {number} - {title}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="")
        sys.stdout.flush()
    print(f"1..{len(cases)}")
    sys.exit(1 if failures else 0)
