# SPDX-License-Identifier: MPL-2.0
"""An admin: creates groups, holds their key trees, serves joins and leaves with commits."""
import secrets

from conclave_blocks import Refused, check
from conclave_client import Member
from conclave_commit import (Add, Commit, Removal, check_leave, first_transcript, join_request_hash, read_join_request)
from conclave_epoch import Epoch, membership_code
from conclave_roster import Entry, after_commit, roster_root
from conclave_tree import KeyTree
from conclave_welcome import Welcome, seal_welcome
from conclave_wire import ADMIN, DUTIES, PATIENCE_S, BrokerSaid

COMMIT_ADDS_MAX = 64
TRANSCRIPTS_KEPT = 64
FIRST_MEMBERSHIP = bytes(32)  # the membership key of epoch 0
HOLD_DEFAULT_MS = 60000


class Holding:
    """What an admin holds of a group beyond what members do."""

    def __init__(self, group, group_name, transcript):
        self.group = group
        self.group_name = group_name
        self.tree = KeyTree()
        self.roster = {}
        self.epoch = 0
        self.transcript = transcript
        self.membership = FIRST_MEMBERSHIP
        self.transcripts = [transcript]  # of the last epochs, for join requests
        self.served = set()  # hashes of join requests

    def plan(self, requests, removed, roles):
        """A commit with the lists filled in: join requests by their bytes, leaves to free, {leaf: role}."""
        free = [leaf for leaf in range(len(self.roster) + len(requests)) if leaf not in self.roster][:len(requests)]
        depth = self.tree.depth
        while free and free[-1] >= 1 << depth:
            depth += 1
        commit = Commit(self.group, self.epoch, self.transcript, secrets.token_bytes(16), depth, committer=0)
        for leaf, data in zip(free, requests):
            request = read_join_request(data)
            commit.adds.append(Add(leaf, request.name, request.identity_key, join_request_hash(data)))
        commit.removals = [Removal(leaf, self.roster[leaf].name, self.roster[leaf].identity_key) for leaf in sorted(removed)]
        commit.roles = roles
        return commit

    def roster_after(self, commit):
        roster = dict(self.roster)
        for removal in commit.removals:
            del roster[removal.leaf]
        for add in commit.adds:
            roster[add.leaf] = Entry(add.name, add.identity_key, commit.epoch + 1)
        return {leaf: Entry(entry.name, entry.identity_key, entry.epoch_added, commit.roles.get(leaf, entry.role))
                for leaf, entry in roster.items()}


class Prepared:
    """A commit, its welcomes, and what the holding becomes once the broker took it.

    `amend` may change the commit before it is written, for tests of what others then say.
    """

    def __init__(self, holding, signing_key, requests=(), removed=(), roles=None, amend=None):
        commit = holding.plan(requests, removed, roles or {})
        self.roster = holding.roster_after(commit)
        commit.root = roster_root(self.roster, commit.depth)
        self.tree = holding.tree.after_commit(commit, holding.roster)
        if amend:
            amend(commit)
        commit.write_body()
        self.transcript = commit.next_transcript
        epoch_secret = self.tree.take_epoch_secret(commit.random, self.transcript)
        epoch = Epoch(holding.group, commit.epoch + 1, self.transcript, epoch_secret, commit.depth)
        self.membership = epoch.membership
        self.commit = commit
        self.bytes = commit.finish(epoch.tag(), membership_code(holding.membership, self.transcript, epoch.tag()), signing_key)
        self.welcomes = [self._welcome(holding, epoch_secret, add, data, signing_key) for add, data in zip(commit.adds, requests)]
        after_commit(holding.roster, commit)  # what every member will check

    def _welcome(self, holding, epoch_secret, add, request, signing_key):
        admins = {leaf: (entry.name, entry.identity_key) for leaf, entry in self.roster.items() if entry.role == ADMIN}
        welcome = Welcome(holding.group, holding.group_name, self.commit.epoch + 1, self.transcript, add.leaf, epoch_secret,
                          self.tree.path_keys(add.leaf), admins)
        return [add.name, seal_welcome(welcome, add.identity_key, read_join_request(request).prekey, signing_key)]

    def adopt(self, holding):
        holding.tree, holding.roster, holding.membership = self.tree, self.roster, self.membership
        holding.epoch, holding.transcript = self.commit.epoch + 1, self.transcript
        holding.transcripts = (holding.transcripts + [self.transcript])[-TRANSCRIPTS_KEPT:]
        holding.served |= {add.request_hash for add in self.commit.adds}


class Admin(Member):
    def __init__(self, url, name):
        super().__init__(url, name)
        self.duties = None
        self.holdings = {}  # by group id

    def register(self):
        super().register()
        self.duties = self.connection(DUTIES)
        return self

    def close(self):
        super().close()
        if self.duties:
            self.duties.close()

    def create(self, name, hold_ms=HOLD_DEFAULT_MS):
        """The creator joins like everyone: by a request of its own and a welcome from itself."""
        group = secrets.token_bytes(16)
        holding = Holding(group, name, first_transcript(group, self.identity_key, name))
        request = self.join_request(group, holding.transcript)
        first = Prepared(holding, self.signing_key, [request], roles={0: ADMIN})
        self.duties.call("create", group, name, 0, hold_ms, request, first.bytes, first.welcomes)
        first.adopt(holding)
        self.holdings[group] = holding
        self.until(lambda: name in self.groups, PATIENCE_S, f"{self.name} has {name}")
        return self.groups[name]

    def holding(self, group_name):
        return self.holdings[self.groups[group_name].id]

    def prepare(self, group_name, **changes):
        return Prepared(self.holding(group_name), self.signing_key, **changes)

    def commit(self, group_name, prepared):
        self.duties.call("commit", self.groups[group_name].id, prepared.bytes, prepared.welcomes)
        prepared.adopt(self.holding(group_name))
        self.sync()

    def serve(self):
        """One pass: a commit for each group in which somebody waits to come in or to be let go."""
        for name, group in list(self.groups.items()):
            if group.id in self.holdings:
                requests, removed = self._good_joins(group), self._good_leaves(group)
                if requests or removed:
                    self.commit(name, self.prepare(name, requests=requests, removed=removed))
        self.sync()

    def until_served(self, condition, seconds, what):
        self.until(lambda: self.serve() or condition(), seconds, what)

    def _good_joins(self, group):
        good = {}
        for pending in self.duties.call("poll_joins").joins:
            if pending.group == group.id and len(good) < COMMIT_ADDS_MAX:
                try:
                    self._check_join(self.holdings[group.id], pending)
                    good[pending.name] = pending.request
                except (Refused, BrokerSaid):
                    pass  # stays with the broker until a better one replaces it
        return list(good.values())

    def _check_join(self, holding, pending):
        request = read_join_request(pending.request)
        check((request.group, request.name) == (holding.group, pending.name), "join request for another group or of another user")
        check(request.identity_key == self.whois(pending.name), "join request by another key")
        check(request.transcript in holding.transcripts, "join request from another history")
        check(join_request_hash(pending.request) not in holding.served, "join request was served")
        check(request.name not in {entry.name for entry in holding.roster.values()}, "is in already")

    def _good_leaves(self, group):
        leaves = set()
        holding = self.holdings[group.id]
        for pending in self.duties.call("poll_leaves").leaves:
            for leaf, entry in holding.roster.items():
                if pending.group == group.id and entry.name == pending.name and leaf != group.leaf:
                    check_leave(pending.statement, group.id, leaf, entry.epoch_added, entry.identity_key)
                    leaves.add(leaf)
        return leaves
