/* SPDX-License-Identifier: MPL-2.0 */
/* What the broker and a member who gives it all that it holds, but no admin's key, can make
 * together. */
#ifndef CONCLAVE_TESTS_SIMULATION_FORGE_H
#define CONCLAVE_TESTS_SIMULATION_FORGE_H

#include "tests/simulation/world.h"

/* A group that this client is in, and the place in its log that it waits for. False if there is
 * none. */
bool forge_place(const world_t *world, chance_t *chance, size_t client,
                 uint8_t group[static GROUP_ID_BYTES], uint64_t *sequence);

/* To out, which is empty. Each false if nobody can make it: no other member, admins aside, is where
 * the victim is. */

/* A commit that changes nobody's place, right but for its signature: in the name of an admin. */
bool forge_commit(world_t *world, chance_t *chance, size_t victim, const uint8_t *group,
                  name_t *admin, buffer_t *out);
/* A text under another member's leaf (whose name goes to *sender), right but for its signature. */
bool forge_message(world_t *world, chance_t *chance, size_t victim, const uint8_t *group,
                   name_t *sender, buffer_t *out);
/* That a member (whose name goes to *leaver) leaves, signed by another. */
bool forge_leave(world_t *world, chance_t *chance, const uint8_t *group, name_t *leaver,
                 buffer_t *out);

#endif
