/* SPDX-License-Identifier: MPL-2.0 */
/* How long-lived key state is kept on a device: as small rows, of which a step changes few. */
#ifndef CONCLAVE_CLIENT_KEYS_ROWS_H
#define CONCLAVE_CLIENT_KEYS_ROWS_H

#include "proto/bytes.h"

typedef enum {
    ROW_PUT,           /* key now has this value */
    ROW_DELETE,        /* key is no more; value is empty */
    ROW_DELETE_PREFIX, /* all keys that start with key are no more; value is empty */
} row_change_t;

/*
 * Called for each change in order; later ones win. The views live during the call. Keys are binary,
 * short, and unique within one state: the owner puts a prefix of its own before them (kind and
 * group). All values are secret unless said otherwise. All changes of one save belong into one
 * transaction.
 */
typedef void row_fn(void *context, row_change_t change, bytes_t key, bytes_t value);

#endif
