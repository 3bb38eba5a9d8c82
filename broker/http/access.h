/* SPDX-License-Identifier: MPL-2.0 */
/* Who may ask the broker's HTTP server. */
#ifndef CONCLAVE_BROKER_HTTP_ACCESS_H
#define CONCLAVE_BROKER_HTTP_ACCESS_H

#include "proto/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define HTTP_TOKEN_MIN_BYTES 16
#define HTTP_TOKEN_MAX_BYTES 256

/* What who asks must show; text[0] == 0: nothing. Padded with zeros. */
typedef struct {
    char text[HTTP_TOKEN_MAX_BYTES + 1];
} http_token_t;

/* The first line of the file, which must be private (0600). STATUS_INVALID: it is not
   HTTP_TOKEN_MIN_BYTES to HTTP_TOKEN_MAX_BYTES letters, digits or ._~-, all of which stand for
   themselves in a URL. Else the statuses of private_file_read, with errno. */
MUST_CHECK status_t http_token_read(http_token_t *out, const char *path);

/* Whether it is what is asked for; in a time that does not tell how much of it is right. NULL is
   never right, unless nothing is asked for. */
bool http_token_matches(const http_token_t *self, const char *given);

/* The token in "Bearer TOKEN", NULL if it is none. A part of the argument, which may be NULL. */
const char *http_bearer(const char *authorization);

/* Whether the Host header (NULL: none) names this machine by a name that no other site can be
   reached by: localhost, 127.0.0.0/8 or [::1], with any port. A page of a site whose name was made
   to point here says the site's name. */
bool http_host_is_local(const char *host);

/* Whether a page of another site asks in the background, by what the browser says of it in
   Sec-Fetch-Site and Sec-Fetch-Mode (NULL: not said). Following a link is no background request. */
bool http_is_cross_site(const char *fetch_site, const char *fetch_mode);

bool http_address_is_local(const struct sockaddr *address);

#endif
