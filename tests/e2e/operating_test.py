# SPDX-License-Identifier: MPL-2.0
"""What an operator does with conclaved: manual pages, config file, signals, the end."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from conclave_wire import EVENTS
from harness import BUILD, REPO, SLOW, Skip, World, contains, equal, main, wait_for
from operating import CONCLAVED, Deaf, account, after, config, conclaved, connection, events, page, refused, reload

# --- Manual pages -----------------------------------------------------------------------------

def test_the_manual_pages_and_the_program_know_the_same_options():
    flags = set(re.findall(r"^  --([a-z-]+)", conclaved("--help").stdout, re.M))
    keys = set(re.findall(r"^#?([a-z-]+) =", conclaved("--print-config").stdout, re.M))
    assert keys < flags and len(keys) > 5, (flags, keys)
    equal(set(re.findall(r"^\*--([a-z-]+)\*", page("conclaved.8.scd"), re.M)), flags, "flags in conclaved(8)")
    described = page("conclaved.conf.5.scd")
    equal(set(re.findall(r"^\*([a-z-]+)\* =", described, re.M)), keys, "keys in conclaved.conf(5)")
    defaults = re.findall(r"^  --([a-z-]+) .*\[([0-9a-z]+)\]$", re.sub(r"\n {10,}", " ", conclaved("--help").stdout), re.M)
    assert len(defaults) >= 10, defaults
    for name, default in defaults:
        entry = re.search(rf"^\*{name}\* =.*\n\t(.*)", described, re.M)[1]
        contains(entry.replace("*", ""), f"Default: {default}.")


def check_columns(text):
    """Every line fits a terminal; within a paragraph of flags or commands all that is said of them begins at one column."""
    equal([line for line in text.splitlines() if len(line) > 80], [], "long lines")
    tables = 0
    for paragraph in text.split("\n\n"):
        rows = re.findall(r"^(?=  )(?! {10})(.*)$", paragraph, re.M)
        if "usage:" in paragraph.lower() or "exit codes:" in paragraph.lower():
            continue
        columns = set()
        for row in rows:
            said = re.fullmatch(r"( +\S.*?  +)\S.*", row)
            assert said, "nothing beside: " + row
            columns.add(len(said[1]))
        columns |= {len(spaces) for spaces in re.findall(r"^( {10,})\S", paragraph, re.M)}
        assert len(columns) <= 1, (columns, paragraph)
        tables += len(columns)
    assert tables, "no table was found"


def test_help_is_in_columns():
    programs = {name: os.path.join(BUILD, name) for name in ("conclave", "conclaved", "conclave-trace")}
    commands = re.findall(r"^  ([a-z]+) ", subprocess.run([programs["conclave"], "--help"], capture_output=True, text=True, check=True).stdout, re.M)
    assert len(commands) > 10, commands
    for args in ([programs["conclaved"]], [programs["conclaved"], "user"], [programs["conclave-trace"]], [programs["conclave"]],
                 *([programs["conclave"], command] for command in commands)):
        result = subprocess.run([*args, "--help"], capture_output=True, text=True, check=False)
        equal((result.returncode, result.stderr), (0, ""), str(args))
        check_columns(result.stdout)


def entries(described, section):
    """What stands in front of a page's entries in this section: lines of bold words, with what they take in italics."""
    text = re.search(rf"^# {section}\n(.*?)(?=^# |\Z)", described, re.M | re.S)[1]
    return re.findall(r"^(\*[^\n]*)\n\t", text, re.M)


def test_the_manual_page_and_conclave_trace_know_the_same():
    said = subprocess.run([os.path.join(BUILD, "conclave-trace"), "--help"], capture_output=True, text=True, check=True).stdout
    described = page("conclave-trace.8.scd")
    # A command with what it takes, as both write it: `explain GROUP N`, `*explain* _GROUP_ _N_`.
    commands = re.findall(r"^  ([a-z]+(?: \[?[A-Z]+\]?)*)(?: |$)", re.search(r"^Commands:\n(.*?)\n\n", said, re.M | re.S)[1], re.M)
    assert len(commands) >= 8, said
    equal([re.sub(r"[*_]", "", entry) for entry in entries(described, "COMMANDS")], commands, "commands in conclave-trace(8)")
    flags = dict(re.findall(r"^  --([a-z-]+)(?: ([A-Z]+|'K: V'))? ", said, re.M))
    assert len(flags) >= 15, said
    found = {}
    for entry in entries(described, "OPTIONS"):
        for name, takes in re.findall(r"\*--([a-z-]+)\*(?: @?_([^_]+)_)?", entry):
            found.setdefault(name, takes)
    found["header"] = found["header"].replace("NAME: VALUE", "K: V")  # the help has less room
    equal(found, flags, "options in conclave-trace(8)")


def test_the_manual_page_and_conclaved_user_know_the_same():
    said = conclaved("user")
    equal((said.returncode, said.stdout), (2, ""))
    usage = [re.sub(r"^(usage:)? *", "", line) for line in said.stderr.splitlines() if "conclaved user " in line]
    assert len(usage) >= 3, said.stderr
    described = page("conclaved.8.scd")
    synopsis = re.search(r"^# SYNOPSIS\n(.*?)^# ", described, re.M | re.S)[1]
    equal([re.sub(r"[*_]|\+\+$", "", line) for line in synopsis.splitlines() if line.startswith("*conclaved user*")], usage, "the synopsis")
    # Each has its say: in an entry of its own, or in another's.
    text = re.search(r"^# USERS\n(.*?)^# ", described, re.M | re.S)[1]
    for line in usage:
        for command in line.split()[2].split("|"):
            contains(text, f"*user {command}*")
        for flag in re.findall(r"--[a-z-]+", line):
            contains(text, f"*{flag}*")


def test_the_manual_pages_are_well_formed():
    if not shutil.which("scdoc"):
        raise Skip("scdoc is not installed")
    for name in ("broker/conclaved.8.scd", "broker/conclaved.conf.5.scd", "broker/conclave-trace.8.scd", "client/conclave.1.scd"):
        with open(os.path.join(REPO, name), "rb") as source:
            result = subprocess.run(["scdoc"], stdin=source, capture_output=True, check=False)
        equal((result.returncode, result.stderr), (0, b""), name)
        contains(result.stdout.decode(), ".TH ")


# --- The config file --------------------------------------------------------------------------

def test_check_config():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "conclaved.conf")
        example = page("conclaved.conf.5.scd").split("```\n")[1]
        for text in (example, "", "data = " + folder + "/data\r\n"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            result = conclaved("--check-config", "--config", path)
            equal((result.returncode, result.stdout, result.stderr), (0, "OK\n", ""), text)
        equal(os.listdir(folder), ["conclaved.conf"], "what was made")
        with open(path, "w", encoding="utf-8") as file:
            file.write("log-levl = info\n\nidle-seconds = soon\n")
        for args in (("--check-config",), ()):
            result = conclaved(*args, "--config", path, "--retention-days", "0")
            equal((result.returncode, result.stdout), (2, ""))
            for part in (f"{path}:1: key 'log-levl': unknown; did you mean 'log-level'?\n",
                         f"{path}:3: key 'idle-seconds': can't be 'soon'; allowed: a whole number from 1 to 100000000\n",
                         "conclaved: --retention-days can't be '0'; allowed: a whole number from 1 to 36500\n"):
                contains(result.stderr, part)
        equal(os.listdir(folder), ["conclaved.conf"], "what was made")
        # Keys that need another, each told in the line where it stands.
        with open(path, "w", encoding="utf-8") as file:
            file.write("http-token-file = /nowhere/token\nhttp = 0.0.0.0:9999\n")
        for args in (("--check-config",), ()):
            result = conclaved(*args, "--config", path)
            equal((result.returncode, result.stdout), (2, ""))
            contains(result.stderr, f"{path}:1: key 'http-token-file': No such file or directory\n")
            contains(result.stderr, f"{path}:2: key 'http': others can reach that address")
        equal(os.listdir(folder), ["conclaved.conf"], "what was made")
    equal(conclaved("--check-config").stdout, "OK\n", "without a file")


def test_the_file_is_used_and_flags_override_it():
    with World() as world:
        other = os.path.join(world.dir, "other")
        path = config(world, f"data = {other}\nlisten = tcp://127.0.0.1:*\nlog-format = json\n")
        process = subprocess.Popen([CONCLAVED, "--config", path, "--log-format", "text"], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env=world.env)
        try:
            for line in process.stderr:
                if " ready " in line:
                    break
            contains(line, "data=" + other)
            assert os.path.exists(os.path.join(other, "broker.url"))
        finally:
            process.terminate()
            process.communicate()
        equal(process.returncode, 0)


def test_print_config_prints_what_is_in_force():
    with World() as world:
        path = config(world, "idle-seconds = 7\nreport-minutes = 9\n")
        printed = conclaved("--print-config", "--config", path, "--report-minutes", "8")
        equal(printed.returncode, 0)
        contains(printed.stdout, "\nidle-seconds = 7\n")
        contains(printed.stdout, "\nreport-minutes = 8\n")
        again = conclaved("--print-config", "--config", config(world, printed.stdout, "again.conf"))
        equal(again.stdout, printed.stdout)


# --- Signals ----------------------------------------------------------------------------------

def changed(key, old, new):
    return {"event": "config_changed", "key": key, "old": old, "new": new}


def restart_needed(key, running, new):
    return {"event": "config_needs_restart", "key": key, "running": running, "new": new}


def with_config(world, text):
    """Restarts the world's broker with a config file; returns the file's path."""
    equal(world.broker.stop(), 0)
    path = config(world, text)
    world.broker.args = ["--config", path]
    world.broker.start()
    return path


def idle_ms(world, who):
    """What a new session is told."""
    with connection(world) as wire:
        return wire.login(*who, EVENTS).idle_ms


def test_sighup_changes_what_can_change():
    with World() as world:
        path = with_config(world, "report-minutes = 0\n")
        equal(reload(world, "report-minutes = 0\n"),
              [{"event": "config_reloaded", "file": path, "changed": 0, "need_restart": 0}])
        ada = account(world, "ada")
        equal(reload(world, "idle-seconds = 9\nretention-days = 3\nstore-reserve-mb = 100000000\nreport-minutes = 5\n"
                            "drain-seconds = 9\nlog-level = error\n"),
              [changed("idle-seconds", "600", "9"), changed("retention-days", "30", "3"),
               changed("store-reserve-mb", "64", "100000000"), changed("report-minutes", "0", "5"),
               changed("drain-seconds", "10", "9"),
               {"event": "config_reloaded", "file": path, "changed": 5, "need_restart": 0}],
              "the log's level is a flag, which goes before the file")
        equal(idle_ms(world, ada), 9000)
        contains(refused(world, "bob"), "STORE_FULL")
        equal(reload(world, "store-reserve-mb = 0\n")[-1]["changed"], 5)
        # After a full disk nothing is tried for a second.
        wait_for(lambda: not refused(world, "bob"), 20, "there is room again")


def test_sighup_says_what_needs_a_restart():
    with World() as world:
        data, listen = world.broker.data, world.broker.listen
        broker = world.broker
        equal(broker.stop(), 0)
        text = f"data = {data}\nlisten = {listen}\nlog-format = json\n"
        path = config(world, text)
        with open(broker.log, "ab") as log:
            broker.process = subprocess.Popen([CONCLAVED, "--config", path], stdin=subprocess.DEVNULL, stderr=log, env=world.env)
        wait_for(lambda: len(events(world, "ready")) == 2, 20, "it is ready")
        for changes in ([changed("log-level", "info", "debug")], []):  # the second time the file is as it was
            equal(reload(world, "data = /else where\nlog-level = debug\n"),
                  [restart_needed("data", data, "/else where"), restart_needed("listen", listen, "tcp://127.0.0.1:5670"),
                   restart_needed("log-format", "json", "text"), *changes,
                   {"event": "config_reloaded", "file": path, "changed": len(changes), "need_restart": 3}])
        account(world, "ada")


def test_a_config_file_with_errors_changes_nothing():
    with World() as world:
        path = with_config(world, "idle-seconds = 7\n")
        ada = account(world, "ada")
        refusal = {"event": "config_not_reloaded", "file": path, "text": "all settings stay as they are",
                   "hint": "mend the file, check it with --check-config, reload again"}
        equal(reload(world, "idle-seconds = 8\nidle-minutes = 1\n\nretention-days = \x1b\n"),
              [{"event": "config_error", "file": path, "line": 2,
                "text": "key 'idle-minutes': unknown; allowed are the keys that --print-config prints"},
               {"event": "config_error", "file": path, "line": 4,
                "text": "there is a control character; only blanks and tabs are allowed"},
               dict(refusal, errors=2)])
        os.remove(path)
        os.mkdir(path)
        line = after(world, signal.SIGHUP, "config_not_reloaded")
        equal(line["errors"], 1)
        equal(events(world, "config_error")[-1]["text"], "is a directory; name a file")
        os.rmdir(path)
        equal(idle_ms(world, ada), 7000)
        equal(reload(world, "idle-seconds = 8\n")[0], changed("idle-seconds", "7", "8"))


def test_sigusr1_switches_debug_on_and_off():
    with World() as world:
        broker = world.broker
        equal(broker.stop(), 0)
        path = config(world, "log-level = warn\n")
        with open(broker.log, "ab") as log:
            broker.process = subprocess.Popen([CONCLAVED, "--data", broker.data, "--listen", broker.listen, "--log-format", "json",
                                               "--config", path], stdin=subprocess.DEVNULL, stderr=log, env=world.env)
        account(world, "grace")  # it is ready

        def switch():
            line = after(world, signal.SIGUSR1, "log_level_changed")
            return line["old"], line["new"]

        equal(switch(), ("warn", "debug"))
        handshakes = len([line for line in events(world, "handshake") if line["level"] == "debug"])
        account(world, "ada")
        wait_for(lambda: len(events(world, "handshake")) > handshakes, 20, "debug lines are written")
        equal(switch(), ("debug", "warn"))
        equal(switch(), ("warn", "debug"))
        # A reload takes it back to what the file says.
        equal(reload(world, "log-level = info\n")[0], changed("log-level", "debug", "info"))


# --- The end ----------------------------------------------------------------------------------

def test_the_drain_ends_at_its_limit():
    with World(broker_args=["--drain-seconds", "1"]) as world:
        deaf = Deaf(world)
        equal(world.broker.stop(), 0)
        equal([line["cause"] for line in events(world, "drain_cut_short")], ["drain-seconds are over"])
        deaf.close()
        world.broker.start()


def test_a_second_signal_ends_the_drain():
    with World(broker_args=["--drain-seconds", "3600"]) as world:
        deaf = Deaf(world)
        after(world, signal.SIGTERM, "stopping")
        world.broker.process.send_signal(signal.SIGHUP)
        world.broker.process.send_signal(signal.SIGINT)
        equal(world.broker.process.wait(20 * SLOW), 0)
        equal([line["cause"] for line in events(world, "drain_cut_short")], ["a second signal"])
        deaf.close()
        world.broker.start()


def test_a_drain_with_nothing_to_wait_for_is_done_at_once():
    with World(broker_args=["--drain-seconds", "3600"]) as world:
        account(world, "ada")
        with connection(world):
            equal(world.broker.stop(), 0)
        equal(events(world, "drain_cut_short"), [])
        equal(events(world, "transport_counters")[-1]["draining"], 1)


if __name__ == "__main__":
    main(globals())
