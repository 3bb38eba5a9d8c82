# SPDX-License-Identifier: MPL-2.0
"""What the audit looks for, in every encoding that a leak could have, and where it stands in files."""
import base64
import os
import subprocess
import tempfile

# At least so much of an encoded canary must stand in a row; below it, chance would find it.
LEAST_BYTES = 12
Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def base64_within(secret, offset):
    """The characters that depend on the secret alone when it stands `offset` bytes after a multiple of three."""
    encoded = base64.b64encode(bytes(offset) + secret)
    return encoded[-(-8 * offset // 6):8 * (offset + len(secret)) // 6]


def z85(data):
    out = bytearray()
    for at in range(0, len(data), 4):
        number = int.from_bytes(data[at:at + 4], "big")
        out += bytes(Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return bytes(out)


def z85_within(secret, offset):
    """The same for z85, which takes four bytes at a time."""
    whole = secret[-offset % 4:]
    return z85(whole[:len(whole) // 4 * 4])


def encodings(secret):
    """Name and bytes of each form that a leak of these bytes could have."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    for offset in range(3):
        plain = base64_within(secret, offset)
        yield f"base64+{offset}", plain
        yield f"base64url+{offset}", plain.translate(bytes.maketrans(b"+/", b"-_"))
    for offset in range(4):
        yield f"z85+{offset}", z85_within(secret, offset)


class Canaries:
    """Named secrets, and a search for all of them at once."""

    def __init__(self, build):
        self.search_program = os.path.join(build, "tests/audit/search")
        self.secrets = {}

    def add(self, name, secret):
        assert len(secret) >= LEAST_BYTES + 3, f"{name} is too short to be looked for"
        self.secrets.setdefault(bytes(secret), name)

    def count(self, prefix):
        return sum(name.startswith(prefix) for name in self.secrets.values())

    def find(self, files, chosen=lambda name: True):
        """The places as (file, name, encoding), of the canaries whose name is chosen."""
        with tempfile.NamedTemporaryFile("w", prefix="needles-") as needles:
            seen = set()
            for secret, name in self.secrets.items():
                for encoding, form in encodings(secret) if chosen(name) else ():
                    if form not in seen:
                        seen.add(form)
                        needles.write(f"{name}|{encoding} {form.hex()}\n")
            needles.flush()
            assert seen and files, "there is something to look for, and somewhere"
            result = subprocess.run([self.search_program, needles.name, *files], capture_output=True, text=True, check=True)
        places = set()
        for line in result.stdout.splitlines():
            file, _, needle = line.rsplit(" ", 2)
            places.add((file, *needle.split("|")))
        return sorted(places)


def files_below(folder):
    """All regular files, whatever they are called."""
    return sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names
                  if os.path.isfile(os.path.join(where, name)) and not os.path.islink(os.path.join(where, name)))


def memory_of(pid):
    """Every readable byte of a process that stands still, as a core dump would hold it (and more: mapped files too), in parts."""
    parts = []
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            begin, end = (int(part, 16) for part in span.split("-"))
            if mode[0] != "r" or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            while begin < end:
                try:
                    memory.seek(begin)
                    part = memory.read(min(end - begin, 1 << 20))
                except OSError:  # a page beyond the end of a mapped file
                    part = b""
                parts.append(part)
                begin += len(part) or 4096
    return parts
