/* SPDX-License-Identifier: MPL-2.0 */
/* The holder's steps 1 to 4 of a commit (PROTOCOL.md section 9), in a journal. */
#ifndef CONCLAVE_CLIENT_KEYS_TREE_UPDATE_H
#define CONCLAVE_CLIENT_KEYS_TREE_UPDATE_H

#include "client/keys/key_tree.h"
#include "client/keys/roster_table.h"
#include "proto/commit.h"

/*
 * commit has everything but its wraps, which are made here; roster is as it was before the commit.
 * The commit's lists fit roster and depth.
 */
void tree_update(key_journal_t *journal, const roster_table_t *roster, commit_t *commit);

#endif
