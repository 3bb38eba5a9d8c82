# SPDX-License-Identifier: MPL-2.0
"""docker/compose.yaml on a real engine, from `up` to `down`: the tests are one story, each goes on where the one before ended."""
import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from harness import Skip, contains, equal, main

PROJECT = "conclave-test"
PEOPLE = ["alice", "bob", "carol", "dave"]
LAST_WORDS = "nothing is lost"
BASE = os.environ.get("CONCLAVE_BASE", "debian:bookworm-slim")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PAGE_PORT = free_port()
ENVIRONMENT = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "CONCLAVE_PAGE_PORT": str(PAGE_PORT),
               "CONCLAVE_PORT": str(free_port())}
ENVIRONMENT.pop("NO_COLOR", None)


def run(*args, check=True, **options):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


COMPOSE = ["docker", "compose"] if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0 \
    else ["docker-compose"]


def compose(*args, **options):
    return run(*COMPOSE, "-f", os.path.join(ROOT, "docker", "compose.yaml"), *args, **options)


def docker(*args, **options):
    return run("docker", *args, **options)


def container(service):
    return docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}",
                  "--filter", f"label=com.docker.compose.service={service}").split()[0]


def inspect(service, template):
    return docker("inspect", "-f", template, container(service)).strip()


def plain_log(service):
    return re.sub(r"\x1b\[[0-9;]*m", "", docker("logs", container(service)))


def said(service):
    """What somebody read in tea, and wrote there: (name, text) as it stands in the log."""
    return re.findall(r"^\[\d\d:\d\d\] #tea (\S+): (.*)$", plain_log(service), re.M)


def wait_for(condition, seconds, what):
    """A look each half second: each is a process of docker's."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.5)
    logs = "".join(f"--- {service}\n{compose('logs', '--tail', '15', service, check=False)}" for service in ["broker", *PEOPLE])
    raise AssertionError(f"waited in vain until {what}\n{logs}")


def wait_for_text(service, text, seconds=90):
    wait_for(lambda: text in plain_log(service), seconds, f"{service} reads: {text}")


def conclave(service, *args, **options):
    return docker("exec", container(service), "conclave", *args, **options)


def down(*options):
    compose("--profile", "jaeger", "--profile", "prometheus", "down", "--timeout", "10", *options)


def volumes():
    return set(docker("volume", "ls", "-q").split())


def page(path, **headers):
    """Status and text of the page's server, as a browser on this machine asks it."""
    client = http.client.HTTPConnection("127.0.0.1", PAGE_PORT, timeout=20)
    with contextlib.closing(client):
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        return answer.status, answer.read().decode()


def page_token():
    return re.search(r"\?token=([A-Za-z0-9_-]+)", docker("logs", container("broker"))).group(1)


# --- Images -----------------------------------------------------------------------------------

def test_images_are_small_and_not_roots():
    base = int(docker("image", "inspect", "-f", "{{.Size}}", BASE))
    for name, user in (("conclave-broker", "5670:5670"), ("conclave-client", "5671:5671")):
        image = json.loads(docker("image", "inspect", name))[0]
        added = image["Size"] - base
        print(f"# {name}: {added / 1e6:.1f} MB over its base")
        assert 0 < added < 60e6, added
        equal(image["Config"]["User"], user)
        contains(image["Config"]["Entrypoint"][0], "tini")
    contains(docker("image", "inspect", "-f", "{{.Config.Healthcheck.Test}}", "conclave-broker"), "broker-ready")


def test_profiles_are_valid():
    services = compose("--profile", "jaeger", "--profile", "prometheus", "config", "--services").split()
    assert {"jaeger", "otlp", "prometheus"} <= set(services), services


def test_prometheus_takes_the_rules():
    promtool = run("sh", "-c", "command -v promtool", check=False).strip()
    if not promtool:
        raise Skip("no promtool here")
    folder = os.path.join(ROOT, "docker", "prometheus")
    run(promtool, "check", "config", "--syntax-only", os.path.join(folder, "prometheus.yaml"))
    run(promtool, "check", "rules", os.path.join(folder, "alerts.yaml"))


# --- The conversation -------------------------------------------------------------------------

BEFORE = set()  # volumes that were there before


def test_one_command_brings_a_conversation():
    down("-v")
    BEFORE.update(volumes())
    started = time.monotonic()
    compose("up", "-d")
    wait_for(lambda: said("alice"), 180, "somebody says something")
    print(f"# the first line of the conversation: {time.monotonic() - started:.1f} s after up")
    equal(inspect("broker", "{{.State.Health.Status}}"), "healthy")
    started_services = docker("ps", "-a", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", '{{.Label "com.docker.compose.service"}}')
    equal(set(started_services.split()), {"broker", "trace", "stagehand", *PEOPLE})
    for name in ("alice", "carol", "dave"):
        wait_for_text(name, LAST_WORDS, 180)
    print(f"# the last line: {time.monotonic() - started:.1f} s after up")


def test_everybody_read_the_same_in_the_same_order():
    everything = said("alice")
    equal([line for line, count in collections.Counter(everything).items() if count > 1], [], "lines that came twice")
    for name in ("alice", "bob", "carol"):
        for number in ("one", "two", "three"):
            assert (name, f"{name} says {number}") in everything
    for name in ("alice", "carol", "dave"):
        assert (name, f"{name} writes on") in everything
        assert (name, f"{name} writes on and on") in everything
    equal(said("carol"), everything)


def test_bob_reads_nothing_after_he_left():
    everything = said("alice")
    goodbye = everything.index(("bob", "I have to go. Bye!"))
    equal(said("bob"), everything[:goodbye + 1])
    after = plain_log("bob").split("bob left", 1)[1].splitlines()[1:]
    equal(after, [], "lines after bob's leave")
    contains(str(everything[goodbye + 1:]), "surprise party")


def test_dave_reads_nothing_from_before_he_came():
    everything = said("alice")
    equal(said("dave"), everything[everything.index(("dave", "Hello! What did I miss?")):])


def test_the_broker_was_restarted_meanwhile():
    assert int(inspect("broker", "{{.RestartCount}}")) >= 1
    contains(plain_log("broker"), " stopping ")
    contains(plain_log("stagehand"), "it comes back by itself")


def test_a_log_has_a_coloured_line_for_each_event():
    for line in docker("logs", container("alice")).splitlines():
        assert re.fullmatch(r"\x1b\[[\d;]+m\[\d\d:\d\d\]\x1b\[0m \x1b\[[\d;]+m#\w+\x1b\[0m .*\x1b\[[\d;]+m.*", line), line


# --- What can be seen, and what can't be done ---------------------------------------------------

def test_nobody_is_root_and_root_file_systems_are_read_only():
    for service, user in [("broker", "5670"), ("trace", "5670"), *((name, "5671") for name in PEOPLE)]:
        equal(inspect(service, "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}"), "true [ALL]", service)
        look = "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/1/status | tr -s '\\t' ' '; touch /usr/x 2>&1"
        equal(docker("exec", container(service), "bash", "-c", look, check=False).splitlines(),
              [user, "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1",
               "touch: cannot touch '/usr/x': Read-only file system"], service)


def test_the_page_asks_for_the_token_that_the_log_tells():
    equal(page("/readyz")[0], 200)
    equal(page("/")[0], 401)
    status, text = page("/?token=" + page_token())
    equal(status, 200)
    contains(text, "<title>")
    equal(set(re.findall(r"127\.0\.0\.1|0\.0\.0\.0|::", inspect("broker", "{{json .NetworkSettings.Ports}}"))), {"127.0.0.1"})


def test_alerts_name_metrics_that_exist():
    status, metrics = page("/metrics", Authorization="Bearer " + page_token())
    equal(status, 200)
    with open(os.path.join(ROOT, "docker", "prometheus", "alerts.yaml"), encoding="utf-8") as rules:
        named = set(re.findall(r"\bconclave_\w+", "".join(line for line in rules if "expr:" in line)))
    assert len(named) > 5, named
    equal({name for name in named if not re.search(rf"^{name}[ {{]", metrics, re.M)}, set(), "unknown metrics")


def test_the_trace_shows_steps_and_no_text():
    trace = plain_log("trace")
    contains(trace, "appended")
    for secret in ("surprise", "party", "cake"):
        assert secret not in trace + plain_log("broker"), secret


def test_a_chat_attaches_to_a_running_home():
    if not shutil.which("tmux"):
        raise Skip("tmux is missing")
    with tempfile.TemporaryDirectory() as folder:
        tmux = ["tmux", "-S", os.path.join(folder, "tmux"), "-f", "/dev/null"]
        run(*tmux, "new-session", "-d", "-s", "t", "-x", "120", "-y", "30", *COMPOSE, "-f", os.path.join(ROOT, "docker", "compose.yaml"),
            "run", "--rm", "alice", "chat", "tea")
        try:
            wait_for(lambda: LAST_WORDS in run(*tmux, "capture-pane", "-p", "-J", "-t", "t", check=False), 90, "the chat shows the conversation")
            run(*tmux, "send-keys", "-t", "t", "-l", "typed by hand")
            run(*tmux, "send-keys", "-t", "t", "Enter")
            wait_for_text("carol", "alice: typed by hand")
            run(*tmux, "send-keys", "-t", "t", "-l", "/quit")
            run(*tmux, "send-keys", "-t", "t", "Enter")
            wait_for(lambda: "t" not in run(*tmux, "ls", "-F", "#{session_name}", check=False).split("\n"), 60, "the chat ends")
        finally:
            run(*tmux, "kill-server", check=False)


# --- When something goes wrong ------------------------------------------------------------------

def test_a_killed_broker_loses_nothing():
    broker = container("broker")
    docker("kill", broker)
    text = conclave("carol", "--timeout", "1", "send", "tea", "said to nobody", check=False)
    contains(text, "outbox")
    docker("start", broker)
    for name in ("alice", "dave"):
        wait_for_text(name, "carol: said to nobody")
        equal(said(name).count(("carol", "said to nobody")), 1)


def test_a_client_that_was_cut_off_catches_up():
    network, dave = PROJECT + "_default", container("dave")
    docker("network", "disconnect", network, dave)
    conclave("alice", "send", "tea", "dave can't hear this now")
    wait_for_text("carol", "dave can't hear this now")
    time.sleep(20)  # longer than the heartbeats' 15 s: the broker has given the connection up
    assert "dave can't hear" not in plain_log("dave")
    docker("network", "connect", network, dave)
    wait_for_text("dave", "alice: dave can't hear this now")


def test_an_admin_killed_during_a_rekey_completes_it():
    alice = container("alice")
    conclave("dave", "leave", "tea")
    docker("kill", alice)
    conclave("carol", "--timeout", "1", "send", "tea", "dave is not to read this", check=False)
    docker("start", alice)
    wait_for_text("carol", "new key without dave")
    wait_for_text("alice", "carol: dave is not to read this")
    assert "not to read" not in plain_log("dave")


def test_twenty_guests_talk():
    compose("up", "-d", "--no-recreate", "--scale", "guest=20", "guest")
    wait_for(lambda: len({name for name, _ in said("carol") if name.startswith("guest-")}) == 20, 300, "twenty guests spoke")


def test_a_part_that_was_played_is_not_played_again():
    compose("restart", "carol")
    conclave("alice", "send", "tea", "carol is back?")
    wait_for_text("carol", "alice: carol is back?")
    lines = re.findall(r"carol: (.*)$", conclave("alice", "history", "tea", "--last", "1000"), re.M)
    equal([line for line, count in collections.Counter(lines).items() if count > 1], [], "lines that carol said twice")


def test_a_missing_password_is_told():
    docker("exec", container("bob"), "rm", "/run/secrets/password")
    compose("restart", "bob")
    wait_for_text("bob", "/run/secrets/password is missing, and bob's keys are locked by it")


def test_down_leaves_only_the_named_volumes():
    down()
    equal(docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}"), "")
    equal(docker("network", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"), "")
    names = ["broker", "page-token", "address", *PEOPLE, *(name + "-password" for name in PEOPLE)]
    equal(volumes() - BEFORE, {f"{PROJECT}_{name}" for name in names})


def test_a_volume_of_another_user_is_told():
    docker("run", "--rm", "--user", "0", "--entrypoint", "chown", "-v", f"{PROJECT}_broker:/data", "conclave-broker", "0:0", "/data")
    text = docker("run", "--rm", "-v", f"{PROJECT}_broker:/data", "conclave-broker", check=False)
    contains(text, "belongs to user 0, and this container runs as user 5670")
    mend = re.search(r"^.*docker (run .*chown.*)$", text, re.M).group(1).replace("VOLUME", PROJECT + "_broker")
    docker(*mend.split())
    equal(docker("run", "--rm", "-v", f"{PROJECT}_broker:/data", "--entrypoint", "conclaved", "conclave-broker", "--fsck", "--data", "/data")
          .splitlines()[-1], "sound")


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", PAGE_PORT))
        taken.listen()
        text = run(os.path.join(ROOT, "docker", "demo"), check=False)
        contains(text, "A port is taken. Take others:")


def test_nothing_is_left_after_down_with_volumes():
    down("-v")
    equal(volumes() - BEFORE, set())


if __name__ == "__main__":
    main(globals())
