/* SPDX-License-Identifier: MPL-2.0 */
/* The live page, page.html, as a part of the program. */
#ifndef CONCLAVE_BROKER_HTTP_PAGE_H
#define CONCLAVE_BROKER_HTTP_PAGE_H

#include "proto/bytes.h"

#define PAGE_NONCE_BYTES 25 /* as text, with the NUL */

/* Appends the page. Its script and its style are allowed by the nonce, which is made anew each
   time, and by nothing else: see page_policy. */
void page_write(buffer_t *out, char nonce[static PAGE_NONCE_BYTES]);

#define PAGE_POLICY_BYTES 320

/* The Content-Security-Policy that goes with it. */
void page_policy(char out[static PAGE_POLICY_BYTES], const char *nonce);

#endif
