/* SPDX-License-Identifier: MPL-2.0 */
/* What a member's state of a group is made of. For the group_state files only. */
#ifndef CONCLAVE_CLIENT_KEYS_GROUP_STATE_PARTS_H
#define CONCLAVE_CLIENT_KEYS_GROUP_STATE_PARTS_H

#include "client/keys/group_state.h"
#include "client/keys/member_path.h"
#include "client/keys/secret_tree.h"
#include "client/keys/transcripts.h"

struct group_state {
    uint8_t group[GROUP_ID_BYTES];
    name_t group_name;
    uint64_t epoch_added;
    uint64_t epoch;
    uint8_t roster_root[HASH_BYTES];
    secret_t membership;
    member_path_t path;
    admin_list_t admins;
    transcripts_t transcripts;
    secret_tree_t secrets;
    bool is_dirty; /* the head row */
    bool is_new;   /* rows of an earlier membership may be on the device */
    bool has_head; /* while loading */
};

#endif
