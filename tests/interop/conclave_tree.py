# SPDX-License-Identifier: MPL-2.0
"""The key tree (PROTOCOL.md, section 9): the whole of it at the holder, one path at a member, and the steps a commit makes in both."""
import secrets

from conclave_blocks import aead_open, aead_seal, check, kdf, u32, u64


# --- Nodes, numbered as in RFC 9420, appendix C ------------------------------------------------

def leaf_node(leaf):
    return 2 * leaf


def node_above(leaf, level):
    """The node at a level (leaves are level 0) over a leaf."""
    return ((leaf >> level) << (level + 1)) | ((1 << level) - 1)


def root_node(depth):
    return (1 << depth) - 1


def path_nodes(leaf, depth):
    """From the leaf to the root."""
    return [node_above(leaf, level) for level in range(depth + 1)]


def level_of(node):
    level = 0
    while node >> level & 1:
        level += 1
    return level


def children(node):
    half = 1 << (level_of(node) - 1)
    return node - half, node + half


def inner_above(leaves, depth):
    """Every inner node above any of the leaves, level by level from below."""
    return [node for level in range(1, depth + 1) for node in sorted({node_above(leaf, level) for leaf in leaves})]


def leads(child, sibling_is_changed, child_is_changed, node):
    """Whether a changed node's path secret is derived from this child: the left one if both are changed."""
    return child_is_changed and (child == children(node)[0] or not sibling_is_changed)


def wrap_context(commit, child):
    return commit.group + u64(commit.epoch + 1) + u32(child)


# --- A member's side --------------------------------------------------------------------------

class MemberPath:
    """The keys from one leaf to the root: {node: key}."""

    def __init__(self, leaf, keys):
        self.leaf = leaf
        self.depth = len(keys) - 1
        self.keys = dict(zip(path_nodes(leaf, self.depth), keys))

    def after_commit(self, commit):
        """The path that a commit of someone else leads to, up to and without step 5."""
        path = MemberPath(self.leaf, list(self.keys.values()))
        check(commit.depth >= path.depth, "a tree never shrinks")
        grow(path.keys, path.depth, commit)
        path.depth = commit.depth
        step_adds(path.keys, commit)
        path._take_changes(commit)
        return path

    def _take_changes(self, commit):
        changed = set(inner_above(commit.fresh_leaves, commit.depth))
        secret = None  # of the child that is on the path
        for below, node in zip(path_nodes(self.leaf, self.depth), path_nodes(self.leaf, self.depth)[1:]):
            if node not in changed:
                continue
            left, right = children(node)
            sibling = right if below == left else left
            if leads(below, sibling in changed, below in changed, node):
                secret = kdf(secret, "path", commit.random)
            else:
                check(below in commit.wraps, "commit has no wrap for this member")
                secret = aead_open(kdf(self.keys[below], "wrap", commit.random), commit.wraps[below], wrap_context(commit, below))
                self.keys[below] = kdf(self.keys[below], "next", commit.random)
            self.keys[node] = kdf(secret, "node", commit.random)

    def take_epoch_secret(self, random, transcript):
        return take_epoch_secret(self.keys, self.depth, random, transcript)


# --- Steps 1, 2 and 5, the same on both sides: they move those keys that are held ---------------

def grow(keys, depth, commit):
    for old in range(depth, commit.depth):
        keys[root_node(old + 1)] = kdf(keys[root_node(old)], "grow", commit.random)
        keys[root_node(old)] = kdf(keys[root_node(old)], "next", commit.random)


def step_adds(keys, commit):
    for node in inner_above(commit.added_leaves, commit.depth):
        if node in keys:
            keys[node] = kdf(keys[node], "join", commit.random)


def take_epoch_secret(keys, depth, random, transcript):
    root = root_node(depth)
    epoch_secret = kdf(keys[root], "epoch", transcript)
    keys[root] = kdf(keys[root], "next", random)
    return epoch_secret


# --- The holder's side ------------------------------------------------------------------------

class KeyTree:
    """All keys of a group's tree: {node: key}."""

    def __init__(self, depth=0, keys=None):
        self.depth = depth
        self.keys = dict(keys or {0: secrets.token_bytes(32)})

    def after_commit(self, commit, members):
        """The tree after steps 1 to 4; writes the wraps into the commit. `members` are the leaves held before it."""
        tree = KeyTree(commit.depth, self.keys)
        grow(tree.keys, self.depth, commit)
        for node in range((2 << commit.depth) - 1):
            tree.keys.setdefault(node, secrets.token_bytes(32))
        step_adds(tree.keys, commit)
        for leaf in commit.added_leaves | commit.fresh_leaves:
            tree.keys[leaf_node(leaf)] = secrets.token_bytes(32)
        commit.wraps = tree._change(commit, set(members) - commit.added_leaves - commit.fresh_leaves)
        return tree

    def _change(self, commit, staying):
        nodes = inner_above(commit.fresh_leaves, commit.depth)
        changed = set(nodes)
        told = {node_above(leaf, level) for leaf in staying for level in range(commit.depth + 1)}
        path_secrets, wraps = {}, {}
        for node in nodes:
            left, right = children(node)
            source = left if left in changed else right if right in changed else None
            path_secrets[node] = kdf(path_secrets[source], "path", commit.random) if source is not None else secrets.token_bytes(32)
            self.keys[node] = kdf(path_secrets[node], "node", commit.random)
            for child in (left, right):
                if child != source and child in told:
                    wraps[child] = aead_seal(kdf(self.keys[child], "wrap", commit.random), path_secrets[node], wrap_context(commit, child))
                    self.keys[child] = kdf(self.keys[child], "next", commit.random)
        return wraps

    def take_epoch_secret(self, random, transcript):
        return take_epoch_secret(self.keys, self.depth, random, transcript)

    def path_keys(self, leaf):
        return [self.keys[node] for node in path_nodes(leaf, self.depth)]
