/* SPDX-License-Identifier: MPL-2.0 */
/* Reading and writing the bytes of a commit. */
#include "proto/commit.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

enum { COMMIT_FORMAT = 1, COMMIT_KIND_PLAIN = 0 };

/* The fewest bytes that an element of each list takes: what a count is checked against. */
enum {
    ADD_MIN_BYTES = 4 + 2 + KEY_BYTES + HASH_BYTES,
    REMOVAL_MIN_BYTES = 4 + 2 + KEY_BYTES,
    REFRESH_BYTES = 4 + HASH_BYTES,
    ROLE_BYTES = 4 + 1,
    WRAP_ITEM_BYTES = 4 + WRAP_BYTES,
};

/* A list's count, checked against its limit and the bytes left; allocates room for the elements. */
static size_t read_count(reader_t *in, size_t max, size_t item_bytes, size_t size, void **items)
{
    size_t count = reader_u16(in);
    if (count > max || count * item_bytes > in->left)
        in->failed = true;
    if (in->failed || !count)
        return 0;
    *items = mem_zalloc(count, size);
    return count;
}

/* An index below bound and above the one before it (any, for the first). */
static uint32_t read_ascending(reader_t *in, uint32_t bound, bool first, uint32_t before)
{
    uint32_t index = reader_u32(in);
    if (index >= bound || (!first && index <= before))
        in->failed = true;
    return index;
}

static void read_adds(commit_t *out, reader_t *in, uint32_t leaves)
{
    void *items = NULL;
    size_t count = read_count(in, COMMIT_ADDS_MAX, ADD_MIN_BYTES, sizeof(commit_add_t), &items);
    out->adds = items;
    out->add_count = count;
    for (size_t i = 0; i < count && reader_ok(in); i++) {
        commit_add_t *add = &out->adds[i];
        add->leaf = read_ascending(in, leaves, i == 0, i ? add[-1].leaf : 0);
        add->name = name8_read(in);
        reader_copy(in, add->identity_key, KEY_BYTES);
        reader_copy(in, add->request_hash, HASH_BYTES);
    }
}

static void read_removals(commit_t *out, reader_t *in, uint32_t leaves)
{
    void *items = NULL;
    size_t count =
        read_count(in, COMMIT_REMOVALS_MAX, REMOVAL_MIN_BYTES, sizeof(commit_removal_t), &items);
    out->removals = items;
    out->removal_count = count;
    for (size_t i = 0; i < count && reader_ok(in); i++) {
        commit_removal_t *removal = &out->removals[i];
        removal->leaf = read_ascending(in, leaves, i == 0, i ? removal[-1].leaf : 0);
        removal->name = name8_read(in);
        reader_copy(in, removal->identity_key, KEY_BYTES);
    }
}

static void read_refreshes(commit_t *out, reader_t *in, uint32_t leaves)
{
    void *items = NULL;
    size_t count =
        read_count(in, COMMIT_REFRESHES_MAX, REFRESH_BYTES, sizeof(commit_refresh_t), &items);
    out->refreshes = items;
    out->refresh_count = count;
    for (size_t i = 0; i < count && reader_ok(in); i++) {
        commit_refresh_t *refresh = &out->refreshes[i];
        refresh->leaf = read_ascending(in, leaves, i == 0, i ? refresh[-1].leaf : 0);
        reader_copy(in, refresh->request_hash, HASH_BYTES);
    }
}

static void read_roles(commit_t *out, reader_t *in, uint32_t leaves)
{
    void *items = NULL;
    size_t count = read_count(in, COMMIT_ROLES_MAX, ROLE_BYTES, sizeof(commit_role_t), &items);
    out->roles = items;
    out->role_count = count;
    for (size_t i = 0; i < count && reader_ok(in); i++) {
        commit_role_t *role = &out->roles[i];
        role->leaf = read_ascending(in, leaves, i == 0, i ? role[-1].leaf : 0);
        role->role = reader_u8(in);
        if (role->role > ROLE_ADMIN)
            in->failed = true;
    }
}

static void read_wraps(commit_t *out, reader_t *in, uint32_t leaves)
{
    void *items = NULL;
    size_t count = read_count(in, COMMIT_WRAPS_MAX, WRAP_ITEM_BYTES, sizeof(commit_wrap_t), &items);
    out->wraps = items;
    out->wrap_count = count;
    uint32_t nodes = 2 * leaves - 1, root = leaves - 1;
    for (size_t i = 0; i < count && reader_ok(in); i++) {
        commit_wrap_t *wrap = &out->wraps[i];
        wrap->child = read_ascending(in, nodes, i == 0, i ? wrap[-1].child : 0);
        reader_copy(in, wrap->sealed, WRAP_BYTES);
        if (wrap->child == root)
            in->failed = true;
    }
}

/* Whether two ascending lists, whose elements begin with their leaf, name a common one. */
static bool leaves_meet(const void *a, size_t a_count, size_t a_size, const void *b, size_t b_count,
                        size_t b_size)
{
    const uint8_t *at_a = a, *at_b = b;
    while (a_count && b_count) {
        uint32_t leaf_a, leaf_b;
        memcpy(&leaf_a, at_a, sizeof leaf_a);
        memcpy(&leaf_b, at_b, sizeof leaf_b);
        if (leaf_a == leaf_b)
            return true;
        if (leaf_a < leaf_b) {
            at_a += a_size;
            a_count--;
        } else {
            at_b += b_size;
            b_count--;
        }
    }
    return false;
}

_Static_assert(offsetof(commit_add_t, leaf) == 0, "leaves_meet reads the leaf first");
_Static_assert(offsetof(commit_removal_t, leaf) == 0, "leaves_meet reads the leaf first");
_Static_assert(offsetof(commit_refresh_t, leaf) == 0, "leaves_meet reads the leaf first");
_Static_assert(offsetof(commit_role_t, leaf) == 0, "leaves_meet reads the leaf first");

static bool leaves_conflict(const commit_t *self)
{
#define MEET(a, a_count, b, b_count)                                                               \
    leaves_meet(self->a, self->a_count, sizeof *self->a, self->b, self->b_count, sizeof *self->b)
    return MEET(adds, add_count, removals, removal_count) ||
           MEET(adds, add_count, refreshes, refresh_count) ||
           MEET(removals, removal_count, refreshes, refresh_count) ||
           MEET(removals, removal_count, roles, role_count);
#undef MEET
}

static void read_body(commit_t *out, reader_t *in)
{
    /* NOLINTNEXTLINE(misc-redundant-expression): two bytes, which happen to be alike today */
    if (reader_u8(in) != COMMIT_FORMAT || reader_u8(in) != COMMIT_KIND_PLAIN)
        in->failed = true;
    reader_copy(in, out->group, GROUP_ID_BYTES);
    out->epoch = reader_u64(in);
    reader_copy(in, out->transcript, HASH_BYTES);
    reader_copy(in, out->random, COMMIT_RANDOM_BYTES);
    out->depth = reader_u8(in);
    out->committer = reader_u32(in);
    /* The last epoch has no next one; a commit that leaves it would wrap around. */
    if (out->depth > TREE_DEPTH_MAX || out->epoch == UINT64_MAX)
        in->failed = true;
    if (in->failed)
        return;
    uint32_t leaves = UINT32_C(1) << out->depth;
    if (out->committer >= leaves)
        in->failed = true;
    read_adds(out, in, leaves);
    read_removals(out, in, leaves);
    read_refreshes(out, in, leaves);
    read_roles(out, in, leaves);
    reader_copy(in, out->roster_root, HASH_BYTES);
    read_wraps(out, in, leaves);
}

status_t commit_parse(commit_t *out, bytes_t bytes)
{
    *out = (commit_t){0};
    if (bytes.size > COMMIT_MAX_BYTES)
        return STATUS_BAD_COMMIT;
    reader_t in = reader_of(bytes.data, bytes.size);
    read_body(out, &in);
    reader_copy(&in, out->tag, HASH_BYTES);
    reader_copy(&in, out->mac, HASH_BYTES);
    reader_copy(&in, out->signature, SIGNATURE_BYTES);
    if (!reader_done(&in) || leaves_conflict(out)) {
        commit_wipe(out);
        return STATUS_BAD_COMMIT;
    }
    return STATUS_OK;
}

static void write_members(const commit_t *self, buffer_t *out)
{
    buffer_u16(out, (uint16_t)self->add_count);
    for (size_t i = 0; i < self->add_count; i++) {
        buffer_u32(out, self->adds[i].leaf);
        name8_write(out, &self->adds[i].name);
        buffer_append(out, self->adds[i].identity_key, KEY_BYTES);
        buffer_append(out, self->adds[i].request_hash, HASH_BYTES);
    }
    buffer_u16(out, (uint16_t)self->removal_count);
    for (size_t i = 0; i < self->removal_count; i++) {
        buffer_u32(out, self->removals[i].leaf);
        name8_write(out, &self->removals[i].name);
        buffer_append(out, self->removals[i].identity_key, KEY_BYTES);
    }
    buffer_u16(out, (uint16_t)self->refresh_count);
    for (size_t i = 0; i < self->refresh_count; i++) {
        buffer_u32(out, self->refreshes[i].leaf);
        buffer_append(out, self->refreshes[i].request_hash, HASH_BYTES);
    }
    buffer_u16(out, (uint16_t)self->role_count);
    for (size_t i = 0; i < self->role_count; i++) {
        buffer_u32(out, self->roles[i].leaf);
        buffer_u8(out, self->roles[i].role);
    }
}

void commit_write_body(const commit_t *self, buffer_t *out)
{
    buffer_u8(out, COMMIT_FORMAT);
    buffer_u8(out, COMMIT_KIND_PLAIN);
    buffer_append(out, self->group, GROUP_ID_BYTES);
    buffer_u64(out, self->epoch);
    buffer_append(out, self->transcript, HASH_BYTES);
    buffer_append(out, self->random, COMMIT_RANDOM_BYTES);
    buffer_u8(out, self->depth);
    buffer_u32(out, self->committer);
    write_members(self, out);
    buffer_append(out, self->roster_root, HASH_BYTES);
    buffer_u16(out, (uint16_t)self->wrap_count);
    for (size_t i = 0; i < self->wrap_count; i++) {
        buffer_u32(out, self->wraps[i].child);
        buffer_append(out, self->wraps[i].sealed, WRAP_BYTES);
    }
}

void commit_write_trailer(const commit_t *self, buffer_t *out)
{
    buffer_append(out, self->tag, HASH_BYTES);
    buffer_append(out, self->mac, HASH_BYTES);
    buffer_append(out, self->signature, SIGNATURE_BYTES);
}

bytes_t commit_body(bytes_t bytes)
{
    if (bytes.size < COMMIT_TRAILER_BYTES)
        return (bytes_t){bytes.data, 0};
    return (bytes_t){bytes.data, bytes.size - COMMIT_TRAILER_BYTES};
}

void commit_wipe(commit_t *self)
{
    free(self->adds);
    free(self->removals);
    free(self->refreshes);
    free(self->roles);
    free(self->wraps);
    *self = (commit_t){0};
}
