# SPDX-License-Identifier: MPL-2.0
"""What an admin seals for a newcomer (PROTOCOL.md, section 9, Welcome)."""
from dataclasses import dataclass

from conclave_blocks import Reader, box_open, box_seal, check, hash_of, name8, sign, u16, u32, u64, verify
from conclave_commit import DEPTH_MAX

FORMAT = 1
ADMINS_MAX = 16


@dataclass
class Welcome:
    group: bytes
    group_name: str
    epoch: int
    transcript: bytes
    leaf: int
    epoch_secret: bytes
    path_keys: list  # from the leaf to the root
    admins: dict  # leaf: (name, identity key)
    unsigned: bytes = b""
    signature: bytes = b""

    def fields(self, recipient_key, prekey):
        return "welcome", self.group, self.transcript, recipient_key, prekey, u32(self.leaf), hash_of("welcome", self.unsigned)

    def check_signature(self, admin_key, recipient_key, prekey):
        verify(admin_key, self.signature, *self.fields(recipient_key, prekey))


def seal_welcome(welcome, recipient_key, prekey, admin_key):
    welcome.unsigned = b"".join([
        bytes([FORMAT]), welcome.group, name8(welcome.group_name), u64(welcome.epoch), welcome.transcript, u32(welcome.leaf),
        bytes([len(welcome.path_keys) - 1]), welcome.epoch_secret, *welcome.path_keys, u16(len(welcome.admins)),
        *[u32(leaf) + name8(name) + key for leaf, (name, key) in sorted(welcome.admins.items())]])
    return box_seal(prekey, welcome.unsigned + sign(admin_key, *welcome.fields(recipient_key, prekey)))


def open_welcome(sealed, private_prekey):
    """The signature is checked later, when the commit says who made it."""
    return read_welcome(box_open(private_prekey, sealed))


def read_welcome(plaintext):
    r = Reader(plaintext)
    check(r.integer(1) == FORMAT, "welcome of an unknown format")
    group, name, epoch, transcript, leaf, depth = r.bytes(16), r.name(), r.integer(8), r.bytes(32), r.integer(4), r.integer(1)
    check(depth <= DEPTH_MAX and leaf < 1 << depth, "welcome to a leaf outside the tree")
    epoch_secret = r.bytes(32)
    path_keys = [r.bytes(32) for _ in range(depth + 1)]
    count = r.integer(2)
    check(1 <= count <= ADMINS_MAX, "welcome with too few or many admins")
    admins = [(r.integer(4), (r.name(), r.bytes(32))) for _ in range(count)]
    welcome = Welcome(group, name, epoch, transcript, leaf, epoch_secret, path_keys, dict(admins), plaintext[:r.at], r.rest())
    check(len(welcome.signature) == 64, "welcome with bytes left over")
    return welcome
