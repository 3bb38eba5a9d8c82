# SPDX-License-Identifier: MPL-2.0
"""The broker's HTTP server as others see it: metrics, health, who may ask, and those who misuse it."""
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from harness import SLOW, World, contains, equal, main, matches, room, wait_for
from operating import CONCLAVED, Deaf, account, after, conclaved, config, events, refused, reload
from prometheus_text import parse
from trace_test import of, past

ANY = ["--http", "127.0.0.1:*"]


def address(world):
    """Host and port of the world's broker's HTTP server."""
    url = events(world, "http_listening")[-1]["url"]
    host, port = re.fullmatch(r"http://(.*):(\d+)/", url).groups()
    return host.strip("[]"), int(port)


def get(world, path, method="GET", timeout=20, **headers):
    """Status, headers, text."""
    client = http.client.HTTPConnection(*address(world), timeout=timeout * SLOW)
    try:
        client.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = client.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        client.close()


def status(world, path, method="GET", **headers):
    return get(world, path, method, **headers)[0]


def metrics(world):
    code, headers, text = get(world, "/metrics")
    equal((code, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
    return parse(text)


def fresh_metrics(world, condition, what):
    """The numbers are copied once a second at most: those in which a condition holds."""
    return wait_for(lambda: (lambda now: now if condition(now) else None)(metrics(world)), 20, what)


# --- Numbers ----------------------------------------------------------------------------------

def test_metrics_say_what_happened():
    with World(broker_args=[*ANY, "--trace-history", "20000"]) as world:
        ada, bob = world.users("ada", "bob")
        serve = room(world, "tea", ada, bob)
        for number in range(5):
            bob.ok("send", "tea", f"text {number}")
        contains(refused(world, "ada"), "NAME_TAKEN")
        serve.stop()
        steps = past(world)
        # The router counts a write a moment after it has measured it.
        now = fresh_metrics(world, lambda now: now.value("requests_total", verb="register", status="NAME_TAKEN") == 1 and now.value("ready") == 1
                            and now.histogram("write_duration_seconds").count == now.value("writes_total", result="stored"),
                            "the refusal is counted")
        equal(now.value("build_info", version=subprocess.run([CONCLAVED, "--version"], capture_output=True, text=True,
                                                             check=True).stdout.split()[1]), 1)
        equal(len(of(steps, "appended", verb="send")), 5)
        for verb, least in (("register", 2), ("send", 5)):  # who had no answer for five seconds has asked again
            accepted = now.value("requests_total", verb=verb, status="OK")
            equal(accepted, len(of(steps, "accepted", verb=verb)))
            assert accepted >= least, (verb, accepted)
        equal(now.value("rekeys_total"), now.value("requests_total", verb="commit", status="OK"))
        assert now.value("rekeys_total") >= 1
        assert now.value("events_appended_total") >= 6
        equal(now.value("pending_joins"), 0)
        equal(now.value("handshake_failures_total"), world.broker.log_text().count('"change":"handshake_failed'))
        assert now.value("store_bytes") > 0
        assert abs(now.value("start_time_seconds") - time.time()) < 600
        # Each frame that was answered was measured, and each batch written.
        requests = sum(now.families["conclave_requests_total"].samples.values())
        measured = now.histogram("request_duration_seconds")
        assert 0 < measured.count <= now.value("frames_received_total") <= requests, (measured.count, requests)
        assert 0 < now.histogram("write_duration_seconds").sum < 600
        # Nobody's name is in it.
        _, _, text = get(world, "/metrics")
        for name in ("ada", "bob", "tea"):
            assert not re.search(rf"\b{name}\b", text), name


def test_a_pending_join_has_an_age():
    with World(broker_args=ANY) as world:
        ada, bob = world.users("ada", "bob")
        ada.ok("create", "tea")
        bob.ok("join", "tea")
        now = fresh_metrics(world, lambda now: now.value("pending_joins") == 1, "the join waits")
        first = now.value("pending_join_oldest_seconds")
        assert 0 <= first < 600, first
        fresh_metrics(world, lambda now: now.value("pending_join_oldest_seconds") > first, "it grows older")


def test_varz_has_the_same_numbers():
    with World(broker_args=ANY) as world:
        account(world, "ada")
        code, headers, text = get(world, "/varz")
        equal((code, headers["Content-Type"]), (200, "application/json"))
        varz, text_families = json.loads(text), metrics(world).families
        equal({"conclave_" + name for name in varz}, set(text_families), "families")
        equal(varz["draining"], 0)
        assert all(set(sample) == {"verb", "status", "value"} for sample in varz["requests_total"])
        equal(sum(bucket["count"] for bucket in varz["write_duration_seconds"]["buckets"]),
              varz["write_duration_seconds"]["count"])


# --- Health -----------------------------------------------------------------------------------

def ready_says(world, code, part):
    """In the end: a router that does not answer within a quarter of a second is not ready either."""
    def says():
        answer = get(world, "/readyz")
        return answer[0] == code and part in answer[2]
    wait_for(says, 20, f"/readyz says {code}, {part!r}")


def test_ready_until_the_store_is_full():
    with World(broker_args=ANY) as world:
        equal(get(world, "/healthz")[::2], (200, "ok\n"))
        ready_says(world, 200, "ready\n")
        world.broker.stop()
        path = config(world, "store-reserve-mb = 0\n")
        world.broker.args = ["--config", path, *ANY]
        world.broker.start()
        ready_says(world, 200, "ready\n")
        reload(world, "store-reserve-mb = 100000000\n")
        ready_says(world, 503, "store full")
        equal(status(world, "/healthz"), 200)
        equal(metrics(world).value("ready"), 0)
        reload(world, "store-reserve-mb = 0\n")
        wait_for(lambda: status(world, "/readyz") == 200, 20, "it is ready again, though nobody wrote")


def test_not_ready_while_draining():
    with World(broker_args=["--drain-seconds", "3600", *ANY]) as world:
        deaf = Deaf(world)
        ready_says(world, 200, "ready\n")
        after(world, 15, "stopping")
        ready_says(world, 503, "draining")
        equal(status(world, "/healthz"), 200)
        equal(metrics(world).value("draining"), 1)
        # Who comes before the end has reached the live page's events hears them end.
        wait_for(lambda: get(world, "/events")[::2] == (503, "draining: the broker is about to end\n"), 20, "no stream begins")
        equal(status(world, "/events", "HEAD"), 503)
        world.broker.process.send_signal(2)
        equal(world.broker.process.wait(20 * SLOW), 0)
        deaf.close()
        world.broker.start()


# --- Who may ask ------------------------------------------------------------------------------

def test_only_what_there_is_and_only_for_reading():
    with World(broker_args=ANY) as world:
        code, headers, text = get(world, "/metrics", "HEAD")
        equal((code, text), (200, ""))
        assert int(headers["Content-Length"]) > 1000
        # Of a stream nobody knows the length; and a HEAD takes no place from a live page.
        code, headers, text = get(world, "/events", "HEAD")
        equal((code, headers["Content-Type"], text), (200, "text/event-stream", ""))
        assert "Content-Length" not in headers, headers
        equal(metrics(world).value("http_streams"), 0)
        for path in ("/nothing", "/metrics/", "//", "/%2e%2e/etc/passwd", "/healthz/x"):
            equal(status(world, path), 404, path)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            code, headers, _ = get(world, "/metrics", method)
            equal((code, headers["Allow"]), (405, "GET, HEAD"), method)
        for path in ("/", "/metrics", "/nothing"):
            _, headers, _ = get(world, path)
            for name, part in {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store",
                               "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
                               "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin"}.items():
                contains(headers[name], part)
            assert not any(name.lower().startswith("access-control") for name in headers), headers
            assert "unsafe" not in headers["Content-Security-Policy"]


def test_a_name_that_points_here_is_no_way_in():
    with World(broker_args=ANY) as world:
        _, port = address(world)
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
            equal(status(world, "/varz", Host=host), 421, host)
        for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "[::1]"):
            equal(status(world, "/varz", Host=host), 200, host)
        equal(status(world, "/varz", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors"), 403)
        with socket.create_connection(address(world), 20 * SLOW) as raw:
            raw.sendall(b"GET /varz HTTP/1.0\r\n\r\n")
            contains(raw.recv(4096).decode(), " 421 ")


def token_file(world, text="correct-horse-battery-staple\n", mode=0o600):
    path = os.path.join(world.dir, "token")
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w", encoding="ascii") as file:
        file.write(text)
    return path


def test_a_token():
    world = World()
    world.broker.args = ["--http", "*:*", "--http-public", "yes", "--http-token-file", token_file(world)]
    with world:
        _, port = re.fullmatch(r"http://(.*):(\d+)/", events(world, "http_listening")[-1]["url"]).groups()
        equal(events(world, "http_listening")[-1]["url"], f"http://*:{port}/")

        def ask(path, **headers):
            client = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20 * SLOW)
            client.request("GET", path, headers=dict(headers, Host="broker.example"))
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders())

        code, headers = ask("/metrics")
        equal((code, headers["WWW-Authenticate"]), (401, 'Bearer realm="conclaved"'))
        equal(ask("/metrics", Authorization="Bearer correct-horse-battery-staplx")[0], 401)
        equal(ask("/metrics", Authorization="Bearer correct-horse-battery-staple")[0], 200)
        equal(ask("/metrics?token=correct-horse-battery-staple")[0], 200)
        for path in ("/", "/events", "/varz", "/?token=", "/?token=x"):
            equal(ask(path)[0], 401, path)
        for path in ("/healthz", "/readyz"):  # which the router may be too busy to be
            wait_for(lambda path=path: ask(path)[0] == 200, 20, path + " is served")
        assert "correct-horse" not in world.broker.log_text()


def refused_to_start(world, *parts, args):
    """By what only a start finds out: --check-config has nothing against it."""
    equal(conclaved("--check-config", *args).stdout, "OK\n")
    result = conclaved("--data", os.path.join(world.dir, "other"), "--listen", "tcp://127.0.0.1:*", *args)
    equal(result.returncode, 1, "exit code with " + " ".join(args))
    errors = [line for line in result.stderr.splitlines() if " error " in line]
    equal(len(errors), 1, "lines that tell of an error in " + result.stderr)
    for part in parts:
        contains(errors[0], part)


def refused_as_settings(world, *parts, args):
    """By the check and at the start, with the same words."""
    checked = conclaved("--check-config", *args)
    started = conclaved("--data", os.path.join(world.dir, "other"), "--listen", "tcp://127.0.0.1:*", *args)
    equal((checked.returncode, started.returncode, started.stderr), (2, 2, checked.stderr), "with " + " ".join(args))
    for part in parts:
        contains(checked.stderr, part)


def test_what_is_refused_at_the_start():
    with World() as world:
        token = token_file(world)
        public = ("--http-public", "yes")
        for args in (("--http", "0.0.0.0:*"), ("--http", "*:*"), ("--http", "[::]:*"), ("--http", "0.0.0.0:*", "--http-token-file", token)):
            refused_as_settings(world, "--http: others can reach", "'http-token-file'", args=args)
        for args in (public, ("--http", "0.0.0.0:*", *public)):
            refused_as_settings(world, "--http-public: yes needs 'http-token-file'", args=args)
        refused_to_start(world, "http_listen_failed", "no such host", args=("--http", "no.such.host.invalid:*"))
        with contextlib.suppress(socket.gaierror):
            if not socket.gethostbyname(socket.gethostname()).startswith("127."):
                refused_to_start(world, "http_listen_failed", "others can reach", "--http-token-file", args=("--http", socket.gethostname() + ":*"))
        for text in ("short\n", "with a blank in the middle\n"):
            token_file(world, text)
            refused_to_start(world, "http_token_refused", "make one", args=("--http", "127.0.0.1:*", "--http-token-file", token))
        token_file(world, mode=0o644)
        refused_as_settings(world, "--http-token-file: ", "chmod 600", args=("--http-token-file", token))
        refused_as_settings(world, "--http-token-file: No such file", args=("--http-token-file", token + "x"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            refused_to_start(world, "http_listen_failed", "another program", "--http off",
                             args=("--http", f"127.0.0.1:{taken.getsockname()[1]}"))


def test_the_default_port_may_be_taken():
    world = World()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # taken already: as good
            stack.enter_context(socket.create_server(("127.0.0.1", 5680)))
        process = subprocess.Popen([CONCLAVED, "--data", world.broker.data, "--listen", "tcp://127.0.0.1:*"],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=world.env)
        told = []
        for line in process.stderr:
            told.append(line)
            if " ready " in line:
                break
        process.terminate()
        process.communicate()
        equal(process.returncode, 0)
        matches("".join(told), r"warn +http_not_served port=5680 .*--http off")


# --- Misuse -----------------------------------------------------------------------------------

def half_requests(world, count):
    """Connections that begin a request and don't go on."""
    opened = []
    for number in range(count):
        raw = socket.socket()
        raw.setblocking(False)
        raw.connect_ex(address(world))
        opened.append(raw)
        with contextlib.suppress(OSError):
            raw.send((b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: loc", b"\x16\x03\x01" * 1000, b"\r\n" * 5000)[number % 5])
    return opened


def is_closed(raw):
    with contextlib.suppress(BlockingIOError):
        try:
            while raw.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
    return False


def test_half_requests_end():
    with World(broker_args=ANY) as world:
        opened = half_requests(world, 12)
        equal(status(world, "/metrics"), 200)
        # One that drips has no more time than the others.
        dripping = socket.create_connection(address(world))
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 60 * SLOW:
                dripping.send(b"x")
                dripping.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    if dripping.recv(4096):
                        continue
                    break
        assert time.monotonic() - started < 60 * SLOW, "it drips for ever"
        wait_for(lambda: all(is_closed(raw) for raw in opened), 30, "all are closed")
        wait_for(lambda: metrics(world).value("http_connections") == 1, 20, "none of them is counted")


def test_two_hundred_connections():
    with World(broker_args=ANY) as world:
        opened = half_requests(world, 70)
        # Beyond 64 there is health, and a refusal for the rest.
        wait_for(lambda: status(world, "/metrics") == 503, 20, "it is full")
        equal(status(world, "/healthz"), 200)
        opened += half_requests(world, 130)
        account(world, "ada")  # nobody of the broker's waits
        for raw in opened:
            raw.close()
        wait_for(lambda: status(world, "/metrics") == 200, 30, "there is room again")
        wait_for(lambda: metrics(world).value("http_connections") == 1, 30, "all are gone")


def test_much_in_a_request():
    with World(broker_args=ANY) as world:
        for request in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100000):
            raw = socket.create_connection(address(world), 20 * SLOW)
            with contextlib.suppress(OSError):
                raw.sendall(request)
                answer = raw.recv(64)
                assert not answer or answer.startswith(b"HTTP/1.") and b" 200 " not in answer, answer
            raw.close()
        equal(status(world, "/healthz"), 200)


if __name__ == "__main__":
    main(globals())
