# SPDX-License-Identifier: MPL-2.0
"""Who is in a group (PROTOCOL.md, section 8): entries, the Merkle root over all leaves, proofs for one."""
from dataclasses import dataclass

from conclave_blocks import check, hash_of, u32, u64

FREE = bytes(32)


@dataclass
class Entry:
    name: str
    identity_key: bytes
    epoch_added: int
    role: int = 0

    def hash(self, leaf):
        return hash_of("roster-entry", u32(leaf), self.name.encode(), self.identity_key, u64(self.epoch_added), bytes([self.role]))


def node_hash(left, right):
    return FREE if left == FREE and right == FREE else hash_of("roster-node", left, right)


def roster_root(entries, depth):
    """Of {leaf: Entry} in a tree with 2^depth leaves."""
    level = {leaf: entry.hash(leaf) for leaf, entry in entries.items()}
    check(all(leaf < 1 << depth for leaf in level), "entry outside the tree")
    for _ in range(depth):
        level = {at: node_hash(level.get(2 * at, FREE), level.get(2 * at + 1, FREE)) for at in {at >> 1 for at in level}}
    return level.get(0, FREE)


def proven_root(leaf, entry, proof):
    """The root that a proof leads to."""
    value = entry.hash(leaf)
    for sibling in proof:
        value = node_hash(sibling, value) if leaf & 1 else node_hash(value, sibling)
        leaf >>= 1
    check(leaf == 0, "proof is too short for this leaf")
    return value


def after_commit(entries, commit):
    """The roster that a commit leads to; the commit must fit the roster it starts from."""
    entries = {leaf: Entry(**vars(entry)) for leaf, entry in entries.items()}
    for add in commit.adds:
        check(add.leaf not in entries, "add at a leaf that is held")
    for removal in commit.removals:
        entry = entries.pop(removal.leaf, None)
        check(entry and (entry.name, entry.identity_key) == (removal.name, removal.identity_key), "removal of somebody else")
    for add in commit.adds:
        check(add.name not in {entry.name for entry in entries.values()}, "add of somebody who is in already")
        entries[add.leaf] = Entry(add.name, add.identity_key, commit.epoch + 1)
    for leaf, role in commit.roles.items():
        check(leaf in entries, "role for a free leaf")
        entries[leaf].role = role
    check(roster_root(entries, commit.depth) == commit.root, "roster root of the commit is wrong")
    return entries
