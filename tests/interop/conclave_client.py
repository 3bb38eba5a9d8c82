# SPDX-License-Identifier: MPL-2.0
"""A member: registers, joins, reads, writes, leaves. Keeps everything in memory; an admin is in conclave_admin.py."""
import time

import nacl.public
import nacl.signing

from conclave_blocks import Refused, check, verify
from conclave_commit import join_request_hash, write_join_request, write_leave
from conclave_epoch import TEXT, text_content
from conclave_group import Group
from conclave_welcome import open_welcome
from conclave_wire import EVENTS, NO_MORE_LEAVES, PATIENCE_S, BrokerSaid, Connection

POLL_BYTES = 256 * 1024


class Member:
    def __init__(self, url, name):
        self.url = url
        self.name = name
        self.signing_key = nacl.signing.SigningKey.generate()
        self.requests = {}  # group: [(private prekey, hash of the join request)]
        self.groups = {}  # by name
        self.done = []  # (group, sequence of the commit) of welcomes that were used
        self.wire = None

    @property
    def identity_key(self):
        return bytes(self.signing_key.verify_key)

    # Connecting

    def connection(self, purpose):
        wire = Connection(self.url)
        wire.hello()
        wire.login(self.name, self.signing_key, purpose)
        return wire

    def register(self):
        wire = Connection(self.url)
        wire.hello()
        wire.register(self.name, self.signing_key)
        wire.close()
        self.wire = self.connection(EVENTS)
        return self

    def close(self):
        if self.wire:
            self.wire.close()

    def whois(self, name):
        """A user's identity key, if the registration's signature is good."""
        reply = self.wire.call("whois", name)
        verify(reply.identity_key, reply.signature, "register", self.wire.endpoint.key, name.encode(), reply.identity_key)
        return reply.identity_key

    # Joining

    def request_join(self, group_name):
        told = self.wire.call("lookup", group_name)
        self.wire.call("join", told.group, self.join_request(told.group, told.transcript))

    def join_request(self, group, transcript):
        prekey = nacl.public.PrivateKey.generate()
        request = write_join_request(group, self.name, self.signing_key, bytes(prekey.public_key), transcript)
        self.requests.setdefault(group, []).append((prekey, join_request_hash(request)))
        return request

    def join(self, group_name, seconds=PATIENCE_S):
        self.request_join(group_name)
        self.until(lambda: group_name in self.groups and not self.groups[group_name].ended, seconds, f"{self.name} is in {group_name}")
        return self.groups[group_name]

    def _open_welcomes(self):
        more = True
        while more:
            reply = self.wire.call("poll_keys", [list(done) for done in self.done])
            self.done = []
            for pending in reply.keys:
                group = self._open_welcome(pending)
                if group:
                    self.groups[group.name] = group
                self.done.append((pending.group, pending.commit_sequence))
            more = reply.more or self.done

    def _open_welcome(self, pending):
        for private_prekey, request_hash in self.requests.get(pending.group, []):
            try:
                welcome = open_welcome(pending.sealed, private_prekey)
            except Refused:
                continue
            check((welcome.group, welcome.group_name) == (pending.group, pending.group_name), "welcome to another group")
            welcome.prekey, welcome.request_hash = bytes(private_prekey.public_key), request_hash
            group = Group(welcome, self.name, self.identity_key, pending.commit_sequence)
            self._poll_messages([group])
            check(group.started, "the commit that added this member didn't come")
            del self.requests[pending.group]
            return group
        return None

    # Reading

    def sync(self):
        """Takes what was pushed and polls for the rest."""
        self._take_pushes()
        self._open_welcomes()
        self._poll_messages([group for group in self.groups.values() if not group.ended])
        for group in self.groups.values():
            if group.roster is None and not group.ended:
                self.fetch_roster(group)

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while True:
            self.sync()
            if condition():
                return
            if time.monotonic() > end:
                raise AssertionError("waited in vain until " + what)
            time.sleep(0.05)

    def _take_pushes(self):
        by_id = {group.id: group for group in self.groups.values()}
        for push in self.wire.take_pushes():
            for event in getattr(push, "events", []):
                if event.group in by_id:
                    by_id[event.group].take_event(event)

    def _poll_messages(self, groups):
        by_id = {group.id: group for group in groups}
        more = bool(groups)
        while more:
            reply = self.wire.call("poll_messages", [[group.id, group.cursor] for group in groups], POLL_BYTES)
            for event in reply.events:
                check(by_id[event.group].take_event(event), "poll doesn't continue the log")
            for state in reply.states:
                if state.status and not reply.more:
                    by_id[state.group].ended = True
            more = reply.more

    def fetch_roster(self, group):
        entries, next_leaf, epochs = [], 0, set()
        while next_leaf != NO_MORE_LEAVES:
            page = self.wire.call("roster", group.id, next_leaf, 512)
            entries += page.entries
            epochs.add((page.epoch, page.depth))
            next_leaf = page.next_leaf
        return len(epochs) == 1 and group.take_roster(entries, *epochs.pop())

    def fetch_proof(self, group, leaf):
        reply = self.wire.call("roster_proof", group.id, leaf)
        check(len(reply.entries) == 1 and reply.entries[0].leaf == leaf, "proof for another leaf")
        return group.check_proof(reply.entries[0], reply.proof, reply.epoch)

    # Writing

    def send(self, group_name, text, seconds=PATIENCE_S, fields=b""):
        group = self.groups[group_name]
        group.my_number += 1
        return self.send_content(group, TEXT, text_content(text, int(time.time() * 1000)), group.my_number, text, seconds, fields)

    def send_content(self, group, type_, content, number, text, seconds=PATIENCE_S, fields=b""):
        """Until the broker took it: the same bytes again while it refuses for the moment, sealed again in a newer epoch."""
        end = time.monotonic() + seconds
        sealed = None
        while True:
            if sealed is None:
                sealed = group.seal(type_, number, content, self.signing_key, fields)
                group.my_sealed[sealed] = (number, text)
            try:
                return self.wire.call("send", group.id, sealed)
            except BrokerSaid as said:
                if said.status not in ("STALE_EPOCH", "REKEY_DUE", "RATE_LIMITED") or time.monotonic() > end:
                    raise
                if said.status == "STALE_EPOCH":
                    del group.my_sealed[sealed]
                    sealed = None
                time.sleep(0.05)
                self.sync()

    def leave(self, group_name):
        group = self.groups[group_name]
        statement = write_leave(group.id, group.leaf, group.epoch_added, self.signing_key)
        self.wire.call("leave", group.id, statement)
        return statement
