# SPDX-License-Identifier: MPL-2.0
"""`--trace`: what the broker finds in the frames, and what the others find sealed in the messages."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import User, equal, main, wait_for  # noqa: E402

from lying_broker_test import reads, tea  # noqa: E402

FORM = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-01")


def traces(liar, *verbs):
    """The traceparents of these requests, each once, however often it was sent again."""
    return sorted({text for verb in verbs for text in liar.traceparents.get(verb, []) if text})


def only(liar, verb):
    found = traces(liar, verb)
    equal(len(found), 1, f"traces of {verb}")
    assert FORM.fullmatch(found[0]), found
    return found[0]


def told(person):
    """What each message in the history says it was made by."""
    return {line["text"]: line.get("traceparent") for line in person.json("history", "tea") if line["type"] == "message"}


def test_a_send_has_the_same_context_in_its_frame_and_at_its_reader():
    with tea("bob") as (world, liar, alice, bob):
        listening = bob.start("listen", "tea")
        bob.ok("send", "tea", "not traced")
        sent = alice.json("--trace", "send", "tea", "traced")[0]
        alice.ok("send", "tea", "not traced either")
        wait_for(lambda: "not traced either" in listening.texts(), 60, "bob reads")
        in_frame = only(liar, "send")
        equal(sent["traceparent"], in_frame, "what alice was told")
        equal({line["text"]: line.get("traceparent") for line in listening.objects() if line["type"] == "message"},
              {"not traced": None, "traced": in_frame, "not traced either": None}, "what bob was told")
        equal(told(alice), told(bob), "histories")
        equal(traces(liar, *liar.traceparents), [in_frame], "all traced requests")


def test_each_action_has_a_trace_of_its_own():
    with tea() as (world, liar, alice):
        bob = User(world, "bob")
        bob.ok("--trace", "--broker", liar.url, "register", "bob", "--kdf", "interactive")
        said = bob.json("--trace", "join", "tea", "--wait", "60")[-1]
        equal(said["traceparent"], only(liar, "join"), "join")
        equal(only(liar, "lookup"), only(liar, "join"), "one action, two requests")
        bob.run("--trace", "send", "tea", input="one\ntwo\n")
        left = bob.json("--trace", "leave", "tea")[-1]
        equal(left["traceparent"], only(liar, "leave"), "leave")
        made = bob.json("--trace", "create", "den")[-1]
        equal(made["traceparent"], only(liar, "create"), "create")
        bob.ok("--trace", "leave", "den")
        gone = bob.json("--trace", "unregister", "--yes")[-1]
        equal(gone["traceparent"], only(liar, "unregister"), "unregister")
        equal(only(liar, "hello"), only(liar, "register"), "one action, two requests")
        found = traces(liar, "register", "join", "send", "leave", "create", "unregister")
        equal(len(found), 8, "traced actions")
        equal(len({text[3:35] for text in found}), 8, "trace ids")
        equal(len({text[36:52] for text in found}), 8, "span ids")
        equal(traces(liar, *(verb for verb in list(liar.traceparents) if verb.startswith("poll"))), [], "traced polls")


def test_a_text_that_waits_keeps_its_context():
    with tea("bob") as (world, liar, alice, bob):
        liar.lies["send"] = lambda *_: None
        equal(bob.run("--timeout", "1", "--trace", "send", "tea", "later").returncode, 4, "exit code")
        del liar.lies["send"]
        bob.ok("send", "tea", "not traced")
        reads(alice, lambda: len(told(alice)) >= 2, "alice has both")
        found = set(liar.traceparents["send"])
        equal(len(found), 2, "traceparents, the empty one too")
        equal(told(alice), {"later": max(found), "not traced": None})


if __name__ == "__main__":
    main(globals())
