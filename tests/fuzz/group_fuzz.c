/* SPDX-License-Identifier: MPL-2.0 */
/* Commits on a real member's state: mutated ones, also with code and signature made anew, as a
 * malicious admin could. One that is refused leaves the state as it was, byte for byte. */
#include "client/keys/key_schedule.h"
#include "proto/statement.h"
#include "tests/fuzz/fixed_random.h"
#include "tests/unit/client/keys_trio.h"

static struct {
    group_t group;
    stored_t rows; /* of carol, in the epoch that the commits leave */
    buffer_t before;
    buffer_t commits[4];
} world;

static void keep_commit(size_t at, const commit_plan_t *plan)
{
    prepared_commit_t *prepared;
    identity_t *admin = world.group.people[0]->identity;
    FUZZ_MUST(commit_build(world.group.holder, admin, plan, &prepared) == STATUS_OK);
    buffer_append(&world.commits[at], prepared->commit.data, prepared->commit.size);
    prepared_commit_destroy(&prepared);
}

static void start(void)
{
    fixed_random_start(1);
    group_start(&world.group);
    group_state_save_all(world.group.people[2]->state, stored_row, &world.rows);
    stored_flatten(&world.rows, &world.before);
    leaf_index_t bob = leaf_index(1);
    commit_role_t role = {2, ROLE_ADMIN};
    person_t *dave = person_new(3);
    served_request_t add = person_asks(dave, world.group.holder);
    keep_commit(0, &(commit_plan_t){0});
    keep_commit(1, &(commit_plan_t){.removals = &bob, .removal_count = 1});
    keep_commit(2, &(commit_plan_t){.adds = &add, .add_count = 1});
    keep_commit(3, &(commit_plan_t){.roles = &role, .role_count = 1});
    person_destroy(dave);
}

static group_state_t *load_state(void)
{
    group_state_t *state = group_state_load_new();
    FUZZ_MUST(stored_load(&world.rows, state, load_group) == STATUS_OK);
    FUZZ_MUST(group_state_load_end(state) == STATUS_OK);
    return state;
}

/* What the committing admin can always do: code and signature over whatever the commit says. */
static void sign_anew(buffer_t *bytes)
{
    commit_t commit;
    uint8_t transcript[HASH_BYTES];
    if (commit_parse(&commit, buffer_view(bytes)) != STATUS_OK)
        return;
    transcript_extend(transcript, commit.transcript, commit_body(buffer_view(bytes)));
    membership_code(commit.mac, holder_membership(world.group.holder), transcript, commit.tag);
    identity_sign_commit(world.group.people[0]->identity, commit.group, transcript, commit.tag,
                         commit.signature);
    bytes->size -= COMMIT_TRAILER_BYTES;
    commit_write_trailer(&commit, bytes);
    commit_wipe(&commit);
}

static void apply(bytes_t commit)
{
    group_state_t *state = load_state();
    uint64_t epoch = group_state_epoch(state);
    commit_outcome_t outcome;
    status_t status = group_state_apply_commit(state, commit, &outcome);
    buffer_t after = {0};
    state_flatten(state, &after);
    if (status || outcome != COMMIT_FOLLOWED)
        FUZZ_MUST(after.size == world.before.size &&
                  !memcmp(after.data, world.before.data, after.size));
    else
        FUZZ_MUST(group_state_epoch(state) == epoch + 1);
    buffer_free(&after);
    group_state_destroy(&state);
}

/* The first byte chooses a commit, and whether it is signed anew; then come edits: where (2), what
 * to xor. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.group.holder)
        start();
    apply((bytes_t){data, size});
    if (!size)
        return 0;
    buffer_t commit = {0};
    const buffer_t *base = &world.commits[data[0] & 3];
    buffer_append(&commit, base->data, base->size);
    for (size_t i = 1; i + 3 <= size; i += 3)
        commit.data[(size_t)(data[i] << 8 | data[i + 1]) % commit.size] ^= data[i + 2];
    if (data[0] & 4)
        sign_anew(&commit);
    apply(buffer_view(&commit));
    buffer_free(&commit);
    return 0;
}
