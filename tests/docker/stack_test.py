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
BUILD_IMAGE = PROJECT + "-build"
BASE = os.environ.get("CONCLAVE_BASE", "debian:bookworm-slim")


def two_free_ports():
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


PAGE_PORT, PORT = two_free_ports()
ENVIRONMENT = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "CONCLAVE_PAGE_PORT": str(PAGE_PORT), "CONCLAVE_PORT": str(PORT)}
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


def compile_in_build_stage(options, source, *mounts):
    """Makes something of C, in the stage of the images that has a compiler; that is built already."""
    docker("build", "--quiet", "--network", os.environ.get("CONCLAVE_BUILD_NETWORK", "default"), "--build-arg", "BASE=" + BASE,
           "-f", os.path.join(ROOT, "docker", "Dockerfile"), "--target", "build", "-t", BUILD_IMAGE, ROOT)
    return docker("run", "-i", "--rm", *mounts, BUILD_IMAGE, "sh", "-c", "gcc -x c - " + options, input=source)


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

def test_the_tools_have_a_version():
    print("# Compose:", run(*COMPOSE, "version", "--short").strip(), "engine:", docker("version", "-f", "{{.Server.Version}}").strip())


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


def test_each_image_is_built_by_one_service():
    """Else the last that builds it leaves the containers of the others with an image of the past, to be created anew."""
    text = compose("--profile", "jaeger", "--profile", "prometheus", "config")
    for target in ("broker", "client"):
        equal(len(re.findall(rf"^ *target: {target}$", text, re.M)), 1, target)


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
    wait_for(lambda: inspect("broker", "{{.State.Health.Status}}") == "healthy", 60, "the broker is healthy")
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
    text = conclave("carol", "--timeout", "8", "send", "tea", "said to nobody", check=False)
    contains(text, "outbox")
    docker("start", broker)
    for name in ("alice", "dave"):
        wait_for_text(name, "carol: said to nobody")
        equal(said(name).count(("carol", "said to nobody")), 1)


def test_a_minute_without_the_broker_loses_nothing():
    network, broker = PROJECT + "_default", container("broker")
    docker("network", "disconnect", network, broker)
    begun = time.monotonic()
    for number in ("one", "two"):
        for name in ("alice", "carol"):
            contains(conclave(name, "--timeout", "8", "send", "tea", f"{name} in the dark {number}", check=False), "outbox")
    contains(conclave("alice", "status", check=False), "not reachable")
    time.sleep(max(0, begun + 60 - time.monotonic()))
    docker("network", "connect", "--alias", "broker", network, broker)
    for name in PEOPLE[2:]:
        for sender in ("alice", "carol"):
            wait_for_text(name, f"{sender}: {sender} in the dark two")
    in_the_dark = [line for line in said("dave") if "in the dark" in line[1]]
    for sender in ("alice", "carol"):
        equal([text for name, text in in_the_dark if name == sender], [f"{sender} in the dark {number}" for number in ("one", "two")])


def test_a_client_that_was_cut_off_catches_up():
    network, dave = PROJECT + "_default", container("dave")
    docker("network", "disconnect", network, dave)
    conclave("alice", "send", "tea", "dave can't hear this now")
    wait_for_text("carol", "dave can't hear this now")
    time.sleep(20)  # longer than the heartbeats' 15 s: the broker has given the connection up
    assert "dave can't hear" not in plain_log("dave")
    docker("network", "connect", network, dave)
    wait_for_text("dave", "alice: dave can't hear this now")


def test_an_admin_killed_in_the_middle_of_a_rekey_completes_it():
    alice, broker = container("alice"), container("broker")
    docker("pause", alice)
    conclave("dave", "leave", "tea")
    docker("pause", broker)
    docker("unpause", alice)
    time.sleep(2)  # alice has made the new key, and nobody has answered
    docker("kill", alice)
    docker("unpause", broker)
    conclave("carol", "--timeout", "8", "send", "tea", "dave is not to read this", check=False)
    docker("start", alice)
    wait_for_text("carol", "new key without dave")
    wait_for_text("alice", "carol: dave is not to read this")
    equal(plain_log("carol").count("new key without dave"), 1)
    assert "not to read" not in plain_log("dave")


# The wall clock of whatever runs with it is CLOCK_SKEW seconds off; other clocks are not.
SKEW = r"""
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char *skew = getenv("CLOCK_SKEW");
    if (result == 0 && clock == CLOCK_REALTIME && skew)
        now->tv_sec += atol(skew);
    return result;
}
"""


def test_clocks_that_are_hours_and_years_off_harm_nothing():
    hour, year = 3600, 365 * 24 * 3600
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        compile_in_build_stage("-shared -fPIC -o /out/skew.so", SKEW, "-v", folder + ":/out")
        for name, skew in (("early", -5 * hour), ("late", 5 * hour), ("old", -50 * year), ("new", 10 * year)):
            person = docker("run", "-d", "--network", PROJECT + "_default", "-v", f"{PROJECT}_address:/run/conclave:ro",
                            "-v", folder + "/skew.so:/skew.so:ro", "-e", "LD_PRELOAD=/skew.so", "-e", f"CLOCK_SKEW={skew}",
                            "-e", "CONCLAVE_NAME=" + name, "conclave-client", "listen").split()[-1]
            try:
                clock = int(docker("exec", person, "date", "+%s"))
                assert abs(clock - skew - time.time()) < 60, (name, clock)
                wait_for(lambda who=person: '"reachable":true' in docker("exec", who, "conclave", "--json", "status", check=False), 90,
                         name + " is there")
                docker("exec", person, "conclave", "join", "tea", "--wait", "60")
                docker("exec", person, "conclave", "send", "tea", f"{name} is {skew} s off")
                conclave("carol", "send", "tea", f"carol reads {name}")
                wait_for_text("carol", f"{name}: {name} is {skew} s off")
                wait_for(lambda who=person, text=f"carol reads {name}": text in docker("logs", who), 90, name + " reads carol")
                times = re.findall(r"\[(\d\d:\d\d)\][ *](?:carol|early|late|old|new):",  # * marks one's own
                                   "".join(docker("exec", who, "conclave", "history", "tea", "--last", "2") for who in (person, container("carol"))))
                equal(len(times), 4, name)
                assert times[:2] == times[2:], (name, times)
                assert set(times) <= {time.strftime("%H:%M", time.gmtime(time.time() - ago)) for ago in (0, 60, 120)}, (name, times)
                docker("exec", person, "conclave", "leave", "tea")
                wait_for_text("carol", f"new key without {name}")
            finally:
                docker("rm", "-f", "-v", person)


def test_twenty_guests_talk():
    compose("up", "-d", "--no-recreate", "--scale", "guest=20", "guest")
    wait_for(lambda: len({name for name, _ in said("carol") if name.startswith("guest-")}) == 20, 300, "twenty guests spoke")


def test_guests_leave_when_they_are_stopped():
    compose("up", "-d", "--no-recreate", "--scale", "guest=0", "guest")
    wait_for(lambda: "guest-" not in conclave("alice", "members", "tea"), 120, "all guests have left")


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


def test_an_unreadable_password_is_told():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        password = os.path.join(folder, "password")
        with open(os.open(password, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("secret\n")
        text = docker("run", "--rm", "-v", password + ":/run/secrets/password:ro", "conclave-client", "serve", check=False)
        contains(text, "/run/secrets/password can't be read by user 5671")
        contains(text, "chown 5671 FILE")


def test_down_leaves_only_the_named_volumes():
    down()
    equal(docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}"), "")
    equal(docker("network", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"), "")
    names = ["broker", "page-token", "address", *PEOPLE, *(name + "-password" for name in PEOPLE)]
    equal(volumes() - BEFORE, {f"{PROJECT}_{name}" for name in names})


def test_a_volume_of_another_user_is_told():
    for volume, folder, image in (("broker", "/data", "broker"), ("address", "/run/conclave", "broker"), ("alice", "/home/conclave", "client"),
                                  ("alice-password", "/run/secrets", "client")):
        user = {"broker": 5670, "client": 5671}[image]
        mount = ["-v", f"{PROJECT}_{volume}:{folder}"]
        look = ["run", "--rm", *mount, *(["-e", "CONCLAVE_NAME=alice", "-e", "CONCLAVE_BROKER=none"] if image == "client" else []), "conclave-" + image]
        docker("run", "--rm", "--user", "0", "--entrypoint", "chown", *mount, "conclave-" + image, "0:0", folder)
        text = docker(*look, check=False)
        contains(text, f"the volume at {folder} belongs to user 0, and this container runs as user {user}")
        mend = re.search(r"^.*docker (run .*chown.*)$", text, re.M).group(1).replace("VOLUME", f"{PROJECT}_{volume}")
        docker(*mend.split())
        assert "belongs to" not in docker(*look, "--version", check=False), volume
    equal(docker("run", "--rm", "-v", f"{PROJECT}_broker:/data", "--entrypoint", "conclaved", "conclave-broker", "--fsck", "--data", "/data")
          .splitlines()[-1], "sound")


# Puts a format number in place of a store's.
FORMAT = r"""
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *error = NULL, bytes[4] = {(char)atoi(argv[argc - 1])};
    rocksdb_t *db = rocksdb_open(rocksdb_options_create(), "/data/store", &error);
    if (!error)
        rocksdb_put(db, rocksdb_writeoptions_create(), "", 0, bytes, sizeof bytes, &error);
    if (error)
        return puts(error), 1;
    rocksdb_close(db);
    return 0;
}
"""


def test_a_volume_of_another_version_is_told():
    volume = ["-v", f"{PROJECT}_broker:/data"]
    give_back = "chown -R 5670:5670 /data && chmod 700 /data/store"
    for number, status, hint in ((2, "NEWER_FORMAT", "start the newer broker again"), (0, "DAMAGED_FILE", "restore a backup"), (1, None, "")):
        compile_in_build_stage(f"-o /tmp/format -lrocksdb && /tmp/format {number} && {give_back}", FORMAT, *volume)
        if status:
            text = docker("run", "--rm", *volume, "conclave-broker", check=False)
            contains(text, "store_refused path=/data/store status=" + status)
            contains(text, hint)
    equal(docker("run", "--rm", *volume, "--entrypoint", "conclaved", "conclave-broker", "--fsck", "--data", "/data").splitlines()[-1], "sound")


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", PAGE_PORT))
        taken.listen()
        text = run(os.path.join(ROOT, "docker", "demo"), check=False)
        contains(text, "A port is taken. Take others:")


def test_nothing_is_left_after_down_with_volumes():
    down("-v")
    equal(volumes() - BEFORE, set())
    docker("image", "rm", "--no-prune", BUILD_IMAGE)  # its layers are the next build's cache


if __name__ == "__main__":
    main(globals())
