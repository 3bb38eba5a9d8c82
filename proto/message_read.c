/* SPDX-License-Identifier: MPL-2.0 */
/* From MessagePack to structs: skim, unpack, then compare each object with its field's row. */
#include <msgpack/unpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/message_fields.h"
#include "proto/skim.h"
#include "proto/utf8.h"

/* No verb is larger: what is stays out of the enum. */
enum { VERB_MAX = UINT16_MAX };

enum { HEAD_ITEMS = 3, LIST_ALIGNMENT = 16 };

/* How many objects the outer array of each kind has, the fields last. */
static const uint32_t outer_count[] = {6, 5, 4};

/* Unpacks an object that skim passed. Destroy unpacked in any case; strings and binaries point into
 * bytes. */
static status_t unpack(msgpack_unpacked *unpacked, bytes_t bytes, size_t extent)
{
    size_t offset = 0;
    msgpack_unpack_return result =
        msgpack_unpack_next(unpacked, (const char *)bytes.data, extent, &offset);
    if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        abort();
    return result == MSGPACK_UNPACK_SUCCESS && offset == extent ? STATUS_OK : STATUS_MALFORMED;
}

static status_t read_number(uint64_t *out, const msgpack_object *object)
{
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return STATUS_BAD_TYPE;
    *out = object->via.u64;
    return STATUS_OK;
}

static status_t read_bytes(bytes_t *out, const msgpack_object *object, size_t max)
{
    if (object->type != MSGPACK_OBJECT_BIN)
        return STATUS_BAD_TYPE;
    if (object->via.bin.size > max)
        return STATUS_TOO_LARGE;
    *out = (bytes_t){(const uint8_t *)object->via.bin.ptr, object->via.bin.size};
    return STATUS_OK;
}

static status_t read_fixed(uint8_t *out, const msgpack_object *object, size_t size)
{
    if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size != size)
        return STATUS_BAD_TYPE;
    memcpy(out, object->via.bin.ptr, size);
    return STATUS_OK;
}

static status_t read_text(text_t *out, const msgpack_object *object, size_t max)
{
    if (object->type != MSGPACK_OBJECT_STR)
        return STATUS_BAD_TYPE;
    if (object->via.str.size > max)
        return STATUS_TOO_LARGE;
    if (!utf8_valid(object->via.str.ptr, object->via.str.size))
        return STATUS_MALFORMED;
    *out = (text_t){object->via.str.ptr, object->via.str.size};
    return STATUS_OK;
}

static status_t read_name(name_t *out, const msgpack_object *object)
{
    if (object->type != MSGPACK_OBJECT_STR)
        return STATUS_BAD_TYPE;
    *out = (name_t){0};
    if (object->via.str.size == 0)
        return STATUS_OK;
    return name_set(out, object->via.str.ptr, object->via.str.size);
}

static status_t read_record(uint8_t *out, const message_shape_t *shape,
                            const msgpack_object *object, uint8_t **lists);

static size_t list_bytes(size_t count, const message_shape_t *record)
{
    size_t bytes = count * record->size;
    return (bytes + LIST_ALIGNMENT - 1) / LIST_ALIGNMENT * LIST_ALIGNMENT;
}

/* Takes the elements' room from *lists, which measure_lists has provided for. */
static status_t read_list(uint8_t *out, const message_field_t *field, const msgpack_object *object,
                          uint8_t **lists)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return STATUS_BAD_TYPE;
    const message_shape_t *record = field->record();
    size_t count = object->via.array.size;
    uint8_t *items = NULL;
    if (count) { /* else there may be no room at all, not even to point to */
        items = *lists;
        *lists += list_bytes(count, record);
    }
    for (size_t i = 0; i < count; i++) {
        status_t status =
            read_record(items + i * record->size, record, &object->via.array.ptr[i], NULL);
        if (status != STATUS_OK)
            return status;
    }
    message_list_t list = {items, count};
    memcpy(out, &list, sizeof list);
    return STATUS_OK;
}

static status_t read_field(uint8_t *out, const message_field_t *field, const msgpack_object *object,
                           uint8_t **lists)
{
    uint64_t number = 0;
    bytes_t bytes = {0};
    text_t text = {0};
    name_t name;
    status_t status = STATUS_BAD_TYPE;
    switch (field->kind) {
    case FIELD_U64:
        status = read_number(&number, object);
        memcpy(out, &number, sizeof number);
        break;
    case FIELD_FIXED:
        status = read_fixed(out, object, field->max);
        break;
    case FIELD_BYTES:
        status = read_bytes(&bytes, object, field->max);
        memcpy(out, &bytes, sizeof bytes);
        break;
    case FIELD_TEXT:
        status = read_text(&text, object, field->max);
        memcpy(out, &text, sizeof text);
        break;
    case FIELD_NAME:
        status = read_name(&name, object);
        memcpy(out, &name, sizeof name);
        break;
    case FIELD_LIST:
        status = read_list(out, field, object, lists);
        break;
    }
    return status;
}

static status_t read_record(uint8_t *out, const message_shape_t *shape,
                            const msgpack_object *object, uint8_t **lists)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return STATUS_BAD_TYPE;
    if (object->via.array.size != shape->count)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < shape->count; i++) {
        const message_field_t *field = &shape->fields[i];
        status_t status = read_field(out + field->offset, field, &object->via.array.ptr[i], lists);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* How much room the elements of all lists of a body need. */
static status_t measure_lists(const message_shape_t *shape, const msgpack_object *object,
                              size_t *bytes)
{
    *bytes = 0;
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return STATUS_BAD_TYPE;
    if (object->via.array.size != shape->count)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < shape->count; i++) {
        const message_field_t *field = &shape->fields[i];
        const msgpack_object *list = &object->via.array.ptr[i];
        if (field->kind != FIELD_LIST || list->type != MSGPACK_OBJECT_ARRAY)
            continue;
        if (list->via.array.size > field->max)
            return STATUS_TOO_LARGE;
        *bytes += list_bytes(list->via.array.size, field->record());
    }
    return STATUS_OK;
}

/* out is zeroed memory of the shape's size. A fault leaves it zeroed and *lists NULL. */
static status_t read_body(void *out, const message_shape_t *shape, const msgpack_object *object,
                          void **lists)
{
    *lists = NULL;
    size_t bytes;
    status_t status = measure_lists(shape, object, &bytes);
    if (status != STATUS_OK)
        return status;
    if (bytes)
        *lists = mem_zalloc(1, bytes);
    uint8_t *room = *lists;
    status = read_record(out, shape, object, &room);
    if (status != STATUS_OK) {
        memset(out, 0, shape->size);
        free(*lists);
        *lists = NULL;
    }
    return status;
}

static bool is_accepted(uint64_t kind, unsigned accept)
{
    return kind <= MESSAGE_PUSH && (accept & 1u << kind);
}

/* Kind, verb and id, as far as they are there. */
static status_t read_head(message_t *out, const msgpack_object *objects, size_t count,
                          unsigned accept)
{
    uint64_t value;
    if (count < 1 || read_number(&value, &objects[0]) != STATUS_OK || !is_accepted(value, accept))
        return STATUS_MALFORMED;
    out->kind = (message_kind_t)value;
    if (count < 2 || read_number(&value, &objects[1]) != STATUS_OK || value > VERB_MAX)
        return STATUS_MALFORMED;
    verb_t verb = (verb_t)value;
    if (count < 3 || read_number(&value, &objects[2]) != STATUS_OK)
        return STATUS_MALFORMED;
    out->verb = verb;
    out->id = value;
    return STATUS_OK;
}

/* After a fault: reads the head alone if it is sound, for the answer. */
static void salvage_head(message_t *out, bytes_t bytes, unsigned accept)
{
    msgpack_object objects[HEAD_ITEMS];
    size_t count = 0;
    if (!bytes.size || bytes.data[0] < 0x94 || bytes.data[0] > 0x96)
        return;
    bytes = (bytes_t){bytes.data + 1, bytes.size - 1};
    for (; count < HEAD_ITEMS; count++) {
        size_t extent;
        if (skim(bytes, &extent) != STATUS_OK)
            break;
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        status_t status = unpack(&unpacked, bytes, extent);
        objects[count] = unpacked.data;
        msgpack_unpacked_destroy(&unpacked);
        /* Only a number may be looked at after its zone is gone. */
        if (status != STATUS_OK || objects[count].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            break;
        bytes = (bytes_t){bytes.data + extent, bytes.size - extent};
    }
    status_t status = read_head(out, objects, count, accept);
    if (status != STATUS_OK)
        *out = (message_t){.kind = out->kind};
}

static status_t read_request_rest(message_t *out, const msgpack_object *objects)
{
    status_t status = read_bytes(&out->token, &objects[3], TOKEN_BYTES);
    if (status != STATUS_OK)
        return status;
    if (out->token.size != 0 && out->token.size != TOKEN_BYTES)
        return STATUS_BAD_TYPE;
    return read_text(&out->traceparent, &objects[4], TRACEPARENT_MAX_BYTES);
}

static status_t read_rest(message_t *out, const msgpack_object *objects)
{
    const message_shape_t *shape = message_shape(out->kind, out->verb);
    if (!shape)
        return STATUS_UNKNOWN_VERB;
    const msgpack_object *fields = &objects[outer_count[out->kind] - 1];
    if (out->kind == MESSAGE_REQUEST) {
        status_t status = read_request_rest(out, objects);
        if (status != STATUS_OK)
            return status;
    } else if (out->kind == MESSAGE_REPLY) {
        uint64_t code;
        if (read_number(&code, &objects[3]) != STATUS_OK)
            return STATUS_BAD_TYPE;
        out->status = status_from_wire(code);
        /* A broker that doesn't know the verb refuses it without knowing its reply's fields. */
        bool is_bare = fields->type == MSGPACK_OBJECT_ARRAY && fields->via.array.size == 0;
        if (out->status != STATUS_OK && is_bare)
            return STATUS_OK;
    }
    return read_body(&out->body, shape, fields, &out->lists);
}

static status_t read_outer(message_t *out, const msgpack_object *object, unsigned accept)
{
    if (object->type != MSGPACK_OBJECT_ARRAY)
        return STATUS_MALFORMED;
    status_t status = read_head(out, object->via.array.ptr, object->via.array.size, accept);
    if (status != STATUS_OK)
        return status;
    if (object->via.array.size != outer_count[out->kind])
        return STATUS_MALFORMED;
    return read_rest(out, object->via.array.ptr);
}

/* A faulty message keeps only what its answer needs. */
static void keep_head(message_t *self)
{
    *self = (message_t){.kind = self->kind, .verb = self->verb, .id = self->id};
}

status_t message_read(message_t *out, bytes_t *frame, unsigned accept)
{
    *out = (message_t){0};
    if (!frame->size)
        return STATUS_NOT_FOUND;
    bytes_t bytes = *frame;
    *frame = (bytes_t){bytes.data + bytes.size, 0};
    if (bytes.size > FRAME_MAX_BYTES)
        return STATUS_TOO_LARGE;
    size_t extent;
    status_t status = skim(bytes, &extent);
    if (status != STATUS_OK) {
        salvage_head(out, bytes, accept);
        return status;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    status = unpack(&unpacked, bytes, extent);
    if (status == STATUS_OK)
        status = read_outer(out, &unpacked.data, accept);
    msgpack_unpacked_destroy(&unpacked);
    if (status == STATUS_OK)
        *frame = (bytes_t){bytes.data + extent, bytes.size - extent};
    else
        keep_head(out);
    return status;
}

void message_wipe(message_t *self)
{
    message_lists_free(self->lists);
    *self = (message_t){0};
}

status_t message_shape_read(const message_shape_t *shape, bytes_t bytes, void *out, void **lists)
{
    *lists = NULL;
    size_t extent;
    status_t status = skim(bytes, &extent);
    if (status != STATUS_OK)
        return status;
    if (extent != bytes.size)
        return STATUS_MALFORMED;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    status = unpack(&unpacked, bytes, extent);
    if (status == STATUS_OK)
        status = read_body(out, shape, &unpacked.data, lists);
    msgpack_unpacked_destroy(&unpacked);
    return status;
}

void message_lists_free(void *lists)
{
    free(lists);
}
