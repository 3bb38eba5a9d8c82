# SPDX-License-Identifier: MPL-2.0
"""What an operator does with conclaved: config file, manual pages, signals, the service manager."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import nacl.signing
import zmq

from conclave_wire import EVENTS, BrokerSaid, Connection
from harness import BUILD, REPO, SLOW, Skip, World, contains, equal, main, wait_for

CONCLAVED = os.path.join(BUILD, "conclaved")


def conclaved(*args, **options):
    """Runs it to its end, which must come by itself."""
    return subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20 * SLOW,
                          check=False, **options)


def config(world, text, name="conclaved.conf"):
    path = os.path.join(world.dir, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def events(world, *names):
    lines = [json.loads(line) for line in world.broker.log_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] in names]


def after(world, signal_number, *names):
    """Sends a signal; the next line of one of these events."""
    before = len(events(world, *names))
    world.broker.process.send_signal(signal_number)
    wait_for(lambda: len(events(world, *names)) > before, 20, f"one of {names} is logged")
    return events(world, *names)[before]


# --- Manual pages -----------------------------------------------------------------------------

def page(name):
    with open(os.path.join(REPO, "broker", name), encoding="utf-8") as file:
        return file.read()


def test_the_manual_pages_and_the_program_know_the_same_options():
    flags = set(re.findall(r"^  --([a-z-]+)", conclaved("--help").stdout, re.M))
    keys = set(re.findall(r"^#?([a-z-]+) =", conclaved("--print-config").stdout, re.M))
    assert keys < flags and len(keys) > 5, (flags, keys)
    equal(set(re.findall(r"^\*--([a-z-]+)\*", page("conclaved.8.scd"), re.M)), flags, "flags in conclaved(8)")
    described = page("conclaved.conf.5.scd")
    equal(set(re.findall(r"^\*([a-z-]+)\* =", described, re.M)), keys, "keys in conclaved.conf(5)")
    for line in conclaved("--help").stdout.splitlines():
        default = re.search(r"^  --([a-z-]+) .*\[([0-9a-z]+)\]$", line)
        if default:
            entry = re.search(rf"^\*{default[1]}\* =.*\n\t(.*)", described, re.M)[1]
            contains(entry.replace("*", ""), f"Default: {default[2]}.")


def test_the_manual_pages_are_well_formed():
    if not shutil.which("scdoc"):
        raise Skip("scdoc is not installed")
    for name in ("broker/conclaved.8.scd", "broker/conclaved.conf.5.scd", "client/conclave.1.scd"):
        with open(os.path.join(REPO, name), "rb") as source:
            result = subprocess.run(["scdoc"], stdin=source, capture_output=True, check=False)
        equal((result.returncode, result.stderr), (0, b""), name)
        contains(result.stdout.decode(), ".TH ")


# --- The config file --------------------------------------------------------------------------

def test_check_config():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "conclaved.conf")
        example = page("conclaved.conf.5.scd").split("```\n")[1]
        for text in (example, "", "data = " + folder + "/data\r\n"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            result = conclaved("--check-config", "--config", path)
            equal((result.returncode, result.stdout, result.stderr), (0, "OK\n", ""), text)
        equal(os.listdir(folder), ["conclaved.conf"], "what was made")
        with open(path, "w", encoding="utf-8") as file:
            file.write("log-levl = info\n\nidle-seconds = soon\n")
        for args in (("--check-config",), ()):
            result = conclaved(*args, "--config", path, "--retention-days", "0")
            equal((result.returncode, result.stdout), (2, ""))
            for part in (f"{path}:1: key 'log-levl': unknown; did you mean 'log-level'?\n",
                         f"{path}:3: key 'idle-seconds': can't be 'soon'; allowed: a whole number from 1 to 100000000\n",
                         "conclaved: --retention-days can't be '0'; allowed: a whole number from 1 to 36500\n"):
                contains(result.stderr, part)
        equal(os.listdir(folder), ["conclaved.conf"], "what was made")
    equal(conclaved("--check-config").stdout, "OK\n", "without a file")


def test_the_file_is_used_and_flags_override_it():
    with World() as world:
        other = os.path.join(world.dir, "other")
        path = config(world, f"data = {other}\nlisten = tcp://127.0.0.1:*\nlog-format = json\n")
        process = subprocess.Popen([CONCLAVED, "--config", path, "--log-format", "text"], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env=world.env)
        try:
            for line in process.stderr:
                if " ready " in line:
                    break
            contains(line, "data=" + other)
            assert os.path.exists(os.path.join(other, "broker.url"))
        finally:
            process.terminate()
            process.communicate()
        equal(process.returncode, 0)


def test_print_config_prints_what_is_in_force():
    with World() as world:
        path = config(world, "idle-seconds = 7\nreport-minutes = 9\n")
        printed = conclaved("--print-config", "--config", path, "--report-minutes", "8")
        equal(printed.returncode, 0)
        contains(printed.stdout, "\nidle-seconds = 7\n")
        contains(printed.stdout, "\nreport-minutes = 8\n")
        again = conclaved("--print-config", "--config", config(world, printed.stdout, "again.conf"))
        equal(again.stdout, printed.stdout)


# --- Signals ----------------------------------------------------------------------------------

def reload(world, text):
    """Writes the config file, sends SIGHUP, and returns what was logged of it, without times and levels."""
    config(world, text)
    before = world.broker.log_text().count("\n")
    after(world, signal.SIGHUP, "config_reloaded", "config_not_reloaded")
    lines = [json.loads(line) for line in world.broker.log_text().splitlines()[before:]]
    return [{name: value for name, value in line.items() if name not in ("time", "level")}
            for line in lines if line["event"].startswith("config_")]


def changed(key, old, new):
    return {"event": "config_changed", "key": key, "old": old, "new": new}


def restart_needed(key, running, new):
    return {"event": "config_needs_restart", "key": key, "running": running, "new": new}


def with_config(world, text):
    """Restarts the world's broker with a config file; returns the file's path."""
    equal(world.broker.stop(), 0)
    path = config(world, text)
    world.broker.args = ["--config", path]
    world.broker.start()
    return path


@contextlib.contextmanager
def connection(world):
    wire = Connection(world.broker.url)
    try:
        wire.hello()
        yield wire
    finally:
        wire.close()


def account(world, name):
    key = nacl.signing.SigningKey.generate()
    with connection(world) as wire:
        wire.register(name, key)
    return name, key


def refused(world, name):
    """Registers; "" or the refusal."""
    try:
        account(world, name)
        return ""
    except BrokerSaid as refusal:
        return str(refusal)


def idle_ms(world, who):
    """What a new session is told."""
    with connection(world) as wire:
        return wire.login(*who, EVENTS).idle_ms


def test_sighup_changes_what_can_change():
    with World() as world:
        path = with_config(world, "report-minutes = 0\n")
        equal(reload(world, "report-minutes = 0\n"),
              [{"event": "config_reloaded", "file": path, "changed": 0, "need_restart": 0}])
        ada = account(world, "ada")
        equal(reload(world, "idle-seconds = 9\nretention-days = 3\nstore-reserve-mb = 100000000\nreport-minutes = 5\n"
                            "drain-seconds = 9\nlog-level = error\n"),
              [changed("idle-seconds", "600", "9"), changed("retention-days", "30", "3"),
               changed("store-reserve-mb", "64", "100000000"), changed("report-minutes", "0", "5"),
               changed("drain-seconds", "10", "9"),
               {"event": "config_reloaded", "file": path, "changed": 5, "need_restart": 0}],
              "the log's level is a flag, which goes before the file")
        equal(idle_ms(world, ada), 9000)
        contains(refused(world, "bob"), "STORE_FULL")
        equal(reload(world, "store-reserve-mb = 0\n")[-1]["changed"], 5)
        # After a full disk nothing is tried for a second.
        wait_for(lambda: not refused(world, "bob"), 20, "there is room again")


def test_sighup_says_what_needs_a_restart():
    with World() as world:
        data, listen = world.broker.data, world.broker.listen
        broker = world.broker
        equal(broker.stop(), 0)
        text = f"data = {data}\nlisten = {listen}\nlog-format = json\n"
        path = config(world, text)
        with open(broker.log, "ab") as log:
            broker.process = subprocess.Popen([CONCLAVED, "--config", path], stdin=subprocess.DEVNULL, stderr=log, env=world.env)
        wait_for(lambda: len(events(world, "ready")) == 2, 20, "it is ready")
        for changes in ([changed("log-level", "info", "debug")], []):  # the second time the file is as it was
            equal(reload(world, "data = /else where\nlog-level = debug\n"),
                  [restart_needed("data", data, "/else where"), restart_needed("listen", listen, "tcp://127.0.0.1:5670"),
                   restart_needed("log-format", "json", "text"), *changes,
                   {"event": "config_reloaded", "file": path, "changed": len(changes), "need_restart": 3}])
        account(world, "ada")


def test_a_config_file_with_errors_changes_nothing():
    with World() as world:
        path = with_config(world, "idle-seconds = 7\n")
        ada = account(world, "ada")
        refusal = {"event": "config_not_reloaded", "file": path, "text": "all settings stay as they are",
                   "hint": "mend the file, check it with --check-config, reload again"}
        equal(reload(world, "idle-seconds = 8\nidle-minutes = 1\n\nretention-days = \x1b\n"),
              [{"event": "config_error", "file": path, "line": 2,
                "text": "key 'idle-minutes': unknown; allowed are the keys that --print-config prints"},
               {"event": "config_error", "file": path, "line": 4,
                "text": "there is a control character; only blanks and tabs are allowed"},
               dict(refusal, errors=2)])
        os.remove(path)
        os.mkdir(path)
        line = after(world, signal.SIGHUP, "config_not_reloaded")
        equal(line["errors"], 1)
        equal(events(world, "config_error")[-1]["text"], "is a directory; name a file")
        os.rmdir(path)
        equal(idle_ms(world, ada), 7000)
        equal(reload(world, "idle-seconds = 8\n")[0], changed("idle-seconds", "7", "8"))


def test_sigusr1_switches_debug_on_and_off():
    with World() as world:
        broker = world.broker
        equal(broker.stop(), 0)
        path = config(world, "log-level = warn\n")
        with open(broker.log, "ab") as log:
            broker.process = subprocess.Popen([CONCLAVED, "--data", broker.data, "--listen", broker.listen, "--log-format", "json",
                                               "--config", path], stdin=subprocess.DEVNULL, stderr=log, env=world.env)
        account(world, "grace")  # it is ready

        def switch():
            line = after(world, signal.SIGUSR1, "log_level_changed")
            return line["old"], line["new"]

        equal(switch(), ("warn", "debug"))
        handshakes = len([line for line in events(world, "handshake") if line["level"] == "debug"])
        account(world, "ada")
        wait_for(lambda: len(events(world, "handshake")) > handshakes, 20, "debug lines are written")
        equal(switch(), ("debug", "warn"))
        equal(switch(), ("warn", "debug"))
        # A reload takes it back to what the file says.
        equal(reload(world, "log-level = info\n")[0], changed("log-level", "debug", "info"))


# --- The end ----------------------------------------------------------------------------------

class Deaf:
    """A client that asks for more than the system's buffers hold and reads none of it."""

    def __init__(self, world):
        self.wire = Connection(world.broker.url, [(zmq.RCVHWM, 1), (zmq.RCVBUF, 4096)])
        self.wire.hello()
        requests = [self.wire.request("hello", 1, 1, "deaf") for _ in range(64)]
        with connection(world) as other:
            for _ in range(2000):
                self.wire.send_frame(*requests)
                other.hello()  # in one turn only 64 are answered

    def close(self):
        self.wire.close()


def test_the_drain_ends_at_its_limit():
    with World(broker_args=["--drain-seconds", "1"]) as world:
        deaf = Deaf(world)
        equal(world.broker.stop(), 0)
        equal([line["cause"] for line in events(world, "drain_cut_short")], ["drain-seconds are over"])
        deaf.close()
        world.broker.start()


def test_a_second_signal_ends_the_drain():
    with World(broker_args=["--drain-seconds", "3600"]) as world:
        deaf = Deaf(world)
        after(world, signal.SIGTERM, "stopping")
        world.broker.process.send_signal(signal.SIGHUP)
        world.broker.process.send_signal(signal.SIGINT)
        equal(world.broker.process.wait(20 * SLOW), 0)
        equal([line["cause"] for line in events(world, "drain_cut_short")], ["a second signal"])
        deaf.close()
        world.broker.start()


def test_a_drain_with_nothing_to_wait_for_is_done_at_once():
    with World(broker_args=["--drain-seconds", "3600"]) as world:
        account(world, "ada")
        with connection(world):
            equal(world.broker.stop(), 0)
        equal(events(world, "drain_cut_short"), [])
        equal(events(world, "transport_counters")[-1]["draining"], 1)


# --- The service manager ----------------------------------------------------------------------

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
