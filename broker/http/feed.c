/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/feed.h"

#include <string.h>

void feed_free(feed_t *self)
{
    for (size_t i = 0; i < FEED_KEPT; i++) {
        buffer_free(&self->texts[i]);
    }
}

void feed_format(buffer_t *out, const char *event, bytes_t data)
{
    buffer_append(out, "event: ", 7);
    buffer_append(out, event, strlen(event));
    buffer_append(out, "\ndata: ", 7);
    buffer_append(out, data.data, data.size);
    buffer_append(out, "\n\n", 2);
}

void feed_put(feed_t *self, const char *event, bytes_t data)
{
    buffer_t *slot = &self->texts[self->next++ % FEED_KEPT];
    buffer_clear(slot);
    feed_format(slot, event, data);
}

void feed_reader_begin(feed_reader_t *self, const feed_t *feed, buffer_t first)
{
    *self = (feed_reader_t){.first = first, .at = feed->next};
}

void feed_reader_end(feed_reader_t *self)
{
    buffer_free(&self->first);
}

static size_t copy(const buffer_t *from, size_t offset, char *out, size_t size)
{
    size_t left = from->size - offset;
    size_t count = left < size ? left : size;
    memcpy(out, from->data + offset, count);
    return count;
}

bool feed_read(const feed_t *self, feed_reader_t *reader, char *out, size_t size, size_t *got)
{
    *got = 0;
    if (reader->first.size > 0) {
        *got = copy(&reader->first, reader->offset, out, size);
        reader->offset += *got;
        if (reader->offset == reader->first.size) {
            buffer_free(&reader->first);
            reader->offset = 0;
        }
        return true;
    }
    if (self->next - reader->at > FEED_KEPT) {
        return false;
    }
    while (reader->at < self->next && *got < size) {
        const buffer_t *text = &self->texts[reader->at % FEED_KEPT];
        size_t count = copy(text, reader->offset, out + *got, size - *got);
        *got += count;
        reader->offset += count;
        if (reader->offset == text->size) {
            reader->at++;
            reader->offset = 0;
        }
    }
    return true;
}
