/* SPDX-License-Identifier: MPL-2.0 */
/* What people in the world do, what their screens told them, and what must hold at the end. */
#ifndef CONCLAVE_TESTS_SIMULATION_PLAY_H
#define CONCLAVE_TESTS_SIMULATION_PLAY_H

#include "tests/simulation/actions.h"
#include "tests/simulation/world.h"

#define PLAY_GROUPS 2

typedef enum { TEXT_TYPED, TEXT_QUEUED, TEXT_ACKED, TEXT_REFUSED } text_fate_t;

typedef struct {
    size_t client, group;
    uint8_t id[GROUP_ID_BYTES]; /* of the group of that name then */
    uint64_t request;
    text_fate_t fate;
    uint64_t sequence; /* as acked */
    bool is_final;     /* sent after the storm, when all should get through */
    char text[48];
} typed_t;

/* What somebody who is about to leave takes along. */
typedef struct {
    size_t client;
    uint8_t group[GROUP_ID_BYTES];
    vault_t *vault;
} loot_t;

struct play {
    world_t *world;
    typed_t *texts;
    size_t text_count, text_capacity;
    loot_t *loot;
    size_t loot_count;
    uint64_t refusals, lines, late_lines;
};

name_t play_group_name(size_t group);
bool line_is_notice(const local_line_record_t *line, const char *kind);
void play_screen(void *context, world_t *world, size_t client, const local_message_t *message);
/* What the client holds of a group that it is in: before it leaves. */
void play_take_loot(play_t *self, size_t client, const name_t *name);
void play_send(play_t *self, size_t client, size_t group, bool is_final);

/* checks.c: sets the world's failure. */
void check_everything(play_t *self);
/* checks.c: the broker's store is sound. */
void check_store(world_t *world);

/* secrecy.c: who left opens nothing from after the rekey, who came nothing from before, whatever
 * was recorded. */
void check_secrecy(play_t *self);
void play_free(play_t *self);

#endif
