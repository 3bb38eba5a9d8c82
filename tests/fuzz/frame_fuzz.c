/* SPDX-License-Identifier: MPL-2.0 */
/* Frames: whatever is read is written and read again without change. */
#include <string.h>

#include "proto/message.h"
#include "proto/skim.h"
#include "tests/fuzz/fuzz.h"

static void write_message(buffer_t *out, const message_t *message)
{
    if (message->kind == MESSAGE_REQUEST)
        message_write_request(out, message->verb, message->id, message->token, message->traceparent,
                              &message->body);
    else if (message->kind == MESSAGE_REPLY)
        message_write_reply(out, message->verb, message->id, message->status, &message->body);
    else
        message_write_push(out, message->verb, message->id, &message->body);
}

static void check_round_trip(const message_t *message)
{
    buffer_t first = {0}, second = {0};
    message_t again;
    write_message(&first, message);
    bytes_t view = buffer_view(&first);
    FUZZ_MUST(message_read(&again, &view, 1u << message->kind) == STATUS_OK);
    FUZZ_MUST(view.size == 0);
    write_message(&second, &again);
    FUZZ_MUST(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    message_wipe(&again);
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_t frame = {data, size};
    message_t message;
    size_t extent, left;
    if (skim(frame, &extent) == STATUS_OK)
        FUZZ_MUST(extent > 0 && extent <= size);
    do {
        left = frame.size;
        status_t status = message_read(&message, &frame, 7);
        if (status == STATUS_OK)
            check_round_trip(&message);
        else
            FUZZ_MUST(frame.size == 0 && !message.lists);
        message_wipe(&message);
    } while (frame.size && frame.size < left);
    FUZZ_MUST(frame.size == 0);
    return 0;
}
