/* SPDX-License-Identifier: MPL-2.0 */
/* Messages: retries first, then what the header must be. */
#include "broker/rules/cache.h"
#include "broker/rules/fanout.h"
#include "broker/rules/handlers.h"
#include "broker/rules/hold.h"
#include "broker/rules/storage.h"
#include "proto/memory.h"
#include "proto/sealed_message.h"

#include <sodium.h>
#include <string.h>

typedef struct {
    sent_t *slots;
    uint64_t *versions;
    bool damaged;
} ring_t;

static bool collect_sent(void *context, const store_record_t *record)
{
    ring_t *ring = context;
    uint8_t slot = record->key[record->key_size - 1];
    if (slot >= SENDER_WINDOW || !sent_read(&ring->slots[slot], record_value(record)))
        ring->damaged = true;
    else
        ring->versions[slot] = record->version;
    return !ring->damaged;
}

/* Reads the sender's last messages on its first one since it came into memory. */
static status_t load_ring(rules_t *rules, member_t *member)
{
    if (member->ring)
        return STATUS_OK;
    ring_t ring = {.slots = rules_lend(rules, SENDER_WINDOW * sizeof *ring.slots),
                   .versions = rules_lend(rules, SENDER_WINDOW * sizeof *ring.versions)};
    store_key_t prefix = key_of_group_name(KEY_SENT, member->group->id, &member->name);
    status_t status = visit_prefix(rules, &prefix, NULL, 0, collect_sent, &ring);
    if (status != STATUS_OK || ring.damaged)
        return STATUS_STORE_FAILED;
    member->ring = mem_dup(ring.slots, SENDER_WINDOW * sizeof *ring.slots);
    member->ring_versions = mem_dup(ring.versions, SENDER_WINDOW * sizeof *ring.versions);
    member->ring_newest = 0;
    for (size_t i = 1; i < SENDER_WINDOW; i++)
        if (member->ring[i].sequence > member->ring[member->ring_newest].sequence)
            member->ring_newest = i;
    return STATUS_OK;
}

/* *earlier: the same message as accepted before. STATUS_GENERATION_USED for another one that isn't
 * above the last of its epoch and leaf. */
static status_t check_ring(const member_t *member, const message_header_t *header,
                           const uint8_t hash[static HASH_BYTES], const sent_t **earlier)
{
    bool used = false;
    *earlier = NULL;
    for (size_t i = 0; i < SENDER_WINDOW; i++) {
        const sent_t *sent = &member->ring[i];
        if (sent->sequence == 0 || sent->epoch != header->epoch || sent->leaf != header->leaf)
            continue;
        if (sent->generation == header->generation &&
            sodium_memcmp(sent->hash, hash, HASH_BYTES) == 0)
            *earlier = sent;
        used |= sent->generation >= header->generation;
    }
    return used && !*earlier ? STATUS_GENERATION_USED : STATUS_OK;
}

static status_t check_header(const rules_t *rules, const member_t *member,
                             const message_header_t *header)
{
    const head_t *head = &member->group->head;
    if (header->epoch != head->epoch)
        return header->epoch < head->epoch ? STATUS_STALE_EPOCH : STATUS_EPOCH_AHEAD;
    if (header->leaf != member->record.leaf)
        return STATUS_NOT_YOUR_LEAF;
    if (!member_is_current(member))
        return STATUS_ALREADY_LEFT;
    return hold_is_on(rules, member->group) ? STATUS_REKEY_DUE : STATUS_OK;
}

/* The group and the member; who left and is not yet removed gets answers of its own. */
static status_t find_sender(request_t *request, const uint8_t *id, member_t **member)
{
    group_t *group;
    status_t status = cache_group(request->rules, id, false, &group);
    if (status != STATUS_OK)
        return status;
    request->group = group;
    status = cache_member(request->rules, group, &request->user->name, member);
    return status == STATUS_OK && (*member)->record.removed ? STATUS_NOT_MEMBER : status;
}

static void remember(rules_t *rules, member_t *member, const sent_t *sent)
{
    size_t slot = member->ring[member->ring_newest].sequence == 0
                      ? 0
                      : (member->ring_newest + 1) % SENDER_WINDOW;
    member->ring[slot] = *sent;
    member->ring_newest = slot;
    save_sent(rules, member->group->id, &member->name, slot, sent, member->ring_versions[slot]++);
}

status_t handle_send(request_t *request)
{
    rules_t *rules = request->rules;
    const send_request_t *asked = &request->message->body.send_request;
    send_reply_t *reply = &request->reply.send_reply;
    member_t *member;
    message_header_t header;
    bytes_t header_bytes, sealed;
    sent_t sent = {0};
    const sent_t *earlier;
    status_t status = find_sender(request, asked->group, &member);
    if (status == STATUS_OK)
        status = message_header_parse(&header, asked->sealed, &header_bytes, &sealed);
    if (status == STATUS_OK)
        status = load_ring(rules, member);
    if (status != STATUS_OK)
        return status;
    (void)crypto_generichash(sent.hash, HASH_BYTES, asked->sealed.data, asked->sealed.size, NULL,
                             0);
    status = check_ring(member, &header, sent.hash, &earlier);
    if (earlier) {
        reply->sequence = earlier->sequence;
        reply->time_ms = earlier->time_ms;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = check_header(rules, member, &header);
    if (status != STATUS_OK)
        return status;
    group_t *group = member->group;
    sent.time_ms =
        fanout_append(rules, group, &group->head, EVENT_MESSAGE, &member->name, asked->sealed);
    sent.epoch = header.epoch;
    sent.leaf = header.leaf;
    sent.generation = header.generation;
    sent.sequence = group->head.sequence;
    remember(rules, member, &sent);
    cache_group_changed(rules, group);
    reply->sequence = request->sequence = sent.sequence;
    reply->time_ms = sent.time_ms;
    return STATUS_OK;
}
