# SPDX-License-Identifier: MPL-2.0
"""conclave-trace with a real broker: filters, one message's story, recordings, backups, and how its tools end."""
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from conclave_wire import EVENTS
from harness import BUILD, SLOW, World, contains, equal, main, matches, room, wait_for
from operating import account, connection, settle


def tracer(world, *args, code=0, target=True, settles=True):
    """Runs conclave-trace to its end and gives what it printed, standard error behind it unless it is to succeed. If the past is asked for, nothing
    that was answered lacks in it."""
    if settles and code == 0 and target and not {"explain", "--past", "--past-only"}.isdisjoint(args):
        settle(world)
    where = ["--data", world.broker.data] if target else []
    result = subprocess.run([os.path.join(BUILD, "conclave-trace"), *where, *args], capture_output=True, text=True,
                            env=world.env, timeout=60 * SLOW, check=False)
    if result.returncode != code:
        raise AssertionError(f"conclave-trace {args}: exit {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr}")
    return result.stdout if code == 0 else result.stdout + result.stderr


def past(world, *args):
    lines = tracer(world, "--past-only", "--json", *args, "watch").splitlines()
    return [json.loads(line) for line in lines]


def of(steps, step, **wanted):
    return [s for s in steps if s["step"] == step and all(s.get(k) == v for k, v in wanted.items())]


def holds(step, sequence):
    return step["sequence"] <= sequence <= step["last_sequence"]


def sent_and_pushed(world, sender, group, text, reader, follow, *flags):
    """Sends until a text was pushed to a reader: who happens to ask in the turn in which a message comes has it by that, and no push. The answer to
    the last one, and how many were sent."""
    for number in range(1, 9):
        answer = sender.json(*flags, "send", group, f"{text} {number}")[0]
        wait_for(lambda number=number: f"{text} {number}" in follow.texts(), 30, f"{reader} reads")
        if any(holds(step, answer["seq"]) for step in of(past(world, "--step", "pushed"), "pushed", user=reader, group=group)):
            return answer, number
    raise AssertionError(f"nothing was pushed to {reader}")


def until_told(user, condition, what):
    """A cursor is told by the poll after what was read; a command that ends with the last text may leave it to the next one."""
    def told():
        user.run("listen", "--count", "1", "--wait", "1")
        return condition()
    wait_for(told, 30, what)


def test_filters_pass_what_they_name():
    with World(broker_args=["--trace-history", "20000"]) as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        bob.ok("create", "milk")
        bob.ok("send", "milk", "to myself")
        steps = past(world, "--group", "milk")
        assert steps and all(s.get("group") == "milk" or s["step"] == "stored" for s in steps), steps
        steps = past(world, "--user", "bob", "--step", "received", "--step", "appended")
        equal({s["step"] for s in steps}, {"received", "appended"})
        equal({s["user"] for s in steps}, {"bob"})
        equal({s["verb"] for s in past(world, "--verb", "create", "--step", "received")}, {"create"})
        # What was refused, and why.
        with connection(world) as wire:
            wire.login(*account(world, "eve"), EVENTS)
            equal(wire.refusal("join", bytes(16), b""), "UNKNOWN_GROUP")
            equal(wire.refusal("leave", bytes(16), b""), "UNKNOWN_GROUP")
            equal(wire.refusal("challenge", ""), "BAD_NAME")
        wait_for(lambda: of(past(world), "refused", status="BAD_NAME"), 20, "all is remembered")
        equal([(s["step"], s["verb"], s["user"]) for s in past(world, "--status", "UNKNOWN_GROUP")],
              [("refused", "join", "eve"), ("refused", "leave", "eve")])
        equal(past(world, "--status", "LAST_ADMIN"), [])
        bad = past(world, "--refused")
        equal({s["step"] for s in bad} - {"push dropped"}, {"refused"})
        equal(of(bad, "refused"), of(past(world), "refused"))
        assert {"UNKNOWN_GROUP", "BAD_NAME"} <= {s["status"] for s in of(bad, "refused")}, bad
        contains(tracer(world, "--status", "NONSENSE", "watch", code=2), "--status")
        whole = len(past(world, "--step", "received"))
        part = len(past(world, "--step", "received", "--share", "300"))
        assert 0 < part < whole, (part, whole)
        contains(tracer(world, "--verb", "nonsense", "watch", code=2), "--verb")
        contains(tracer(world, "--user", "No/Name", "watch", code=2), "--user")
        contains(tracer(world, "--step", "nonsense", "watch", code=2), "push-dropped")
        contains(tracer(world, "nonsense", code=2), "no such command")
        contains(tracer(world, "record", code=2), "record FILE")


def test_explain_tells_a_message_s_story():
    with World(broker_args=["--trace-history", "20000"]) as world:
        alice, bob, carol = world.users("alice", "bob", "carol")
        room(world, "tea", alice, bob, carol)
        follow = bob.start("listen", "tea")
        alice.ok("send", "tea", "first")
        wait_for(lambda: "first" in follow.texts(), 30, "bob follows")
        answer, count = sent_and_pushed(world, alice, "tea", "hello", "bob", follow)
        sequence = answer["seq"]
        wait_for(lambda: {r["name"] for r in json.loads(tracer(world, "--json", "explain", "tea", str(sequence)))["readers"]
                          if r["has_it"]} >= {"alice", "bob"}, 30, "two have acknowledged")
        story = json.loads(tracer(world, "--json", "explain", "tea", f"#{sequence}"))
        equal((story["group"], story["sequence"], story["sender"], story["kind"]), ("tea", sequence, "alice", "message"))
        for step in ("received", "appended", "stored", "fanned_out"):
            assert step in story, step
        readers = {r["name"]: r for r in story["readers"]}
        equal(set(readers), {"alice", "bob", "carol"})
        assert readers["bob"]["pushed_us"] >= story["stored"]["time_us"] and readers["bob"]["online"]
        equal(readers["carol"]["has_it"], False)
        text = tracer(world, "explain", "tea", str(sequence))
        for part in ("a message of alice", "received", "stored in a batch", "pushed", "has all up to", "Still waiting for 1 of 3"):
            contains(text, part)
        carol.ok("listen", "tea", "--count", str(1 + count), "--wait", "20")
        until_told(carol, lambda: "All 3 readers have it." in tracer(world, "explain", "tea", str(sequence)), "carol has it")
        contains(tracer(world, "explain", "tea", "999", code=1), "no such message")
        contains(tracer(world, "explain", "nowhere", "1", code=1), "no such group")
        contains(tracer(world, "explain", "tea", "x", code=2), "explain tea 17")


def story_of(world, group, sequence):
    return json.loads(tracer(world, "--json", "explain", group, str(sequence)))


def test_explain_says_who_was_killed_before_it_came():
    with World(broker_args=["--trace-history", "20000"]) as world:
        sequence = message_to_the_killed(world)
        dropped, = of(past(world), "push dropped", user="bob", sequence=sequence)
        equal((dropped["group"], dropped["sequence"], dropped["last_sequence"], dropped["count"], dropped["reason"]),
              ("tea", sequence, sequence, 1, "connection gone"))
        pushed = [s for s in of(past(world), "pushed", group="tea") if s["sequence"] <= sequence <= s["last_sequence"]]
        assert {"carol"} <= {s["user"] for s in pushed} <= {"alice", "carol"}, pushed
        assert dropped["epoch"] > 0 and dropped["size_bytes"] == pushed[0]["size_bytes"], (dropped, pushed)
        story = story_of(world, "tea", sequence)
        equal(story["fanned_out"]["count"], len(pushed))
        bob, = [reader for reader in story["readers"] if reader["name"] == "bob"]
        equal((bob["reason"], "pushed_us" in bob, bob["has_it"]), ("connection gone", False, False))
        text = tracer(world, "explain", "tea", str(sequence))
        contains(text, f"pushed to {len(pushed)} member")
        contains(text, f"bob          not delivered: connection gone; will fetch by poll; offline, has all up to #{bob['cursor']}\n")
        world.bob.ok("listen", "tea", "--count", "1", "--wait", "20")
        contains(tracer(world, "explain", "tea", str(sequence)), "bob          not delivered: connection gone; fetched +")


def message_to_the_killed(world):
    """Bob and carol are connected, bob is killed, alice writes: the message's sequence."""
    alice, bob, carol = world.users("alice", "bob", "carol")
    serve = room(world, "tea", alice, bob, carol)
    # They poll at their start only: who polls in the turn in which a message comes is pushed nothing.
    world.poll_ms = 600000
    following = [user.start("listen", "tea") for user in (bob, carol)]
    world.poll_ms = 200
    alice.ok("send", "tea", "first")
    wait_for(lambda: all("first" in follow.texts() for follow in following), 30, "both follow")
    equal(serve.stop(), 0)
    following[0].kill()
    sequence = alice.json("send", "tea", "hello")[0]["seq"]
    wait_for(lambda: "hello" in following[1].texts(), 30, "carol reads")
    world.bob = bob
    return sequence


def test_explain_waits_for_nobody_who_left():
    with World(broker_args=["--trace-history", "20000"]) as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        read = alice.start("listen", "tea")
        sequence = alice.json("send", "tea", "bob will never read this")[0]["seq"]
        wait_for(lambda: read.texts(), 30, "alice reads")
        bob.ok("leave", "tea")
        leave, = of(past(world), "appended", verb="leave", group="tea")
        wait_for(lambda: of(past(world), "appended", verb="commit", group="tea")[-1]["sequence"] > leave["sequence"], 30, "bob is rekeyed out")
        for number, kind in ((sequence, "message"), (leave["sequence"], "leave")):
            wait_for(lambda number=number: {r["name"]: r["has_it"] for r in story_of(world, "tea", number)["readers"]}["alice"], 30, "alice has it")
            story = story_of(world, "tea", number)
            equal(story["kind"], kind)
            equal({r["name"]: (r["left"], r.get("left_with")) for r in story["readers"]},
                  {"alice": (False, None), "bob": (True, leave["sequence"])})
            text = tracer(world, "explain", "tea", str(number))
            contains(text, "All 1 readers have it.")
            contains(text, f"left with #{leave['sequence']}\n")
            assert "epoch 0" not in text and "bob offline" not in text, text
        # Who came after it is no reader of it, however far their cursor is.
        carol, = world.users("carol")
        carol.ok("join", "tea", "--wait", "30")
        alice.ok("send", "tea", "welcome")
        until_told(carol, lambda: [s for s in of(past(world), "cursor moved", user="carol") if s["sequence"] > sequence], "carol's cursor is told")
        equal({r["name"] for r in story_of(world, "tea", sequence)["readers"]}, {"alice", "bob"})
        equal(serve.stop(), 0)


def test_explain_without_a_past_says_what_the_store_knows():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        sequence = alice.json("send", "tea", "hello")[0]["seq"]
        text = tracer(world, "explain", "tea", str(sequence))
        contains(text, "--trace-history")
        contains(text, "a message of alice")
        equal(past(world), [])


def test_a_recording_tells_the_same():
    with World(broker_args=["--trace-history", "20000"]) as world:
        alice, bob = world.users("alice", "bob")
        serve = room(world, "tea", alice, bob)
        sequence = alice.json("send", "tea", "hello")[0]["seq"]
        serve.stop()
        path = os.path.join(world.dir, "steps")
        tracer(world, "--past-only", "record", path)
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        live = past(world)
        recorded = [json.loads(line) for line in
                    tracer(world, "--from", path, "--json", "watch", target=False).splitlines()]
        equal(recorded, live[:len(recorded)])
        assert len(recorded) > 50
        story = json.loads(tracer(world, "--from", path, "--json", "explain", "tea", str(sequence), target=False))
        equal((story["sender"], story["appended"]["sequence"]), ("alice", sequence))
        contains(tracer(world, "record", path, code=1), "exists")
        with open(path, "rb") as file:
            whole = file.read()
        for name, damaged in (("cut", whole[:-7]), ("flipped", whole[:20] + b"\xff" + whole[21:]), ("alien", b"hello\n" * 9),
                              ("newer", whole[:15] + b"\x09" + whole[16:]), ("empty", b"")):
            other = path + "-" + name
            with open(other, "wb") as file:
                file.write(damaged)
            assert tracer(world, "--from", other, "watch", target=False, code=1).strip(), name


def test_top_counts():
    with World() as world:
        alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
        serve = room(world, "tea", alice, bob, carol)
        asleep = carol.start("listen", "tea")
        bob.ok("send", "tea", "are you there?")
        wait_for(asleep.texts, 30, "carol follows")
        equal(serve.stop(), 0)
        asleep.process.send_signal(signal.SIGSTOP)
        since_ms = time.time() * 1000
        dave.run("join", "tea", "--wait", "1")  # and nobody lets him in
        # Whoever watches first sees the first message.
        top = subprocess.Popen([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, "--json", "top"], stdout=subprocess.PIPE,
                               text=True, env=world.env)
        lines = [json.loads(top.stdout.readline())]
        bob.ok("send", "tea", input="".join(f"{i}\n" for i in range(20)))
        while sum(line["messages"] for line in lines) < 20 or not lines[-1]["slow"]:
            lines.append(json.loads(top.stdout.readline()))
            assert len(lines) < 60 * SLOW, lines
        screen = tracer(world, "--for", "1", "top")
        asleep.process.send_signal(signal.SIGCONT)
        top.terminate()
        lines += [json.loads(line) for line in top.communicate(timeout=20 * SLOW)[0].splitlines()]
        equal(top.returncode, 0)
        equal(sum(line["messages"] for line in lines), 20, "messages")
        equal({line["lost"] for line in lines}, {0})
        assert sum(line["requests"] for line in lines) > 20 and max(line["sessions"] for line in lines) >= 2, lines
        busy = [line for line in lines if line["messages"] > 0]
        for line in busy:
            equal([(group["group"], group["messages"]) for group in line["busiest"]], [("tea", line["messages"])])
        # A message may be shown a second before its write.
        assert sum(line["answers"] for line in lines) > 20 and sum(line["syncs"] for line in lines) > 0, lines
        assert sum(group["deliveries"] for line in busy for group in line["busiest"]) > 0, busy
        for line in lines:
            for kind in ("answer", "sync"):
                half, most, nearly, every = (line[f"{kind}_{share}_us"] for share in ("p50", "p90", "p99", "max"))
                assert 0 <= half <= most <= nearly <= every < 60_000_000, line
                equal(half > 0, line[kind + "s"] > 0, f"{kind}: a duration is there if something took one")
            equal((line["pending_joins"], [(group["group"], group["pending_joins"], group["members"]) for group in line["waiting"]]),
                  (1, [("tea", 1, 3)]))
            equal(line["waiting"][0]["oldest_join_ms"], line["oldest_join_ms"])
            assert since_ms - 1000 < line["oldest_join_ms"] < line["time_ms"], line
        slow = {reader["user"]: reader["behind"] for line in lines for reader in line["slow"]}
        assert 1 <= slow["carol"] <= 20 + 1, slow
        for part in ("per second", "requests", "waiting: 1 to be let in, the oldest for ", "  tea            1 in", "slow clients ", "  carol  ",
                     "connections"):
            contains(screen, part)


def test_a_backup_under_traffic_restores_all_that_was_acknowledged_before_it():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "tea", alice, bob)
        writer = bob.start("send", "tea")
        stop = threading.Event()

        def talk():
            number = 0
            while not stop.is_set():
                writer.write(f"text {number}\n")
                number += 1
                time.sleep(0.01)
            writer.process.stdin.close()

        talker = threading.Thread(target=talk)
        talker.start()
        wait_for(lambda: len(writer.objects()) >= 10, 60, "texts are acknowledged")
        acknowledged = [line["seq"] for line in writer.objects() if line["type"] == "sent"]
        backup = os.path.join(world.dir, "backup")
        contains(tracer(world, "backup", backup), "secret key")
        wait_for(lambda: len(writer.objects()) >= len(acknowledged) + 10, 60, "and they go on")
        stop.set()
        talker.join()
        equal(writer.wait(), 0)
        equal(sorted(os.listdir(backup)), ["backup.info", "broker.key", "store"])
        equal(stat.S_IMODE(os.stat(os.path.join(backup, "broker.key")).st_mode), 0o600)
        contains(tracer(world, "backup", backup, code=1), "no backup")
        contains(tracer(world, "backup", os.path.join(world.dir, "missing", "backup"), code=1), "no backup")
        contains(tracer(world, "--broker", world.broker.url, "backup", backup, code=2), "own machine")
        equal(world.broker.stop(), 0)
        world.broker.data = os.path.join(world.dir, "restored")
        for args in (["--data", backup, "--fsck"], ["--restore", backup, "--data", world.broker.data]):
            done = subprocess.run([os.path.join(BUILD, "conclaved"), *args], capture_output=True, text=True, env=world.env,
                                  timeout=60 * SLOW, check=False)
            equal(done.returncode, 0, done.stdout + done.stderr)
        world.broker.start()
        assert len(acknowledged) >= 10
        for sequence in acknowledged:
            contains(tracer(world, "explain", "tea", str(sequence)), "a message of bob")


def test_a_backup_keeps_free_what_the_settings_say_now():
    with World() as world:
        equal(world.broker.stop(), 0)
        config = os.path.join(world.dir, "conclaved.conf")

        def settings(megabytes):
            with open(config, "w", encoding="ascii") as file:
                file.write(f"store-reserve-mb = {megabytes}\n")
        settings(0)
        world.broker.args = ["--config", config]
        world.broker.start()
        tracer(world, "backup", os.path.join(world.dir, "first"))
        settings(100000000)
        world.broker.process.send_signal(signal.SIGHUP)
        wait_for(lambda: '"new":"100000000"' in world.broker.log_text(), 20, "the reserve is changed")
        second = os.path.join(world.dir, "second")
        os.mkdir(second)
        contains(tracer(world, "backup", second, code=1), "100000000 MiB kept free")
        equal(os.listdir(second), [], "the empty directory that was there")


def make_steps(world, frames):
    """128 steps each."""
    with connection(world) as wire:
        for _ in range(frames):
            requests = [wire.request("hello", 1, 1, "busy") for _ in range(64)]
            wire.send_frame(*requests)
            wire.answer(requests[-1])


def test_tools_end_with_the_broker_and_say_how_it_went():
    with World() as world:
        def follow(out, *args):
            with open(out, "wb") as file:
                return subprocess.Popen([os.path.join(BUILD, "conclave-trace"), "--data", world.broker.data, *args], stdout=file,
                                        stderr=subprocess.PIPE, text=True, env=world.env)
        for end in (world.broker.stop, world.broker.kill):
            watch, top, out, record, perfetto = (os.path.join(world.dir, f"{end.__name__}-{name}") for name in ("watch", "top", "out", "record", "perfetto"))
            tools = [follow(watch, "watch"), follow(top, "top"), follow(out, "record", record), follow(out, "perfetto", perfetto)]

            def all_have_begun(files=(watch, top, record, perfetto)):
                make_steps(world, 1)
                return all(os.path.exists(file) and os.path.getsize(file) > 1000 for file in files[:1] + files[2:]) and os.path.getsize(files[1]) > 0
            wait_for(all_have_begun, 60, "all have begun")
            end()
            for tool in tools:
                said = tool.communicate(timeout=60 * SLOW)[1]
                equal(tool.returncode, 3, said)
                matches(said, "the broker has gone: (it has closed the connection|it is about to end)\n")
            with open(perfetto, encoding="utf-8") as file:
                json.load(file)
            tracer(world, "--from", record, "watch", target=False)
            if end == world.broker.stop:
                world.broker.start()
        # Killed, it has left its socket behind.
        for command in (("watch",), ("top",), ("explain", "tea", "1"), ("backup", os.path.join(world.dir, "backup"))):
            contains(tracer(world, *command, code=3), "nobody listens there")


if __name__ == "__main__":
    main(globals())
