# SPDX-License-Identifier: MPL-2.0
"""A whole session of real processes, then a search for every text, password and key in all that the broker holds and the clients store."""
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import BUILD, User, World, contains, equal, main, room, wait_for  # noqa: E402
from otlp_sink import Sink  # noqa: E402
from canaries import Canaries, files_below, memory_of  # noqa: E402

GROUP = "control-of-the-group-name"
CONTROLS = ("control-name", "control-group", "control-key")


def is_secret(name):
    return not name.startswith("control-")


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] == "T", 60, "it stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Watch:
    """Everything that an operator can see of a running broker: steps, spans, metrics, the live page's events, what it explains."""

    def __init__(self, world, folder, number):
        self.world = world
        self.path = os.path.join(folder, f"operator-{number}")
        os.mkdir(self.path)
        started = [line for line in world.broker.log_text().splitlines() if "http_listening" in line]
        self.http = json.loads(started[-1])["url"].rstrip("/")
        self.processes = [self.tool("--json", "watch", out="steps.json"), self.tool("watch", out="steps"), self.tool("--json", "top", out="top.json"),
                          self.tool("record", os.path.join(self.path, "recording"), out="record"),
                          self.tool("perfetto", os.path.join(self.path, "perfetto"), out="perfetto-said")]
        self.sink = Sink()
        self.processes.append(self.tool("otlp", self.sink.url, out="otlp-said"))
        self.events = threading.Thread(target=self.read_events, daemon=True)
        self.events.start()
        wait_for(lambda: os.path.exists(os.path.join(self.path, "recording")) and self.size("top.json") > 0, 60, "the tools watch")

    def size(self, name):
        return os.path.getsize(os.path.join(self.path, name))

    def tool(self, *args, out):
        with open(os.path.join(self.path, out), "wb") as file:
            return subprocess.Popen([os.path.join(BUILD, "conclave-trace"), "--data", self.world.broker.data, *args], stdout=file,
                                    stderr=subprocess.DEVNULL, env=self.world.env)

    def get(self, page):
        with urllib.request.urlopen(self.http + page, timeout=60) as answer:
            return answer.read()

    def read_events(self):
        with open(os.path.join(self.path, "events"), "wb") as out, contextlib.suppress(OSError):
            with urllib.request.urlopen(self.http + "/events", timeout=20) as answer:
                for line in answer:
                    out.write(line)
                    out.flush()

    def newest(self):
        """The number of the last event that was seen: older ones may be deleted already."""
        with open(os.path.join(self.path, "steps.json"), encoding="ascii") as file:
            steps = [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith("\n")]  # it is being written
        return max((step["sequence"] for step in steps if step["step"] == "appended"), default=0)

    def has_seen(self, name, *parts):
        with open(os.path.join(self.path, name), "rb") as file:
            seen = file.read()
        return all(part in seen for part in parts)

    def end(self, last):
        """Once everybody has been told of what was done, up to the event of this number."""
        wait_for(lambda: self.newest() >= last, 60, "the last event was seen")
        for name in ("steps", "steps.json", "recording", "events"):
            wait_for(lambda name=name: self.has_seen(name, GROUP.encode(), b"control-of-user-"), 60, f"{name} tells of people and groups")
        wait_for(self.sink.spans, 60, "spans reach the collector")
        for page in ("metrics", "varz", "healthz", "readyz"):
            with open(os.path.join(self.path, page), "wb") as out:
                out.write(self.get("/" + page))
        equal(self.tool("--json", "explain", GROUP, str(self.newest()), out="explained").wait(90), 0, "exit code of explain")
        backup = os.path.join(self.path, "backup")
        equal(self.tool("backup", backup, out="backup-said").wait(90), 0, "exit code of the backup")
        for process in self.processes:
            process.terminate()
            equal(process.wait(60), 0, "exit code of " + " ".join(process.args))
        # What a collector is sent, as it was sent, and who sent it.
        with open(os.path.join(self.path, "otlp"), "wb") as out:
            for _, where, headers, body in self.sink.requests:
                out.write(f"{where}\n{headers}\n".encode() + body + b"\n")
        self.sink.__exit__()

    def files(self):
        return files_below(self.path)


class Audit:
    """The world, what must not be found in it, and what was taken from it at several moments."""

    def __init__(self, world, folder):
        self.world = world
        self.folder = folder  # of what the audit itself keeps; never searched for leaks of clients
        self.canaries = Canaries(BUILD)
        self.canaries.add("control-group", GROUP.encode())
        self.images = []
        self.stores = []
        self.outputs = []  # (whose, bytes): all but texts must not be there
        self.watches = []
        self.texts = 0

    def watch(self):
        self.watches.append(Watch(self.world, self.folder, len(self.watches)))
        return self.watches[-1]

    def text(self):
        self.texts += 1
        text = f"canary of text {self.texts} {secrets.token_hex(12)}"
        self.canaries.add(f"text-{self.texts}", text.encode())
        return text

    def password(self, whose):
        password = f"pass {secrets.token_hex(12)} phrase"
        self.canaries.add(f"password-{whose}", password.encode())
        return password

    def user(self, number):
        name = f"control-of-user-{number}"
        user = User(self.world, name, self.password(name))
        self.run(user, "--broker", self.world.broker.url_file, "register", name, "--kdf", "interactive")
        self.canaries.add("control-name-" + name, name.encode())
        key = user.json("whoami")[0]["key"]
        self.canaries.add("control-key-" + name, base64.urlsafe_b64decode(key + "="))
        return user

    def run(self, user, *args, code=0, input=None):
        result = user.run(*args, input=input)
        assert result.returncode == code, (user.name, args, result.returncode, result.stdout, result.stderr)
        self.outputs.append((user.name, (result.stdout + result.stderr).encode()))
        return result.stdout + result.stderr

    def reveal(self, *users, holders=()):
        """Notes the secrets that homes hold at this moment; the processes that hold some of them stand still for it."""
        for user in users:
            copy = os.path.join(self.folder, "home")
            with contextlib.ExitStack() as still:
                for holder in holders:
                    still.enter_context(stopped(holder.process.pid))
                shutil.copytree(user.home, copy, ignore=lambda folder, names: ["socket"])
            result = subprocess.run([os.path.join(BUILD, "tests/audit/reveal"), copy, user.password_file],
                                    capture_output=True, text=True, check=False)
            assert result.returncode == 0, (user.name, result.stderr)
            for line in result.stdout.splitlines():
                kind, secret = line.split()
                self.canaries.add(f"{kind}-{user.name}", bytes.fromhex(secret))
            shutil.rmtree(copy)

    def take_memory(self):
        path = os.path.join(self.folder, f"memory-{len(self.images)}")
        with stopped(self.world.broker.process.pid):
            image = memory_of(self.world.broker.process.pid)  # the disk is not waited for: who talks to it has ten seconds' patience
        with open(path, "wb") as out:
            out.writelines(image)
        self.images.append(path)

    def take_store(self):
        """The records of a broker that has ended, whatever their files look like."""
        path = os.path.join(self.folder, f"records-{len(self.stores)}")
        copy = os.path.join(self.folder, "store")
        shutil.copytree(os.path.join(self.world.broker.data, "store"), copy)
        with open(path, "wb") as out:
            subprocess.run([os.path.join(BUILD, "tests/audit/dump_store"), copy], stdout=out, check=True)
        shutil.rmtree(copy)
        raw = os.path.join(self.folder, f"store-files-{len(self.stores)}")
        shutil.copytree(self.world.broker.data, raw, ignore=lambda folder, names: ["operator.sock"])
        self.stores += [path, *files_below(raw)]

    def write_outputs(self):
        path = os.path.join(self.folder, "outputs")
        with open(path, "wb") as out:
            for whose, printed in self.outputs:
                out.write(whose.encode() + b": " + printed)
        return [path]


def last_event(user):
    return user.json("history", GROUP, "--last", "1")[-1]["seq"]


def session(audit):
    """Everything that people do, with restarts of everybody, while the audit takes what it will search."""
    world, broker = audit.world, audit.world.broker
    watch = audit.watch()
    alice, bob, carol, dave = (audit.user(number) for number in range(1, 5))
    serve = room(world, GROUP, alice, bob, carol)
    audit.reveal(bob, carol)
    audit.reveal(alice, holders=[serve])
    for user in (alice, bob, carol, alice, bob):
        audit.run(user, "send", GROUP, audit.text())
    traced = json.loads(audit.run(bob, "--json", "--trace", "send", GROUP, audit.text()).splitlines()[0])["traceparent"].split("-")
    audit.run(bob, "send", GROUP, input=audit.text() + "\n" + audit.text() + "\n")
    audit.run(carol, "listen", "--count", "8", "--wait", "60")
    audit.reveal(bob, carol)
    audit.take_memory()
    # The traced message's span reaches the collector with the sender's own ids, which are no secret.
    wait_for(lambda: any((span["traceId"], span.get("parentSpanId")) == (traced[1], traced[2]) for span in watch.sink.spans()), 60,
             f"{traced} is exported")
    watch.end(last_event(bob))
    # A request that waits: its prekey is on the device, and the admin is away.
    serve.stop()
    audit.run(dave, "join", GROUP)
    audit.reveal(alice, dave)
    # Texts that wait while the broker is away.
    broker.kill()
    audit.take_store()
    contains(audit.run(bob, "--timeout", "1", "send", GROUP, audit.text(), code=4), "waits")
    audit.reveal(bob)
    broker.start()
    watch = audit.watch()
    audit.run(bob, "send", GROUP, audit.text())
    # Somebody goes, which makes all keys new; the admin's client is killed on the way.
    audit.run(carol, "leave", GROUP)
    serve = alice.start("serve")
    wait_for(lambda: dave.run("send", GROUP, audit.text()).returncode == 0, 90, "dave is in")
    serve.kill()
    serve = alice.start("serve")
    wait_for(lambda: alice.run("send", GROUP, audit.text()).returncode == 0, 90, "the admin is back")
    audit.reveal(bob, dave)
    audit.reveal(alice, holders=[serve])
    audit.run(bob, "listen", "--count", "4", "--wait", "60")
    # A new password, and a wrong one.
    fresh = User(world, "new-password", audit.password("new"))
    audit.run(bob, "passwd", "--new-password-file", fresh.password_file, "--kdf", "interactive")
    contains(audit.run(bob, "send", GROUP, "x", code=5), "WRONG_PASSWORD")
    bob.password_file = fresh.password_file
    for user in (bob, dave):
        audit.run(user, "history", GROUP)
        audit.run(user, "members", GROUP)
    audit.run(bob, "send", GROUP, audit.text())
    audit.reveal(bob, dave)
    audit.take_memory()
    watch.end(last_event(bob))
    equal(serve.stop(), 0, "exit code of the admin's client")
    audit.outputs.append((alice.name, "\n".join(serve.errors).encode()))
    equal(broker.stop(), 0, "exit code of the broker")
    audit.take_store()
    broker.start()
    audit.run(bob, "send", GROUP, audit.text())
    audit.take_memory()
    broker.stop()
    audit.take_store()
    return alice, bob, carol, dave


def expect_none(places, where):
    assert not places, f"secrets in {where}:\n" + "\n".join(map(str, places[:20]))


def expect_controls(audit, files, where):
    """The search sees what is known to be there, so that finding nothing means something."""
    found = {name for _, name, encoding in audit.canaries.find(files, lambda name: not is_secret(name)) if encoding == "raw"}
    for control in CONTROLS:
        assert any(name.startswith(control) for name in found), f"{control} is not found in {where}"


def check_what_is_looked_for(audit):
    for kind, least in (("text", 12), ("password", 5), ("identity-seed", 4), ("identity-scalar", 4), ("vault-key", 4),
                        ("vault-file-key", 8), ("membership", 2), ("path-key", 6), ("node-key", 1), ("tree-secret", 2),
                        ("chain-key", 4), ("message-key", 4), ("prekey", 1)):
        count = audit.canaries.count(kind + "-")
        assert count >= least, f"only {count} of {kind} to look for"


SHARED = {}


def audited():
    """One session for all checks; its files go when the program ends."""
    if not SHARED:
        folder = SHARED["folder"] = tempfile.TemporaryDirectory(prefix="conclave-audit-")
        world = SHARED["world"] = World(broker_args=["--http", "127.0.0.1:*", "--trace-history", "10000"])
        world.env["CONCLAVE_ALLOW_CORE"] = "1"  # else nobody may read its memory
        world.__enter__()
        audit = Audit(world, folder.name)
        SHARED["users"] = session(audit)
        SHARED["audit"] = audit
        print(f"# {len(audit.canaries.secrets)} canaries; memory images of "
              f"{', '.join(f'{os.path.getsize(path) >> 20} MiB' for path in audit.images)}")
    assert "audit" in SHARED, "the session went to its end"
    return SHARED["audit"]


def test_a_session_shows_all_kinds_of_secrets():
    check_what_is_looked_for(audited())


def test_the_brokers_memory_holds_names_and_public_keys_and_no_secret():
    audit = audited()
    equal(len(audit.images), 3, "images")
    for image in audit.images:
        expect_controls(audit, [image], "the broker's memory")
        expect_none(audit.canaries.find([image], is_secret), "the broker's memory")


def test_the_brokers_store_holds_names_and_public_keys_and_no_secret():
    audit = audited()
    expect_controls(audit, [path for path in audit.stores if "records-" in path], "the broker's records")
    expect_controls(audit, [path for path in audit.stores if "store-files-" in path], "the broker's files")
    expect_none(audit.canaries.find(audit.stores + files_below(audit.world.broker.data), is_secret), "the broker's store")


def test_the_brokers_log_at_its_most_talkative_holds_no_secret():
    audit = audited()
    log = audit.world.broker.log
    audit.canaries.add("control-broker-key", base64.urlsafe_b64decode(audit.world.broker.url.split("#")[1] + "="))
    equal({name for _, name, _ in audit.canaries.find([log], lambda name: name == "control-broker-key")}, {"control-broker-key"},
          "the broker's public key in its log")
    contains(audit.world.broker.log_text(), '"level":"debug"')
    contains(audit.world.broker.log_text(), "rules_counters")
    expect_none(audit.canaries.find([log], is_secret), "the broker's log")


def test_what_an_operator_sees_holds_names_and_no_secret():
    audit = audited()
    equal(len(audit.watches), 2, "watches")
    for watch in audit.watches:
        files = watch.files()
        for name in ("steps", "steps.json", "recording", "events", "explained", "perfetto", "otlp"):
            path = os.path.join(watch.path, name)
            found = {name for _, name, _ in audit.canaries.find([path], lambda name: not is_secret(name))}
            assert "control-group" in found and any(n.startswith("control-name-") for n in found), (name, found)
        expect_controls(audit, [path for path in files if "/backup/" in path], "a backup")
        contains(open(os.path.join(watch.path, "metrics"), encoding="ascii").read(), "conclave")
        expect_none(audit.canaries.find(files, is_secret), "what an operator sees")
        # Metrics are kept for long and passed on: not even names.
        numbers = [os.path.join(watch.path, name) for name in ("metrics", "varz", "healthz", "readyz")]
        expect_none(audit.canaries.find(numbers, lambda name: name == "control-group" or name.startswith("control-name-")), "metrics")


def test_what_clients_keep_on_disk_is_sealed():
    audit = audited()
    for user in SHARED["users"]:
        files = files_below(user.home)
        names = [os.path.basename(path) for path in files]
        assert {"identity", "member.vault", "config"} <= set(names), names
        found = {name for _, name, _ in audit.canaries.find(files, lambda name: not is_secret(name))}
        assert "control-name-" + user.name in found and "control-key-" + user.name in found, (user.name, found)
        expect_none(audit.canaries.find(files, is_secret), f"the files of {user.name}")


def test_what_clients_print_holds_no_key_and_no_password():
    audit = audited()
    expect_none(audit.canaries.find(audit.write_outputs(), lambda name: is_secret(name) and not name.startswith("text-")),
                "what clients print")


def test_nothing_else_lies_about():
    """Whatever the processes left in their private world: no file but the homes, the broker's, and the passwords' own."""
    audit = audited()
    files = [path for path in files_below(audit.world.dir) if not os.path.basename(path).startswith("password-")]
    expect_none(audit.canaries.find(files, is_secret), "the folder of all")


if __name__ == "__main__":
    try:
        main(globals())
    finally:
        if SHARED:
            SHARED["world"].__exit__(None, None, None)
            SHARED["folder"].cleanup()
