/* SPDX-License-Identifier: MPL-2.0 */
/* The one form of everything that is signed or hashed (PROTOCOL.md section 3), and the check of signatures. */
#ifndef CONCLAVE_PROTO_STATEMENT_H
#define CONCLAVE_PROTO_STATEMENT_H

#include "proto/bytes.h"
#include "proto/limits.h"

/* S(kind, fields...): appends to an empty buffer that the caller frees. */
void statement_write(buffer_t *out, const char *kind, const bytes_t *fields, size_t count);

/* H(kind, fields...), BLAKE2b-256. Streams: large fields are not copied. */
void statement_hash(uint8_t out[static HASH_BYTES], const char *kind, const bytes_t *fields,
                    size_t count);

/* STATUS_BAD_SIGNATURE unless signature is key's Ed25519 signature over S(kind, fields...). */
MUST_CHECK status_t statement_verify(const uint8_t signature[static SIGNATURE_BYTES],
                                     const uint8_t key[static KEY_BYTES], const char *kind,
                                     const bytes_t *fields, size_t count);

/* The fields of each signed statement; integers are written as PROTOCOL.md says. Each appends S(...) to out. */
void statement_register(buffer_t *out, const uint8_t broker_key[static KEY_BYTES], const char *name,
                        const uint8_t identity_key[static KEY_BYTES]);
void statement_login(buffer_t *out, const uint8_t broker_key[static KEY_BYTES], const char *name,
                     const uint8_t challenge[static CHALLENGE_BYTES],
                     const uint8_t client_key[static KEY_BYTES], uint8_t purpose);
void statement_unregister(buffer_t *out, const uint8_t broker_key[static KEY_BYTES],
                          const char *name);
void statement_commit(buffer_t *out, const uint8_t group[static GROUP_ID_BYTES],
                      const uint8_t transcript[static HASH_BYTES],
                      const uint8_t tag[static HASH_BYTES]);

/* STATUS_BAD_SIGNATURE unless signature is key's over the statement's bytes. */
MUST_CHECK status_t signature_verify(const uint8_t signature[static SIGNATURE_BYTES],
                                     const uint8_t key[static KEY_BYTES], bytes_t statement);

/* T_0 of a new group, and T_{e+1} from T_e and a commit's body as received. */
void transcript_start(uint8_t out[static HASH_BYTES], const uint8_t group[static GROUP_ID_BYTES],
                      const uint8_t creator_key[static KEY_BYTES], const char *group_name);
void transcript_extend(uint8_t out[static HASH_BYTES], const uint8_t previous[static HASH_BYTES],
                       bytes_t body);

#endif
