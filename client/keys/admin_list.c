/* SPDX-License-Identifier: MPL-2.0 */
/* Admins by leaf. */
#include "client/keys/admin_list.h"

#include <string.h>

#include "client/keys/commit_apply.h"

static size_t place_of(const admin_list_t *self, uint32_t leaf)
{
    size_t at = 0;
    while (at < self->count && self->items[at].leaf < leaf)
        at++;
    return at;
}

static bool is_at(const admin_list_t *self, size_t at, uint32_t leaf)
{
    return at < self->count && self->items[at].leaf == leaf;
}

group_admin_t *admin_list_find(admin_list_t *self, leaf_index_t leaf)
{
    size_t at = place_of(self, leaf.value);
    return is_at(self, at, leaf.value) ? &self->items[at] : NULL;
}

bool admin_list_put(admin_list_t *self, const group_admin_t *admin)
{
    size_t at = place_of(self, admin->leaf);
    if (!is_at(self, at, admin->leaf)) {
        if (self->count == ADMINS_MAX)
            return false;
        memmove(self->items + at + 1, self->items + at, (self->count - at) * sizeof *self->items);
        self->count++;
    }
    self->items[at] = *admin;
    return true;
}

static void drop(admin_list_t *self, uint32_t leaf)
{
    size_t at = place_of(self, leaf);
    if (!is_at(self, at, leaf))
        return;
    self->count--;
    memmove(self->items + at, self->items + at + 1, (self->count - at) * sizeof *self->items);
}

static status_t promote(admin_list_t *self, const commit_t *commit, uint32_t leaf)
{
    if (admin_list_find(self, leaf_index(leaf)))
        return STATUS_OK;
    group_admin_t admin = {.leaf = leaf};
    const commit_add_t *add = commit_find_add(commit, leaf);
    if (add) {
        admin.is_known = true;
        admin.name = add->name;
        memcpy(admin.identity_key, add->identity_key, KEY_BYTES);
    }
    return admin_list_put(self, &admin) ? STATUS_OK : STATUS_BAD_COMMIT;
}

status_t admin_list_apply(admin_list_t *self, const commit_t *commit)
{
    for (size_t i = 0; i < commit->add_count; i++)
        if (admin_list_find(self, leaf_index(commit->adds[i].leaf)))
            return STATUS_BAD_COMMIT;
    for (size_t i = 0; i < commit->removal_count; i++)
        drop(self, commit->removals[i].leaf);
    for (size_t i = 0; i < commit->role_count; i++)
        if (commit->roles[i].role != ROLE_ADMIN)
            drop(self, commit->roles[i].leaf);
    for (size_t i = 0; i < commit->role_count; i++) {
        if (commit_find_removal(commit, commit->roles[i].leaf))
            return STATUS_BAD_COMMIT;
        status_t status = STATUS_OK;
        if (commit->roles[i].role == ROLE_ADMIN)
            status = promote(self, commit, commit->roles[i].leaf);
        if (status)
            return status;
    }
    bool stays = admin_list_find(self, leaf_index(commit->committer)) != NULL;
    return stays ? STATUS_OK : STATUS_BAD_COMMIT;
}

void admin_list_write(const admin_list_t *self, buffer_t *out)
{
    buffer_u8(out, (uint8_t)self->count);
    for (size_t i = 0; i < self->count; i++) {
        const group_admin_t *admin = &self->items[i];
        buffer_u32(out, admin->leaf);
        buffer_u8(out, admin->is_known);
        if (!admin->is_known)
            continue;
        name8_write(out, &admin->name);
        buffer_append(out, admin->identity_key, KEY_BYTES);
    }
}

bool admin_list_read(admin_list_t *self, reader_t *in)
{
    memset(self, 0, sizeof *self);
    size_t count = reader_u8(in);
    if (!reader_ok(in) || count > ADMINS_MAX)
        return false;
    for (; self->count < count; self->count++) {
        group_admin_t *admin = &self->items[self->count];
        admin->leaf = reader_u32(in);
        uint8_t known = reader_u8(in);
        admin->is_known = known == 1;
        if (admin->is_known) {
            admin->name = name8_read(in);
            reader_copy(in, admin->identity_key, KEY_BYTES);
        }
        if (!reader_ok(in) || known > 1 || (self->count && admin->leaf <= admin[-1].leaf))
            return false;
    }
    return true;
}
