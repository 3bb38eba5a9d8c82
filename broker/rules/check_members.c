/* SPDX-License-Identifier: MPL-2.0 */
/* Members, rosters, and what waits for members. A group that ended is taken apart by the sweep
 * piece by piece, so that less is asked of its records. */
#include "broker/rules/check_records.h"

#include "proto/commit.h"
#include "proto/message.h"
#include "proto/requests.h"
#include "proto/roster.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* The roster's entry of a member who was not removed. */
static bool holds_leaf(const check_t *self, const membership_t *member)
{
    leaf_record_t leaf;
    store_key_t key = key_of_group(KEY_LEAF, self->key.group);
    key_u32(&key, member->leaf);
    bytes_t bytes;
    uint8_t *value = check_load(self, &key, &bytes);
    bool holds = value && leaf_record_read(&leaf, bytes) &&
                 name_equal(&leaf.name, &self->key.name) &&
                 memcmp(leaf.identity_key, member->identity_key, KEY_BYTES) == 0 &&
                 leaf.epoch_added == member->epoch_added && leaf.role == member->role;
    free(value);
    return holds;
}

void check_member(check_t *self)
{
    membership_t member;
    account_t account;
    if (!check_begins(self, membership_read(&member, self->value)))
        return;
    bool is_current = member.until_sequence == 0;
    store_key_t standing = key_of_name_group(is_current ? KEY_MEMBERSHIP : KEY_FORMER,
                                             &self->key.name, self->key.group);
    check_expect(self, check_find_account(self, &self->key.name, &account),
                 "the member has no account");
    check_expect(self, check_exists(self, &standing), "the user's memberships don't list it");
    check_expect(self, member.joined_sequence <= self->head.sequence,
                 "it began behind the log's end");
    if (self->head.ended)
        return;
    if (is_current) {
        store_key_t cursor = key_of_group_name(KEY_CURSOR, self->key.group, &self->key.name);
        check_expect(self, check_exists(self, &cursor), "the member has no cursor");
    }
    if (!member.removed)
        check_expect(self, holds_leaf(self, &member),
                     "the roster has another, or nobody, at its leaf");
    if (member.left && !member.removed) {
        store_key_t leave = key_of_group(KEY_LEAVE, self->key.group);
        key_u32(&leave, member.leaf);
        check_expect(self, check_exists(self, &leave), "the member left, and no leave waits");
    }
}

static void load_node(const check_t *self, uint64_t level, uint64_t index,
                      uint8_t out[static HASH_BYTES])
{
    store_key_t key = key_of_group(KEY_NODE, self->key.group);
    key_u8(&key, (uint8_t)level);
    key_u32(&key, (uint32_t)index);
    bytes_t bytes;
    uint8_t *value = check_load(self, &key, &bytes);
    memset(out, 0, HASH_BYTES);
    if (value && !bytes_record_read(out, HASH_BYTES, bytes))
        memset(out, 0, HASH_BYTES);
    free(value);
}

void check_leaf(check_t *self)
{
    leaf_record_t leaf;
    membership_t member;
    uint8_t expected[HASH_BYTES], stored[HASH_BYTES];
    if (!check_begins(self, leaf_record_read(&leaf, self->value)))
        return;
    check_expect(self, self->key.number < UINT64_C(1) << self->head.depth,
                 "it lies outside the tree");
    if (!self->head.ended)
        check_expect(self,
                     check_find_member(self, &leaf.name, &member) && !member.removed &&
                         member.leaf == self->key.number,
                     "nobody among the members holds it");
    roster_member_t entry = {.leaf = (uint32_t)self->key.number,
                             .name = leaf.name,
                             .epoch_added = leaf.epoch_added,
                             .role = leaf.role};
    memcpy(entry.identity_key, leaf.identity_key, KEY_BYTES);
    roster_leaf_hash(expected, &entry);
    load_node(self, 0, self->key.number, stored);
    check_expect(self, memcmp(expected, stored, HASH_BYTES) == 0,
                 "the roster's tree has another hash");
}

void check_node(check_t *self)
{
    uint8_t hash[HASH_BYTES], left[HASH_BYTES], right[HASH_BYTES], parent[HASH_BYTES];
    if (!check_begins(self, bytes_record_read(hash, HASH_BYTES, self->value)))
        return;
    unsigned level = self->key.part;
    if (level > self->head.depth || self->key.number >= UINT64_C(1) << (self->head.depth - level)) {
        check_problem(self, "it lies outside the tree");
        return;
    }
    if (level == 0) {
        store_key_t leaf = key_of_group(KEY_LEAF, self->key.group);
        key_u32(&leaf, (uint32_t)self->key.number);
        check_expect(self, check_exists(self, &leaf), "nobody is at its leaf");
    } else {
        load_node(self, level - 1, self->key.number * 2, left);
        load_node(self, level - 1, self->key.number * 2 + 1, right);
        roster_node_hash(left, left, right);
        check_expect(self, memcmp(hash, left, HASH_BYTES) == 0,
                     "it is not the hash of what is below it");
    }
    if (level < self->head.depth) {
        load_node(self, level + 1, self->key.number / 2, parent);
        check_expect(self, !sodium_is_zero(parent, HASH_BYTES), "the node above it is missing");
    }
}

void check_sent(check_t *self)
{
    sent_t sent;
    membership_t member;
    if (!check_begins(self, sent_read(&sent, self->value)))
        return;
    check_expect(self, self->key.part < SENDER_WINDOW, "its slot is none");
    check_expect(self, self->head.ended || check_find_member(self, &self->key.name, &member),
                 "its sender is no member");
    if (sent.sequence == 0 || sent.sequence > self->head.sequence)
        check_problem(self, "it lies outside the group's log");
    else if (sent.sequence >= self->head.first_sequence)
        check_expect(
            self, check_finds_event(self, sent.sequence, EVENT_MESSAGE, &self->key.name, sent.hash),
            "its event is missing or another");
}

void check_cursor(check_t *self)
{
    uint64_t cursor;
    membership_t member;
    if (!check_begins(self, number_record_read(&cursor, self->value)))
        return;
    check_expect(self, cursor <= self->head.sequence, "it lies behind the log's end");
    if (!self->head.ended)
        check_expect(
            self, check_find_member(self, &self->key.name, &member) && member.until_sequence == 0,
            "it belongs to no current member");
}

void check_join(check_t *self)
{
    join_record_t record;
    join_t join;
    account_t account;
    if (!check_begins(self, join_record_read(&record, self->value)))
        return;
    check_expect(self,
                 join_request_parse(&join, record.request) == STATUS_OK &&
                     memcmp(join.group, self->key.group, GROUP_ID_BYTES) == 0 &&
                     name_equal(&join.name, &self->key.name),
                 "its request does not decode");
    check_expect(self,
                 check_find_account(self, &self->key.name, &account) && account_is_alive(&account),
                 "who asks has no account");
    store_key_t asked = key_of_name_group(KEY_ASKED, &self->key.name, self->key.group);
    check_expect(self, check_exists(self, &asked), "the user's requests don't list it");
}

void check_leave(check_t *self)
{
    leave_record_t record;
    leave_t leave;
    membership_t member;
    if (!check_begins(self, leave_record_read(&record, self->value)))
        return;
    check_expect(
        self, leave_parse(&leave, record.statement) == STATUS_OK && leave.leaf == self->key.number,
        "its statement does not decode");
    check_expect(self, record.sequence <= self->head.sequence,
                 "it stands behind the group's last event");
    if (!self->head.ended)
        check_expect(self,
                     check_find_member(self, &record.name, &member) && member.left &&
                         !member.removed && member.leaf == self->key.number,
                     "no member has left from its leaf");
}

void check_welcome(check_t *self)
{
    waiting_welcome_t welcome;
    account_t account;
    if (!check_begins(self, waiting_welcome_read(&welcome, self->value)))
        return;
    check_expect(self, check_find_account(self, &self->key.name, &account),
                 "its recipient has no account");
    check_expect(self, self->key.number <= self->head.sequence,
                 "its commit stands behind the log's end");
    check_expect(self, name_equal(&welcome.group_name, &self->head.name), "it names another group");
}

/* The user's list of memberships, current or past, and the member's record say the same. */
static void check_standing(check_t *self, bool is_current)
{
    membership_t member;
    uint8_t nothing[1];
    if (check_begins(self, bytes_record_read(nothing, 0, self->value)))
        check_expect(self,
                     check_find_member(self, &self->key.name, &member) &&
                         (member.until_sequence == 0) == is_current,
                     "the group's members say otherwise");
}

void check_membership(check_t *self)
{
    check_standing(self, true);
}

void check_former(check_t *self)
{
    check_standing(self, false);
}

void check_asked(check_t *self)
{
    store_key_t join = key_of_group_name(KEY_JOIN, self->key.group, &self->key.name);
    uint8_t nothing[1];
    if (check_begins(self, bytes_record_read(nothing, 0, self->value)))
        check_expect(self, check_exists(self, &join), "no request of the user waits there");
}
