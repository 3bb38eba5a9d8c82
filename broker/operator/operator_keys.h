/* SPDX-License-Identifier: MPL-2.0 */
/* Who may connect from elsewhere: public keys in a file of the data directory. */
#ifndef CONCLAVE_BROKER_OPERATOR_OPERATOR_KEYS_H
#define CONCLAVE_BROKER_OPERATOR_OPERATOR_KEYS_H

#include "proto/bytes.h"
#include "proto/limits.h"

#define OPERATOR_KEYS_NAME      "operator.keys"
#define OPERATOR_KEYS_MAX_BYTES 65536

/* One key a line (43 characters of base64url), anything behind a space; '#' begins a comment.
 * STATUS_OK if `key` stands in dir_fd/operator.keys. STATUS_NOT_FOUND: it doesn't, or there is no
 * such file. Else what private_file_read says. The file is read each time: what is taken out of it
 * can't connect any more. */
MUST_CHECK status_t operator_keys_find(int dir_fd, const uint8_t key[static KEY_BYTES]);

#endif
