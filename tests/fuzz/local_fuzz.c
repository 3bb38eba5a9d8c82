/* SPDX-License-Identifier: MPL-2.0 */
/* Frames between screens and the holder of a home: what is read is written and read again without
 * change. */
#include <string.h>

#include "client/local/local.h"
#include "tests/fuzz/fuzz.h"

static void write_message(buffer_t *out, const local_message_t *message)
{
    if (message->kind == MESSAGE_REQUEST)
        local_write_request(out, message->verb, message->id, &message->trace, &message->body);
    else if (message->kind == MESSAGE_REPLY)
        local_write_reply(out, message->verb, message->id, message->status, &message->body);
    else
        local_write_push(out, message->verb, message->id, &message->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    local_message_t message = {0}, again = {0};
    if (local_message_read(&message, (bytes_t){data, size}, 7) == STATUS_OK) {
        buffer_t first = {0}, second = {0};
        write_message(&first, &message);
        FUZZ_MUST(local_message_read(&again, buffer_view(&first), 1u << message.kind) == STATUS_OK);
        write_message(&second, &again);
        FUZZ_MUST(first.size == second.size && !memcmp(first.data, second.data, first.size));
        local_message_wipe(&again);
        buffer_free(&first);
        buffer_free(&second);
    }
    local_message_wipe(&message);
    return 0;
}
