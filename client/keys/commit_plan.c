/* SPDX-License-Identifier: MPL-2.0 */
/* Checks of a plan, and who the admins are afterwards. */
#include "client/keys/commit_plan.h"

#include <stdlib.h>
#include <string.h>

#include "client/keys/commit_apply.h"
#include "proto/memory.h"

/* All lists of a commit start their items with the leaf. */
static int by_leaf(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static status_t fill_removals(const commit_plan_t *plan, const roster_table_t *roster,
                              commit_t *out)
{
    out->removals = mem_zalloc(plan->removal_count, sizeof *out->removals);
    for (; out->removal_count < plan->removal_count; out->removal_count++) {
        const roster_member_t *member =
            roster_table_get(roster, plan->removals[out->removal_count]);
        if (!member)
            return STATUS_UNKNOWN_LEAF;
        commit_removal_t *removal = &out->removals[out->removal_count];
        removal->leaf = member->leaf;
        removal->name = member->name;
        memcpy(removal->identity_key, member->identity_key, KEY_BYTES);
    }
    qsort(out->removals, out->removal_count, sizeof *out->removals, by_leaf);
    for (size_t i = 1; i < out->removal_count; i++)
        if (out->removals[i].leaf == out->removals[i - 1].leaf)
            return STATUS_BAD_COMMIT;
    return STATUS_OK;
}

static status_t fill_refreshes(const commit_plan_t *plan, const roster_table_t *roster,
                               commit_t *out)
{
    out->refreshes = mem_zalloc(plan->refresh_count, sizeof *out->refreshes);
    for (; out->refresh_count < plan->refresh_count; out->refresh_count++) {
        const served_request_t *served = &plan->refreshes[out->refresh_count];
        const roster_member_t *member = roster_table_find(roster, &served->request.name);
        if (!served->is_held || !member || member->leaf != served->leaf ||
            memcmp(member->identity_key, served->request.identity_key, KEY_BYTES))
            return STATUS_UNKNOWN_LEAF;
        if (commit_find_removal(out, member->leaf))
            return STATUS_BAD_COMMIT;
        commit_refresh_t *refresh = &out->refreshes[out->refresh_count];
        refresh->leaf = member->leaf;
        memcpy(refresh->request_hash, served->hash, HASH_BYTES);
    }
    qsort(out->refreshes, out->refresh_count, sizeof *out->refreshes, by_leaf);
    for (size_t i = 1; i < out->refresh_count; i++)
        if (out->refreshes[i].leaf == out->refreshes[i - 1].leaf)
            return STATUS_BAD_COMMIT;
    return STATUS_OK;
}

static bool name_is_taken(const roster_table_t *roster, const commit_t *commit, const name_t *name)
{
    const roster_member_t *held = roster_table_find(roster, name);
    if (held && !commit_find_removal(commit, held->leaf))
        return true;
    for (size_t i = 0; i < commit->add_count; i++)
        if (name_equal(&commit->adds[i].name, name))
            return true;
    return false;
}

/* Adds take the lowest free leaves, in the plan's order. */
static status_t fill_adds(const commit_plan_t *plan, const roster_table_t *roster, commit_t *out)
{
    out->adds = mem_zalloc(plan->add_count, sizeof *out->adds);
    leaf_index_t leaf = {0};
    for (; out->add_count < plan->add_count; out->add_count++) {
        const served_request_t *served = &plan->adds[out->add_count];
        if (name_is_taken(roster, out, &served->request.name))
            return STATUS_ALREADY_MEMBER;
        leaf = roster_table_next_free(roster, leaf);
        if (leaf.value >= TREE_LEAVES_MAX)
            return STATUS_TREE_FULL;
        commit_add_t *add = &out->adds[out->add_count];
        add->leaf = leaf.value++;
        add->name = served->request.name;
        memcpy(add->identity_key, served->request.identity_key, KEY_BYTES);
        memcpy(add->request_hash, served->hash, HASH_BYTES);
        while (add->leaf >= tree_leaf_count(out->depth))
            out->depth++;
    }
    return STATUS_OK;
}

static status_t fill_roles(const commit_plan_t *plan, const roster_table_t *roster, commit_t *out)
{
    if (plan->role_count) {
        out->roles = mem_dup(plan->roles, plan->role_count * sizeof *plan->roles);
        out->role_count = plan->role_count;
        qsort(out->roles, out->role_count, sizeof *out->roles, by_leaf);
    }
    for (size_t i = 0; i < out->role_count; i++) {
        uint32_t leaf = out->roles[i].leaf;
        if (out->roles[i].role > ROLE_ADMIN || (i && leaf == out->roles[i - 1].leaf))
            return STATUS_BAD_COMMIT;
        bool held = roster_table_get(roster, leaf_index(leaf)) && !commit_find_removal(out, leaf);
        if (!held && !commit_find_add(out, leaf))
            return STATUS_UNKNOWN_LEAF;
    }
    return STATUS_OK;
}

static bool is_demoted(const commit_t *commit, uint32_t leaf)
{
    for (size_t i = 0; i < commit->role_count; i++)
        if (commit->roles[i].leaf == leaf && commit->roles[i].role != ROLE_ADMIN)
            return true;
    return false;
}

/* The committer must be an admin who stays one; in the first commit, its only add. */
static status_t check_committer(const holder_t *holder, const identity_t *admin,
                                const commit_t *commit)
{
    const roster_member_t *member = roster_table_get(holder_roster(holder), holder_leaf(holder));
    if (!holder_epoch(holder)) {
        bool founds = commit->add_count == 1 && commit->role_count == 1 &&
                      commit->roles[0].role == ROLE_ADMIN &&
                      !memcmp(commit->adds[0].identity_key, identity_key(admin), KEY_BYTES);
        return founds ? STATUS_OK : STATUS_BAD_COMMIT;
    }
    if (!member || member->role != ROLE_ADMIN ||
        memcmp(member->identity_key, identity_key(admin), KEY_BYTES))
        return STATUS_NOT_ADMIN;
    if (commit_find_removal(commit, member->leaf) || is_demoted(commit, member->leaf))
        return STATUS_LAST_ADMIN;
    return STATUS_OK;
}

status_t commit_plan_validate(const commit_plan_t *plan, const holder_t *holder,
                              const identity_t *admin, commit_t *out)
{
    const roster_table_t *roster = holder_roster(holder);
    memset(out, 0, sizeof *out);
    if (plan->add_count > COMMIT_ADDS_MAX || plan->removal_count > COMMIT_REMOVALS_MAX ||
        plan->refresh_count > COMMIT_REFRESHES_MAX || plan->role_count > COMMIT_ROLES_MAX)
        return STATUS_TOO_MANY;
    memcpy(out->group, holder_group(holder), GROUP_ID_BYTES);
    out->epoch = holder_epoch(holder);
    memcpy(out->transcript, holder_transcript(holder), HASH_BYTES);
    out->depth = (uint8_t)roster_table_depth(roster);
    out->committer = holder_leaf(holder).value;
    status_t status = fill_removals(plan, roster, out);
    if (!status)
        status = fill_refreshes(plan, roster, out);
    if (!status)
        status = fill_adds(plan, roster, out);
    if (!status)
        status = fill_roles(plan, roster, out);
    if (!status)
        status = check_committer(holder, admin, out);
    welcome_admin_t admins[ADMINS_MAX];
    size_t count;
    if (!status)
        status = commit_admins_after(roster, out, admins, &count);
    if (status)
        commit_wipe(out);
    return status;
}

/* Puts an admin in its place by leaf. */
static status_t insert_admin(welcome_admin_t *admins, size_t *count, uint32_t leaf,
                             const name_t *name, const uint8_t *key)
{
    size_t at = 0;
    while (at < *count && admins[at].leaf < leaf)
        at++;
    if (at < *count && admins[at].leaf == leaf)
        return STATUS_OK;
    if (*count == ADMINS_MAX)
        return STATUS_TOO_MANY;
    memmove(admins + at + 1, admins + at, (*count - at) * sizeof *admins);
    admins[at] = (welcome_admin_t){.leaf = leaf, .name = *name};
    memcpy(admins[at].identity_key, key, KEY_BYTES);
    ++*count;
    return STATUS_OK;
}

status_t commit_admins_after(const roster_table_t *roster, const commit_t *commit,
                             welcome_admin_t admins[static ADMINS_MAX], size_t *count)
{
    const roster_member_t *before[ADMINS_MAX];
    size_t before_count = roster_table_admins(roster, before);
    status_t status = STATUS_OK;
    *count = 0;
    for (size_t i = 0; i < before_count && !status; i++)
        if (!commit_find_removal(commit, before[i]->leaf) && !is_demoted(commit, before[i]->leaf))
            status = insert_admin(admins, count, before[i]->leaf, &before[i]->name,
                                  before[i]->identity_key);
    for (size_t i = 0; i < commit->role_count && !status; i++) {
        uint32_t leaf = commit->roles[i].leaf;
        if (commit->roles[i].role != ROLE_ADMIN)
            continue;
        const commit_add_t *add = commit_find_add(commit, leaf);
        const roster_member_t *member = roster_table_get(roster, leaf_index(leaf));
        if (add)
            status = insert_admin(admins, count, leaf, &add->name, add->identity_key);
        else if (member)
            status = insert_admin(admins, count, leaf, &member->name, member->identity_key);
    }
    return !status && !*count ? STATUS_LAST_ADMIN : status;
}
