# SPDX-License-Identifier: MPL-2.0
"""One conversation of real processes, in which broker and clients are killed at each of their durable writes in turn:
crash_rehearsal_test.py BUILD [--sample RUNS | WHO:SIDE:N ...]. Nothing acknowledged is lost, nothing is stored twice, who left reads on nothing."""
import concurrent.futures
import os
import random
import sys
import time
import traceback

from rehearsed import RehearsedWorld, Serving, count, harness

PEOPLE = ("alice", "bob", "carol")
TEXTS = ["from alice", "from bob", "from carol", "alice without carol", "bob without carol"]
RUNS_AT_ONCE = 2


def converse(world, people, patience_s):
    """The scenario. Returns how many writes the broker had made before and after bob's text."""
    alice, bob, carol = people
    for person in people:
        person.register()
    alice.create("tea")
    serving = Serving(alice)
    try:
        bob.join("tea")
        carol.join("tea")
        alice.say("tea", TEXTS[0])
        marks = [count(world, "broker")]
        bob.say("tea", TEXTS[1])
        marks.append(count(world, "broker"))
        carol.say("tea", TEXTS[2])
        carol.leave("tea")
        harness.wait_for(lambda: alice.state("tea")["members"] == 2, 60, "carol is out")
        alice.say("tea", TEXTS[3])
        bob.say("tea", TEXTS[4])
        settle(people, patience_s)
    finally:
        serving.close()
    return marks


def settle(people, patience_s):
    """Until everybody has everything; a process that dies meanwhile is started again by the next round."""
    alice, bob, carol = people

    def has_all(person):
        if set(TEXTS) <= set(person.texts_kept("tea")):
            return True
        person.attempt("listen", "tea", "--count", "1", "--wait", "1")
        return False
    harness.wait_for(lambda: has_all(alice), patience_s, "alice has every text")
    harness.wait_for(lambda: has_all(bob), patience_s, "bob has every text")
    carol.attempt("listen", "--count", "1", "--wait", "0")


def check(world, people):
    alice, bob, carol = people
    if world.broker.failure:
        raise AssertionError(world.broker.failure)
    lines = {person.name: person.lines_kept("tea") for person in people}
    # Bob came later than the group, so that only the texts are compared: same places in the log, same order.
    placed = {name: [(line["seq"], line["text"]) for line in theirs if line["type"] == "message"] for name, theirs in lines.items()}
    for person in (alice, bob):
        texts = [text for _, text in placed[person.name]]
        harness.equal(sorted(texts), sorted(TEXTS), f"texts of {person.name}, each once")
        odd = [line for line in lines[person.name] if line["type"] not in ("message", "notice")]
        harness.equal(odd, [], f"lines of {person.name} that can't be read")
    harness.equal(placed["alice"], placed["bob"], "order and places")
    mine, bobs, carols = (person.state("tea") for person in people)
    same = ("state", "epoch", "members", "words")
    harness.equal([mine[field] for field in same], [bobs[field] for field in same], "the group")
    harness.equal((mine["state"], mine["members"]), ("in", 2), "who is in")
    assert carols["state"] != "in", "carol is still in"
    assert set(placed["carol"]) <= set(placed["alice"]), f"carol has something of her own: {placed['carol']}"
    harness.equal(len(set(placed["carol"])), len(placed["carol"]), "carol's lines, each once")
    read_on = [text for _, text in placed["carol"] if text in TEXTS[3:]]
    harness.equal(read_on, [], "what carol read after leaving")
    for person in people:
        missing = set(person.acknowledged) - {text for _, text in placed["alice"]}
        harness.equal(missing, set(), f"acknowledged to {person.name}, yet lost")


def rehearse(victim=None, plan=None, patience_s=60):
    """One run. Returns its counts by name, the marks of converse, and how often the victim died."""
    with RehearsedWorld(victim, plan) as world:
        people = [world.person(name) for name in PEOPLE]
        marks = converse(world, people, patience_s)
        check(world, people)
        deaths = world.broker.deaths + sum(person.deaths for person in people)
        return {who: count(world, who) for who in ("broker", *PEOPLE)}, marks, deaths


def attempt(title, patience_s=60):
    victim, side, number = title.split(":")
    try:
        return title, rehearse(victim, f"{side}:{number}", patience_s)[2], None
    except BaseException:  # one failed run must not hide the others
        return title, 0, traceback.format_exc()


def planned(counts, sample):
    """Every write from both sides; or every k-th of them, beginning at random."""
    runs = [f"{who}:{side}:{number}" for who, total in counts.items() for number in range(1, total + 1) for side in ("before", "after")]
    if not sample or sample >= len(runs):
        return runs
    seed = int(os.environ.get("SEED", random.randrange(1000000)))
    print(f"# {sample} of {len(runs)} runs; SEED={seed} takes the same ones again")
    step = len(runs) / sample
    offset = random.Random(seed).random() * step
    return [runs[int(offset + step * i)] for i in range(sample)]


def a_broker_that_acknowledges_before_it_writes(marks):
    """The rehearsal must be able to fail: the broker's write of bob's text is left out, and it dies before the next one. Which
    number that write has differs from run to run, as polls come sooner or later: where none of the numbers was it, they are
    counted anew."""
    for _ in range(4):
        for number in range(marks[0] + 1, marks[1] + 1):
            if attempt(f"broker:lost:{number}", patience_s=5)[2]:
                return None
        marks = rehearse()[1]
    return "no check noticed"


def main():
    arguments = sys.argv[2:]
    sample = int(arguments[1]) if arguments[:1] == ["--sample"] else 0
    started, number, failures = time.monotonic(), 0, 0

    def tap(title, failure):
        nonlocal number, failures
        number += 1
        failures += bool(failure)
        print(f"{'not ok' if failure else 'ok'} {number} - {title}")
        print("".join("# " + line + "\n" for line in (failure or "").splitlines()), end="", flush=True)

    if arguments and not sample:
        runs = arguments
    else:
        counts, marks, _ = rehearse()
        print("# durable writes: " + ", ".join(f"{who} {total}" for who, total in counts.items()))
        tap("the conversation without a kill", None)
        tap("a broker that acknowledges before it writes is caught", a_broker_that_acknowledges_before_it_writes(marks))
        runs = planned(counts, sample)
    reached = 0
    with concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        for title, deaths, failure in pool.map(attempt, runs):
            reached += deaths > 0
            tap("killed at " + title + ("" if deaths or failure else " (not reached)"), failure)
    # The last ones may be missing in a run that needed fewer. Whoever dies at none proves nothing.
    tap(f"{reached} of {len(runs)} writes were reached", None if 2 * reached > len(runs) else "too few to prove anything")
    print(f"# {time.monotonic() - started:.0f} s")
    print(f"1..{number}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
