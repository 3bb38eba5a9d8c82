# SPDX-License-Identifier: MPL-2.0
"""The audit's search finds what is there: every encoding, at every alignment, wherever it stands, and in a process's memory."""
import base64
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import harness  # noqa: E402
from canaries import Canaries, encodings, files_below, memory_of, z85  # noqa: E402

SECRET = bytes.fromhex("fb3e8fbff1c27d04a94a7ff3b7e00d6625c1eb7bd0fefbbf2e6ad8b9c4f70533")


def planted(content):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "with a space in its name")
        with open(path, "wb") as file:
            file.write(content)
        canaries = Canaries(harness.BUILD)
        canaries.add("secret", SECRET)
        canaries.add("another", b"a secret that is not there")
        return [(name, encoding) for _, name, encoding in canaries.find(files_below(folder))]


def test_each_form_is_found_by_its_own_name():
    names = [name for name, _ in encodings(SECRET)]
    harness.equal(len(names), len(set(names)), "names of encodings")
    for name, form in encodings(SECRET):
        assert ("secret", name) in planted(b"\0" * 5 + form + b"\xff"), name
        assert len(form) * 3 // 4 >= 12, f"{name} is too short"


def test_whatever_encoder_and_alignment():
    encoders = {"b16": base64.b16encode, "hex": lambda data: data.hex().encode(), "base64": base64.b64encode,
                "base64url": base64.urlsafe_b64encode, "z85": lambda data: z85(data + bytes(-len(data) % 4)), "raw": bytes}
    for before in range(13):
        for after in range(5):
            for name, encode in encoders.items():
                around = encode(b"\xa5" * before + SECRET + b"\x5a" * after)
                assert planted(b"log line: " + around + b"\n"), (name, before, after)


def test_at_the_first_and_the_last_byte():
    assert planted(SECRET)
    assert planted(b"x" * 100001 + SECRET)


def test_nothing_is_found_where_nothing_is():
    harness.equal(planted(b""), [])
    harness.equal(planted(SECRET[:-1] + b"\0"), [], "all but the last byte")
    harness.equal(planted(bytes(range(256)) * 100), [])


def test_z85_is_that_of_the_specification():
    harness.equal(z85(bytes.fromhex("864fd26fb559f75b")), b"HelloWorld")


def test_the_memory_of_a_process_is_seen():
    # Made inside the process: it stands in no file that it maps.
    program = "import sys, os; held = bytes.fromhex(sys.stdin.readline()); print('held', flush=True); sys.stdin.readline()"
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            ["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(SECRET.hex() + "\n")
        process.stdin.flush()
        harness.equal(process.stdout.readline(), "held\n")
        path = os.path.join(folder, "memory")
        process.send_signal(signal.SIGSTOP)
        image = b"".join(memory_of(process.pid))
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait(60)
        assert len(image) > 1 << 20, len(image)
        with open(path, "wb") as file:
            file.write(image)
        canaries = Canaries(harness.BUILD)
        canaries.add("secret", SECRET)
        assert (path, "secret", "raw") in canaries.find([path])


if __name__ == "__main__":
    harness.main(globals())
