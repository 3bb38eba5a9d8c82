# SPDX-License-Identifier: MPL-2.0
"""conclave-trace perfetto: the file's schema, its tracks, and that arrows lead from each send to who got it."""
import collections
import json
import os
import signal
import subprocess

from harness import BUILD, SLOW, World, contains, equal, main, room, wait_for
from operating import settle
from trace_test import message_to_the_killed

TRACE = os.path.join(BUILD, "conclave-trace")
# What each kind of event must have (Trace Event Format).
KEYS = {"B": {"name", "cat", "ts", "args"}, "E": {"ts"}, "X": {"name", "cat", "ts", "dur", "args"}, "i": {"name", "cat", "ts", "s"},
        "s": {"name", "cat", "ts", "id"}, "f": {"name", "cat", "ts", "id", "bp"}, "M": {"name", "args"}}


def trace(world, *args, code=0):
    if "--past-only" in args:
        settle(world)
    result = subprocess.run([TRACE, "--data", world.broker.data, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=60 * SLOW, env=world.env, check=False)
    equal(result.returncode, code, f"exit code; {result.stderr}")
    return result.stderr


def read(path):
    with open(path, encoding="ascii") as file:
        return json.load(file)["traceEvents"]


def track_of(event):
    return event["pid"], event["tid"]


def check_schema(events):
    for event in events:
        missing = (KEYS[event["ph"]] | {"pid", "tid"}) - set(event)
        assert not missing, (event, missing)
        assert event.get("ts", 0) >= 0 and event.get("dur", 0) >= 0, event
    named = {track_of(event) for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    equal({track_of(event) for event in events if event["ph"] != "M"} - named, set(), "tracks without a name")


def check_nesting(events):
    """On a track slices follow each other or nest, and time doesn't go back."""
    tracks = collections.defaultdict(list)
    for event in events:
        if event["ph"] in "BEXi":
            tracks[track_of(event)].append(event)
    for track in tracks.values():
        now, is_open = 0, False
        for event in track:
            at = round(event["ts"] * 1000)
            assert at >= now, (event, now)
            now = at + round(event.get("dur", 0) * 1000)
            if event["ph"] in "BE":
                assert is_open == (event["ph"] == "E"), event
                is_open = event["ph"] == "B"
        assert not is_open, "a slice that doesn't end"


def slices(events):
    """(track, start, end, event) of each slice."""
    found, begun = [], {}
    for event in events:
        track = track_of(event)
        if event["ph"] == "X":
            found.append((track, event["ts"], event["ts"] + event["dur"], event))
        elif event["ph"] == "B":
            begun[track] = event
        elif event["ph"] == "E":
            start = begun.pop(track)
            found.append((track, start["ts"], event["ts"], dict(start, args=dict(start["args"], **event.get("args", {})))))
    return found


def arrows(events):
    """(event where it starts, event where it ends) of each flow."""
    ends = collections.defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            ends[event["id"]].append(event)
    all_slices = slices(events)

    def at(event):
        inside = [(end - start, slice_) for track, start, end, slice_ in all_slices
                  if track == track_of(event) and start <= event["ts"] < end]
        assert inside, ("no slice below this end of an arrow", event)
        return min(inside, key=lambda pair: pair[0])[1]

    for number, pair in ends.items():
        equal([event["ph"] for event in pair], ["s", "f"], f"ends of arrow {number}")
    return [(at(start), at(end)) for start, end in ends.values()]


def names(events):
    return {track_of(event): event["args"]["name"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"}


def talk(world):
    alice, bob = world.users("alice", "bob")
    serve = room(world, "tea", alice, bob)
    listener = alice.start("listen", "tea")
    bob.ok("send", "tea", "one")
    bob.ok("send", "tea", "two")
    wait_for(lambda: len(listener.texts()) == 2, 30, "alice has both")
    equal(listener.stop(), 0)
    bob.ok("listen", "tea", "--count", "2", "--wait", "20")
    bob.run("join", "nowhere", "--wait", "1")
    equal(serve.stop(), 0)


def test_the_file_has_tracks_slices_and_arrows():
    with World(broker_args=["--trace-history", "100000"]) as world:
        talk(world)
        path = os.path.join(world.dir, "trace.json")
        trace(world, "--past-only", "perfetto", path)
        equal(os.stat(path).st_mode & 0o777, 0o600)
        events = read(path)
        check_schema(events)
        check_nesting(events)
        tracks = names(events)
        for name in ("store", "connections", "tea", "alice", "bob"):
            equal(list(tracks.values()).count(name), 1, f"tracks of {name}")
        found = [(tracks[track], slice_["name"], slice_["args"]) for track, _, _, slice_ in slices(events)]
        sends = [args for who, name, args in found if who == "bob" and name == "send" and args["status"] == "OK"]
        equal([args["group"] for args in sends], ["tea", "tea"])
        numbers = [args["sequence"] for args in sends]
        assert numbers[0] < numbers[1] and all(args["size_bytes"] > 0 and args["epoch"] > 0 for args in sends), sends
        writes = [args for who, name, args in found if who == "store" and name == "write"]
        assert writes and all(args["count"] > 0 and args["size_bytes"] > 0 for args in writes), writes
        equal({args["status"] for who, name, args in found if name == "lookup"}, {"OK", "UNKNOWN_GROUP"})
        led = [(tracks[track_of(start)], start["name"], tracks[track_of(end)], end["args"]) for start, end in arrows(events)]
        for number in numbers:
            equal([(who, name) for who, name, to, args in led if to == "tea" and args["sequence"] == number], [("bob", "send")])
            got = {to for who, name, to, args in led
                   if name == f"send #{number}" and args["sequence"] <= number <= args["last_sequence"]}
            equal(got, {"alice", "bob"}, "who is led to")


def test_no_arrow_leads_to_who_was_gone():
    with World(broker_args=["--trace-history", "100000"]) as world:
        sequence = message_to_the_killed(world)
        path = os.path.join(world.dir, "trace.json")
        trace(world, "--past-only", "perfetto", path)
        events = read(path)
        check_nesting(events)
        tracks = names(events)
        led = [tracks[track_of(end)] for start, end in arrows(events)
               if start["name"] == f"send #{sequence}" and end["args"]["sequence"] <= sequence <= end["args"]["last_sequence"]]
        assert "carol" in led and "bob" not in led, led
        dropped, = [event for event in events if event.get("cat") == "push dropped" and event["args"].get("sequence") == sequence]
        equal((tracks[track_of(dropped)], dropped["args"]["group"], dropped["args"]["reason"]), ("bob", "tea", "connection gone"))


def test_a_recording_gives_the_same_file():
    with World(broker_args=["--trace-history", "100000"]) as world:
        talk(world)
        recording, first, second = (os.path.join(world.dir, name) for name in ("steps", "first.json", "second.json"))
        trace(world, "--past-only", "record", recording)
        trace(world, "--from", recording, "perfetto", first)
        trace(world, "--from", recording, "--group", "tea", "perfetto", second)
        check_nesting(read(first))
        check_nesting(read(second))
        equal(len(arrows(read(first))), len(arrows(read(second))))
        with open(recording, "rb+") as file:
            file.truncate(os.path.getsize(recording) - 3)
        contains(trace(world, "--from", recording, "perfetto", os.path.join(world.dir, "third.json"), code=1), "cut off")
        check_nesting(read(os.path.join(world.dir, "third.json")))


def test_an_existing_file_is_left_alone():
    with World() as world:
        path = os.path.join(world.dir, "precious")
        with open(path, "w", encoding="ascii") as file:
            file.write("mine")
        contains(trace(world, "perfetto", path, code=1), "File exists")
        with open(path, encoding="ascii") as file:
            equal(file.read(), "mine")


def test_the_file_is_whole_whatever_ends_the_tool():
    for number in (signal.SIGINT, signal.SIGKILL):
        with World(broker_args=["--trace-history", "100000"]) as world:
            alice, = world.users("alice")
            path = os.path.join(world.dir, "trace.json")
            process = subprocess.Popen([TRACE, "--data", world.broker.data, "--past", "perfetto", path], stderr=subprocess.PIPE,
                                       env=world.env)
            alice.ok("create", "tea")

            def has_group(path=path):
                try:
                    return "tea" in names(read(path)).values()
                except (OSError, json.JSONDecodeError):  # it was read while it was written
                    return False

            wait_for(has_group, 30, "the group has a track")
            process.send_signal(number)
            process.communicate(timeout=20 * SLOW)
            equal(process.returncode, 0 if number == signal.SIGINT else -number)
            check_nesting(read(path))


if __name__ == "__main__":
    main(globals())
