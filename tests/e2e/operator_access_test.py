# SPDX-License-Identifier: MPL-2.0
"""Who reaches the operator's sockets of a real broker, and that nobody who does, nor a crowd that tries, holds up anybody."""
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import zmq
from harness import BUILD, SLOW, World, contains, equal, main, room, wait_for
from http_test import ANY, fresh_metrics
from operating import events, tools
from trace_test import make_steps, past, tracer


def test_only_the_broker_s_user_reaches_the_socket():
    with World() as world:
        path = os.path.join(world.broker.data, "operator.sock")
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        contains(tracer(world, "--data", world.dir, "watch", code=3, target=False), "no running broker")
        equal(world.broker.stop(), 0)
        assert not os.path.exists(path), "the socket goes with the broker"
        contains(tracer(world, "watch", code=3), "no running broker")


def test_from_elsewhere_a_listed_key_is_needed():
    with World(broker_args=["--operator-listen", "tcp://127.0.0.1:*"]) as world:
        ready = [json.loads(line) for line in world.broker.log_text().splitlines() if "operator_listening" in line]
        url = ready[0]["address"] + "#" + world.broker.url.split("#")[1]
        key = os.path.join(world.dir, "operator")
        line = tracer(world, "keygen", key, target=False)
        equal(stat.S_IMODE(os.stat(key).st_mode), 0o600)
        contains(tracer(world, "keygen", key, target=False, code=1), "exists")
        contains(tracer(world, "--broker", url, "top", target=False, code=3), "--key")
        contains(tracer(world, "--broker", url, "--key", key, "watch", target=False, code=3), "operator.keys")
        wait_for(lambda: "operator_refused" in world.broker.log_text(), 20, "the refusal is logged")
        keys = os.path.join(world.broker.data, "operator.keys")
        with open(os.open(keys, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("# operators\n" + line)
        contains(tracer(world, "--broker", url, "--key", key, "--for", "1", "top", target=False), "per second")
        other = url.split("#")[0] + "#" + line.split()[0]
        contains(tracer(world, "--broker", other, "--key", key, "watch", target=False, code=3), "is not this broker")
        os.chmod(keys, 0o644)
        contains(tracer(world, "--broker", url, "--key", key, "watch", target=False, code=3), "operator.keys")
        os.chmod(key, 0o644)
        contains(tracer(world, "--broker", url, "--key", key, "watch", target=False, code=3), "chmod 600")


def test_a_listener_that_stops_reading_holds_up_nobody():
    with World(broker_args=ANY) as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        out = open(os.path.join(world.dir, "watched"), "wb")
        watch = subprocess.Popen([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, "--json", "watch"], stdout=out,
                                 stderr=subprocess.PIPE, env=world.env)
        wait_for(lambda: os.path.getsize(out.name) > 0, 20, "it watches")
        # The monitor's thread counts connections, the hub's counts listeners.
        now = fresh_metrics(world, lambda now: (now.value("trace_listeners"), now.value("operator_connections", **{"from": "here"})) == (1, 1),
                            "it is counted")
        equal((now.value("trace_listener_records_dropped_total"), now.value("operator_connections", **{"from": "elsewhere"})), (0, 0))
        watch.send_signal(signal.SIGSTOP)
        # More than its queue, libzmq's and the system's hold; and in less than the 15 s after which it would count as gone.
        make_steps(world, 600)
        bob.ok("send", "tea", "still served")
        wait_for(lambda: events(world, "trace_listener_too_slow"), 20, "the log says so")
        now = fresh_metrics(world, lambda now: now.value("trace_listener_records_dropped_total") > 0, "what it lost is counted")
        watch.send_signal(signal.SIGCONT)

        def told():
            with open(out.name, encoding="ascii") as file:
                lines = [line for line in file if line.endswith("}\n")]
            return sum(json.loads(line).get("lost", 0) for line in lines if line.startswith('{"lost"'))

        wait_for(lambda: told() > 0, 20, "it is told how many")
        lost = fresh_metrics(world, lambda now: now.value("trace_listener_records_dropped_total") == told(),
                             "both know of as many").value("trace_listener_records_dropped_total")
        # Once more, and this time it dies before it can be told.
        watch.send_signal(signal.SIGSTOP)
        make_steps(world, 600)
        fresh_metrics(world, lambda now: now.value("trace_listener_records_dropped_total") > lost, "it loses again")
        watch.kill()
        watch.wait()
        gone = wait_for(lambda: events(world, "trace_listener_lost_steps"), 20, "the log says what it lost in all")
        now = fresh_metrics(world, lambda now: now.value("trace_listeners") == 0, "it listens no more")
        equal([(line["who"], line["steps"]) for line in gone], [("a tool here", now.value("trace_listener_records_dropped_total"))])
        equal([line["who"] for line in events(world, "trace_listener_too_slow")], ["a tool here"], "that it is slow, once")
        bob.ok("send", "tea", "and after it died")
        tracer(world, "--for", "1", "top")
        equal(world.broker.stop(), 0)
        counters = {line["from"]: line for line in events(world, "operator_counters")}
        assert counters["here"]["accepted"] >= 2 and counters["elsewhere"]["accepted"] == 0, counters
        equal(events(world, "trace_counters")[-1]["listener_records_dropped"], gone[0]["steps"])


def test_a_thousand_connections_and_garbage_do_no_harm():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        address = os.path.join(world.broker.data, "operator.sock")
        plain = []
        for _ in range(300):
            raw = socket.socket(socket.AF_UNIX)
            raw.setblocking(False)
            try:
                raw.connect(address)
                raw.send(b"\xff\0\0\0nonsense")
            except (BlockingIOError, ConnectionError):
                pass
            plain.append(raw)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # often 1024 at first, and these are two each
        context = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 1100)
        dealers = []
        for number in range(1000):
            dealer = context.socket(zmq.DEALER)
            dealer.linger = 0
            dealer.connect("ipc://" + address)
            dealer.send(bytes([number % 256]) * (number % 40 + 1))
            dealers.append(dealer)
        bob.ok("send", "tea", "in the middle of it")
        for raw in plain:
            raw.close()
        for dealer in dealers:
            dealer.close()
        context.term()
        bob.ok("send", "tea", "after it")
        wait_for(lambda: tracer_works(world), 60, "tools are served again")
        equal(world.broker.stop(), 0)


def test_tools_that_come_and_go_leave_their_places():
    with World(broker_args=["--trace-history", "100"]) as world:
        for _ in range(100):  # of 32 places
            past(world)
        with open(os.path.join(world.dir, "watched"), "wb") as out:
            watch = subprocess.Popen([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, "watch"], stdout=out, env=world.env)
        wait_for(lambda: make_steps(world, 1) or os.path.getsize(out.name) > 0, 60, "it watches")
        for _ in range(40):
            past(world)
        equal(watch.poll(), None, "who stays, stays")
        watch.terminate()
        equal(watch.wait(30 * SLOW), 0)


def test_a_tool_that_connects_while_no_descriptor_is_left_ends_nothing():
    with World() as world:
        pid = world.broker.process.pid
        few = len(os.listdir(f"/proc/{pid}/fd")) + 40
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
        host, port = world.broker.url.split("#")[0].removeprefix("tcp://").rsplit(":", 1)
        crowd = [socket.create_connection((host, int(port))) for _ in range(100)]
        wait_for(lambda: "accept_failed" in world.broker.log_text(), 20, "no descriptor is left")
        tool = socket.socket(socket.AF_UNIX)
        tool.connect(os.path.join(world.broker.data, "operator.sock"))
        for raw in [*crowd, tool]:
            raw.close()
        wait_for(lambda: tracer_works(world), 60, "tools are served again")
        equal(world.broker.stop(), 0)


def test_a_crowd_from_elsewhere_keeps_out_nobody_here():
    with World(broker_args=["--operator-listen", "tcp://127.0.0.1:*"]) as world:
        ready = [json.loads(line) for line in world.broker.log_text().splitlines() if "operator_listening" in line]
        port = int(ready[0]["address"].rsplit(":", 1)[1])
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        tracer(world, "--past-only", "watch")
        assert "connection_refused" not in world.broker.log_text(), "it had to wait for the crowd to go"
        for raw in crowd:
            raw.close()


def tracer_works(world):
    result = subprocess.run([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, "--for", "1", "top"],
                            capture_output=True, env=world.env, timeout=60 * SLOW, check=False)
    return result.returncode == 0


def test_a_client_s_verbs_are_no_operator_s_and_the_reverse():
    with World() as world, tools(world) as make:
        dealer = make().socket
        # [0, hello, 7, token, traceparent, [1, 1, ""]]
        dealer.send(bytes.fromhex("96000107c400a0930101a0"))
        assert dealer.poll(30000 * SLOW), "an answer"
        answer = dealer.recv()
        equal(answer[:5], bytes.fromhex("95010107") + answer[4:5])
        equal(answer[4], 2, "UNKNOWN_VERB")


if __name__ == "__main__":
    main(globals())
