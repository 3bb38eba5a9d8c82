# SPDX-License-Identifier: MPL-2.0
"""An OpenTelemetry collector for tests: keeps what is posted, answers as told, and knows what OTLP's JSON may hold."""
import http.server
import json
import re
import threading
import time

HEX_TRACE, HEX_SPAN, NUMBER = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9]+")


class Sink:
    """answers: what to do with each request in turn, then with all that follow; None is a plain success. A number is a status; a tuple
    a status, headers and a body; a function gets the handler, and answers itself."""

    def __init__(self, *answers, then=None):
        self.answers = list(answers)
        self.then = then
        self.requests = []  # (time, path, headers, body as bytes)
        self.lock = threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with sink.lock:
                    sink.requests.append((time.monotonic(), self.path, self.headers, body))
                    answer = sink.answers.pop(0) if sink.answers else sink.then
                if callable(answer):
                    answer(self)
                    return
                status, headers, text = (answer if isinstance(answer, tuple) else (answer or 200, {}, "{}"))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def bodies(self):
        with self.lock:
            return [json.loads(body) for _, _, _, body in self.requests]

    def spans(self):
        return [span for body in self.bodies() for resource in body["resourceSpans"] for scope in resource["scopeSpans"]
                for span in scope["spans"]]


def hang(handler):
    """Says nothing for long."""
    time.sleep(30)


def close(handler):
    handler.connection.close()
    handler.close_connection = True


def endless(handler):
    """A body without an end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        handler.close_connection = True


# --- What a body may hold (opentelemetry-proto, trace/v1, in its JSON mapping) ----------------

def keys(thing, required, optional=()):
    assert isinstance(thing, dict), thing
    assert set(required) <= set(thing) <= set(required) | set(optional), (sorted(thing), required)


def text(value, pattern=None):
    assert isinstance(value, str) and (pattern is None or pattern.fullmatch(value)), value


def count(value, most=2 ** 32 - 1):
    assert isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most, value


def attributes(things):
    """As a dictionary."""
    found = {}
    for thing in things:
        keys(thing, ["key", "value"])
        text(thing["key"])
        (kind, value), = thing["value"].items()
        if kind == "intValue":
            text(value, NUMBER)  # 64-bit integers are strings
            value = int(value)
        else:
            assert kind == "stringValue", kind
            text(value)
        assert thing["key"] not in found, thing
        found[thing["key"]] = value
    return found


def check_span(span):
    keys(span, ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes"],
         ["parentSpanId", "events", "droppedEventsCount", "links", "droppedLinksCount", "status"])
    text(span["traceId"], HEX_TRACE)
    text(span["spanId"], HEX_SPAN)
    text(span.get("parentSpanId", "0" * 16), HEX_SPAN)
    text(span["name"])
    assert span["kind"] in (1, 2, 3, 4, 5) and isinstance(span["kind"], int), span["kind"]
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        text(span[key], NUMBER)
        assert abs(int(span[key]) / 1e9 - time.time()) < 3600, span[key]
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
    attributes(span["attributes"])
    for event in span.get("events", []):
        keys(event, ["timeUnixNano", "name"], ["attributes"])
        text(event["timeUnixNano"], NUMBER)
        attributes(event.get("attributes", []))
    for link in span.get("links", []):
        keys(link, ["traceId", "spanId"], ["attributes"])
        text(link["traceId"], HEX_TRACE)
        text(link["spanId"], HEX_SPAN)
        attributes(link.get("attributes", []))
    assert len(span.get("links", [])) <= 128
    count(span.get("droppedLinksCount", 0))
    count(span.get("droppedEventsCount", 0))
    if "status" in span:
        keys(span["status"], ["code", "message"])
        assert span["status"]["code"] == 2


def check_body(body, version, instance):
    keys(body, ["resourceSpans"])
    for resource in body["resourceSpans"]:
        keys(resource, ["resource", "scopeSpans"])
        keys(resource["resource"], ["attributes"])
        wanted = {"service.name": "conclaved", "service.version": version, "service.instance.id": instance}
        found = attributes(resource["resource"]["attributes"])
        assert found == {key: value for key, value in wanted.items() if value}, found
        for scope in resource["scopeSpans"]:
            keys(scope, ["scope", "spans", "schemaUrl"])
            assert scope["scope"] == {"name": "conclave-trace", "version": version}, scope["scope"]
            assert scope["schemaUrl"] == "https://opentelemetry.io/schemas/1.44.0"
            assert 1 <= len(scope["spans"]) <= 512
            for span in scope["spans"]:
                check_span(span)
