# SPDX-License-Identifier: MPL-2.0
"""What conclave-trace makes of steps and answers that a real broker gives rarely or never: planted recordings and a planted broker."""
import contextlib
import json
import os
import pty
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import BUILD, SLOW, contains, equal, main, matches, wait_for
from planted import (BACKUP, EXPLAIN, GONE, MALFORMED, NOT_FOUND, NUDGE, OK, OVERVIEW, POLL_MESSAGES, REASONS, SEND, STORE_FULL, TOO_MANY, TRACED_MAX, UNWATCH, WATCH,
                     PlantedBroker, record, step, traced)

TRACE = os.path.join(BUILD, "conclave-trace")
BOB = {"user": "bob", "group": "tea"}
STALE_EPOCH, BAD_CURSOR, REPLACED, STORE_FAILED = 50, 60, 20, 71


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="conclave-tracer-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


def environment(**more):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "XDG_", "NO_COLOR"))}
    return {**plain, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm", "HOME": "/nonexistent", "no_proxy": "*", **more}


def trace(*args, code=0, stdout=subprocess.PIPE, cwd=None, preexec_fn=None, **env):
    """Runs it to its end; (standard output, standard error)."""
    done = subprocess.run([TRACE, *args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          timeout=60 * SLOW, env=environment(**env), cwd=cwd, preexec_fn=preexec_fn, check=False)
    equal(done.returncode, code, f"exit code of {args}; {done.stdout} {done.stderr}")
    return done.stdout or "", done.stderr


def said(*args, code, **options):
    """What it complained of, in lines."""
    out, err = trace(*args, code=code, **options)
    equal(out, "")
    return err


# --- watch ------------------------------------------------------------------------------------

# Each kind of step, and how a person reads it.
LINES = [
    (step("received", **BOB, verb=SEND, size_bytes=300), "       bob → tea        send           received 300 B"),
    (step("received", verb=3, size_bytes=2_500_000), "  somebody → broker     challenge      received 2.5 MB"),
    (step("received", user="bob", verb=127), "       bob → broker     request        received 0 B"),
    (step("accepted", **BOB, verb=SEND), "       bob → tea        send           accepted"),
    (step("refused", **BOB, verb=SEND, status=STALE_EPOCH),
     "       bob → tea        send           refused: the group has moved on to a newer epoch"),
    (step("refused", **BOB, verb=POLL_MESSAGES, status=BAD_CURSOR),
     "       bob → tea        poll_messages  refused: the cursor lies ahead of the group's log"),
    (step("appended", **BOB, verb=SEND, sequence=17, epoch=3), "       bob → tea        send           appended #17 epoch 3"),
    (step("stored", count=1, size_bytes=1500, duration_us=900), "     store              stored 1 record, 1.5 kB in 900 µs"),
    (step("store_failed", count=2, size_bytes=999, duration_us=2_500_000, status=STORE_FAILED),
     "     store              STORE_FAILED 2 records, 999 B in 2.5 s"),
    (step("fanned_out", group="tea", count=1, sequence=17, last_sequence=17), "       tea → 1 member #17"),
    (step("fanned_out", group="tea", count=3, sequence=17, last_sequence=19), "       tea → 3 members #17-#19"),
    (step("pushed", **BOB, sequence=17, last_sequence=19), "       tea → bob        pushed #17-#19"),
    (step("push_dropped", **BOB, sequence=17, last_sequence=17, reason=REASONS["window_full"]),
     "       tea ✗ bob        not pushed: window full #17"),
    (step("fetched", **BOB, sequence=17, last_sequence=17), "       tea → bob        fetched #17"),
    (step("cursor_moved", **BOB, sequence=17), "       tea → bob        has all up to #17"),
    (step("cursor_moved", **BOB), "       tea → bob        has nothing yet"),
    (step("session_opened", user="bob", purpose=1), "       bob ●            session opened (events)"),
    (step("session_ended", user="bob", purpose=2, status=REPLACED),
     "       bob ●            session ended (duties): a newer session of the same user has taken over"),
    (step("handshake_failed", reason=REASONS["protocol"]), "  somebody ✗ handshake failed: other protocol"),
    (step("handshake_failed", reason=200), "  somebody ✗ handshake failed: ?"),
    (step(99), "a step that this version doesn't know"),
    (step("appended", **BOB, verb=SEND, sequence=17), "       bob → tea        send           appended #17"),
    (step("push_dropped", user="bob", verb=NUDGE, count=1, reason=REASONS["queue_full"]),
     "    broker ✗ bob        nudge not pushed: queue full"),
]
STORE_LINES = [text for record_, text in LINES if text.startswith("     store")]


def watch(path, *args, **env):
    lines = trace("--from", path, *args, "watch", **env)[0].splitlines()
    for line in lines:
        assert line.startswith("00:00:01.000000 "), line
    return [line[16:] for line in lines]


def test_watch_has_a_line_for_each_kind_of_step():
    with folder() as here:
        path = record(os.path.join(here, "steps"), [record_ for record_, text in LINES])
        equal(watch(path), [text for record_, text in LINES])
        plain = [text.replace("→", "->").replace("✗", "x").replace("●", "*").replace("µs", "us") for record_, text in LINES]
        equal(watch(path, LC_ALL="C"), plain)


def test_watch_leaves_out_polls_that_are_no_news():
    with folder() as here:
        idle = [step("received", **BOB, verb=POLL_MESSAGES, size_bytes=90), step("accepted", **BOB, verb=POLL_MESSAGES)]
        told = step("fetched", **BOB, verb=POLL_MESSAGES, sequence=1, last_sequence=1)
        path = record(os.path.join(here, "steps"), [*idle, told])
        equal(watch(path), ["       tea → bob        fetched #1"])
        equal(watch(path, "--polls")[:2], ["       bob → tea        poll_messages  received 90 B", "       bob → tea        poll_messages  accepted"])
        equal(len(trace("--from", path, "--json", "watch")[0].splitlines()), 3)


def test_watch_filters():
    with folder() as here:
        path = record(os.path.join(here, "steps"), [record_ for record_, text in LINES])
        equal(watch(path, "--status", "STALE_EPOCH"), [LINES[4][1], *STORE_LINES])
        equal(watch(path, "--refused"), [LINES[i][1] for i in (4, 5, 8, 12, 18, 19, 22)])
        for status in ("OK", "BAD_SEAL", "nonsense"):  # done, none of the broker's, none
            contains(said("--from", path, "--status", status, "watch", code=2), "--status: it must be a status")
        contains(said("--from", path, "--for", "0", "watch", code=2), "--for: it must be 1 to 1000000 seconds")
        contains(said("--from", path, "--share", "1001", "watch", code=2), "--share: it must be 1 to 1000")
        contains(said("--from", path, code=2), "which command?")
        contains(said("--bogus", "watch", code=2), "--help")


def test_lost_steps_are_told_where_they_were_lost_and_at_the_end():
    with folder() as here:
        one = [step("cursor_moved", **BOB)]
        path = record(os.path.join(here, "steps"), one, (one, 7), ([], 30))
        out, err = trace("--from", path, "watch")
        equal([line[16:] if line[0] == "0" else line for line in out.splitlines()],
              [LINES[15][1], LINES[15][1], "... 7 steps were lost here", "... 30 steps were lost here"])
        contains(err, "37 steps were lost")
        out, _ = trace("--from", path, "--json", "watch")
        equal([line for line in map(json.loads, out.splitlines()) if "lost" in line], [{"lost": 7}, {"lost": 30}])


def on_a_terminal(*args, **env):
    """What it wrote to a terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen([TRACE, *args], stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment(**env)) as process:
        os.close(follower)
        out = b""
        with contextlib.suppress(OSError):  # EIO: nobody writes to it any more
            while part := os.read(leader, 65536):
                out += part
        process.wait(60 * SLOW)
    os.close(leader)
    return out.decode()


def test_colours_on_a_terminal_that_wants_them():
    with folder() as here:
        path = record(os.path.join(here, "steps"), [LINES[4][0]])
        contains(on_a_terminal("--from", path, "watch"), "\033[1;31mrefused\033[0m: the group")
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert "\033" not in on_a_terminal("--from", path, "watch", **env), env


def test_a_recording_can_not_drive_a_terminal():
    with folder() as here:
        path = os.path.join(here, "steps")
        for name in ("\033[2J", "a\nb", "é", "Bob"):
            record(path, [step("session_opened", user=name)])
            contains(said("--from", path, "watch", code=1), "the recording is damaged")
        contains(said("--from", here, "watch", code=1), "Is a directory")
        contains(said("--from", os.path.join(here, "none"), "watch", code=1), "No such file")


# --- Output that can't be written -------------------------------------------------------------

def test_a_full_disk_is_told_and_is_a_failure():
    with folder() as here:
        path = record(os.path.join(here, "steps"), [LINES[0][0]])
        for args in (["watch"], ["--json", "watch"], ["--help"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                contains(trace("--from", path, *args, code=1, stdout=full)[1], "No space left on device")


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def test_a_file_that_can_not_be_written_whole_is_a_failure():
    with folder() as here:
        many = [LINES[0][0]] * TRACED_MAX
        path = record(os.path.join(here, "steps"), *[many] * 64)
        for command in ("record", "perfetto"):
            contains(said("--from", path, command, os.path.join(here, command), code=1, preexec_fn=small_files), "File too large")
        contains(trace("--from", path, "record", os.path.join(here, "copy"))[1], f"copy: {64 * TRACED_MAX} steps")


# --- explain ----------------------------------------------------------------------------------

def facts(**more):
    """An answer to explain: message 17 of tea."""
    given = {"kind": 1, "sender": "bob", "epoch": 3, "readers": [], "more": 0, **more}
    return OK, [bytes(16), given["kind"], 0, given["sender"], 300, given["epoch"], 20, given["readers"], given["more"]]


def answering(**answers):
    """Answers of a broker that remembers nothing."""
    verbs = {"watch": WATCH, "unwatch": UNWATCH, "explain": EXPLAIN, "overview": OVERVIEW, "backup": BACKUP}
    table = {WATCH: lambda fields: [(OK, [0, 0]), *([traced([])] if fields[-1] else [])], UNWATCH: lambda fields: [(OK, [])]}
    return {**table, **{verbs[name]: answer for name, answer in answers.items()}}


def test_explain_calls_each_kind_of_event_by_its_name():
    with folder() as here:
        kind = 0
        answers = answering(explain=lambda fields: [facts(kind=kind, sender="bob" if kind else "")])
        with PlantedBroker(here, answers) as broker:
            for kind, text in enumerate(("an event of somebody", "a message of bob", "a commit of bob", "a leave of bob", "an event of bob")):
                contains(trace("--data", here, "explain", "tea", "17")[0], f"tea #17: {text}, 300 B sealed, epoch 3")
                story = json.loads(trace("--data", here, "--json", "explain", "tea", "17")[0])
                equal(story["kind"], ("", "message", "commit", "leave", "")[kind])
            assert broker.asked[-1][0] == UNWATCH, "its place as a listener is given back"


def test_explain_says_who_waits_and_why():
    with folder() as here:
        readers = [["ann", 17, 1, 0], ["bob", 3, 1, 0], ["cid", 2, 0, 0], ["dan", 0, 1, 0], ["fay", 5, 0, 18]]
        at = {"turn": 4, "group": "tea", "sequence": 16, "last_sequence": 18}
        steps = [step("received", group="tea", user="bob", verb=SEND, turn=4, size_bytes=400, span_id=b"12345678", time_us=1_000_000),
                 step("appended", group="tea", user="bob", verb=SEND, turn=4, sequence=17, last_sequence=17, epoch=3, span_id=b"12345678",
                      time_us=1_000_100),
                 step("stored", turn=4, count=5, size_bytes=2000, duration_us=1200, time_us=1_002_000),
                 step("fanned_out", **at, count=2, time_us=1_002_100),
                 step("pushed", **at, user="ann", time_us=1_002_200),
                 step("push_dropped", **at, user="dan", reason=REASONS["queue_full"], time_us=1_002_300),
                 step("fetched", **at, user="eve", time_us=1_000_000 - 1),
                 step("cursor_moved", group="tea", user="ann", sequence=16), step("cursor_moved", group="milk", user="bob", sequence=17)]
        pasts = []
        answers = answering(explain=lambda fields: [facts(readers=readers, more=1)],
                            watch=lambda fields: [traced([step("session_opened", user="ann")]), (OK, [0, 0]), *pasts])
        pasts += [traced(steps[:1] * TRACED_MAX), traced(steps)]
        with PlantedBroker(here, answers):
            # What is pushed before the answer to watch comes first, and is no full push: the past has ended before it began.
            contains(trace("--data", here, "explain", "tea", "17")[0], "remembers no step of it")
            answers[WATCH] = lambda fields: [(OK, [0, 0]), *pasts]
            text = trace("--data", here, "explain", "tea", "17")[0]
            for line in ("00:00:01.000000 received, send of 400 B", "00:00:01.000100 accepted as #17 of epoch 3, +100 µs",
                         "stored in a batch of 5 records and 2.0 kB, synced in 1.2 ms, +2.0 ms", "pushed to 2 members, +2.1 ms",
                         "ann          pushed +2.2 ms acknowledged\n", "bob          not acknowledged yet, has all up to #3\n",
                         "cid          offline, has all up to #2\n", "dan          not delivered: queue full; will fetch by poll; not acknowledged yet, has all up to #0\n", "fay          left with #18\n",
                         "eve          fetched at 00:00:00.999999\n", "and more than these 1024\n", "Still waiting for 3 of 4 readers."):
                contains(text, line)
            story = {reader["name"]: reader for reader in json.loads(trace("--data", here, "--json", "explain", "tea", "17")[0])["readers"]}
            equal({name: reader["has_it"] for name, reader in story.items()}, {"ann": True, "bob": False, "cid": False, "dan": False, "eve": False, "fay": False})
            equal({name for name, reader in story.items() if reader["left"]}, {"fay"}, "of those beyond the list it isn't known")
            equal((story["dan"]["reason"], story["dan"]["dropped_us"]), ("queue full", 1_002_300))


def test_explain_knows_whose_it_was_when_the_list_is_whole():
    with folder() as here:
        at = {"group": "tea", "sequence": 17, "last_sequence": 17}
        steps = [step("appended", group="tea", user="bob", verb=SEND, sequence=17, last_sequence=17, time_us=1_000_100),
                 step("pushed", **at, user="eve", time_us=1_000_200),
                 step("push_dropped", **at, user="gus", reason=REASONS["left"], time_us=1_000_300),
                 step("cursor_moved", group="tea", user="new", sequence=30)]
        answers = answering(explain=lambda fields: [facts(epoch=0, readers=[["ann", 17, 1, 0], ["gus", 3, 0, 17]])],
                            watch=lambda fields: [(OK, [0, 0]), traced(steps)])
        with PlantedBroker(here, answers):
            text = trace("--data", here, "explain", "tea", "17")[0]
            for line in ("tea #17: a message of bob, 300 B sealed, 00:00:00", "accepted as #17, +0 µs\n", "eve          pushed +100 µs left\n",
                         "gus          not delivered: left; left with #17\n", "All 1 readers have it."):
                contains(text, line)
            assert "epoch" not in text and "new" not in text, text
            story = json.loads(trace("--data", here, "--json", "explain", "tea", "17")[0])
            equal({reader["name"]: reader["left"] for reader in story["readers"]}, {"ann": False, "gus": True, "eve": True})
            assert "epoch" not in story, story


def test_explain_from_a_recording_that_lacks_it():
    with folder() as here:
        path = record(os.path.join(here, "steps"), [step("appended", **BOB, verb=22, sequence=3, last_sequence=3, epoch=1)])
        contains(said("--from", path, "explain", "tea", "17", code=1), "the recording says nothing of it")
        contains(trace("--from", path, "explain", "tea", "3")[0], "tea #3: an event of bob")
        for number in ("0", "+1", "17x", "", "99999999999999999999"):
            contains(said("--from", path, "explain", "tea", number, code=2), "explain tea 17")
        contains(said("--from", path, "explain", "No/Name", "3", code=2), "explain tea 17")


def test_explain_passes_on_what_the_broker_refuses():
    with folder() as here:
        status = NOT_FOUND
        with PlantedBroker(here, answering(explain=lambda fields: [(status, [])])) as broker:
            for status, text in ((NOT_FOUND, "the group has no such message"), (GONE, "deleted already"), (30, "no such group")):
                contains(said("--data", here, "explain", "tea", "17", code=1), f"tea #17: {text}")
            status = 72
            said("--data", here, "explain", "tea", "17", code=3)
            broker.answers[EXPLAIN] = lambda fields: [facts()]
            broker.answers[WATCH] = lambda fields: [(TOO_MANY, [])]
            contains(said("--data", here, "explain", "tea", "17", code=1), "what the broker remembers: a limit on how many is reached")
        contains(said("--data", os.path.join(here, "none"), "explain", "tea", "17", code=3), "no running broker")


# --- top --------------------------------------------------------------------------------------

def overview(joins=(0, 0), leaves=(0, 0), loads=(), slow=()):
    return OK, [61_000, 5, 4, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, *joins, *leaves, 0, list(loads), list(slow)]


def ago(seconds):
    return int((time.time() - seconds) * 1000)


def test_top_shows_what_waits_who_is_busy_and_who_is_slow():
    loads = [["tea", 9, 4, 3, 20, 2, ago(630), 1, ago(1000)], ["milk", 2, 2, 1, 9, 0, 0, 3, ago(9000)], ["calm", 2, 2, 1, 9, 0, 0, 0, 0]]
    slow = [["cid", 1, 700, 0], ["ann", 1, 5, 0], ["dan", 1, 0, 0]]
    steps = [step("received", **BOB, verb=SEND, turn=7, time_us=1_000), step("accepted", **BOB, verb=SEND, turn=7, sequence=1, time_us=1_010),
             step("received", user="ann", group="milk", verb=SEND, turn=8, time_us=2_000),
             step("refused", user="ann", group="milk", verb=SEND, turn=8, status=STALE_EPOCH, time_us=2_003),
             *[step("appended", **BOB, verb=SEND, sequence=n) for n in (1, 2, 3)], step("appended", user="ann", group="milk", sequence=1),
             step("pushed", **BOB, sequence=1, last_sequence=2, count=2), step("fetched", user="ann", group="milk", sequence=1, count=1),
             step("push_dropped", user="ann", group="milk", sequence=1, last_sequence=1),
             step("stored", turn=7, duration_us=800, time_us=5_000)]
    with folder() as here:
        answers = answering(overview=lambda fields: [overview((2, ago(60)), (4, ago(9000)), loads, slow)],
                            watch=lambda fields: [traced([step("session_opened", user="bob"), *steps], 11), (OK, [0, 0])])
        with PlantedBroker(here, answers):
            text = trace("--data", here, "--for", "1", "top")[0]
            for line in ("requests 2 (1 refused), messages 4, pushed 2, fetched 1, pushes dropped 1\n",
                         "answered: half within 3 µs, 90 % 4.1 ms, 99 % 4.1 ms, all 4.1 ms\n", "written : half within 895 µs,",
                         "up for 61 s; connections 5, sessions 4, users online 3, groups in memory 2\n",
                         "; 4 to be rekeyed out, the oldest for 2 h\n",
                         "  tea            2 in, the oldest for 10 min, 1 out, the oldest for 16 min; 4 of 9 members online\n",
                         "  milk           0 in, 3 out, the oldest for 2 h; 2 of 2 members online\n",
                         "busiest groups       messages/s  deliveries/s\n  tea                         3             2\n"
                         "  milk                        1             1\n",
                         "slow clients         messages not acknowledged\n  cid                       700\n  ann                         5\n",
                         "steps lost so far, and not counted above: 11\n"):
                contains(text, line)
            matches(text, r"(?m)^waiting: 2 to be let in, the oldest for [6-9]\d s;")
            assert "calm" not in text and "dan" not in text, text
            line = json.loads(trace("--data", here, "--for", "1", "--json", "top")[0])
            equal([line[key] for key in ("messages", "refused", "pending_joins", "pending_leaves", "lost")], [4, 1, 2, 4, 11])
            equal([line[f"answer_{share}_us"] for share in ("p50", "p90", "p99", "max")], [3, 4095, 4095, 4095])
            equal([line[key] for key in ("answers", "syncs", "sync_p50_us", "sync_max_us")], [2, 1, 895, 895])
            equal(line["busiest"], [{"group": "tea", "messages": 3, "deliveries": 2}, {"group": "milk", "messages": 1, "deliveries": 1}])
            equal(line["slow"], [{"user": "cid", "behind": 700}, {"user": "ann", "behind": 5}])
            equal(line["waiting"], [{"group": "tea", "pending_joins": 2, "oldest_join_ms": loads[0][6], "pending_leaves": 1,
                                     "oldest_leave_ms": loads[0][8], "members": 9, "online": 4},
                                    {"group": "milk", "pending_joins": 0, "pending_leaves": 3, "oldest_leave_ms": loads[1][8], "members": 2,
                                     "online": 2}])
            contains(on_a_terminal("--data", here, "--for", "1", "top"), "\033[H\033[J")
        contains(said("--from", os.path.join(here, "steps"), "top", code=2), "--from has none")


def test_top_ends_when_the_broker_has_no_answer_any_more():
    with folder() as here:
        status = 72
        with PlantedBroker(here, answering(overview=lambda fields: [(status, [])])) as broker:
            trace("--data", here, "top", code=3)
            status = STORE_FULL
            trace("--data", here, "top", code=1)
            broker.answers[OVERVIEW] = lambda fields: [b"\xff\xff"]
            trace("--data", here, "top", code=1)
            broker.answers[OVERVIEW] = lambda fields: []
            contains(said("--data", here, "top", code=3), "the broker has gone")


# --- A connection to a broker -----------------------------------------------------------------

def test_what_is_pushed_before_an_answer_is_kept_in_order():
    with folder() as here:
        early = [traced([step("cursor_moved", **BOB, sequence=number)]) for number in range(1, 300)]
        with PlantedBroker(here, answering(watch=lambda fields: [*early, (OK, [0, 0]), traced([step("cursor_moved", **BOB, sequence=300)])])):
            process = subprocess.Popen([TRACE, "--data", here, "--json", "watch"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment())
            # As many as there is room for; what comes after the answer is not lost for it.
            found = []
            while not found or found[-1] < 300:
                found.append(json.loads(process.stdout.readline())["sequence"])
            process.terminate()
            equal((found, process.communicate(timeout=30 * SLOW)[0], process.returncode), ([*range(1, 257), 300], "", 0))


def test_a_broker_that_refuses_or_talks_nonsense():
    with folder() as here:
        answer = []
        with PlantedBroker(here, answering(watch=lambda fields: answer)):
            for answer, text, code in (([(TOO_MANY, [])], "too many watch already", 1), ([(72, [])], "doesn't let us watch", 3),
                                       ([b"nonsense"], "malformed", 1), ([(MALFORMED, [])], "malformed", 1), ([], "does not answer", 3),
                                       ([(OK, [0, 0]), b"nonsense"], "malformed", 1)):
                contains(said("--data", here, "--for", "20", "watch", code=code), text)


def test_a_broker_that_goes_silent_has_gone():
    with folder() as here:
        with PlantedBroker(here, answering(watch=lambda fields: [(OK, [0, 0]), traced([])])):
            contains(said("--data", here, "watch", code=3), "the broker has gone")


def test_a_broker_that_lets_a_handshake_go_is_asked_again():
    with folder() as here, socket.socket(socket.AF_UNIX) as busy:
        busy.bind(os.path.join(here, "operator.sock"))
        busy.listen()
        process = subprocess.Popen([TRACE, "--data", here, "--past-only", "watch"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        first, _ = busy.accept()
        time.sleep(2.5)  # where nobody listens for two seconds no broker is
        first.close()
        os.remove(os.path.join(here, "operator.sock"))
        with PlantedBroker(here, answering()):
            equal((process.communicate(timeout=60 * SLOW)[1], process.returncode), ("", 0))


def test_where_the_broker_is_looked_for():
    with folder() as here:
        data = os.path.join(here, "conclave-broker")
        contains(said("watch", code=3, HOME=""), "set HOME")
        contains(said("watch", code=3, XDG_DATA_HOME=here), f"no running broker of yours in {data}")
        os.mkdir(data, 0o700)
        with PlantedBroker(data, answering()):
            trace("--past-only", "watch", XDG_DATA_HOME=here)
        key = os.path.join(here, "key")
        trace("keygen", key)
        url = "tcp://127.0.0.1:9#" + "A" * 43
        for address in ("tcp://127.0.0.1:9", "nonsense", url + "A"):
            contains(said("--broker", address, "--key", key, "watch", code=3), "--broker: the address is not of the form")
        contains(said("--broker", url, "watch", code=3), "keygen")
        contains(said("--broker", url, "--key", os.path.join(here, "none"), "watch", code=3), "No such file")
        link = os.path.join(here, "link")
        os.symlink(key, link)
        said("--broker", url, "--key", link, "watch", code=3)
        with open(key, "r+", encoding="ascii") as file:
            file.write("!")
        contains(said("--broker", url, "--key", key, "watch", code=3), "it holds no operator's key")


def test_signals_end_it_wherever_it_waits():
    with folder() as here:
        with PlantedBroker(here, answering(watch=lambda fields: [(OK, [0, 0])] if fields[5] == 0 else [], overview=lambda fields: [])) as broker:
            for args, code, asked in ((["watch"], 0, WATCH), (["top"], 0, OVERVIEW), (["backup", "/nonexistent/copy"], 1, WATCH)):
                broker.asked.clear()
                process = subprocess.Popen([TRACE, "--data", here, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
                wait_for(lambda asked=asked: any(verb == asked for verb, _ in broker.asked), 20, "it has asked")
                process.terminate()
                process.communicate(timeout=30 * SLOW)
                equal(process.returncode, code, str(args))


# --- backup -----------------------------------------------------------------------------------

def test_backup_says_what_it_is_told_and_no_more():
    with folder() as here:
        answer = [(OK, [7, 1_500_000, ""])]
        with PlantedBroker(here, answering(backup=lambda fields: answer)) as broker:
            contains(trace("--data", here, "backup", "copy", cwd=here)[0], "copy: 7 files, 1.5 MB. It holds the broker's secret key")
            equal(broker.asked[-1], (BACKUP, [os.path.join(here, "copy")]), "the path is absolute")
            contains(trace("--data", here, "backup", "a\033[2Jcopy", cwd=here)[0], "a?[2Jcopy: 7 files")
            answer = [(127, [0, 0, "/\033[2Jcopy: no\nspace é"])]
            equal(said("--data", here, "backup", "/copy", code=1), "conclave-trace: no backup: /?[2Jcopy: no?space ??\n")
            for status, code in ((STORE_FULL, 1), (72, 3)):
                answer = [(status, [])]
                contains(said("--data", here, "backup", "/copy", code=code), "no backup: the broker")
            answer = []
            contains(said("--data", here, "backup", "/copy", code=3), "no backup: it does not answer")
        contains(said("--data", here, "backup", "/" + "a" * 2048, code=2), "the path is too long")
        contains(said("--data", os.path.join(here, "none"), "backup", "/copy", code=3), "no running broker")


def test_backup_is_patient_as_long_as_the_broker_lives():
    def slowly(_):
        for _ in range(3):
            time.sleep(2.5)
            yield traced([])
        yield OK, [7, 900, ""]
    with folder() as here, PlantedBroker(here, answering(backup=slowly)):
        contains(trace("--data", here, "backup", "/copy")[0], "7 files, 900 B")


if __name__ == "__main__":
    main(globals())
