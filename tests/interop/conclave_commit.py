# SPDX-License-Identifier: MPL-2.0
"""What changes a group (PROTOCOL.md, section 7): commits, join requests, leave statements."""
from dataclasses import dataclass, field

from conclave_blocks import Reader, check, hash_of, name8, sign, u16, u32, u64, verify

FORMAT = 1
DEPTH_MAX = 17
LIST_MAX = 64
WRAPS_MAX = 2200


def first_transcript(group, creator_key, name):
    return hash_of("group", group, creator_key, name.encode())


def next_transcript(transcript, body):
    return hash_of("transcript", transcript, body)


@dataclass
class Add:
    leaf: int
    name: str
    identity_key: bytes
    request_hash: bytes


@dataclass
class Removal:
    leaf: int
    name: str
    identity_key: bytes


@dataclass
class Commit:
    group: bytes
    epoch: int  # the one it leaves
    transcript: bytes  # of that epoch
    random: bytes
    depth: int
    committer: int
    adds: list = field(default_factory=list)
    removals: list = field(default_factory=list)
    refreshes: dict = field(default_factory=dict)  # leaf: hash of the join request
    roles: dict = field(default_factory=dict)  # leaf: role
    root: bytes = b""
    wraps: dict = field(default_factory=dict)  # child node: sealed path secret
    body: bytes = b""
    tag: bytes = b""
    code: bytes = b""
    signature: bytes = b""

    @property
    def next_transcript(self):
        return next_transcript(self.transcript, self.body)

    @property
    def fresh_leaves(self):
        """Leaves whose holder is no longer, or again, who it was."""
        return {removal.leaf for removal in self.removals} | set(self.refreshes)

    @property
    def added_leaves(self):
        return {add.leaf for add in self.adds}

    def write_body(self):
        out = [bytes([FORMAT, 0]), self.group, u64(self.epoch), self.transcript, self.random, bytes([self.depth]), u32(self.committer)]
        out.append(u16(len(self.adds)))
        out += [u32(add.leaf) + name8(add.name) + add.identity_key + add.request_hash for add in self.adds]
        out.append(u16(len(self.removals)))
        out += [u32(removal.leaf) + name8(removal.name) + removal.identity_key for removal in self.removals]
        out.append(u16(len(self.refreshes)))
        out += [u32(leaf) + hash_ for leaf, hash_ in sorted(self.refreshes.items())]
        out.append(u16(len(self.roles)))
        out += [u32(leaf) + bytes([role]) for leaf, role in sorted(self.roles.items())]
        out.append(self.root)
        out.append(u16(len(self.wraps)))
        out += [u32(child) + sealed for child, sealed in sorted(self.wraps.items())]
        self.body = b"".join(out)

    def finish(self, tag, code, signing_key):
        self.tag, self.code = tag, code
        self.signature = sign(signing_key, "commit", self.group, self.next_transcript, tag)
        return self.bytes()

    def bytes(self):
        return self.body + self.tag + self.code + self.signature

    def check_signature(self, identity_key):
        verify(identity_key, self.signature, "commit", self.group, self.next_transcript, self.tag)


def read_commit(data):
    r = Reader(data)
    check(r.integer(1) == FORMAT, "commit of an unknown format")
    check(r.integer(1) == 0, "commit of an unknown kind")
    commit = Commit(r.bytes(16), r.integer(8), r.bytes(32), r.bytes(16), r.integer(1), r.integer(4))
    check(commit.depth <= DEPTH_MAX, "tree too deep")
    commit.adds = [Add(r.integer(4), r.name(), r.bytes(32), r.bytes(32)) for _ in counted(r, LIST_MAX)]
    commit.removals = [Removal(r.integer(4), r.name(), r.bytes(32)) for _ in counted(r, LIST_MAX)]
    refreshes = [(r.integer(4), r.bytes(32)) for _ in counted(r, LIST_MAX)]
    roles = [(r.integer(4), r.integer(1)) for _ in counted(r, LIST_MAX)]
    commit.root = r.bytes(32)
    wraps = [(r.integer(4), r.bytes(48)) for _ in counted(r, WRAPS_MAX)]
    commit.body = data[:r.at]
    commit.tag, commit.code, commit.signature = r.bytes(32), r.bytes(32), r.bytes(64)
    r.end()

    lists = [[add.leaf for add in commit.adds], [removal.leaf for removal in commit.removals],
             [leaf for leaf, _ in refreshes], [leaf for leaf, _ in roles], [child for child, _ in wraps]]
    for numbers in lists:
        check(numbers == sorted(set(numbers)), "list of a commit is not ascending")
    touched = lists[0] + lists[1] + lists[2]
    check(len(touched) == len(set(touched)), "leaf stands twice in a commit")
    check(all(leaf < 1 << commit.depth for leaf in touched + lists[3] + [commit.committer]), "leaf outside the tree")
    check(all(child < (2 << commit.depth) - 1 for child in lists[4]), "wrap outside the tree")
    check(all(role in (0, 1) for _, role in roles), "unknown role")
    commit.refreshes, commit.roles, commit.wraps = dict(refreshes), dict(roles), dict(wraps)
    return commit


def counted(reader, limit):
    count = reader.integer(2)
    check(count <= limit, "list of a commit is too long")
    return range(count)


# --- Join requests ----------------------------------------------------------------------------

@dataclass
class JoinRequest:
    group: bytes
    name: str
    identity_key: bytes
    prekey: bytes
    transcript: bytes


def write_join_request(group, name, signing_key, prekey, transcript):
    unsigned = bytes([FORMAT]) + group + name8(name) + bytes(signing_key.verify_key) + prekey + transcript + b"\0"
    return unsigned + sign(signing_key, "join", group, unsigned)


def read_join_request(data):
    """A request with a good signature by the key in it; whose key that is, the reader must ask."""
    r = Reader(data)
    check(r.integer(1) == FORMAT, "join request of an unknown format")
    request = JoinRequest(r.bytes(16), r.name(), r.bytes(32), r.bytes(32), r.bytes(32))
    check(r.integer(1) == 0, "join request with an unknown access")
    verify(request.identity_key, data[r.at:r.at + 64], "join", request.group, data[:r.at])
    r.bytes(64)
    r.end()
    return request


def join_request_hash(data):
    return hash_of("join-request", data)


# --- Leave statements -------------------------------------------------------------------------

def write_leave(group, leaf, epoch_added, signing_key):
    signature = sign(signing_key, "leave", group, u32(leaf), u64(epoch_added))
    return bytes([FORMAT]) + group + u32(leaf) + u64(epoch_added) + signature


def check_leave(data, group, leaf, epoch_added, identity_key):
    r = Reader(data)
    check(r.integer(1) == FORMAT, "leave statement of an unknown format")
    check((r.bytes(16), r.integer(4), r.integer(8)) == (group, leaf, epoch_added), "leave statement of another membership")
    verify(identity_key, r.bytes(64), "leave", group, u32(leaf), u64(epoch_added))
    r.end()
