/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How the cores lay their vaults out: one letter, the group's id where there is one, then what
 * tells the rows of a kind apart (integers big-endian, so that they sort). Everything a value holds
 * starts with its format number.
 *
 *   member vault                                     admin vault
 *   F                    format and kind             F
 *   G group              group_t's own row           A group         admin_group_t's own row
 *   K group ...          rows of group_state         H group ...     rows of holder
 *   L group seq sub      a line of history           C group         the prepared commit
 *   U group seq sub      that line was not shown yet
 *   M group leaf         a proven member
 *   W group seq          an event whose sender isn't proven yet
 *   J group number       an own join request and its prekey
 *   O group number       a text in the outbox
 *   P name               a pinned key
 */
#ifndef CONCLAVE_CLIENT_CORE_VAULT_ROWS_H
#define CONCLAVE_CLIENT_CORE_VAULT_ROWS_H

#include "client/core/vault.h"
#include "client/keys/rows.h"
#include "proto/name.h"

#define VAULT_FORMAT 1

typedef enum { VAULT_OF_MEMBER = 'm', VAULT_OF_ADMIN = 'a' } vault_kind_t;

typedef enum {
    ROW_FORMAT = 'F',
    ROW_GROUP = 'G',
    ROW_KEYS = 'K',
    ROW_LINE = 'L',
    ROW_UNSHOWN = 'U',
    ROW_MEMBER = 'M',
    ROW_WAITING = 'W',
    ROW_JOIN = 'J',
    ROW_OUTBOX = 'O',
    ROW_PIN = 'P',
    ROW_ADMIN = 'A',
    ROW_HOLDER = 'H',
    ROW_COMMIT = 'C',
} row_kind_t;

/* A key, on the stack. */
typedef struct {
    uint8_t bytes[96];
    size_t size;
} row_key_t;

row_key_t row_key(row_kind_t kind);
row_key_t row_key_of_group(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES]);
row_key_t row_key_of_number(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES],
                            uint64_t number);
row_key_t row_key_of_line(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES],
                          uint64_t sequence, uint8_t sub);
row_key_t row_key_of_name(row_kind_t kind, const name_t *name);
bytes_t row_key_view(const row_key_t *self); /* lives as long as self */

/* What follows the letter and the group in a key of this vault; empty if it is shorter. */
bytes_t row_key_tail(bytes_t key);
/* The group in a key; NULL if it is shorter. */
const uint8_t *row_key_group(bytes_t key);

/* Checks the vault's format row, or asks for it to be written if the vault is empty.
 * STATUS_NEWER_FORMAT, STATUS_DAMAGED_FILE, STATUS_IO_ERROR. */
MUST_CHECK status_t vault_check_format(vault_t *vault, vault_kind_t kind, bool *is_new);
void vault_write_format(writes_t *writes, vault_kind_t kind);

/* A row_fn (context: rows_target_t) that puts key rows of client/keys under a prefix of this vault.
 */
typedef struct {
    writes_t *writes;
    row_kind_t kind;
    const uint8_t *group;
} rows_target_t;
void vault_put_key_row(void *context, row_change_t change, bytes_t key, bytes_t value);

#endif
