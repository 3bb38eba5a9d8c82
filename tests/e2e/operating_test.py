# SPDX-License-Identifier: MPL-2.0
"""What an operator does with conclaved: config file, manual pages, signals, the service manager."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from harness import BUILD, REPO, SLOW, Skip, World, contains, equal, main

CONCLAVED = os.path.join(BUILD, "conclaved")


def conclaved(*args, **options):
    """Runs it to its end, which must come by itself."""
    return subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20 * SLOW,
                          check=False, **options)


def config(world, text, name="conclaved.conf"):
    path = os.path.join(world.dir, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# --- Manual pages -----------------------------------------------------------------------------

def page(name):
    with open(os.path.join(REPO, "broker", name), encoding="utf-8") as file:
        return file.read()


def test_the_manual_pages_and_the_program_know_the_same_options():
    flags = set(re.findall(r"^  --([a-z-]+)", conclaved("--help").stdout, re.M))
    keys = set(re.findall(r"^#?([a-z-]+) =", conclaved("--print-config").stdout, re.M))
    assert keys < flags and len(keys) > 5, (flags, keys)
    equal(set(re.findall(r"^\*--([a-z-]+)\*", page("conclaved.8.scd"), re.M)), flags, "flags in conclaved(8)")
    described = page("conclaved.conf.5.scd")
    equal(set(re.findall(r"^\*([a-z-]+)\* =", described, re.M)), keys, "keys in conclaved.conf(5)")
    for line in conclaved("--help").stdout.splitlines():
        default = re.search(r"^  --([a-z-]+) .*\[([0-9a-z]+)\]$", line)
        if default:
            entry = re.search(rf"^\*{default[1]}\* =.*\n\t(.*)", described, re.M)[1]
            contains(entry.replace("*", ""), f"Default: {default[2]}.")


def test_the_manual_pages_are_well_formed():
    if not shutil.which("scdoc"):
        raise Skip("scdoc is not installed")
    for name in ("broker/conclaved.8.scd", "broker/conclaved.conf.5.scd", "client/conclave.1.scd"):
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


if __name__ == "__main__":
    main(globals())
