# SPDX-License-Identifier: MPL-2.0
"""A group as a member knows it: applies the log's events in order and gives the lines to read (PROTOCOL.md, sections 5 and 7 to 10)."""
from dataclasses import dataclass

from conclave_blocks import Refused, check
from conclave_commit import check_leave, read_commit
from conclave_epoch import TEXT, Epoch, read_header, read_text
from conclave_roster import Entry, after_commit, proven_root, roster_root
from conclave_tree import MemberPath
from conclave_wire import ADMIN, COMMIT, LEAVE, MESSAGE


@dataclass
class Line:
    sequence: int
    epoch: int
    sender: str
    text: str = None  # None: a placeholder
    number: int = 0
    problem: str = ""
    creation_context: bytes = None


class Group:
    """Made from a welcome; `start` checks it against the commit that added this member."""

    def __init__(self, welcome, name, identity_key, sequence):
        self.id = welcome.group
        self.name = welcome.group_name
        self.my_name, self.my_key = name, identity_key
        self.leaf = welcome.leaf
        self.epoch_added = welcome.epoch
        self.admins = dict(welcome.admins)
        self.path = MemberPath(welcome.leaf, welcome.path_keys)
        self.epoch = Epoch(self.id, welcome.epoch, welcome.transcript, welcome.epoch_secret, len(welcome.path_keys) - 1)
        self.welcome = welcome
        self.cursor = sequence - 1  # of the last event applied
        self.started = False
        self.ended = False
        self.root = None
        self.roster = None  # {leaf: Entry}, once fetched and checked against the root
        self.former = {}  # leaf: [(last epoch, name, identity key)] of those removed since
        self.leaving = set()
        self.lines = []
        self.unproven = []  # (Line, Inner) whose sender isn't known yet
        self.seen = {}  # leaf: (name, last number)
        self.my_number = 0
        self.my_sealed = {}  # sealed bytes: (number, text)

    @property
    def depth(self):
        return self.path.depth

    def texts(self):
        return [line.text for line in self.lines if line.text is not None]

    # Events

    def take_event(self, event):
        """False if the event doesn't continue the log. Refused if the group can't go on."""
        if event.sequence != self.cursor + 1 or self.ended:
            return False
        if event.kind == COMMIT:
            self._take_commit(event)
        else:
            check(self.started, "the first event is not the commit that added this member")
            if event.kind == MESSAGE:
                self._take_message(event)
            elif event.kind == LEAVE:
                self._take_leave(event)
            else:
                raise Refused("event of an unknown kind")
        self.cursor = event.sequence
        return True

    # Commits

    def _take_commit(self, event):
        commit = read_commit(event.payload)
        check(commit.group == self.id, "commit of another group")
        name, key = self.admins.get(commit.committer, (None, None))
        check(name == event.sender, "committer is not an admin known here")
        commit.check_signature(key)
        if self.started:
            self._apply(commit)
        else:
            self._start(commit, key)

    def _start(self, commit, admin_key):
        """The first event: the commit that added this member, whose outcome is in the welcome."""
        check(commit.epoch + 1 == self.epoch.number and commit.next_transcript == self.epoch.transcript, "welcome to another commit")
        check(commit.depth == self.depth, "welcome to another tree")
        mine = [add for add in commit.adds if add.leaf == self.leaf]
        check(mine and (mine[0].name, mine[0].identity_key) == (self.my_name, self.my_key), "commit doesn't add this member")
        check(mine[0].request_hash == self.welcome.request_hash, "commit serves another join request")
        check(commit.tag == self.epoch.tag(), "confirmation tag is wrong")
        self.welcome.check_signature(admin_key, self.my_key, self.welcome.prekey)
        self.root = commit.root
        self.welcome = None
        self.started = True

    def _apply(self, commit):
        check((commit.epoch, commit.transcript) == (self.epoch.number, self.epoch.transcript), "commit doesn't extend this history")
        check(commit.code == self.epoch.next_code(commit, commit.tag), "membership code is wrong")
        check(self.leaf not in commit.refreshes, "refreshes are reserved")
        roster = after_commit(self.roster, commit) if self.roster is not None else None
        if self.leaf in commit.fresh_leaves:
            self.ended = True
            return
        path = self.path.after_commit(commit)
        epoch_secret = path.take_epoch_secret(commit.random, commit.next_transcript)
        epoch = Epoch(self.id, commit.epoch + 1, commit.next_transcript, epoch_secret, commit.depth)
        check(commit.tag == epoch.tag(), "confirmation tag is wrong")

        for removal in commit.removals:
            self.former.setdefault(removal.leaf, []).append((commit.epoch, removal.name, removal.identity_key))
            self.seen.pop(removal.leaf, None)
            self.admins.pop(removal.leaf, None)
        self.leaving -= commit.fresh_leaves
        self.path, self.epoch, self.roster, self.root = path, epoch, roster, commit.root
        self._take_roles(commit.roles)

    def _take_roles(self, roles):
        for leaf, role in roles.items():
            check(self.roster is not None, "a role change before the roster is known")
            if role == ADMIN:
                self.admins[leaf] = (self.roster[leaf].name, self.roster[leaf].identity_key)
            else:
                self.admins.pop(leaf, None)

    # The roster

    def take_roster(self, entries, epoch, depth):
        """False if it is of another epoch than this member's."""
        if (epoch, depth) != (self.epoch.number, self.depth):
            return False
        roster = {entry.leaf: Entry(entry.name, entry.identity_key, entry.epoch_added, entry.role) for entry in entries}
        check(roster_root(roster, depth) == self.root, "roster doesn't match the root that an admin signed")
        for leaf, (name, key) in self.admins.items():
            check(leaf in roster and (roster[leaf].name, roster[leaf].identity_key, roster[leaf].role) == (name, key, ADMIN),
                  "roster contradicts the welcome's admins")
        self.roster = roster
        waiting, self.unproven = self.unproven, []
        for line, inner in waiting:
            self._prove(line, inner)
        return True

    def check_proof(self, entry, proof, epoch):
        check(epoch == self.epoch.number and len(proof) == self.depth, "proof for another epoch")
        proven = Entry(entry.name, entry.identity_key, entry.epoch_added, entry.role)
        check(proven_root(entry.leaf, proven, [item.hash for item in proof]) == self.root, "proof doesn't lead to the root")
        return proven

    def holder_of(self, leaf, epoch):
        """(name, identity key) of who held the leaf in that epoch, as far as admins signed it."""
        for last, name, key in self.former.get(leaf, []):
            if epoch <= last:
                return name, key
        if self.roster is not None:
            entry = self.roster.get(leaf)
            check(entry and entry.epoch_added <= epoch, "nobody holds this leaf")
            return entry.name, entry.identity_key
        return None

    # Messages

    def _take_message(self, event):
        line = Line(event.sequence, self.epoch.number, event.sender)
        self.lines.append(line)
        if event.payload in self.my_sealed:
            line.number, line.text = self.my_sealed.pop(event.payload)
            return
        try:
            header = read_header(event.payload)
            check(header.leaf not in self.leaving, "message after its sender left")
            self._prove(line, self.epoch.open(event.payload))
        except Refused as refused:
            line.problem = str(refused)

    def _prove(self, line, inner):
        try:
            holder = self.holder_of(inner.header.leaf, inner.header.epoch)
            if not holder:
                line.problem = "sender is not proven yet"
                self.unproven.append((line, inner))
                return
            name, key = holder
            check(name == line.sender, "leaf belongs to somebody else than the sender")
            inner.check_sender(self.id, key)
            self._show(line, inner)
        except Refused as refused:
            line.problem = str(refused)

    def _show(self, line, inner):
        leaf = inner.header.leaf
        name, last = self.seen.get(leaf, (line.sender, 0))
        line.number = inner.number
        check(inner.number > last, "duplicate")
        self.seen[leaf] = (name, inner.number)
        line.problem = ""
        if inner.type != TEXT:
            line.problem = f"content of unknown type {inner.type}"
            return
        line.creation_context = inner.creation_context()
        try:
            line.text = read_text(inner.content)[1]
        except UnicodeDecodeError:
            line.problem = "text is not UTF-8"

    def seal(self, type_, number, content, signing_key, fields=b""):
        return self.epoch.seal(self.leaf, type_, number, content, signing_key, fields)

    # Leaves

    def _take_leave(self, event):
        leaf = int.from_bytes(event.payload[17:21], "big")
        if self.roster is not None:
            entry = self.roster.get(leaf)
            check(entry and entry.name == event.sender, "leave of somebody else")
            check_leave(event.payload, self.id, leaf, entry.epoch_added, entry.identity_key)
        self.leaving.add(leaf)
