# SPDX-License-Identifier: MPL-2.0
"""Faults that are no kill: a broker that stands still, a disk that is full or read-only, a wall clock that is stepped. Nothing is
lost, nothing comes twice, and what is said names the cause."""
import contextlib
import os
import signal
import subprocess

from rehearsed import RehearsedWorld, Serving, harness


@contextlib.contextmanager
def mounted(folder, *options):
    """`options` are those of mount; the folder is made. Needs root."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", *options, folder], check=False, capture_output=True).returncode != 0:
        raise harness.Skip("nothing can be mounted here (that needs root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)


def fill(folder):
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"\0" * size)
    return lambda: os.remove(os.path.join(folder, "filler"))


def people_in(world, *names):
    """The first is the admin and serves."""
    people = [world.person(name) for name in names]
    for person in people:
        person.register()
    people[0].create("tea")
    serving = Serving(people[0])
    for person in people[1:]:
        person.join("tea")
    return people, serving


def have_all(people, texts):
    """Everybody has the texts, each once and in one order."""
    for person in people:
        def there(person=person):
            if set(texts) <= set(person.texts_kept("tea")):
                return True
            person.attempt("listen", "tea", "--count", "1", "--wait", "1")
            return False
        harness.wait_for(there, 60, f"{person.name} has every text")
    for person in people:
        harness.equal(sorted(person.texts_kept("tea")), sorted(texts), f"texts of {person.name}, each once")
        harness.equal(person.texts_kept("tea"), people[0].texts_kept("tea"), "one order")


def test_a_broker_that_stands_still_beyond_every_deadline_loses_nothing():
    with RehearsedWorld() as world:
        (alice, bob), serving = people_in(world, "alice", "bob")
        alice.say("tea", "before")
        world.broker.process.send_signal(signal.SIGSTOP)
        try:
            for person in (alice, bob):
                said = person.expect(4, "--timeout", "3", "send", "tea", "meanwhile from " + person.name)
                harness.contains(said, "waits in the outbox")
        finally:
            world.broker.process.send_signal(signal.SIGCONT)
        bob.say("tea", "after")
        have_all([alice, bob], ["before", "meanwhile from alice", "meanwhile from bob", "after"])
        serving.close()


def test_a_full_disk_under_a_home_is_named_and_heals():
    with RehearsedWorld() as world:
        (alice, bob), serving = people_in(world, "alice", "bob")
        carol = world.person("carol")
        with mounted(carol.home, "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"):
            carol.register()
            carol.join("tea")
            carol.say("tea", "before")
            make_room = fill(carol.home)
            said = carol.expect(6, "--timeout", "60", "send", "tea", "while full " + "." * 4000)
            harness.matches(said, "no space is left on the disk.*make room")
            bob.say("tea", "to a full disk")
            make_room()
            # What was refused was not taken in: it is typed again.
            carol.say("tea", "after")
            have_all([alice, bob, carol], ["before", "to a full disk", "after"])
        serving.close()


def test_a_read_only_home_is_named():
    with RehearsedWorld() as world:
        (alice, bob), serving = people_in(world, "alice", "bob")
        bob.say("tea", "before")
        with mounted(bob.home, "--bind", bob.home):
            harness.equal(subprocess.run(["mount", "-o", "remount,bind,ro", bob.home], check=False).returncode, 0, "remount")
            said = bob.expect(6, "--timeout", "60", "send", "tea", "not now")
            harness.matches(said, "(?i)read-only")
        bob.say("tea", "after")
        have_all([alice, bob], ["before", "after"])
        serving.close()


def test_a_read_only_data_directory_is_named():
    with RehearsedWorld() as world:
        data = world.broker.data
        world.broker.close()
        with mounted(data, "--bind", data):
            harness.equal(subprocess.run(["mount", "-o", "remount,bind,ro", data], check=False).returncode, 0, "remount")
            result = subprocess.run([os.path.join(harness.BUILD, "conclaved"), "--data", data, "--listen", "tcp://127.0.0.1:*"],
                                    capture_output=True, text=True, timeout=60, env=world.env, check=False)
            harness.equal(result.returncode, 1, "exit code")
            harness.matches(result.stdout + result.stderr, "(?i)read-only")
            harness.contains(result.stdout + result.stderr, data)
        world.broker.start()


def step(world, seconds, *whose):
    for who in whose:
        with open(os.path.join(world.dir, "clock-" + who + ".new"), "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.rename(os.path.join(world.dir, "clock-" + who + ".new"), os.path.join(world.dir, "clock-" + who))


def test_a_clock_that_is_stepped_harms_nothing():
    day = 24 * 3600
    with RehearsedWorld() as world:
        (alice, bob), serving = people_in(world, "alice", "bob")
        everyone = ("broker", "alice", "bob")
        texts = []
        steps = [(0, everyone), (2 * day, ("broker",)), (-3 * day, everyone), (day, ("alice",)), (-day, ("bob",)), (0, everyone)]
        for number, (seconds, whose) in enumerate(steps):
            step(world, seconds, *whose)
            for person in (alice, bob):
                person.say("tea", f"{number} from {person.name}")
                texts.append(f"{number} from {person.name}")
        carol = world.person("carol")
        step(world, -day, "broker")
        carol.register()
        carol.join("tea")
        carol.leave("tea")
        for person in (bob, alice):
            person.say("tea", "at last from " + person.name)
            texts.append("at last from " + person.name)
        have_all([alice, bob], texts)
        for person in (alice, bob):
            times = [line["time"] for line in person.lines_kept("tea") if line["type"] == "message"]
            harness.equal(times, sorted(times), "the log's times")
            assert times[2] - times[0] > day * 1000, "the step was seen"
        serving.close()


if __name__ == "__main__":
    harness.main(globals())
