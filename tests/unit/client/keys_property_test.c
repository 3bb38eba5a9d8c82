/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Random schedules of commits on real keys: after each, every member holds what the holder holds,
 * and nobody who is out (or was not in yet) gets there with all the keys that it ever had. The seed
 * is printed on failure.
 */
#include "tests/unit/client/keys_world.h"

#include "tests/splitmix.h"

#include "client/keys/kdf.h"
#include "client/keys/key_schedule.h"
#include "client/keys/member_path.h"

#define PEOPLE_MAX 512
#define GONE_MAX   6

/* Everything that somebody ever held. */
typedef struct {
    secret_t *keys;
    size_t count;
} hoard_t;

typedef struct {
    uint64_t seed;
    holder_t *holder;
    stored_t rows;
    person_t *inside[PEOPLE_MAX]; /* [0] is the admin */
    hoard_t hoards[PEOPLE_MAX];
    size_t count;
    hoard_t gone[GONE_MAX]; /* the last leavers */
    size_t gone_count;
    unsigned names;
} world_t;

static uint64_t draw(world_t *self)
{
    return splitmix_next(&self->seed);
}

static bool chance(world_t *self, unsigned percent)
{
    return draw(self) % 100 < percent;
}

static void hoard_add(hoard_t *self, const secret_t *key)
{
    for (size_t i = 0; i < self->count; i++)
        if (!memcmp(&self->keys[i], key, sizeof *key))
            return;
    self->keys = mem_realloc(self->keys, self->count + 1, sizeof *self->keys);
    self->keys[self->count++] = *key;
}

static void hoard_state(hoard_t *self, const group_state_t *state)
{
    for (unsigned level = 0; level <= state->path.depth; level++)
        hoard_add(self, &state->path.keys[level]);
    hoard_add(self, &state->membership);
}

static bool reaches_epoch(const secret_t *root, const commit_t *commit, const uint8_t *transcript)
{
    secret_t epoch_secret;
    kdf(&epoch_secret, root, KDF_EPOCH, transcript, HASH_BYTES);
    epoch_keys_t keys;
    epoch_keys_derive(&keys, &epoch_secret);
    uint8_t tag[HASH_BYTES];
    confirmation_tag(tag, &keys.confirm, transcript);
    return !memcmp(tag, commit->tag, HASH_BYTES);
}

static void try_key(const secret_t *key, const commit_t *commit, const uint8_t *transcript)
{
    assert_false(reaches_epoch(key, commit, transcript));
    for (size_t i = 0; i < commit->wrap_count; i++) {
        secret_t opened;
        status_t status =
            wrap_open(&opened, commit->wraps[i].sealed, key, commit->random, commit->group,
                      commit->epoch + 1, node_index(commit->wraps[i].child));
        assert_int_equal(status, STATUS_BAD_SEAL);
    }
}

/* Every key ever held, stepped by every rule, on every wrap and on the root. */
static void attack(const hoard_t *hoard, const commit_t *commit, const uint8_t *transcript)
{
    static const kdf_label_t rules[] = {KDF_NEXT, KDF_GROW, KDF_JOIN, KDF_PATH, KDF_NODE};
    for (size_t i = 0; i < hoard->count; i++) {
        secret_t joined = hoard->keys[i];
        for (unsigned round = 0; round < 2; round++) {
            try_key(&joined, commit, transcript);
            for (size_t rule = 0; rule < sizeof rules / sizeof rules[0]; rule++) {
                secret_t stepped;
                kdf(&stepped, &joined, rules[rule], commit->random, COMMIT_RANDOM_BYTES);
                try_key(&stepped, commit, transcript);
            }
            kdf(&joined, &joined, KDF_JOIN, commit->random, COMMIT_RANDOM_BYTES);
        }
    }
}

static void assert_in_step(const world_t *self, const person_t *person)
{
    const group_state_t *state = person->state;
    assert_int_equal(state->epoch, holder_epoch(self->holder));
    assert_memory_equal(group_state_transcript(state), holder_transcript(self->holder), HASH_BYTES);
    assert_memory_equal(&state->membership, holder_membership(self->holder), sizeof(secret_t));
    const roster_member_t *member =
        roster_table_find(holder_roster(self->holder), identity_name(person->identity));
    assert_non_null(member);
    assert_int_equal(member->leaf, state->path.leaf.value);
    assert_int_equal(state->path.depth, key_tree_depth(holder_tree(self->holder)));
    for (unsigned level = 0; level <= state->path.depth; level++) {
        const secret_t *key =
            key_tree_get(holder_tree(self->holder), node_above(state->path.leaf, level));
        assert_non_null(key);
        assert_memory_equal(key, &state->path.keys[level], sizeof *key);
    }
    uint8_t root[HASH_BYTES];
    roster_table_root(holder_roster(self->holder), root);
    assert_memory_equal(root, state->roster_root, HASH_BYTES);
}

/* One sends, all the others open it, twice refused. */
static void talk(world_t *self)
{
    person_t *sender = self->inside[draw(self) % self->count];
    buffer_t sealed = {0};
    uint8_t content[100];
    randombytes_buf(content, sizeof content);
    assert_status(group_state_seal(sender->state, sender->identity,
                                   &(message_body_t){.type = MESSAGE_TYPE_TEXT,
                                                     .number = ++sender->sent,
                                                     .content = {content, sizeof content}},
                                   &sealed, NULL),
                  OK);
    for (size_t i = 0; i < self->count; i++) {
        opened_message_t opened;
        status_t status = group_state_open(self->inside[i]->state, buffer_view(&sealed),
                                           identity_key(sender->identity), &opened);
        if (self->inside[i] == sender) {
            assert_int_equal(status, STATUS_KEY_ERASED);
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(opened.content.size, sizeof content);
        assert_memory_equal(opened.content.data, content, sizeof content);
        assert_int_equal(opened.number, sender->sent);
        opened_message_wipe(&opened);
    }
    buffer_free(&sealed);
}

typedef struct {
    commit_plan_t plan;
    served_request_t adds[COMMIT_ADDS_MAX], refreshes[COMMIT_REFRESHES_MAX];
    leaf_index_t removals[COMMIT_REMOVALS_MAX];
    person_t *newcomers[COMMIT_ADDS_MAX];
    bool removed[PEOPLE_MAX], refreshed[PEOPLE_MAX];
} turn_t;

static void choose(world_t *self, turn_t *turn, size_t wanted, unsigned leave_percent)
{
    memset(turn, 0, sizeof *turn);
    commit_plan_t *plan = &turn->plan;
    for (size_t i = 1; i < self->count; i++) {
        const person_t *person = self->inside[i];
        if (plan->removal_count < COMMIT_REMOVALS_MAX && chance(self, leave_percent)) {
            turn->removed[i] = true;
            turn->removals[plan->removal_count++] = person->state->path.leaf;
        } else if (plan->refresh_count < COMMIT_REFRESHES_MAX && chance(self, 4)) {
            turn->refreshed[i] = true;
            turn->refreshes[plan->refresh_count++] = person_asks(self->inside[i], self->holder);
        }
    }
    static const unsigned sizes[] = {0, 0, 1, 1, 2, 5, 20, 64};
    size_t adds = self->count < wanted ? sizes[draw(self) % 8] : 0;
    for (; plan->add_count < adds && self->count + plan->add_count < PEOPLE_MAX;
         plan->add_count++) {
        person_t *person = person_new(self->names++);
        turn->newcomers[plan->add_count] = person;
        turn->adds[plan->add_count] = person_asks(person, self->holder);
    }
    plan->adds = turn->adds;
    plan->removals = turn->removals;
    plan->refreshes = turn->refreshes;
}

/* Building changes nothing; bytes say it all. */
static prepared_commit_t *build(world_t *self, const turn_t *turn)
{
    prepared_commit_t *prepared;
    if (chance(self, 20)) {
        buffer_t before = {0}, after = {0};
        holder_flatten(self->holder, &before);
        assert_status(commit_build(self->holder, self->inside[0]->identity, &turn->plan, &prepared),
                      OK);
        prepared_commit_destroy(&prepared);
        holder_flatten(self->holder, &after);
        assert_same(&before, &after);
        buffer_free(&before);
        buffer_free(&after);
    }
    assert_status(commit_build(self->holder, self->inside[0]->identity, &turn->plan, &prepared),
                  OK);
    buffer_t bytes = {0};
    prepared_commit_write(prepared, &bytes);
    if (chance(self, 50)) {
        prepared_commit_destroy(&prepared);
        assert_status(prepared_commit_read(&prepared, buffer_view(&bytes)), OK);
        if (chance(self, 50))
            holder_round_trip(&self->holder, &self->rows);
    }
    buffer_free(&bytes);
    return prepared;
}

static void remember_leaver(world_t *self, hoard_t *hoard)
{
    size_t at = self->gone_count++ % GONE_MAX;
    free(self->gone[at].keys);
    self->gone[at] = *hoard;
    *hoard = (hoard_t){0};
}

static void everybody_moves(world_t *self, const turn_t *turn, const prepared_commit_t *prepared)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        person_t *person = self->inside[i];
        commit_outcome_t outcome;
        if (turn->removed[i] || turn->refreshed[i]) {
            assert_status(
                group_state_apply_commit(person->state, buffer_view(&prepared->commit), &outcome),
                OK);
            assert_int_equal(outcome, turn->removed[i] ? COMMIT_REMOVED_ME : COMMIT_REFRESHED_ME);
        } else {
            person_follows(person, prepared);
        }
        if (turn->removed[i]) {
            remember_leaver(self, &self->hoards[i]);
            person_destroy(person);
            continue;
        }
        if (turn->refreshed[i]) {
            remember_leaver(self, &self->hoards[i]); /* a device with the old state is out */
            person_enters(person, prepared);
        }
        self->inside[kept] = person;
        hoard_t hoard = self->hoards[i];
        self->hoards[i] = (hoard_t){0};
        self->hoards[kept++] = hoard;
    }
    self->count = kept;
    for (size_t i = 0; i < turn->plan.add_count; i++) {
        person_enters(turn->newcomers[i], prepared);
        self->hoards[self->count] = (hoard_t){0};
        self->inside[self->count++] = turn->newcomers[i];
    }
}

static void step(world_t *self, turn_t *turn)
{
    prepared_commit_t *prepared = build(self, turn);
    commit_t commit;
    assert_status(commit_parse(&commit, buffer_view(&prepared->commit)), OK);
    uint8_t transcript[HASH_BYTES];
    memcpy(transcript, prepared->transcript, HASH_BYTES);
    everybody_moves(self, turn, prepared);
    assert_status(holder_adopt(self->holder, &prepared), OK);
    assert_null(prepared);
    for (size_t i = 0; i < self->count; i++) {
        assert_in_step(self, self->inside[i]);
        hoard_state(&self->hoards[i], self->inside[i]->state);
    }
    for (size_t i = 0; i < GONE_MAX; i++)
        attack(&self->gone[i], &commit, transcript);
    /* newcomers learn nothing about the commit that let them in, wraps and root alike */
    for (size_t i = 0; i < turn->plan.add_count && i < 2; i++)
        attack(&self->hoards[self->count - 1 - i], &commit, transcript);
    commit_wipe(&commit);
    if (chance(self, 30))
        talk(self);
    if (chance(self, 20)) {
        person_t *person = self->inside[draw(self) % self->count];
        state_round_trip(&person->state, &person->rows);
    }
    if (chance(self, 20))
        holder_round_trip(&self->holder, &self->rows);
}

static void run(uint64_t seed, unsigned steps, size_t wanted, unsigned leave_percent)
{
    print_message("seed %llu\n", (unsigned long long)seed);
    world_t *self = mem_zalloc(1, sizeof *self);
    turn_t *turn = mem_alloc(sizeof *turn);
    self->seed = seed;
    self->inside[self->count++] = person_new(self->names++);
    self->holder = group_of(self->inside[0]);
    assert_in_step(self, self->inside[0]);
    for (unsigned i = 0; i < steps; i++) {
        choose(self, turn, wanted, leave_percent);
        step(self, turn);
    }
    for (size_t i = 0; i < self->count; i++)
        person_destroy(self->inside[i]);
    for (size_t i = 0; i < PEOPLE_MAX; i++)
        free(self->hoards[i].keys);
    for (size_t i = 0; i < GONE_MAX; i++)
        free(self->gone[i].keys);
    holder_destroy(&self->holder);
    stored_free(&self->rows);
    free(turn);
    free(self);
}

static void test_small_groups(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(seed, 25, 12, 12);
}

static void test_groups_of_dozens(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 103; seed++)
        run(seed, 20, 70, 12);
}

static void test_groups_of_hundreds(void **state)
{
    (void)state;
    run(201, 7, 300, 6);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_groups),
        cmocka_unit_test(test_groups_of_dozens),
        cmocka_unit_test(test_groups_of_hundreds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
