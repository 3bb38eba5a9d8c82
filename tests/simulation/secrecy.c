/* SPDX-License-Identifier: MPL-2.0 */
/* Newcomers and leavers against everything that was recorded. */
#include <string.h>

#include "client/core/member.h"
#include "tests/simulation/play.h"

static bool opens(group_state_t *keys, bytes_t payload)
{
    opened_message_t opened = {0};
    status_t status = group_state_open(keys, payload, NULL, &opened);
    opened_message_wipe(&opened);
    return !status || status == STATUS_UNPROVEN;
}

/* The first place of the commit that let it in; 0 if that was never handed out. */
static uint64_t entrance(const world_t *world, const group_t *group)
{
    uint64_t first = 0;
    for (size_t i = 0; i < world->recorded_count; i++) {
        const recorded_t *event = &world->recorded[i];
        commit_t commit;
        if (memcmp(event->group, group->id, GROUP_ID_BYTES) || event->kind != EVENT_COMMIT ||
            commit_parse(&commit, buffer_view(&event->payload)))
            continue;
        if (commit.epoch + 1 == group_state_epoch_added(group->keys) &&
            (!first || event->sequence < first))
            first = event->sequence;
        commit_wipe(&commit);
    }
    return first;
}

/* All that came before it joined, with the state it holds now. */
static void check_newcomer(world_t *world, size_t client, group_t *group)
{
    uint64_t first = entrance(world, group);
    for (size_t i = 0; i < world->recorded_count; i++) {
        const recorded_t *event = &world->recorded[i];
        if (!memcmp(event->group, group->id, GROUP_ID_BYTES) && event->sequence < first &&
            event->kind == EVENT_MESSAGE && opens(group->keys, buffer_view(&event->payload)))
            world_fail(world, "c%zu opened what was said before it came (%llu)", client,
                       (unsigned long long)event->sequence);
    }
}

static bool is_of_before(bytes_t message, uint64_t epoch)
{
    message_header_t header;
    bytes_t header_bytes, sealed;
    return !message_header_parse(&header, message, &header_bytes, &sealed) && header.epoch < epoch;
}

/* What somebody who took its device's state along makes of one event; *out is the epoch in which it
 * was out, 0 as long as it is in. After a broker was set back, those who had not heard of the new
 * epoch may go on in the old one. */
static void play_on(world_t *world, const loot_t *loot, group_t *group, const recorded_t *event,
                    uint64_t *out)
{
    commit_outcome_t outcome = COMMIT_FOLLOWED;
    bytes_t payload = buffer_view(&event->payload);
    if (event->kind == EVENT_COMMIT) {
        uint64_t next = group_state_epoch(group->keys) + 1;
        status_t status = group_state_apply_commit(group->keys, payload, &outcome);
        if (*out && !status && outcome == COMMIT_FOLLOWED)
            world_fail(world, "c%zu followed a commit after it was out", loot->client);
        if (!*out && !status && outcome == COMMIT_REMOVED_ME)
            *out = next;
    } else if (event->kind == EVENT_MESSAGE && opens(group->keys, payload) && *out &&
               !(world->was_set_back && is_of_before(payload, *out))) {
        world_fail(world, "c%zu left and opened a later message (%llu)", loot->client,
                   (unsigned long long)event->sequence);
    }
}

/* Plays the log on with what the leaver took along, and by its rules. */
static void check_loot(world_t *world, const loot_t *loot)
{
    core_t *core = NULL;
    core_config_t config = {.poll_period_ms = 1000, .call_deadline_ms = 5000};
    if (member_core_new(&core, &config, world->nodes[loot->client].identity, loot->vault)) {
        world_fail(world, "a copied vault of c%zu can't be read", loot->client);
        return;
    }
    group_t *group = member_group((member_core_t *)core, loot->group);
    uint64_t out = 0;
    const recorded_t *event;
    for (uint64_t sequence = group->cursor + 1;
         (event = world_recorded(world, loot->group, sequence, NULL)); sequence++)
        for (; event; event = world_recorded(world, loot->group, sequence, event))
            play_on(world, loot, group, event, &out);
    core_destroy(&core);
}

void check_secrecy(play_t *self)
{
    world_t *world = self->world;
    for (size_t i = 0; i < self->loot_count && !world->failure[0]; i++)
        check_loot(world, &self->loot[i]);
    for (size_t client = 0; client < world->options.clients && !world->failure[0]; client++) {
        member_core_t *core = (member_core_t *)world->nodes[client].cores[SIDE_MEMBER];
        for (size_t i = 0; core && i < core->group_count; i++)
            if (group_is_current(core->groups[i]))
                check_newcomer(world, client, core->groups[i]);
    }
}
