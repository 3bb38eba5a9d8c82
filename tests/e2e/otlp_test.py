# SPDX-License-Identifier: MPL-2.0
"""conclave-trace otlp: what a collector gets, field by field, and that no collector, however bad, holds up the tool or the broker."""
import contextlib
import email.utils
import os
import re
import signal
import socket
import subprocess
import time

from harness import BUILD, SLOW, World, contains, equal, main, matches, room, wait_for
from otlp_sink import Sink, attributes, check_body, close, endless, hang
from operating import settle
from trace_test import message_to_the_killed, sent_and_pushed

TRACE = os.path.join(BUILD, "conclave-trace")
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)


def environment(world, **more):
    plain = {key: value for key, value in world.env.items() if not key.startswith("OTEL_")}
    return {**plain, "no_proxy": "*", **more}


def otlp(world, *args, code=0, **env):
    """Runs it to its end; what it said, and how long it took."""
    if "--past-only" in args:
        settle(world)
    started = time.monotonic()
    result = subprocess.run([TRACE, "--data", world.broker.data, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=60 * SLOW, env=environment(world, **env), check=False)
    equal(result.returncode, code, f"exit code; {result.stderr}")
    return result.stderr, time.monotonic() - started


@contextlib.contextmanager
def past():
    """A broker that remembers what happened when ada registered; world.steps is a recording of it."""
    with World(broker_args=["--trace-history", "100000"]) as world:
        world.users("ada")
        world.steps = os.path.join(world.dir, "steps")
        world.step_count = int(otlp(world, "--past-only", "record", world.steps)[0].split()[-2])
        yield world


def send_past(world, url, code=0, **env):
    return otlp(world, "--from", world.steps, "otlp", url, code=code, **env)[0]


def sent(said):
    """Spans and requests of the last line."""
    return tuple(int(number) for number in re.search(r"(\d+) spans sent in (\d+) requests", said).groups())


# --- What is sent -----------------------------------------------------------------------------

def named(spans, name, **wanted):
    found = []
    for span in spans:
        has = attributes(span["attributes"])
        if span["name"] == name and all(has.get(key.replace("_", ".")) == value for key, value in wanted.items()):
            found.append((span, has))
    return found


def context(span):
    return span["traceId"], span["spanId"]


def links(span):
    return {attributes(link.get("attributes", [])).get("messaging.message.id"): context(link) for link in span.get("links", [])}


def conversation(world):
    """Alice, who is connected, is pushed two messages, one of them traced by bob; carol fetches them. The sequences of both, and the traced one's
    context."""
    alice, bob, carol = world.users("alice", "bob", "carol")
    serve = room(world, "tea", alice, bob, carol)
    listener = alice.start("listen", "tea")
    plain, first = sent_and_pushed(world, bob, "tea", "one", "alice", listener)
    traced, second = sent_and_pushed(world, bob, "tea", "two", "alice", listener, "--trace")
    context_sent = traced["traceparent"].split("-")
    equal(listener.stop(), 0)
    carol.ok("listen", "tea", "--count", str(first + second), "--wait", "20")
    carol.run("join", "nowhere", "--wait", "1")
    equal(serve.stop(), 0)
    return plain["seq"], traced["seq"], (context_sent[1], context_sent[2])


def test_spans_field_by_field():
    with World(broker_args=["--trace-history", "100000"]) as world, Sink() as sink:
        *sequences, client = conversation(world)
        said, _ = otlp(world, "--past-only", "otlp", sink.url)
        version = subprocess.run([TRACE, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        _, path, headers, _ = sink.requests[0]
        equal((path, headers["Content-Type"], headers["User-Agent"]), ("/v1/traces", "application/json", f"conclave-trace/{version}"))
        for body in sink.bodies():
            check_body(body, version, world.broker.url.split("#")[1])
        spans = sink.spans()
        equal(sent(said), (len(spans), len(sink.requests)))
        equal(len({span["spanId"] for span in spans}), len(spans), "span ids")

        (plain, plain_has), (traced, traced_has) = [
            pair for number in sequences for pair in named(spans, "send {group}", messaging_message_id=f"tea/{number}") if "status" not in pair[0]]
        common = {"messaging.system": "conclave", "messaging.operation.name": "send", "messaging.operation.type": "send",
                  "messaging.destination.name": "tea", "messaging.destination.template": "{group}", "enduser.id": "bob"}
        for has in (plain_has, traced_has):
            equal({key: has[key] for key in common}, common)
            assert has["messaging.message.envelope.size"] > 100 and has["messaging.conclave.epoch"] > 0, has
            matches(has["messaging.message.id"], r"^tea/\d+$")
            assert "error.type" not in has
        # Whose span a message is created by is its producer: the broker's where the sender told of none.
        equal((plain["kind"], "parentSpanId" in plain), (PRODUCER, False))
        equal((traced["kind"], (traced["traceId"], traced["parentSpanId"])), (SERVER, client))
        for span in (plain, traced):
            assert int(span["endTimeUnixNano"]) > int(span["startTimeUnixNano"]), "a request ends when it is stored"

        for request, has, creation in ((plain, plain_has, context(plain)), (traced, traced_has, client)):
            number = has["messaging.message.id"]
            (push, push_has), = named(spans, "push {group}", messaging_message_id=number, enduser_id="alice")
            equal(push["kind"], CONSUMER)
            equal((push["traceId"], push["parentSpanId"]), context(request))
            equal(links(push), {number: creation})
            equal((push_has["enduser.id"], push_has["messaging.operation.type"], push_has["messaging.destination.name"]),
                  ("alice", "process", "tea"))
            assert push_has["messaging.message.envelope.size"] > 100
            fetched = [(span, links(span)[number]) for span, _ in named(spans, "fetch {group}", enduser_id="carol") if number in links(span)]
            # By one poll, or by two when the first one's answer was late.
            assert 1 <= len(fetched) == len({span["parentSpanId"] for span, _ in fetched}), fetched
            for span, link in fetched:
                equal(link, creation)
                poll, = [poll for poll in spans if context(poll) == (span["traceId"], span["parentSpanId"])]
                equal((poll["name"], poll["kind"], span["kind"]), ("poll_messages", SERVER, CONSUMER))
                equal(attributes(poll["attributes"])["messaging.operation.type"], "receive")

        for span, has in named(spans, "fetch {group}"):
            equal(has["messaging.operation.type"], "receive")
            batch = [key for key in has if key.startswith("messaging.batch")]
            equal(bool(batch), "messaging.message.id" not in has, "one message or several")
            equal(bool(batch), "messaging.message.envelope.size" not in has, "one message's size, as of a push")
        refused, = [(span, attributes(span["attributes"])) for span in spans if span["name"] == "lookup" and "status" in span]
        equal((refused[1]["error.type"], refused[0]["status"]), ("UNKNOWN_GROUP", {"code": 2, "message": "no such group"}))
        writes = [(span, attributes(span["attributes"])) for span in spans if span["name"] == "write"]
        assert writes and all(span["kind"] == CLIENT and has["db.system.name"] == "rocksdb" for span, has in writes)
        requests = {context(span) for span in spans if span["kind"] in (SERVER, PRODUCER)}
        written = set()
        for span, _ in writes:  # the broker's own, e.g. sweeps, have nothing above them
            above = {(span["traceId"], span["parentSpanId"])} if "parentSpanId" in span else {context(link) for link in span.get("links", [])}
            assert above <= requests, span
            written |= above
        assert {context(plain), context(traced)} <= written
        logins = [span for span, _ in named(spans, "login", enduser_id="alice")]
        equal([event["name"] for event in logins[0]["events"]], ["session opened"])
        moved = [attributes(event["attributes"]) for span, _ in named(spans, "poll_messages", enduser_id="carol")
                 for event in span.get("events", []) if event["name"] == "cursor moved"]
        assert {"messaging.destination.name": "tea", "messaging.conclave.sequence": int(traced_has["messaging.message.id"][4:])} in moved
        # A session ends with the login that replaces it, or by itself.
        assert "session ended" in [event["name"] for span, _ in named(spans, "login") for event in span.get("events", [])]
        equal({span["kind"] for span, _ in named(spans, "session ended")} - {INTERNAL}, set())


def test_a_push_to_who_was_gone_is_one_span_that_failed():
    with World(broker_args=["--trace-history", "100000"]) as world, Sink() as sink:
        number = f"tea/{message_to_the_killed(world)}"
        otlp(world, "--past-only", "otlp", sink.url)
        for body in sink.bodies():
            check_body(body, body["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"], world.broker.url.split("#")[1])
        spans = sink.spans()
        (request, _), = named(spans, "send {group}", messaging_message_id=number)
        (push, has), = named(spans, "push {group}", messaging_message_id=number, enduser_id="bob")
        equal((has["error.type"], has["messaging.destination.name"], push["kind"]), ("connection_gone", "tea", CONSUMER))
        equal((push["traceId"], push["parentSpanId"], links(push)), (*context(request), {number: context(request)}))
        (came, came_has), = named(spans, "push {group}", messaging_message_id=number, enduser_id="carol")
        equal(("status" in came, came_has["messaging.message.envelope.size"]), (False, has["messaging.message.envelope.size"]))
        for span in spans:
            assert not attributes(span["attributes"]).get("messaging.message.id", "/1").endswith("/0"), span


def test_a_recording_is_sent_whole():
    with past() as world, Sink() as sink:
        with open(world.steps, "rb") as file:
            content = file.read()
        path = os.path.join(world.dir, "many")
        with open(path, "wb") as file:  # more than there is room for
            file.write(content[:16] + content[16:] * (40000 // world.step_count))
        said, _ = otlp(world, "--from", path, "otlp", sink.url)
        equal(sent(said)[0], len(sink.spans()))
        for body in sink.bodies():
            check_body(body, body["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"], None)
        assert sent(said)[0] > 16384 and sent(said)[1] < 100, said


def test_headers_and_address_from_flags_file_and_environment():
    with past() as world, Sink() as sink:
        secret = os.path.join(world.dir, "headers")
        with open(secret, "w", encoding="ascii") as file:
            file.write("# the collector's\nAuthorization: Bearer of bad news\n\nX-Second: 2\n")
        otlp(world, "--from", world.steps, "--header", "X-Scope: a b", "--header", "@" + secret, "otlp",
             OTEL_EXPORTER_OTLP_ENDPOINT=sink.url + "/base/", OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b%2Cc, other=1")
        _, path, headers, _ = sink.requests[-1]
        equal(path, "/base/v1/traces")
        equal([headers[name] for name in ("X-Scope", "Authorization", "X-Second", "api-key", "other")],
              ["a b", "Bearer of bad news", "2", "a b,c", "1"])
        otlp(world, "--from", world.steps, "otlp", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=sink.url + "/whole")
        equal(sink.requests[-1][1], "/whole")
        send_past(world, sink.url + "/v1/traces")
        equal(sink.requests[-1][1], "/v1/traces")


def test_wrong_usage_is_named():
    with past() as world:
        for args, env, part in (
                (["otlp"], {}, "where to?"),
                (["otlp", "ftp://host"], {}, "must be http://HOST:PORT"),
                (["otlp", "http://"], {}, "must be http://HOST:PORT"),
                (["otlp", "a", "b"], {}, "usage: conclave-trace otlp [URL]"),
                (["--header", "no colon", "otlp", "http://localhost:1"], {}, "--header: a header must be 'NAME: VALUE'"),
                (["--header", "A: b\nC: d", "otlp", "http://localhost:1"], {}, "--header: a header must be"),
                (["--header", "@/nowhere", "otlp", "http://localhost:1"], {}, "/nowhere: No such file"),
                (["otlp", "http://localhost:1"], {"OTEL_EXPORTER_OTLP_HEADERS": "secret"}, "OTEL_EXPORTER_OTLP_HEADERS: a header"),
                (["otlp", "http://localhost:1"], {"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0aEvil: 1"}, "OTEL_EXPORTER_OTLP_HEADERS: a header"),
                (["otlp", "http://localhost:1"], {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "1 to 3600000 milliseconds")):
            said, _ = otlp(world, *args, code=2, **env)
            contains(said, part)
            assert "secret" not in said and "Evil" not in said


# --- Collectors that don't take everything ----------------------------------------------------

def test_what_can_be_tried_again_is():
    with past() as world:
        for status in (429, 502, 503, 504):
            with Sink(status) as sink:
                said = send_past(world, sink.url)
                contains(said, f"/v1/traces: HTTP {status}; trying again")
                contains(said, "takes spans again")
                equal(sink.requests[0][3], sink.requests[1][3], "the same batch")
                equal(sent(said), (len(sink.spans()) // 2, 2))


def test_retry_after_is_kept_in_seconds_and_as_a_date():
    def date():
        return email.utils.formatdate(time.time() + 2, usegmt=True)

    with past() as world:
        for value in (lambda: "2", date):
            def come_later(handler, value=value):
                handler.send_response(503)
                handler.send_header("Retry-After", value())
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            with Sink(come_later) as sink:
                send_past(world, sink.url)
                waited = sink.requests[1][0] - sink.requests[0][0]
                assert waited >= 0.8, waited  # a date has whole seconds; without it the wait is 0.5 s at most


def test_what_cant_be_tried_again_is_dropped_and_counted():
    body = '{"code": 3, "message": "bad \\u001b[31m spans"}'
    with past() as world:
        for status in (400, 401, 404, 413, 500, 501, 302):
            with Sink((status, {"Location": "/elsewhere"}, body)) as sink:
                said = send_past(world, sink.url, code=1)
                contains(said, f"HTTP {status}: bad ?[31m spans; its spans are dropped")
                matches(said, r"0 spans sent in 1 requests; [1-9]\d* rejected, 0 not delivered, 0 dropped")
                equal(len(sink.requests), 1)


def test_a_partial_success_is_reported():
    with past() as world:
        for number in ('"2"', "2"):
            with Sink((200, {}, f'{{"partialSuccess": {{"rejectedSpans": {number}, "errorMessage": "too\\nold"}}}}')) as sink:
                said = send_past(world, sink.url, code=1)
                contains(said, "some spans were rejected: too?old; they are dropped")
                contains(said, f"{len(sink.spans()) - 2} spans sent in 1 requests; 2 rejected")
        with Sink((200, {}, '{"partialSuccess": {"errorMessage": "use gzip"}}')) as sink:
            contains(send_past(world, sink.url), "warns: use gzip")


def test_an_answer_that_is_none_is_named_and_does_no_harm():
    with past() as world:
        for answer in ((200, {}, "<html>"), (200, {}, "[1]"), (200, {}, '"text"'), (200, {}, '{"partialSuccess": 7}'),
                       (200, {}, '{"partialSuccess": {"rejectedSpans": -1, "errorMessage": []}}'), (200, {}, ""), endless):
            with Sink(answer) as sink:
                said = send_past(world, sink.url)
                equal(sent(said), (len(sink.spans()), 1))
                is_json = isinstance(answer, tuple) and (answer[2] == "" or answer[2].startswith("{"))
                equal("its answer is not OTLP's JSON" in said, not is_json, said)


def test_a_collector_that_closes_is_tried_again():
    with past() as world, Sink(close, close) as sink:
        said = send_past(world, sink.url)
        contains(said, "trying again")
        equal(len(sink.requests), 3)
        equal(sent(said)[0], len(sink.spans()) // 3)


def ended_in_time(world, collector, trouble):
    """Lets it run until it has complained of its collector, ends it, and gives what it said."""
    process = subprocess.Popen([TRACE, "--data", world.broker.data, "--past", "otlp", f"http://127.0.0.1:{collector.getsockname()[1]}"],
                               stderr=subprocess.PIPE, text=True, env=environment(world, OTEL_EXPORTER_OTLP_TIMEOUT="700"))
    said = ""
    while trouble not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=20 * SLOW)[1]
    equal(process.returncode, 1, said)
    return said


def test_the_tool_ends_in_time_whatever_the_collector_does():
    with past() as world:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and reads nothing
            said, took = otlp(world, "--past-only", "otlp", f"http://127.0.0.1:{silent.getsockname()[1]}", code=1, OTEL_EXPORTER_OTLP_TIMEOUT="700")
            # Which comes first, the limit of the request or that of the whole.
            matches(said, r"Timeout was reached; trying again|it did not answer before the end; its spans are lost")
            assert took < 20 * SLOW, took
            said = ended_in_time(world, silent, "Timeout was reached; trying again")
            matches(said, r"0 spans sent in \d+ requests; 0 rejected, [1-9]\d* not delivered")
        with socket.socket() as closed:  # nobody listens, and nobody else can have the port
            closed.bind(("127.0.0.1", 0))
            ended_in_time(world, closed, "Couldn't connect to server; trying again")
        with Sink(then=(503, {"Retry-After": "3600"}, "")) as sink:
            _, took = otlp(world, "--past-only", "otlp", sink.url, code=1)
            equal(len(sink.requests), 1)
            assert took < 20 * SLOW, took


def test_a_signal_sends_what_waits_and_has_a_limit():
    with past() as world:
        for answer, code, limit_ms in ((None, 0, "60000"), (hang, 1, "1500")):
            with Sink(then=answer) as sink:
                process = subprocess.Popen([TRACE, "--data", world.broker.data, "--past", "otlp", sink.url], stderr=subprocess.PIPE, text=True,
                                           env=environment(world, OTEL_EXPORTER_OTLP_TIMEOUT=limit_ms))
                contains(process.stderr.readline(), "sending spans to " + sink.url)
                wait_for(lambda sink=sink: sink.requests, 20, "a first batch")
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=20 * SLOW)[1]
                equal(process.returncode, code, said)
                if code == 0:
                    equal(sent(said)[0], len(sink.spans()))


def test_a_hanging_collector_does_not_hold_up_the_broker():
    with World() as world, Sink(then=hang) as sink:
        process = subprocess.Popen([TRACE, "--data", world.broker.data, "otlp", sink.url], stderr=subprocess.PIPE, text=True,
                                   env=environment(world, OTEL_EXPORTER_OTLP_TIMEOUT="1000"))
        contains(process.stderr.readline(), "sending spans to")
        ada, = world.users("ada")
        ada.ok("create", "tea")
        wait_for(lambda: sink.requests, 20, "a first batch")
        ada.ok("send", "tea", input="".join(f"{i}\n" for i in range(20)))
        equal(len(ada.texts("tea")), 20)
        equal(world.broker.stop(), 0)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30 * SLOW)[1]
        equal(process.returncode, 1)
        contains(said, "not delivered")
        world.broker.start()


if __name__ == "__main__":
    main(globals())
