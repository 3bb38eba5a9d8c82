/* SPDX-License-Identifier: MPL-2.0 */
/* One switch a question, over the kinds of options. */
#include "broker/settings/option_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool parse_text(char *out, const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size >= OPTION_TEXT_BYTES || text[0] == '"' || text[0] == '\'') {
        return false;
    }
    memcpy(out, text, size + 1);
    return true;
}

static bool parse_endpoint(endpoint_list_t *out, const char *text)
{
    if (out->count == OPTION_ENDPOINTS_MAX ||
        endpoint_parse_listen(&out->items[out->count], text) != STATUS_OK) {
        return false;
    }
    out->count++;
    return true;
}

static bool parse_address(local_address_t *out, const char *text)
{
    char url[320];
    local_address_t address = {.is_given = true, .is_off = strcmp(text, "off") == 0};
    int size = snprintf(url, sizeof url, "tcp://%s", text);
    if (!address.is_off && (size < 0 || (size_t)size >= sizeof url ||
                            endpoint_parse_listen(&address.endpoint, url) != STATUS_OK)) {
        return false;
    }
    *out = address;
    return true;
}

static bool parse_choice(const option_row_t *row, unsigned *out, const char *text)
{
    for (unsigned i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const option_row_t *row, uint64_t *out, const char *text)
{
    uint64_t number = 0;
    if (!*text || strlen(text) > 18) { /* so that nothing overflows */
        return false;
    }
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(*c - '0');
    }
    if (number < row->least || number > row->most) {
        return false;
    }
    *out = number;
    return true;
}

bool option_value_parse(const option_row_t *row, void *field, const char *text)
{
    switch (row->kind) {
    case OPTION_TEXT:
        return parse_text(field, text);
    case OPTION_ENDPOINTS:
        return parse_endpoint(field, text);
    case OPTION_ADDRESS:
        return parse_address(field, text);
    case OPTION_CHOICE:
        return parse_choice(row, field, text);
    case OPTION_NUMBER:
        return parse_number(row, field, text);
    case OPTION_ACTION:
        break;
    }
    return false;
}

size_t option_value_count(const option_row_t *row, const void *field)
{
    switch (row->kind) {
    case OPTION_TEXT:
        return *(const char *)field ? 1 : 0;
    case OPTION_ENDPOINTS:
        return ((const endpoint_list_t *)field)->count;
    case OPTION_ADDRESS:
        return ((const local_address_t *)field)->is_given ? 1 : 0;
    case OPTION_CHOICE:
    case OPTION_NUMBER:
        return 1;
    case OPTION_ACTION:
        break;
    }
    return 0;
}

static void format_address(const local_address_t *address, char *out, size_t size)
{
    char url[320];
    if (address->is_off) {
        snprintf(out, size, "off");
    } else if (endpoint_format_zmq(&address->endpoint, url, sizeof url) == STATUS_OK) {
        snprintf(out, size, "%s", url + strlen("tcp://"));
    }
}

void option_value_format(const option_row_t *row, const void *field, size_t index, char *out,
                         size_t size)
{
    out[0] = '\0';
    switch (row->kind) {
    case OPTION_TEXT:
        snprintf(out, size, "%s", (const char *)field);
        break;
    case OPTION_ENDPOINTS:
        if (endpoint_format_zmq(&((const endpoint_list_t *)field)->items[index], out, size) !=
            STATUS_OK) {
            out[0] = '\0';
        }
        break;
    case OPTION_ADDRESS:
        format_address(field, out, size);
        break;
    case OPTION_CHOICE:
        snprintf(out, size, "%s", row->choices[*(const unsigned *)field]);
        break;
    case OPTION_NUMBER:
        snprintf(out, size, "%" PRIu64, *(const uint64_t *)field);
        break;
    case OPTION_ACTION:
        break;
    }
}

/* "error, warn, info or debug" */
static void list_choices(const option_row_t *row, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; row->choices[i] && used < size; i++) {
        const char *before = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", before, row->choices[i]);
    }
}

void option_value_allowed(const option_row_t *row, char *out, size_t size)
{
    out[0] = '\0';
    switch (row->kind) {
    case OPTION_TEXT:
        snprintf(out, size, "%s: 1 to %d bytes, without quotes", row->argument,
                 OPTION_TEXT_BYTES - 1);
        break;
    case OPTION_ENDPOINTS:
        snprintf(out, size, "tcp://HOST:PORT or tcp://HOST:*, %d at most", OPTION_ENDPOINTS_MAX);
        break;
    case OPTION_ADDRESS:
        snprintf(out, size, "HOST:PORT, HOST:* or off");
        break;
    case OPTION_CHOICE:
        list_choices(row, out, size);
        break;
    case OPTION_NUMBER:
        snprintf(out, size, "a whole number from %" PRIu64 " to %" PRIu64, row->least, row->most);
        break;
    case OPTION_ACTION:
        break;
    }
}
