/* SPDX-License-Identifier: MPL-2.0 */
/* Which states the clients' groups and sessions went through, as seen after each step; and what
 * became of each commit, by link-time wrapping (tests.mk). */
#include <stdlib.h>
#include <string.h>

#include "client/core/admin.h"
#include "proto/memory.h"
#include "tests/simulation/world.h"

typedef struct {
    uint8_t id[GROUP_ID_BYTES];
    group_phase_t phase;
} watched_group_t;

struct watched {
    watched_group_t *groups;
    size_t count;
    session_state_t sessions[SIDES];
};

static tally_t *listener; /* of the world that watched last */

static watched_group_t *group_of(struct watched *self, const uint8_t *id)
{
    for (size_t i = 0; i < self->count; i++)
        if (!memcmp(self->groups[i].id, id, GROUP_ID_BYTES))
            return &self->groups[i];
    self->groups = mem_realloc(self->groups, self->count + 1, sizeof *self->groups);
    watched_group_t *new = &self->groups[self->count++];
    *new = (watched_group_t){.phase = GROUP_NONE};
    memcpy(new->id, id, GROUP_ID_BYTES);
    return new;
}

static void see_session(world_t *self, size_t client, unsigned side, session_state_t state)
{
    session_state_t *last = &self->nodes[client].watched->sessions[side];
    self->tally.sessions[*last][state] += *last != state;
    *last = state;
}

static void see_groups(world_t *self, size_t client, bool counts)
{
    struct watched *watched = self->nodes[client].watched;
    const member_core_t *core = (const member_core_t *)self->nodes[client].cores[SIDE_MEMBER];
    for (size_t i = 0; i < core->group_count; i++) {
        watched_group_t *last = group_of(watched, core->groups[i]->id);
        group_phase_t phase = core->groups[i]->phase;
        self->tally.phases[last->phase][phase] += counts && last->phase != phase;
        last->phase = phase;
    }
}

void world_watch(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    listener = &self->tally;
    if (!node->cores[SIDE_MEMBER] || !node->cores[SIDE_ADMIN])
        return;
    see_groups(self, client, true);
    see_session(self, client, SIDE_MEMBER,
                ((const member_core_t *)node->cores[SIDE_MEMBER])->session.state);
    see_session(self, client, SIDE_ADMIN,
                ((const admin_core_t *)node->cores[SIDE_ADMIN])->session.state);
}

void world_watch_start(world_t *self, size_t client)
{
    world_watch_end(self, client);
    self->nodes[client].watched = mem_zalloc(1, sizeof *self->nodes[client].watched);
    see_groups(self, client, false);
}

void world_watch_end(world_t *self, size_t client)
{
    struct watched *watched = self->nodes[client].watched;
    if (watched)
        free(watched->groups);
    free(watched);
    self->nodes[client].watched = NULL;
}

status_t __real_group_state_apply_commit(group_state_t *self, bytes_t commit,
                                         commit_outcome_t *outcome);
status_t __wrap_group_state_apply_commit(group_state_t *self, bytes_t commit,
                                         commit_outcome_t *outcome);

status_t __wrap_group_state_apply_commit(group_state_t *self, bytes_t commit,
                                         commit_outcome_t *outcome)
{
    status_t status = __real_group_state_apply_commit(self, commit, outcome);
    if (listener)
        listener->outcomes[status ? OUTCOMES - 1 : (size_t)*outcome]++;
    return status;
}
