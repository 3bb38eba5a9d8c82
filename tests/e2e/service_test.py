# SPDX-License-Identifier: MPL-2.0
"""conclaved under a service manager: what it tells it, its lines in the journal, the unit file, an installation."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import BUILD, REPO, SLOW, Skip, World, contains, equal, main, wait_for
from operating import CONCLAVED, account, config, conclaved, page, refused, reload


class Manager:
    """Stands in for systemd: a socket that collects what it is told."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20 * SLOW)

    def next(self, ignored="WATCHDOG=1"):
        """The variables of the next datagram that is no ping."""
        while (text := self.socket.recv(4096).decode()) == ignored:
            pass
        return dict(line.split("=", 1) for line in text.split("\n"))


@contextlib.contextmanager
def managed(world, **environment):
    """The world's broker, stopped and started again under a manager."""
    broker = world.broker
    equal(broker.stop(), 0)
    manager = Manager(world.dir)
    broker.env = dict(world.env, NOTIFY_SOCKET=manager.path, **environment)
    config(world, "")
    broker.args = ["--config", os.path.join(world.dir, "conclaved.conf")]
    try:
        broker.start()
        yield manager
    finally:
        manager.socket.close()


def test_the_service_manager_is_told():
    with World() as world, managed(world) as manager:
        state = manager.next()
        equal(state, {"READY": "1", "STATUS": "Serving at " + world.broker.url})
        account(world, "ada")
        before = time.monotonic_ns() // 1000
        reload(world, "drain-seconds = 7\n")
        state = manager.next()
        equal(state["RELOADING"], "1")
        assert before <= int(state["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000, state
        equal(manager.next()["READY"], "1")
        reload(world, "nonsense\n")
        equal([manager.next().get(name) for name in ("RELOADING", "READY")], ["1", "1"], "after errors too")
        reload(world, "store-reserve-mb = 100000000\ndrain-seconds = 7\n")
        equal([manager.next().get(name) for name in ("RELOADING", "READY")], ["1", "1"])
        contains(refused(world, "bob"), "STORE_FULL")
        equal(manager.next(), {"STATUS": "The disk is nearly full; nothing is stored"})
        reload(world, "drain-seconds = 7\n")
        equal([manager.next().get(name) for name in ("RELOADING", "READY")], ["1", "1"])
        wait_for(lambda: not refused(world, "bob"), 20, "there is room again")
        equal(manager.next()["STATUS"], "Serving at " + world.broker.url)
        equal(world.broker.stop(), 0)
        state = manager.next()
        equal((state["STOPPING"], state["EXTEND_TIMEOUT_USEC"]), ("1", "12000000"))


def test_ready_means_that_it_listens():
    with World() as world:
        manager = Manager(world.dir)
        equal(world.broker.stop(), 0)
        process = subprocess.Popen([CONCLAVED, "--data", world.broker.data, "--listen", world.broker.listen],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=dict(world.env, NOTIFY_SOCKET=manager.path))
        try:
            equal(manager.next()["READY"], "1")
            host, port = world.broker.listen[len("tcp://"):].split(":")
            socket.create_connection((host, int(port))).close()
            contains(world.broker.url, world.broker.listen)
        finally:
            process.terminate()
            equal(process.wait(20 * SLOW), 0)
        # One that does not start never says so.
        manager.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                manager.socket.recv(4096)
        result = conclaved("--data", "/dev/null", env=dict(world.env, NOTIFY_SOCKET=manager.path))
        equal(result.returncode, 1)
        try:
            raise AssertionError(manager.socket.recv(4096))
        except BlockingIOError:
            pass
        manager.socket.close()


def test_the_watchdog_is_pinged_by_the_loop():
    with World() as world, managed(world, WATCHDOG_USEC="200000") as manager:
        equal(manager.next()["READY"], "1")
        for _ in range(3):
            equal(manager.socket.recv(4096), b"WATCHDOG=1")
        # A process that does not run pings nobody.
        world.broker.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: " T " in process_state(world.broker.process.pid), 20, "it is stopped")
        manager.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                manager.socket.recv(4096)
        manager.socket.settimeout(1)
        try:
            raise AssertionError(manager.socket.recv(4096))
        except TimeoutError:
            pass
        world.broker.process.send_signal(signal.SIGCONT)
        manager.socket.settimeout(20 * SLOW)
        equal(manager.socket.recv(4096), b"WATCHDOG=1")


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read()


def test_lines_in_the_journal_carry_their_priority():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "journal")
        with open(path, "wb") as journal:
            about = os.fstat(journal.fileno())
            env = dict(os.environ, JOURNAL_STREAM=f"{about.st_dev}:{about.st_ino}")
            subprocess.run([CONCLAVED, "--data", "/dev/null"], stdin=subprocess.DEVNULL, stderr=journal, env=env, check=False)
            subprocess.run([CONCLAVED, "--data", "/dev/null", "--log-format", "json"], stdin=subprocess.DEVNULL, stderr=journal,
                           env=env, check=False)
            subprocess.run([CONCLAVED, "--bogus"], stdin=subprocess.DEVNULL, stderr=journal, env=env, check=False)
        with open(path, encoding="utf-8") as file:
            text, as_json, usage, _ = file.read().splitlines()
        equal(usage, "<3>conclaved: there is no option --bogus")
        contains(text, "<3>data_directory_failed path=/dev/null")
        equal((as_json[:3], json.loads(as_json[3:])["event"]), ("<3>", "data_directory_failed"))


def test_the_unit_file_is_what_systemd_understands():
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd is not installed")
    with tempfile.TemporaryDirectory() as folder:
        unit = os.path.join(folder, "conclaved.service")
        text = page("conclaved.service")
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/local/bin/conclaved", CONCLAVED))
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        equal(result.returncode, 0, "exit code: " + result.stderr)
        assert unit not in result.stderr, result.stderr
    # The commands that it runs are right, but for their places.
    path = os.path.join(REPO, "broker", "conclaved.conf")
    commands = re.findall(r"^Exec\w+=/usr/local/bin/conclaved (.*)", text, re.M)
    equal(len(commands), 2)
    for command in commands:
        args = command.replace("/etc/conclave/conclaved.conf", path).split()
        equal(conclaved("--check-config", *args).stdout, "OK\n", command)
    with open(path, encoding="utf-8") as file:
        settings = re.sub(r"^#([a-z-]+ =)", r"\1", file.read(), flags=re.M)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(settings)
        file.flush()
        equal(conclaved("--print-config", "--config", file.name).stdout, conclaved("--print-config").stdout,
              "the example shows the defaults")


def test_an_installation_keeps_the_config_file():
    with tempfile.TemporaryDirectory() as root:
        def install():
            subprocess.run(["make", "-s", "install", "BUILD=" + os.path.relpath(BUILD, REPO), "DESTDIR=" + root, "PREFIX=/usr"], cwd=REPO,
                           stdin=subprocess.DEVNULL, check=True, timeout=100 * SLOW)
        install()
        settings = os.path.join(root, "etc", "conclave", "conclaved.conf")
        with open(os.path.join(root, "usr", "lib", "systemd", "system", "conclaved.service"), encoding="utf-8") as file:
            contains(file.read(), "ExecStart=/usr/bin/conclaved --config /etc/conclave/conclaved.conf")
        with open(settings, "a", encoding="utf-8") as file:
            file.write("idle-seconds = 5\n")
        install()
        result = conclaved("--print-config", "--config", settings)
        contains(result.stdout, "idle-seconds = 5\n")
        assert os.access(os.path.join(root, "usr", "bin", "conclaved"), os.X_OK)


if __name__ == "__main__":
    main(globals())
