# SPDX-License-Identifier: MPL-2.0
"""What perfetto and otlp make of steps that a real broker gives rarely or never, and of a collector that can't prove who it is."""
import json
import os
import shutil
import ssl
import subprocess

from harness import SLOW, Skip, contains, equal, main
from otlp_sink import Sink, attributes
from planted import NUDGE, REASONS, SEND, TRACED_MAX, record, step
from tracer_test import BOB, REPLACED, STORE_FAILED, TRACE, environment, folder, trace


def perfetto(path, out):
    trace("--from", path, "perfetto", out)
    with open(out, encoding="ascii") as file:
        return json.load(file)["traceEvents"]


def test_perfetto_takes_steps_with_gaps():
    with folder() as here:
        path = record(os.path.join(here, "steps"),
                      [step("received", user="ann", verb=SEND, time_us=1_000_000), step("received", **BOB, verb=SEND, time_us=1_000_100),
                       step("accepted", user="cid", verb=SEND, time_us=1_000_150),
                       *[step("appended", **BOB, verb=SEND, sequence=number, time_us=1_000_200 + number) for number in range(1, 101)],
                       step("handshake_failed", reason=REASONS["protocol"], time_us=1_000_400),
                       step("push_dropped", user="dan", verb=NUDGE, reason=REASONS["gone"], time_us=1_000_450)],
                      ([step("pushed", user="dan", group="tea", sequence=1, last_sequence=100, time_us=1_000_500)], 42))
        events = perfetto(path, os.path.join(here, "out.json"))
        requests = [event for event in events if event["ph"] in "BE"]
        equal([event["ph"] for event in requests], ["B", "E", "B", "E"], "each request is closed, though neither answer is there")
        assert all("status" not in event.get("args", {}) for event in requests), "an answer of somebody else is nobody's"
        push, = [event for event in events if event.get("cat") == "pushed"]
        equal(push["name"], "pushed #1-#100")
        led = [event for event in events if event["ph"] == "f" and event["tid"] == push["tid"]]
        equal(len(led), 64, "arrows to one delivery")
        lost, = [event for event in events if event.get("cat") == "lost"]
        equal(lost["args"], {"count": 42})
        nudge, = [event for event in events if event.get("cat") == "push dropped"]
        equal((nudge["args"]["push"], nudge["tid"], "sequence" in nudge["args"]), ("nudge", push["tid"], False))
        failed, = [event for event in events if event.get("cat") == "handshake failed"]
        equal(failed["args"]["reason"], "other protocol")


def test_perfetto_keeps_its_place_when_it_forgets_old_messages():
    """65,536 messages are known: who gets older ones has no arrow from them, and no arrow from another one."""
    with folder() as here:
        many = 65536 + 100
        numbers = list(range(1, many + 1))
        parts = [[step("appended", **BOB, verb=SEND, sequence=number, time_us=1_000_000 + number) for number in numbers[at:at + TRACED_MAX]]
                 for at in range(0, many, TRACED_MAX)]
        last = [step("pushed", user="dan", group="tea", sequence=number, last_sequence=number, time_us=2_000_000 + number)
                for number in (1, 100, 101, many)]
        events = perfetto(record(os.path.join(here, "steps"), *parts, last), os.path.join(here, "out.json"))
        starts = {event["id"]: event for event in events if event["ph"] == "s"}
        dan, = {event["tid"] for event in events if event.get("cat") == "pushed"}
        led = [starts[event["id"]]["ts"] for event in events if event["ph"] == "f" and event["tid"] == dan]
        equal(len(led), 2, "arrows")
        slices = {event["args"]["sequence"]: event["ts"] for event in events if event.get("cat") == "appended"}
        equal(led, [slices[101], slices[many]])


def spans_of(here, *pushes):
    with Sink() as sink:
        trace("--from", record(os.path.join(here, "steps"), *pushes), "otlp", sink.url)
        return sink.spans()


def test_spans_of_steps_that_real_brokers_seldom_take():
    ids = {"trace_id": b"t" * 16, "span_id": b"s" * 8}
    with folder() as here:
        spans = spans_of(
            here,
            [step("accepted", **BOB, verb=SEND, turn=1, span_id=b"x" * 8),  # its beginning was lost
             step("received", **BOB, verb=SEND, turn=2, **ids), step("accepted", **BOB, verb=SEND, turn=2, **ids),
             step("appended", **BOB, verb=SEND, turn=2, sequence=1, **ids),
             *[step("cursor_moved", **BOB, turn=2, sequence=number, **ids) for number in range(1, 201)],
             step("store_failed", turn=2, count=2, status=STORE_FAILED, duration_us=9),
             step("pushed", **BOB, turn=3, sequence=1, last_sequence=2**64 - 1, count=9),
             step("push_dropped", **BOB, turn=3, sequence=5, last_sequence=5, reason=REASONS["window_full"]),
             step("push_dropped", user="bob", verb=NUDGE, turn=3, count=1, reason=REASONS["gone"]),
             step("handshake_failed", reason=REASONS["authentication"], turn=0),
             step("session_ended", user="bob", turn=4, status=REPLACED)])
        by_name = {}
        for span in spans:
            by_name.setdefault(span["name"], []).append((span, attributes(span["attributes"])))
        (send, has), = by_name["send {group}"]
        equal((has["error.type"], send["status"]["code"]), ("STORE_FAILED", 2), "accepted, and not stored")
        assert len(send["events"]) + send["droppedEventsCount"] == 200 and send["droppedEventsCount"] > 0, send
        (write, has), = by_name["write"]
        equal((write["parentSpanId"], has["error.type"]), (send["spanId"], "STORE_FAILED"))
        pushes = by_name["push {group}"]
        whole = [span for span, has in pushes if "messaging.batch.message_count" in has][0]
        assert whole["droppedLinksCount"] >= 2**31 - 1, "as many as fit the format's number"
        dropped = [has for span, has in pushes if has.get("error.type")][0]
        equal(dropped["error.type"], "window_full")
        (nudge, has), = by_name["nudge"]
        equal((nudge["kind"], "links" in nudge, "parentSpanId" in nudge), (1, False, False), "no message, so nobody consumes one")
        equal((has["enduser.id"], has["error.type"], nudge["status"]["code"]), ("bob", "connection_gone", 2))
        equal([key for key in has if key.startswith(("messaging.message", "messaging.batch", "messaging.destination", "messaging.operation.type"))], [])
        (_, has), = by_name["handshake failed"]
        equal(has["error.type"], "not_allowed")
        (_, has), = by_name["session ended"]
        equal(has["messaging.conclave.cause"], "REPLACED")


def test_a_turn_of_very_many_requests_ends_early_and_whole():
    with folder() as here:
        many = 4096 + 10
        steps = [step("received", **BOB, verb=SEND, turn=2, request=number, span_id=number.to_bytes(8, "big")) for number in range(1, many + 1)]
        spans = spans_of(here, *[steps[at:at + TRACED_MAX] for at in range(0, many, TRACED_MAX)])
        equal(len({span["spanId"] for span in spans}), many)


def certificate(here, name, host):
    """A certificate that vouches for itself; (its file, its key's)."""
    files = os.path.join(here, name + ".pem"), os.path.join(here, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=it",
                    "-addext", "subjectAltName=" + host, "-out", files[0], "-keyout", files[1]], capture_output=True, timeout=60, check=True)
    return files


def test_a_collector_has_to_prove_who_it_is():
    if not shutil.which("openssl"):
        raise Skip("no openssl to make a certificate with")
    with folder() as here:
        steps = record(os.path.join(here, "steps"), [step("session_opened", user="bob")])
        mine, other = certificate(here, "mine", "IP:127.0.0.1"), certificate(here, "other", "IP:127.0.0.2")
        for shown, trusted, is_sent in ((mine, mine, True), (mine, None, False), (mine, other, False), (other, other, False)):
            with Sink() as sink:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                tls.load_cert_chain(*shown)
                sink.server.socket = tls.wrap_socket(sink.server.socket, server_side=True)
                env = environment(**({"OTEL_EXPORTER_OTLP_CERTIFICATE": trusted[0]} if trusted else {}))
                args = [TRACE, "--from", steps, "--header", "Authorization: secret", "otlp", sink.url.replace("http:", "https:")]
                with subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env) as process:
                    said_ = process.stderr.readline()
                    contains(said_, "sending spans to https://127.0.0.1:")
                    second = process.stderr.readline()
                    process.terminate()  # with a recording it would try for minutes
                    process.communicate(timeout=20 * SLOW)
                    contains(second, "1 spans sent" if is_sent else "certificate")
                    equal((process.returncode, len(sink.requests)), (0, 1) if is_sent else (1, 0))


if __name__ == "__main__":
    main(globals())
