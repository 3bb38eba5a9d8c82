/* SPDX-License-Identifier: MPL-2.0 */
/* The roster in memory against a plain array: free leaves, names, admins, and proofs that verify.
 */
#include "tests/unit/client/keys_world.h"

#include "client/keys/roster_table.h"

enum { DEPTH = 8, LEAVES = 1 << DEPTH };

typedef struct {
    roster_table_t *table;
    roster_member_t expected[LEAVES]; /* an empty name is free */
    uint64_t epoch;
    unsigned names;
} world_t;

static void adopt(world_t *self, commit_t *commit)
{
    uint8_t root[HASH_BYTES], adopted[HASH_BYTES], before[HASH_BYTES], after[HASH_BYTES];
    commit->depth = DEPTH;
    commit->epoch = self->epoch++;
    roster_journal_t journal;
    roster_table_root(self->table, before);
    roster_journal_init(&journal, self->table, commit, root);
    roster_table_root(self->table, after);
    assert_memory_equal(before, after, HASH_BYTES);
    buffer_t bytes = {0};
    roster_journal_write(&journal, &bytes);
    roster_journal_wipe(&journal);
    reader_t in = reader_of(bytes.data, bytes.size);
    assert_status(roster_journal_read(&journal, &in), OK);
    roster_table_adopt(self->table, &journal, commit);
    roster_table_root(self->table, adopted);
    assert_memory_equal(adopted, root, HASH_BYTES);
    buffer_free(&bytes);
}

static void add(world_t *self, uint32_t leaf)
{
    commit_add_t item = {.leaf = leaf};
    snprintf(item.name.text, sizeof item.name.text, "n%u", self->names++);
    randombytes_buf(item.identity_key, KEY_BYTES);
    commit_t commit = {.adds = &item, .add_count = 1};
    self->expected[leaf] =
        (roster_member_t){.leaf = leaf, .name = item.name, .epoch_added = self->epoch + 1};
    memcpy(self->expected[leaf].identity_key, item.identity_key, KEY_BYTES);
    adopt(self, &commit);
}

static void drop(world_t *self, uint32_t leaf)
{
    commit_removal_t item = {.leaf = leaf, .name = self->expected[leaf].name};
    commit_t commit = {.removals = &item, .removal_count = 1};
    memset(&self->expected[leaf], 0, sizeof self->expected[leaf]);
    adopt(self, &commit);
}

static size_t admins_expected(const world_t *self)
{
    size_t count = 0;
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++)
        count += self->expected[leaf].role == ROLE_ADMIN;
    return count;
}

static void turn_role(world_t *self, uint32_t leaf)
{
    commit_role_t item = {leaf, !self->expected[leaf].role};
    if (item.role == ROLE_ADMIN && admins_expected(self) == ADMINS_MAX)
        return;
    commit_t commit = {.roles = &item, .role_count = 1};
    self->expected[leaf].role = item.role;
    adopt(self, &commit);
}

static void check_proof(const world_t *self, uint32_t leaf)
{
    uint8_t proof[DEPTH * HASH_BYTES], root[HASH_BYTES];
    for (unsigned level = 0; level < DEPTH; level++) {
        node_index_t sibling = node_sibling(node_above(leaf_index(leaf), level));
        memcpy(proof + level * HASH_BYTES, roster_table_hash(self->table, sibling), HASH_BYTES);
    }
    roster_table_root(self->table, root);
    roster_member_t member = self->expected[leaf];
    assert_status(roster_proof_verify(&member, proof, DEPTH, root), OK);
    member.role = !member.role;
    assert_status(roster_proof_verify(&member, proof, DEPTH, root), BAD_PROOF);
}

static void check_all(const world_t *self)
{
    size_t count = 0;
    uint32_t next = LEAVES, next_free = LEAVES;
    for (uint32_t leaf = LEAVES; leaf-- > 0;) {
        const roster_member_t *expected = &self->expected[leaf];
        const roster_member_t *member = roster_table_get(self->table, leaf_index(leaf));
        bool held = expected->name.text[0] != '\0';
        assert_int_equal(member != NULL, held);
        *(held ? &next : &next_free) = leaf;
        count += held;
        leaf_index_t found;
        assert_int_equal(roster_table_next(self->table, leaf_index(leaf), &found), next < LEAVES);
        if (next < LEAVES)
            assert_int_equal(found.value, next);
        assert_int_equal(roster_table_next_free(self->table, leaf_index(leaf)).value, next_free);
        if (!held)
            continue;
        assert_ptr_equal(roster_table_find(self->table, &expected->name), member);
        assert_memory_equal(member->identity_key, expected->identity_key, KEY_BYTES);
        assert_int_equal(member->epoch_added, expected->epoch_added);
        assert_int_equal(member->role, expected->role);
        check_proof(self, leaf);
    }
    assert_int_equal(roster_table_count(self->table), count);
    const roster_member_t *admins[ADMINS_MAX];
    size_t admin_count = roster_table_admins(self->table, admins);
    assert_int_equal(admin_count, admins_expected(self));
    for (size_t i = 1; i < admin_count; i++)
        assert_true(admins[i]->leaf > admins[i - 1]->leaf);
}

static status_t load(void *table, bytes_t key, bytes_t value)
{
    return roster_table_load_row(table, leaf_index(get_u32(key.data + 1)), value);
}

static void check_rows(world_t *self, stored_t *rows)
{
    roster_table_save(self->table, stored_row, rows);
    roster_table_t *loaded = roster_table_new();
    assert_status(roster_table_load_depth(loaded, DEPTH), OK);
    assert_status(stored_load(rows, loaded, load), OK);
    roster_table_load_end(loaded);
    uint8_t a[HASH_BYTES], b[HASH_BYTES];
    roster_table_root(self->table, a);
    roster_table_root(loaded, b);
    assert_memory_equal(a, b, HASH_BYTES);
    roster_table_destroy(&self->table);
    self->table = loaded;
}

static void test_against_an_array(void **state)
{
    (void)state;
    static world_t self;
    stored_t rows = {0};
    self.table = roster_table_new();
    for (unsigned round = 0; round < 1200; round++) {
        uint32_t leaf = randombytes_uniform(LEAVES);
        if (!self.expected[leaf].name.text[0])
            add(&self, roster_table_next_free(self.table, leaf_index(0)).value);
        else if (randombytes_uniform(3))
            turn_role(&self, leaf);
        else
            drop(&self, leaf);
        if (round % 60 == 0) {
            check_all(&self);
            check_rows(&self, &rows);
        }
    }
    check_all(&self);
    stored_free(&rows);
    roster_table_destroy(&self.table);
}

/* With as many admins as there may be, one steps down and a lower leaf steps up. */
static void test_full_list_of_admins_swaps(void **state)
{
    (void)state;
    world_t self = {.table = roster_table_new()};
    for (uint32_t leaf = 0; leaf <= ADMINS_MAX; leaf++)
        add(&self, leaf);
    for (uint32_t leaf = 1; leaf <= ADMINS_MAX; leaf++)
        turn_role(&self, leaf);
    commit_role_t swap[] = {{0, ROLE_ADMIN}, {ADMINS_MAX, ROLE_MEMBER}};
    commit_t commit = {.roles = swap, .role_count = 2};
    self.expected[0].role = ROLE_ADMIN;
    self.expected[ADMINS_MAX].role = ROLE_MEMBER;
    adopt(&self, &commit);
    check_all(&self);
    stored_t rows = {0};
    check_rows(&self, &rows);
    stored_free(&rows);
    roster_table_destroy(&self.table);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_full_list_of_admins_swaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
