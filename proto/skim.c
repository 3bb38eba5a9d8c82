/* SPDX-License-Identifier: MPL-2.0 */
/* One loop over type bytes; the stack of open arrays holds how many elements each still lacks. */
#include "proto/skim.h"

#include "proto/limits.h"

/* What a type byte announces: how many bytes of a length or count follow it, or how many of
 * content. */
typedef enum {
    SHAPE_REFUSED,
    SHAPE_CONTENT,
    SHAPE_LENGTH,
    SHAPE_COUNT,
    SHAPE_INVALID
} shape_kind_t;

typedef struct {
    shape_kind_t kind;
    size_t value;   /* content: its bytes; length, count: either the value itself or */
    unsigned width; /* the bytes in which it follows */
} type_shape_t;

/* https://github.com/msgpack/msgpack/blob/master/spec.md#formats */
static type_shape_t shape_of(uint8_t type)
{
    if (type <= 0x7f || type >= 0xe0)
        return (type_shape_t){SHAPE_CONTENT, 0, 0};
    if (type >= 0x90 && type <= 0x9f)
        return (type_shape_t){SHAPE_COUNT, type & 0x0f, 0};
    if (type >= 0xa0 && type <= 0xbf)
        return (type_shape_t){SHAPE_LENGTH, type & 0x1f, 0};
    if (type >= 0xc4 && type <= 0xc6)
        return (type_shape_t){SHAPE_LENGTH, 0, 1u << (type - 0xc4)};
    if (type >= 0xcc && type <= 0xcf)
        return (type_shape_t){SHAPE_CONTENT, (size_t)1 << (type - 0xcc), 0};
    if (type >= 0xd0 && type <= 0xd3)
        return (type_shape_t){SHAPE_CONTENT, (size_t)1 << (type - 0xd0), 0};
    if (type >= 0xd9 && type <= 0xdb)
        return (type_shape_t){SHAPE_LENGTH, 0, 1u << (type - 0xd9)};
    if (type == 0xdc || type == 0xdd)
        return (type_shape_t){SHAPE_COUNT, 0, 2u << (type - 0xdc)};
    if (type == 0xc1)
        return (type_shape_t){SHAPE_INVALID, 0, 0};
    return (type_shape_t){SHAPE_REFUSED, 0, 0};
}

static size_t read_width(reader_t *in, unsigned width)
{
    size_t value = 0;
    const uint8_t *at = reader_take(in, width);
    for (unsigned i = 0; at && i < width; i++)
        value = value << 8 | at[i];
    return value;
}

/* Passes over one object's head and content; *count is the number of elements that follow. */
static status_t skim_head(reader_t *in, size_t *count)
{
    type_shape_t shape = shape_of(reader_u8(in));
    *count = 0;
    if (shape.kind == SHAPE_REFUSED)
        return STATUS_BAD_TYPE;
    size_t value = shape.width ? read_width(in, shape.width) : shape.value;
    if (shape.kind == SHAPE_COUNT)
        *count = value;
    else
        (void)reader_take(in, value);
    if (in->failed || shape.kind == SHAPE_INVALID || *count > in->left)
        return STATUS_MALFORMED;
    return STATUS_OK;
}

status_t skim(bytes_t bytes, size_t *extent)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    size_t open[NESTING_MAX], items = 1, count;
    unsigned depth = 0;
    *extent = 0;
    do {
        if (depth)
            open[depth - 1]--;
        status_t status = skim_head(&in, &count);
        if (status != STATUS_OK)
            return status;
        if (count) {
            if (depth == NESTING_MAX)
                return STATUS_MALFORMED;
            open[depth++] = count;
            items += count;
            if (items > FRAME_MAX_ITEMS)
                return STATUS_TOO_LARGE;
        }
        while (depth && open[depth - 1] == 0)
            depth--;
    } while (depth);
    *extent = bytes.size - in.left;
    return STATUS_OK;
}
