# SPDX-License-Identifier: MPL-2.0
"""The second client's keys against the golden vectors of the first: tests/vectors/*.txt."""
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import msgpack
import nacl.public
import nacl.signing

from conclave_admin import Holding, Prepared
from conclave_blocks import Reader, Refused, kdf, statement, varint, verify
from conclave_commit import check_leave, first_transcript, join_request_hash, read_commit, read_join_request, write_join_request
from conclave_epoch import Epoch, SecretTree, read_header
from conclave_roster import Entry, after_commit, node_hash, proven_root, roster_root
from conclave_tree import MemberPath, path_nodes, root_node
from conclave_welcome import read_welcome
from conclave_wire import Endpoint, split_frame
from harness import REPO, equal, main


def vectors(name):
    with open(os.path.join(REPO, "tests", "vectors", name + ".txt"), encoding="ascii") as file:
        pairs = [line.strip().split(" = ") for line in file if " = " in line and not line.startswith("#")]
    return {pair[0]: bytes.fromhex(pair[1]) for pair in pairs}


def refused(call, *args):
    try:
        call(*args)
    except Refused:
        return
    raise AssertionError("was accepted")


def test_statements_and_signatures():
    v = vectors("proto")
    broker, alice = v["in.broker_key"], v["in.alice_name"]
    fields = {"register": (broker, alice, v["in.alice_key"]), "unregister": (broker, alice),
              "login": (broker, alice, v["in.challenge"], v["in.client_key"], b"\x02")}
    for kind, these in fields.items():
        equal(statement(kind, *these).hex(), v["statement." + kind].hex(), kind)
        verify(v["in.alice_key"], v["signature." + kind], kind, *these)
        refused(verify, v["in.alice_key"], v["signature." + kind], kind, *these, b"")
    equal(first_transcript(v["in.group"], v["in.alice_key"], v["in.group_name"].decode()), v["transcript.0"])


def test_varints():
    for key, value in vectors("proto").items():
        if key.startswith("varint."):
            equal(varint(int(key[7:])), value, key)
            equal(Reader(value).varint(), int(key[7:]), key)
    for bad in ("8000", "80", "ffffffffffffffffff02", "8080808080808080808001"):
        refused(lambda data: Reader(data).varint(), bytes.fromhex(bad))


def test_formats():
    v = vectors("proto")
    request = read_join_request(v["join.bytes"])
    equal((request.name.encode(), request.identity_key, request.prekey), (v["in.bob_name"], v["in.bob_key"], v["in.join.prekey"]))
    equal(join_request_hash(v["join.bytes"]), v["join.hash"])
    leaf, epoch = int.from_bytes(v["leave.bytes"][17:21], "big"), int.from_bytes(v["leave.bytes"][21:29], "big")
    check_leave(v["leave.bytes"], v["in.group"], leaf, epoch, v["in.bob_key"])
    for name in ("first", "second", "empty"):
        data = v[f"commit.{name}.bytes"]
        commit = read_commit(data)
        equal(commit.next_transcript, v[f"commit.{name}.next"])
        body = commit.body
        commit.write_body()
        equal(commit.body.hex(), body.hex(), "written again")
        commit.check_signature(v["in.alice_key"])
        for cut in range(len(data)):
            refused(read_commit, data[:cut])
        refused(read_commit, data + b"\0")
    for key, value in v.items():
        if key.startswith("header."):
            header = read_header(value + b"sealed")
            equal(([str(header.epoch), str(header.leaf), str(header.generation)], header.bytes), (key.split(".")[1:], value))
        elif key in ("endpoint.name", "endpoint.ipv4", "endpoint.ipv6"):
            equal(Endpoint(value.decode()).key, v["in.endpoint.key"])
        elif key.startswith("message."):
            messages = list(split_frame(value))
            equal(b"".join(msgpack.packb(message) for message in messages).hex(), value.hex(), key)


def test_roster_proofs():
    v = vectors("proto")
    roots = set()
    for leaf in (0, 1, 3, 6):
        # The names of the entries are not in the file; their hashes are.
        value, at = v[f"roster.{leaf}.hash"], leaf
        proof = v[f"roster.{leaf}.proof"]
        for i in range(0, len(proof), 32):
            sibling = proof[i:i + 32]
            value = node_hash(sibling, value) if at & 1 else node_hash(value, sibling)
            at >>= 1
        roots.add(value)
    equal(len(roots), 1, "roots that the proofs lead to")
    assert roots <= {v["roster.root.3"], v["roster.root.4"], v["roster.root.5"]}


def test_a_groups_whole_life():
    """Each commit of the vectors, applied by each member that stays."""
    v = vectors("keys")
    for key, value in v.items():
        if key.startswith("kdf."):
            equal(kdf(v["in.kdf.key"], key[4:], v["in.kdf.x"]), value, key)
    identity = {name: bytes(nacl.signing.SigningKey(v[f"in.{name}.seed"]).verify_key)
                for name in ("alice", "bob", "carol", "dave", "erin", "frank")}
    transcript = first_transcript(v["in.group"], identity["alice"], v["in.group_name"].decode())
    equal(transcript, v["transcript_0"])
    roster, membership, paths, epoch = {}, bytes(32), {}, None
    for number in range(6):
        prefix = f"commit_{number}."
        commit = read_commit(v[prefix + "commit"])
        equal((commit.epoch, commit.transcript), (number, transcript))
        commit.check_signature(identity["alice"])
        transcript = commit.next_transcript
        equal(transcript, v[prefix + "transcript"])
        equal(commit.code, kdf(membership, "mac", transcript + commit.tag), "membership code")
        roster = after_commit(roster, commit)

        before, paths = paths, {}
        names = {entry.name: leaf for leaf, entry in roster.items()}
        epoch_secret = v[prefix + "epoch_secret"]
        for name, leaf in names.items():
            if leaf in commit.added_leaves or leaf in commit.refreshes:
                welcome = read_welcome(v[f"{prefix}welcome.{name}"])
                prekey_secret = v[f"in.{name}.{2 if leaf in commit.refreshes else 1}.prekey_secret"]
                prekey = bytes(nacl.public.PrivateKey(prekey_secret).public_key)
                welcome.check_signature(identity["alice"], identity[name], prekey)
                equal((welcome.epoch, welcome.transcript, welcome.leaf), (number + 1, transcript, leaf))
                equal(welcome.epoch_secret, epoch_secret)
                paths[name] = MemberPath(leaf, welcome.path_keys)
            else:
                paths[name] = before[name].after_commit(commit)
                equal(paths[name].take_epoch_secret(commit.random, transcript).hex(), epoch_secret.hex(), f"epoch secret of {name}")
            equal(b"".join(paths[name].keys[node] for node in path_nodes(leaf, commit.depth)).hex(), v[f"{prefix}path.{name}"].hex(),
                  f"path of {name} after commit {number}")
        epoch = Epoch(v["in.group"], number + 1, transcript, epoch_secret, commit.depth)
        equal(epoch.tag(), commit.tag, "confirmation tag")
        membership = epoch.membership
    check_messages(v, epoch, roster)


def check_messages(v, epoch, roster):
    for number in range(5):
        sealed = v[f"message_{number}.sealed"]
        leaf = read_header(sealed).leaf
        inner = epoch.open(sealed)
        equal(inner.content, v["in.content"])
        equal(inner.fields, v.get(f"in.fields_{number}", b""), "optional fields")
        equal(inner.creation_context(), v["in.fields_3"][2:] if number >= 3 else None, "creation context")
        inner.check_sender(v["in.group"], roster[leaf].identity_key)
        refused(epoch.open, sealed)


def test_proofs_of_a_roster():
    entries = {leaf: Entry(f"user-{leaf}", bytes([leaf]) * 32, leaf + 1) for leaf in (0, 1, 2, 5, 12)}
    hashes = [entries[leaf].hash(leaf) if leaf in entries else bytes(32) for leaf in range(16)]
    levels = [hashes]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)])
    for leaf, entry in entries.items():
        proof = [levels[height][leaf >> height ^ 1] for height in range(4)]
        equal(proven_root(leaf, entry, proof), roster_root(entries, 4), f"root from leaf {leaf}")
        assert proven_root(leaf, Entry(entry.name, entry.identity_key, entry.epoch_added, 1), proof) != roster_root(entries, 4)


def test_holder_and_members_go_in_step():
    """Random joins and removals: who stays has the holder's epoch secret, who was removed has no way to it."""
    luck = random.Random(1)
    key = nacl.signing.SigningKey(bytes(32))
    holding = Holding(bytes(16), "tea", first_transcript(bytes(16), bytes(key.verify_key), "tea"))
    paths = {}
    for number in range(80):
        free = sorted(set(holding.roster) - {0})
        removed = luck.sample(free, min(len(free), luck.randrange(4)))
        requests = [write_join_request(holding.group, f"u{number}-{i}", key, bytes(nacl.public.PrivateKey.generate().public_key),
                                       holding.transcript) for i in range(luck.randrange(4) if number else 1)]
        prepared = Prepared(holding, key, requests, removed, {} if number else {0: 1})
        commit = read_commit(prepared.bytes)
        for leaf in removed:
            ended = paths.pop(leaf)
            try:
                ended = ended.after_commit(commit)
            except Refused:
                continue
            assert ended.keys[root_node(ended.depth)] != prepared.tree.keys[root_node(ended.depth)]
        for leaf in paths:
            paths[leaf] = paths[leaf].after_commit(commit)
            paths[leaf].take_epoch_secret(commit.random, commit.next_transcript)
        for add in commit.adds:
            paths[add.leaf] = MemberPath(add.leaf, prepared.tree.path_keys(add.leaf))
        prepared.adopt(holding)
        for leaf, path in paths.items():
            equal([path.keys[node] for node in path_nodes(leaf, commit.depth)], holding.tree.path_keys(leaf), f"path of leaf {leaf}")


def test_secret_tree_and_ratchet_give_each_key_once():
    tree = SecretTree(bytes(32), 3)
    chain = tree.chain(5)
    keys = [chain.take(generation) for generation in (0, 3, 1, 2, 4)]
    equal(len(set(keys)), 5)
    for used in range(5):
        refused(chain.take, used)
    refused(chain.take, 5 + 1001)
    chain.take(5 + 1000)
    assert root_node(3) not in tree.secrets
    refused(tree.chain, 8)


if __name__ == "__main__":
    main(globals())
