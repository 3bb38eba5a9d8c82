/* SPDX-License-Identifier: MPL-2.0 */
/* The bytes of commits: round trips, and everything that commit_parse refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/commit.h"
#include "proto/memory.h"

static commit_t parsed;

static bytes_t write_commit(const commit_t *commit, buffer_t *out)
{
    commit_write_body(commit, out);
    commit_write_trailer(commit, out);
    return buffer_view(out);
}

static status_t parse(const commit_t *commit)
{
    buffer_t out = {0};
    commit_wipe(&parsed);
    status_t status = commit_parse(&parsed, write_commit(commit, &out));
    buffer_free(&out);
    return status;
}

static void assert_refused(const commit_t *commit)
{
    static const commit_t zero;
    assert_int_equal(parse(commit), STATUS_BAD_COMMIT);
    assert_memory_equal(&parsed, &zero, sizeof zero);
}

static int wipe_parsed(void **state)
{
    (void)state;
    commit_wipe(&parsed);
    return 0;
}

static name_t name_of(const char *text)
{
    name_t name;
    assert_int_equal(name_parse(&name, text), STATUS_OK);
    return name;
}

/* Lists that a test may change; all of them stand for the commit below. */
static commit_add_t adds[COMMIT_ADDS_MAX + 1];
static commit_removal_t removals[COMMIT_REMOVALS_MAX + 1];
static commit_refresh_t refreshes[COMMIT_REFRESHES_MAX + 1];
static commit_role_t roles[COMMIT_ROLES_MAX + 1];
static commit_wrap_t wraps[COMMIT_WRAPS_MAX + 1];

static commit_t sample(void)
{
    adds[0] = (commit_add_t){.leaf = 1, .name = name_of("alice"), .identity_key = {1}};
    adds[1] = (commit_add_t){.leaf = 6, .name = name_of("bob"), .request_hash = {2}};
    removals[0] = (commit_removal_t){.leaf = 2, .name = name_of("carol"), .identity_key = {3}};
    removals[1] = (commit_removal_t){.leaf = 7, .name = name_of("dave")};
    refreshes[0] = (commit_refresh_t){.leaf = 3, .request_hash = {4}};
    refreshes[1] = (commit_refresh_t){.leaf = 4, .request_hash = {5}};
    roles[0] = (commit_role_t){.leaf = 0, .role = ROLE_MEMBER};
    roles[1] = (commit_role_t){.leaf = 6, .role = ROLE_ADMIN};
    wraps[0] = (commit_wrap_t){.child = 0, .sealed = {6}};
    wraps[1] = (commit_wrap_t){.child = 14, .sealed = {7}};
    return (commit_t){.group = {1},
                      .epoch = 77,
                      .transcript = {2},
                      .random = {3},
                      .depth = 3,
                      .committer = 5,
                      .adds = adds,
                      .add_count = 2,
                      .removals = removals,
                      .removal_count = 2,
                      .refreshes = refreshes,
                      .refresh_count = 2,
                      .roles = roles,
                      .role_count = 2,
                      .roster_root = {4},
                      .wraps = wraps,
                      .wrap_count = 2,
                      .tag = {5},
                      .mac = {6},
                      .signature = {7}};
}

/* Field by field: the structs have padding. */
static void assert_parsed_members(void)
{
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(parsed.adds[i].leaf, adds[i].leaf);
        assert_string_equal(parsed.adds[i].name.text, adds[i].name.text);
        assert_memory_equal(parsed.adds[i].identity_key, adds[i].identity_key, KEY_BYTES);
        assert_memory_equal(parsed.adds[i].request_hash, adds[i].request_hash, HASH_BYTES);
        assert_int_equal(parsed.removals[i].leaf, removals[i].leaf);
        assert_string_equal(parsed.removals[i].name.text, removals[i].name.text);
        assert_memory_equal(parsed.removals[i].identity_key, removals[i].identity_key, KEY_BYTES);
        assert_int_equal(parsed.roles[i].leaf, roles[i].leaf);
        assert_int_equal(parsed.roles[i].role, roles[i].role);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    commit_t commit = sample();
    buffer_t out = {0}, again = {0};
    bytes_t bytes = write_commit(&commit, &out);
    assert_int_equal(commit_parse(&parsed, bytes), STATUS_OK);
    assert_true(parsed.epoch == 77);
    assert_int_equal(parsed.committer, 5);
    assert_parsed_members();
    assert_memory_equal(parsed.refreshes, refreshes, 2 * sizeof refreshes[0]);
    assert_memory_equal(parsed.wraps, wraps, 2 * sizeof wraps[0]);
    bytes_t whole = write_commit(&parsed, &again);
    assert_int_equal(whole.size, bytes.size);
    assert_memory_equal(whole.data, bytes.data, bytes.size);
    bytes_t body = commit_body(bytes);
    assert_ptr_equal(body.data, bytes.data);
    assert_int_equal(body.size, bytes.size - COMMIT_TRAILER_BYTES);
    assert_int_equal(commit_body((bytes_t){bytes.data, COMMIT_TRAILER_BYTES - 1}).size, 0);
    buffer_free(&out);
    buffer_free(&again);
}

static void test_truncated_or_longer(void **state)
{
    (void)state;
    commit_t commit = sample();
    buffer_t out = {0};
    bytes_t bytes = write_commit(&commit, &out);
    for (size_t size = 0; size < bytes.size; size++) {
        /* An exact copy, so that a sanitizer sees each byte read beyond it. */
        uint8_t *part = mem_dup(bytes.data, size);
        assert_int_equal(commit_parse(&parsed, (bytes_t){part, size}), STATUS_BAD_COMMIT);
        free(part);
    }
    buffer_u8(&out, 0);
    assert_int_equal(commit_parse(&parsed, buffer_view(&out)), STATUS_BAD_COMMIT);
    buffer_free(&out);
}

static void test_head(void **state)
{
    (void)state;
    commit_t commit = sample();
    commit.depth = TREE_DEPTH_MAX;
    assert_int_equal(parse(&commit), STATUS_OK);
    commit.depth = TREE_DEPTH_MAX + 1;
    assert_refused(&commit);
    commit.depth = 255;
    assert_refused(&commit);
    commit = sample();
    commit.committer = 7;
    assert_int_equal(parse(&commit), STATUS_OK);
    commit.committer = 8;
    assert_refused(&commit);
    commit = sample();
    commit.epoch = UINT64_MAX;
    assert_refused(&commit);

    commit = sample();
    buffer_t out = {0};
    (void)write_commit(&commit, &out);
    for (size_t at = 0; at < 2; at++) {
        out.data[at] ^= 1;
        assert_int_equal(commit_parse(&parsed, buffer_view(&out)), STATUS_BAD_COMMIT);
        out.data[at] ^= 1;
    }
    buffer_free(&out);
}

static void test_order(void **state)
{
    (void)state;
    commit_t commit = sample();
    adds[1].leaf = 1;
    assert_refused(&commit);
    adds[1].leaf = 0;
    assert_refused(&commit);
    commit = sample();
    removals[1].leaf = 2;
    assert_refused(&commit);
    commit = sample();
    refreshes[0].leaf = 5;
    assert_refused(&commit);
    commit = sample();
    roles[1].leaf = 0;
    assert_refused(&commit);
    commit = sample();
    wraps[1].child = 0;
    assert_refused(&commit);
}

static void test_outside_the_tree(void **state)
{
    (void)state;
    commit_t commit = sample();
    adds[1].leaf = 8;
    assert_refused(&commit);
    commit = sample();
    removals[1].leaf = 8;
    assert_refused(&commit);
    commit = sample();
    refreshes[1].leaf = UINT32_MAX;
    assert_refused(&commit);
    commit = sample();
    roles[1].leaf = 8;
    assert_refused(&commit);
    commit = sample();
    wraps[1].child = 15;
    assert_refused(&commit);
    wraps[1].child = 7; /* the root is nobody's child */
    assert_refused(&commit);
}

static void test_leaves_stand_once(void **state)
{
    (void)state;
    commit_t commit = sample();
    adds[1].leaf = 7;
    assert_refused(&commit);
    commit = sample();
    adds[1].leaf = 4;
    assert_refused(&commit);
    commit = sample();
    refreshes[0].leaf = 2;
    assert_refused(&commit);
    commit = sample();
    roles[1].leaf = 7;
    assert_refused(&commit);
    commit = sample();
    roles[1].leaf = 4;
    assert_int_equal(parse(&commit), STATUS_OK);
}

static void test_names_and_roles(void **state)
{
    (void)state;
    commit_t commit = sample();
    adds[0].name = (name_t){0};
    assert_refused(&commit);
    commit = sample();
    removals[0].name.text[1] = 'X';
    assert_refused(&commit);
    commit = sample();
    roles[0].role = 2;
    assert_refused(&commit);
}

static void test_limits(void **state)
{
    (void)state;
    commit_t commit = {.adds = adds,
                       .removals = removals,
                       .refreshes = refreshes,
                       .roles = roles,
                       .wraps = wraps,
                       .depth = TREE_DEPTH_MAX};
    for (uint32_t i = 0; i <= 64; i++) {
        adds[i] = (commit_add_t){.leaf = i, .name = name_of("abcdefghijklmnopqrstuvwxyz012345")};
        removals[i] = (commit_removal_t){.leaf = 100 + i, .name = adds[0].name};
        refreshes[i].leaf = 200 + i;
        roles[i] = (commit_role_t){.leaf = i, .role = ROLE_ADMIN};
    }
    for (uint32_t i = 0; i <= COMMIT_WRAPS_MAX; i++)
        wraps[i].child = 2 * i;
    size_t *const counts[] = {&commit.add_count, &commit.removal_count, &commit.refresh_count,
                              &commit.role_count, &commit.wrap_count};
    static const size_t limits[] = {COMMIT_ADDS_MAX, COMMIT_REMOVALS_MAX, COMMIT_REFRESHES_MAX,
                                    COMMIT_ROLES_MAX, COMMIT_WRAPS_MAX};
    for (size_t i = 0; i < 5; i++) {
        *counts[i] = limits[i];
        assert_int_equal(parse(&commit), STATUS_OK);
        *counts[i] = limits[i] + 1;
        assert_refused(&commit);
        *counts[i] = 0;
    }
    /* All lists full still fit the limit in bytes. */
    for (size_t i = 0; i < 5; i++)
        *counts[i] = limits[i];
    assert_int_equal(parse(&commit), STATUS_OK);
}

static void test_claimed_counts(void **state)
{
    (void)state;
    const commit_t commit = {.depth = 3};
    buffer_t out = {0};
    (void)write_commit(&commit, &out);
    /* The four counts stand one after the other, as the lists are empty. */
    size_t first = 1 + 1 + GROUP_ID_BYTES + 8 + HASH_BYTES + COMMIT_RANDOM_BYTES + 1 + 4;
    const size_t at[] = {first, first + 2, first + 4, first + 6, first + 8 + HASH_BYTES};
    for (size_t i = 0; i < 5; i++) {
        static const uint16_t claims[] = {1, 63, 0xff, 0xffff};
        for (size_t j = 0; j < 4; j++) {
            out.data[at[i]] = (uint8_t)(claims[j] >> 8);
            out.data[at[i] + 1] = (uint8_t)claims[j];
            assert_int_equal(commit_parse(&parsed, buffer_view(&out)), STATUS_BAD_COMMIT);
        }
        out.data[at[i]] = out.data[at[i] + 1] = 0;
    }
    assert_int_equal(commit_parse(&parsed, buffer_view(&out)), STATUS_OK);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_round_trip, wipe_parsed),
        cmocka_unit_test_teardown(test_truncated_or_longer, wipe_parsed),
        cmocka_unit_test_teardown(test_head, wipe_parsed),
        cmocka_unit_test_teardown(test_order, wipe_parsed),
        cmocka_unit_test_teardown(test_outside_the_tree, wipe_parsed),
        cmocka_unit_test_teardown(test_leaves_stand_once, wipe_parsed),
        cmocka_unit_test_teardown(test_names_and_roles, wipe_parsed),
        cmocka_unit_test_teardown(test_limits, wipe_parsed),
        cmocka_unit_test_teardown(test_claimed_counts, wipe_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
