/* SPDX-License-Identifier: MPL-2.0 */
/* Join requests, leave statements and message headers: each has one form, so what is read is
 * written as the same bytes. */
#include <string.h>

#include "proto/requests.h"
#include "proto/sealed_message.h"
#include "tests/fuzz/fuzz.h"

static void check_same(buffer_t *written, bytes_t read)
{
    FUZZ_MUST(written->size == read.size && memcmp(written->data, read.data, read.size) == 0);
    buffer_free(written);
}

static void check_join(bytes_t bytes)
{
    join_t join;
    if (join_request_parse(&join, bytes) != STATUS_OK)
        return;
    buffer_t out = {0};
    join_request_write_signed_part(&join, &out);
    buffer_append(&out, join.signature, SIGNATURE_BYTES);
    check_same(&out, bytes);
}

static void check_leave(bytes_t bytes)
{
    leave_t leave;
    if (leave_parse(&leave, bytes) != STATUS_OK)
        return;
    static const uint8_t key[KEY_BYTES];
    FUZZ_MUST(leave_verify(&leave, key) == STATUS_BAD_SIGNATURE);
    buffer_t out = {0};
    leave_write(&leave, &out);
    check_same(&out, bytes);
}

static void check_header(bytes_t bytes)
{
    message_header_t header;
    bytes_t head, sealed;
    if (message_header_parse(&header, bytes, &head, &sealed) != STATUS_OK)
        return;
    FUZZ_MUST(head.data == bytes.data && sealed.data == head.data + head.size);
    FUZZ_MUST(head.size + sealed.size == bytes.size && head.size <= MESSAGE_HEADER_MAX_BYTES);
    buffer_t out = {0};
    message_header_write(&header, &out);
    check_same(&out, head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_t bytes = {data, size};
    check_join(bytes);
    check_leave(bytes);
    check_header(bytes);
    return 0;
}
