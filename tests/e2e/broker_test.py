# SPDX-License-Identifier: MPL-2.0
"""The operator's side of conclaved: options, exit codes, files, start and stop, and what it says when something is wrong."""
import base64
import contextlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import nacl.signing
from zmq.utils import z85

from conclave_client import Member
from conclave_wire import EVENTS, Connection
from harness import BUILD, SLOW, World, contains, equal, main, matches, room, wait_for
from operating import events

CONCLAVED = os.path.join(BUILD, "conclaved")
ANY_PORT = ("--listen", "tcp://127.0.0.1:*")


def conclaved(*args, stdout=subprocess.PIPE, **options):
    """Runs it to its end, which must come by itself."""
    return subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          timeout=60 * SLOW, check=False, **options)


def refused_to_start(world, *parts, data=None, args=ANY_PORT, **options):
    """Starts on the world's directory; exit code 1 and one error that says all these parts."""
    result = conclaved("--data", data or world.broker.data, *args, env=world.env, **options)
    equal(result.returncode, 1, "exit code")
    errors = [line for line in result.stderr.splitlines() if " error " in line]
    equal(len(errors), 1, "lines that tell of an error in " + result.stderr)
    for part in parts:
        contains(errors[0], part)


# --- Options ----------------------------------------------------------------------------------

def test_help_and_version():
    result = conclaved("--help")
    equal((result.returncode, result.stderr), (0, ""))
    for option in ("--data", "--listen", "--log-format", "--log-level", "--idle-seconds", "--retention-days", "--version"):
        contains(result.stdout, option)
    result = conclaved("--version")
    equal((result.returncode, result.stderr), (0, ""))
    matches(result.stdout, r"^conclaved \d+\.\d+\.\d+\n$")
    with open("/dev/full", "wb") as full:
        equal(conclaved("--help", stdout=full).returncode, 1, "when the help can't be written")


def test_wrong_usage_names_what_is_wrong():
    for args, part in {
        ("--bogus",): "--bogus",
        ("--data",): "--data",
        ("--data", ""): "--data",
        ("extra",): "extra",
        ("--listen", "nonsense"): "nonsense",
        ("--listen", "tcp://127.0.0.1:70000"): "70000",
        ("--log-level", "loud"): "loud",
        ("--log-format", "xml"): "xml",
        ("--idle-seconds", "0"): "--idle-seconds",
        ("--retention-days", "1e3"): "1e3",
        ("--retention-days", "-1"): "-1",
        ("--store-reserve-mb", "99999999999999999999"): "--store-reserve-mb",
    }.items():
        result = conclaved(*args)
        equal((result.returncode, result.stdout), (2, ""), " ".join(args))
        contains(result.stderr, part)
        contains(result.stderr, "--help")


# --- Files ------------------------------------------------------------------------------------

def test_what_a_start_leaves_in_the_directory():
    with World() as world:
        data = world.broker.data
        for name in ("broker.key", "broker.url", "broker.lock"):
            equal(oct(stat.S_IMODE(os.stat(os.path.join(data, name)).st_mode)), "0o600", name)
        for folder in (data, os.path.join(data, "store")):
            equal(oct(stat.S_IMODE(os.stat(folder).st_mode)), "0o700", folder)
        with open(world.broker.url_file, encoding="ascii") as file:
            text = file.read()
        matches(text, r"\Atcp://127\.0\.0\.1:[1-9][0-9]*#[A-Za-z0-9_-]{43}\n\Z")
        ready = wait_for(lambda: events(world, "ready"), 60, "it says so")  # after the file is there
        equal([(line["url"], line["data"]) for line in ready], [(text.strip(), data)])


def test_a_restart_keeps_the_key_and_the_accounts():
    with World() as world:
        url, key = world.broker.url, nacl.signing.SigningKey.generate()
        wire = Connection(url)
        wire.hello()
        wire.register("ada", key)
        incarnation = wire.hello().incarnation
        wire.close()
        equal(world.broker.stop(), 0, "exit code after SIGTERM")
        world.broker.start()
        equal(world.broker.url, url)
        wire = Connection(url)
        equal(wire.hello().incarnation, incarnation)
        wire.login("ada", key, EVENTS)
        wire.close()


def test_the_secret_key_is_in_no_log_and_no_core():
    with World() as world:
        with open(os.path.join(world.broker.data, "broker.key"), "rb") as file:
            secret = file.read()[20:52]
        wire = Connection(world.broker.url)
        wire.hello()
        key = nacl.signing.SigningKey.generate()
        wire.register("ada", key)
        wire.login("ada", key, EVENTS)
        wait_for(lambda: "handshake" in world.broker.log_text(), 60, "the connection is told of")
        log = world.broker.log_text()
        for bytes_ in (secret, wire.token):
            for form in (bytes_.hex(), bytes_.hex().upper(), base64.b64encode(bytes_).decode()[:42],
                         base64.urlsafe_b64encode(bytes_).decode()[:42], z85.encode(bytes_).decode()):
                assert form not in log, "a secret in the log"
        with open(f"/proc/{world.broker.process.pid}/limits", encoding="ascii") as limits:
            matches(limits.read(), r"Max core file size +0 +0 ")
        wire.close()


# --- Starts that are refused ------------------------------------------------------------------

def test_the_port_is_in_use():
    with World() as world:
        address = world.broker.listen
        refused_to_start(world, "listen_failed", address, "in use", "another", data=os.path.join(world.dir, "other"),
                         args=("--listen", address))


def test_a_second_broker_on_the_directory_names_the_first():
    with World() as world:
        url = world.broker.url
        refused_to_start(world, "data_directory_in_use", f"pid={world.broker.process.pid} ", world.broker.data, "--data")
        equal((world.broker.process.poll(), world.broker.url), (None, url), "the first goes on")
        world.broker.kill()
        world.broker.start()  # the lock went with its holder


def test_a_directory_that_is_no_use():
    with World() as world:
        broker = world.broker
        equal(broker.stop(), 0)
        os.chmod(broker.data, 0o770)
        refused_to_start(world, "data_directory_unsafe", "chmod 700")
        os.chmod(broker.data, 0o700)
        refused_to_start(world, "data_directory_failed", "Not a directory", data="/dev/null")
        refused_to_start(world, "data_directory_failed", data="/proc/nowhere/broker")
        env = {name: value for name, value in world.env.items() if name not in ("HOME", "XDG_DATA_HOME")}
        result = conclaved(*ANY_PORT, env=env)
        equal(result.returncode, 1)
        contains(result.stderr, "--data DIR")


def test_a_key_file_that_is_damaged_or_gone():
    with World() as world:
        broker, key_file = world.broker, os.path.join(world.broker.data, "broker.key")
        equal(broker.stop(), 0)
        with open(key_file, "rb") as file:
            good = file.read()

        def write(data):
            with open(key_file, "wb") as file:
                file.write(data)

        for damaged in (b"", good[:-1], good + b"\0", bytes([good[0] ^ 1]) + good[1:], good[:30] + bytes([good[30] ^ 1]) + good[31:],
                        good[:60] + bytes([good[60] ^ 1]) + good[61:]):
            write(damaged)
            refused_to_start(world, "key_file_refused", "broker.key", "damaged", "backup")
        write(good[:16] + b"\0\0\0\x02" + good[20:])
        refused_to_start(world, "key_file_refused", "newer")
        write(good)
        os.chmod(key_file, 0o644)
        refused_to_start(world, "key_file_refused", "0600", "chmod 600")
        os.remove(key_file)
        refused_to_start(world, "key_file_refused", "not found", "backup")
        assert not os.path.exists(key_file), "a new key was made for an old store"
        write(good)
        os.chmod(key_file, 0o600)
        broker.start()


def test_a_store_that_is_damaged():
    with World() as world:
        equal(world.broker.stop(), 0)
        current = os.path.join(world.broker.data, "store", "CURRENT")
        shutil.copy(current, current + ".good")
        for change in (lambda: open(current, "w", encoding="ascii").write("garbage\n"), lambda: os.remove(current)):
            change()
            refused_to_start(world, "store_refused", "damaged", os.path.join(world.broker.data, "store"), "--fsck", "backup")
            shutil.copy(current + ".good", current)
        os.chmod(os.path.dirname(current), 0o750)
        refused_to_start(world, "store_refused", "chmod 700")
        os.chmod(os.path.dirname(current), 0o700)
        world.broker.start()


def test_too_few_descriptors():
    with World() as world:
        equal(world.broker.stop(), 0)
        for count in (16, 24, 64, 256):
            refused_to_start(world, "too_few_descriptors", "ulimit -n",
                             preexec_fn=lambda count=count: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)))


# --- Running ----------------------------------------------------------------------------------

def test_connections_beyond_the_quota_are_refused_and_the_others_served():
    with World() as world:
        broker = world.broker
        equal(broker.stop(), 0)
        broker.descriptors = 400
        broker.start()
        first = Connection(broker.url)
        first.hello()
        crowd = [Connection(broker.url) for _ in range(80)]
        wait_for(lambda: events(world, "connection_refused"), 60, "some are refused")
        equal(first.refusal("hello", 1, 1, "still here"), "OK")
        for wire in crowd:
            wire.close()
        late = Connection(broker.url)
        late.call("hello", 1, 1, "late")
        for wire in (first, late):
            wire.close()
        equal(broker.stop(), 0)


def test_sigterm_under_traffic_loses_nothing_acknowledged():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        talk = bob.start("send", "tea")
        lines = [f"line {number}" for number in range(80)]
        for number, line in enumerate(lines):
            talk.write(line + "\n")
            time.sleep(0.02)
            if number in (20, 40, 60):
                equal(world.broker.stop(), 0, "exit code under traffic")
                equal(events(world, "stopped")[-1]["status"], "OK")
                world.broker.start()
        talk.process.stdin.close()
        equal(talk.wait(60), 0, "exit code of send: every line acked")

        def all_there():
            alice.run("listen", "tea", "--count", "1", "--wait", "1")
            return alice.texts("tea") == lines
        wait_for(all_there, 60, "alice has each line once, in order")


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_it_ends_although_a_client_does_not_read():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        with stopped(serve.process):
            for number in range(5):
                bob.ok("send", "tea", f"unread {number}")
            equal(world.broker.stop(), 0)
            world.broker.start()


def test_signals_while_it_starts_and_twice():
    with World() as world:
        world.broker.process.send_signal(signal.SIGHUP)
        wait_for(lambda: events(world, "config_not_reloaded"), 60, "SIGHUP is told of")
        for _ in range(3):
            world.broker.process.send_signal(signal.SIGTERM)
        equal(world.broker.process.wait(60 * SLOW), 0)
        world.broker.start()
        world.broker.process.send_signal(signal.SIGINT)
        equal(world.broker.process.wait(60 * SLOW), 0, "SIGINT")
        for delay in (0.0, 0.005, 0.02, 0.05):
            process = subprocess.Popen([CONCLAVED, "--data", world.broker.data, *ANY_PORT], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=world.env)
            time.sleep(delay)
            process.terminate()
            assert process.wait(60 * SLOW) in (0, -signal.SIGTERM), process.returncode
        world.broker.start()


def test_a_log_that_nobody_reads_any_more_stops_nothing():
    with World() as world:
        equal(world.broker.stop(), 0)
        reader, writer = os.pipe()
        process = subprocess.Popen([CONCLAVED, "--data", world.broker.data, "--listen", world.broker.listen, "--log-level", "debug"],
                                   stdin=subprocess.DEVNULL, stderr=writer, env=world.env)
        try:
            os.close(writer)
            wait_for(lambda: b" ready " in os.read(reader, 65536), 60, "it is ready")
            os.close(reader)
            member = Member(world.broker.url, "ada").register()
            equal(member.wire.refusal("groups"), "OK")
            member.close()
            equal(process.poll(), None)
        finally:
            process.terminate()
            equal(process.wait(60 * SLOW), 0)


if __name__ == "__main__":
    main(globals())
