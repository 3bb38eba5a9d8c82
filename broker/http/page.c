/* SPDX-License-Identifier: MPL-2.0 */
/* The assembler takes the file in as it is, so that it stays a page that can be edited and opened.
 */
#include "broker/http/page.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

__asm__(".section .rodata\n"
        ".global page_html\n"
        "page_html: .incbin \"broker/http/page.html\"\n"
        ".global page_html_end\n"
        "page_html_end:\n"
        ".previous\n");
extern const char page_html[], page_html_end[];

static const char placeholder[] = "@NONCE@";

static void make_nonce(char out[static PAGE_NONCE_BYTES])
{
    uint8_t bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(out, PAGE_NONCE_BYTES, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void page_write(buffer_t *out, char nonce[static PAGE_NONCE_BYTES])
{
    const char *at = page_html;
    make_nonce(nonce);
    for (;;) {
        size_t left = (size_t)(page_html_end - at);
        const char *gap = memmem(at, left, placeholder, strlen(placeholder));
        buffer_append(out, at, gap ? (size_t)(gap - at) : left);
        if (!gap) {
            return;
        }
        buffer_append(out, nonce, strlen(nonce));
        at = gap + strlen(placeholder);
    }
}

void page_policy(char out[static PAGE_POLICY_BYTES], const char *nonce)
{
    snprintf(out, PAGE_POLICY_BYTES,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
}
