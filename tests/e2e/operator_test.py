# SPDX-License-Identifier: MPL-2.0
"""The broker's socket for its operator's tools: what is asked badly, by too many, or by who has gone meanwhile; and starts without it."""
import json
import os
import socket
import subprocess

import msgpack
from harness import BUILD, SLOW, World, contains, equal, main, wait_for
from operating import events, tools
from planted import BACKUP, OK, OVERVIEW, PUSH, REQUEST, TOO_MANY, TRACED, UNWATCH, WATCH

CONCLAVED = os.path.join(BUILD, "conclaved")
TRACE = os.path.join(BUILD, "conclave-trace")
WATCH_ALL = ["", "", 0, 0, 0, 0, 0, 0]
LISTENERS, SESSIONS, CONNECTIONS = 32, 64, 128  # that the broker has places for
BAD_TYPE, INVALID, CONFLICT = 3, 134, 73


def overview(tool):
    status, fields = tool.ask(OVERVIEW)
    equal(status, OK)
    return fields


def test_bad_requests_are_answered_or_dropped_and_the_next_is_served():
    with World() as world, tools(world) as make:
        tool = make()
        overview(tool)
        equal(tool.ask(WATCH, "", "", "all", 0, 0, 0, 0, 0)[0], BAD_TYPE)
        equal(tool.ask(WATCH, "No/Name", *WATCH_ALL[1:])[0] != OK, True)
        tool.socket.send_multipart([msgpack.packb([REQUEST, OVERVIEW, 90, b"", "", []]), b"and more", b"and more"])
        tool.socket.send(b"")
        tool.socket.send(b"\xff" * 70000)  # more than the broker takes of a tool: that costs the connection
        tool = make()
        overview(tool)
        assert not tool.socket.poll(200), "one answer to one request"


def test_listeners_have_so_many_places_and_give_them_back():
    with World() as world, tools(world) as make:
        listeners = [make() for _ in range(LISTENERS)]
        for tool in listeners:
            equal(tool.ask(WATCH, *WATCH_ALL)[0], OK)
        late = make()
        equal(late.ask(WATCH, *WATCH_ALL)[0], TOO_MANY)
        equal(listeners[0].ask(WATCH, *WATCH_ALL)[0], OK, "who listens may ask for something else")
        equal(late.ask(WATCH, *WATCH_ALL)[0], TOO_MANY)
        equal(listeners[0].ask(UNWATCH)[0], OK)
        equal(late.ask(WATCH, *WATCH_ALL)[0], OK)
        listeners[1].socket.close(0)
        wait_for(lambda: listeners[0].ask(WATCH, *WATCH_ALL)[0] == OK, 30, "the place of one that went without a word is free")
        result = subprocess.run([TRACE, "--data", world.broker.data, "--for", "1", "watch"], capture_output=True, text=True, env=world.env,
                                timeout=60 * SLOW, check=False)
        equal(result.returncode, 1)
        contains(result.stderr, "too many watch already")


def test_who_only_asks_keeps_no_place_from_who_listens():
    with World() as world, tools(world) as make:
        listeners = [make() for _ in range(LISTENERS)]
        for tool in listeners:
            equal(tool.ask(WATCH, *WATCH_ALL)[0], OK)
        asking = [make() for _ in range(SESSIONS + 8)]
        assert len(listeners + asking) < CONNECTIONS
        for _ in range(2):
            for tool in asking:
                overview(tool)
        for tool in listeners:
            while tool.socket.poll(0):
                tool.socket.recv()
        world.users("ada")
        for tool in listeners:
            message = tool.receive()
            while not message[3][1]:  # signs of life
                message = tool.receive()
            equal(message[:2], [PUSH, TRACED])


# --- Backups ----------------------------------------------------------------------------------

def test_one_backup_at_a_time():
    with World() as world, tools(world) as make:
        world.users("ada")
        tool = make()
        overview(tool)
        made = 0

        def two_at_once():
            """Whether the second was asked for before the first was made. Both are, if not."""
            nonlocal made
            first, second = (os.path.join(world.dir, f"{name}-{made}") for name in ("first", "second"))
            numbers = [tool.send(BACKUP, first), tool.send(BACKUP, second)]
            answers = {}
            while len(answers) < 2:
                message = tool.receive()
                answers[message[2]] = message[3:]
            equal(answers[numbers[0]][0], OK)
            made += 2
            if answers[numbers[1]][0] == OK:
                return False
            equal((answers[numbers[1]][0], answers[numbers[1]][1][2]), (CONFLICT, "a backup is being made already"))
            assert os.path.exists(first) and not os.path.exists(second)
            equal(tool.ask(BACKUP, second)[0], OK, "and the next one after it")
            return True
        wait_for(two_at_once, 60, "two are asked for at once")
        equal(len(events(world, "backup_made")), made)


def test_a_backup_is_made_though_who_asked_has_gone():
    with World() as world, tools(world) as make:
        tool = make()
        overview(tool)
        target = os.path.join(world.dir, "copy")
        tool.send(BACKUP, target)
        tool.socket.close()
        wait_for(lambda: events(world, "backup_made"), 30, "the backup is made")
        equal(sorted(os.listdir(target)), ["backup.info", "broker.key", "store"])
        overview(make())


def test_the_end_waits_for_a_backup_that_has_begun():
    with World() as world, tools(world) as make:
        tool = make()
        overview(tool)
        target = os.path.join(world.dir, "copy")
        tool.send(BACKUP, target)
        wait_for(lambda: events(world, "backup_begun"), 30, "it has begun")
        equal(world.broker.stop(), 0)
        equal(sorted(os.listdir(target)), ["backup.info", "broker.key", "store"])
        assert not os.path.exists(target + ".partial")


def test_failures_of_backups_are_told_and_logged():
    with World() as world, tools(world) as make:
        tool = make()
        for target, text in (("relative", "no absolute path"), (os.path.join(world.dir, "none", "copy"), "make it first"), ("", "no absolute path")):
            status, (files, size, problem) = tool.ask(BACKUP, target)
            assert status != OK and (files, size) == (0, 0), (status, files, size)
            contains(problem, text)
        equal(len(events(world, "backup_failed")), 3)
        contains(events(world, "backup_failed")[-1]["problem"], "no absolute path")


# --- Starts -----------------------------------------------------------------------------------

def start_fails(world, *args, data=None):
    """What a broker that can't start says, as JSON lines."""
    result = subprocess.run([CONCLAVED, "--data", data or os.path.join(world.dir, "other"), "--listen", "tcp://127.0.0.1:*", "--http", "off",
                             "--log-format", "json", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=world.env,
                            timeout=60 * SLOW, check=False)
    equal(result.returncode, 1, result.stderr)
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_without_its_operators_socket_a_broker_does_not_start():
    with World() as world:
        taken = socket.create_server(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        failed, = [line for line in start_fails(world, "--operator-listen", address) if line["event"] == "operator_listen_failed"]
        equal((failed["address"], failed["cause"]), (address, "Address already in use"))
        taken.close()
        equal(world.broker.stop(), 0)
        os.remove(world.broker.url_file)
        path = os.path.join(world.broker.data, "operator.sock")
        os.mkdir(path)
        failed, = [line for line in start_fails(world, data=world.broker.data) if line["event"] == "operator_listen_failed"]
        contains(failed["address"], path)
        assert not os.path.exists(world.broker.url_file), "nobody is told of a broker that isn't there"
        if os.path.exists(path):
            os.rmdir(path)
        world.broker.start()


if __name__ == "__main__":
    main(globals())
