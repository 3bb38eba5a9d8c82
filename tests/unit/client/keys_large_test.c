/* SPDX-License-Identifier: MPL-2.0 */
/* The largest tree, filled in batches: a few members with real keys follow everything, from the
 * first commit or from where they came in. */
#include "tests/unit/client/keys_world.h"

#define FOLLOWERS_MAX 12

typedef struct {
    holder_t *holder;
    person_t *followers[FOLLOWERS_MAX]; /* [0] is the admin */
    size_t count;
    served_request_t filler; /* of others, who share a key pair and never read */
    unsigned names;
} world_t;

static served_request_t next_filler(world_t *self)
{
    served_request_t served = self->filler;
    snprintf(served.request.name.text, sizeof served.request.name.text, "m%u", self->names++);
    return served;
}

static void follow(world_t *self, const commit_plan_t *plan, person_t *newcomer)
{
    prepared_commit_t *prepared;
    assert_status(commit_build(self->holder, self->followers[0]->identity, plan, &prepared), OK);
    assert_true(prepared->commit.size <= COMMIT_MAX_BYTES);
    for (size_t i = 0; i < self->count; i++)
        person_follows(self->followers[i], prepared);
    if (newcomer) {
        assert_true(welcome_for(prepared, newcomer)->size <= 1024);
        person_enters(newcomer, prepared);
        self->followers[self->count++] = newcomer;
    }
    assert_status(holder_adopt(self->holder, &prepared), OK);
}

/* With a member who follows from here on among those added, if wanted. */
static void add_batch(world_t *self, size_t count, bool with_follower)
{
    static served_request_t adds[COMMIT_ADDS_MAX];
    person_t *newcomer = with_follower ? person_new(self->names++) : NULL;
    for (size_t i = 0; i < count; i++)
        adds[i] =
            newcomer && i == count / 2 ? person_asks(newcomer, self->holder) : next_filler(self);
    commit_plan_t plan = {.adds = adds, .add_count = count};
    follow(self, &plan, newcomer);
}

static void assert_in_step(const world_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const group_state_t *state = self->followers[i]->state;
        assert_memory_equal(&state->membership, holder_membership(self->holder), KEY_BYTES);
        assert_int_equal(state->path.depth, key_tree_depth(holder_tree(self->holder)));
        for (unsigned level = 0; level <= state->path.depth; level++)
            assert_memory_equal(
                &state->path.keys[level],
                key_tree_get(holder_tree(self->holder), node_above(state->path.leaf, level)),
                KEY_BYTES);
    }
}

static bool is_follower(const world_t *self, uint32_t leaf)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->followers[i]->state->path.leaf.value == leaf)
            return true;
    return false;
}

/* As many removals and refreshes as a commit takes, as far from each other as they can be. */
static void change_everywhere(world_t *self)
{
    static leaf_index_t removals[COMMIT_REMOVALS_MAX];
    static served_request_t refreshes[COMMIT_REFRESHES_MAX];
    commit_plan_t plan = {.removals = removals, .refreshes = refreshes};
    uint32_t stride = TREE_LEAVES_MAX / (COMMIT_REMOVALS_MAX + COMMIT_REFRESHES_MAX);
    for (uint32_t leaf = 7; leaf < TREE_LEAVES_MAX; leaf += stride) {
        const roster_member_t *member =
            roster_table_get(holder_roster(self->holder), leaf_index(leaf));
        assert_non_null(member);
        if (is_follower(self, leaf))
            continue;
        if (plan.removal_count == plan.refresh_count) {
            removals[plan.removal_count++].value = leaf;
            continue;
        }
        served_request_t *served = &refreshes[plan.refresh_count++];
        *served = self->filler;
        served->request.name = member->name;
        served->is_held = true;
        served->leaf = leaf;
    }
    follow(self, &plan, NULL);
    assert_in_step(self);
}

static void load_directly(void *context, row_change_t change, bytes_t key, bytes_t value)
{
    assert_int_equal(change, ROW_PUT);
    assert_status(holder_load_row(context, key, value), OK);
}

static void reload(world_t *self)
{
    holder_t *loaded = holder_load_new();
    holder_save_all(self->holder, load_directly, loaded);
    assert_status(holder_load_end(loaded), OK);
    holder_destroy(&self->holder);
    self->holder = loaded;
}

static void test_to_the_brim(void **state)
{
    (void)state;
    world_t self = {0};
    self.followers[self.count++] = person_new(self.names++);
    self.holder = group_of(self.followers[0]);
    person_t *shared = person_new(900000);
    self.filler = person_asks(shared, self.holder);
    size_t batches = 0;
    while (roster_table_count(holder_roster(self.holder)) < TREE_LEAVES_MAX) {
        size_t left = TREE_LEAVES_MAX - roster_table_count(holder_roster(self.holder));
        bool with_follower = batches % 256 == 1 && self.count < FOLLOWERS_MAX - 1;
        add_batch(&self, left < COMMIT_ADDS_MAX ? left : COMMIT_ADDS_MAX, with_follower);
        if (batches++ % 128 == 0)
            assert_in_step(&self);
    }
    assert_in_step(&self);
    assert_int_equal(key_tree_depth(holder_tree(self.holder)), TREE_DEPTH_MAX);

    served_request_t one_more = next_filler(&self);
    commit_plan_t plan = {.adds = &one_more, .add_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.followers[0]->identity, &plan, &prepared),
                  TREE_FULL);
    change_everywhere(&self);
    reload(&self);
    assert_in_step(&self);
    add_batch(&self, 40, true);
    assert_in_step(&self);
    for (size_t i = 0; i < self.count; i++)
        person_destroy(self.followers[i]);
    person_destroy(shared);
    holder_destroy(&self.holder);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_to_the_brim)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
