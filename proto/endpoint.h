/* SPDX-License-Identifier: MPL-2.0 */
/* Broker addresses, tcp://HOST:PORT#KEY, and keys as text (base64url without padding, 43 characters). */
#ifndef CONCLAVE_PROTO_ENDPOINT_H
#define CONCLAVE_PROTO_ENDPOINT_H

#include "proto/bytes.h"
#include "proto/limits.h"

#define KEY_TEXT_BYTES 44 /* with the NUL */

typedef struct {
    char host[256]; /* without brackets */
    uint16_t port;  /* 0 stands for '*': any free port, where endpoint_parse_listen allows it */
    bool is_ipv6;   /* a literal IPv6 address */
    bool has_key;
    uint8_t key[KEY_BYTES];
} endpoint_t;

/* A client's: the key must be there. STATUS_BAD_ENDPOINT leaves *out zeroed. */
MUST_CHECK status_t endpoint_parse(endpoint_t *out, const char *text);
/* A listener's: tcp://HOST:PORT or tcp://HOST:*, no key; HOST may be '*' (all IPv4) or [::]. */
MUST_CHECK status_t endpoint_parse_listen(endpoint_t *out, const char *text);
/* Writes the canonical text with the key if there is one, NUL-terminated. STATUS_TOO_LARGE. */
MUST_CHECK status_t endpoint_format(const endpoint_t *self, char *out, size_t size);
/* The part ZeroMQ understands: tcp://host:port. */
MUST_CHECK status_t endpoint_format_zmq(const endpoint_t *self, char *out, size_t size);

void key_to_text(char out[static KEY_TEXT_BYTES], const uint8_t key[static KEY_BYTES]);
MUST_CHECK status_t key_from_text(uint8_t out[static KEY_BYTES], const char *text, size_t size);

#endif
