/* SPDX-License-Identifier: MPL-2.0 */
/* Strict parsing and canonical writing of broker addresses. */
#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { HOST_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, ENDPOINT_MAX_BYTES = 512 };

static const char scheme[] = "tcp://";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* RFC 1123: labels of 1 to 63 letters, digits and hyphens, no hyphen at either end. */
static bool is_label(const char *label, size_t size)
{
    if (size < 1 || size > LABEL_MAX_BYTES || label[0] == '-' || label[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = to_lower(label[i]);
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-')
            return false;
    }
    return true;
}

/* Names and IPv4 addresses, into lower case. What ends in a number must be an IPv4 address. */
static bool read_name_or_ipv4(endpoint_t *out, const char *text, size_t size)
{
    if (size < 1 || size > HOST_MAX_BYTES)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && text[i] != '.')
            continue;
        if (!is_label(text + start, i - start))
            return false;
        if (i < size)
            start = i + 1;
    }
    for (size_t i = 0; i < size; i++)
        out->host[i] = to_lower(text[i]);
    out->host[size] = '\0';
    bool ends_in_number = strspn(out->host + start, "0123456789") == size - start;
    struct in_addr address;
    return !ends_in_number || inet_pton(AF_INET, out->host, &address) == 1;
}

static bool read_ipv6(endpoint_t *out, const char *text, size_t size)
{
    char literal[INET6_ADDRSTRLEN] = {0};
    struct in6_addr address;
    if (size >= sizeof literal)
        return false;
    memcpy(literal, text, size);
    out->is_ipv6 = true;
    return inet_pton(AF_INET6, literal, &address) == 1 &&
           inet_ntop(AF_INET6, &address, out->host, sizeof out->host) != NULL;
}

/* 1 to 65535 without leading zeros, or '*' where a listener may leave the choice to the system. */
static bool read_port(endpoint_t *out, const char *text, size_t size, bool listens)
{
    if (listens && size == 1 && text[0] == '*') {
        out->port = 0;
        return true;
    }
    unsigned long port = 0;
    if (size < 1 || size > 5 || text[0] == '0')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            return false;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    out->port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool read_host(endpoint_t *out, const char *text, size_t size, bool listens)
{
    if (listens && size == 1 && text[0] == '*') {
        memcpy(out->host, "*", 2);
        return true;
    }
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']')
        return read_ipv6(out, text + 1, size - 2);
    return read_name_or_ipv4(out, text, size);
}

/* HOST:PORT */
static bool read_address(endpoint_t *out, const char *text, size_t size, bool listens)
{
    size_t colon = size;
    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    return read_host(out, text, colon - 1, listens) &&
           read_port(out, text + colon, size - colon, listens);
}

static bool read_endpoint(endpoint_t *out, const char *text, bool listens)
{
    size_t size = strnlen(text, ENDPOINT_MAX_BYTES + 1), scheme_size = sizeof scheme - 1;
    if (size > ENDPOINT_MAX_BYTES || size < scheme_size || memcmp(text, scheme, scheme_size) != 0)
        return false;
    text += scheme_size;
    size -= scheme_size;
    size_t address = strcspn(text, "#");
    if (!read_address(out, text, address, listens))
        return false;
    if (listens)
        return address == size;
    out->has_key = true;
    return address < size &&
           key_from_text(out->key, text + address + 1, size - address - 1) == STATUS_OK;
}

static status_t parse(endpoint_t *out, const char *text, bool listens)
{
    *out = (endpoint_t){0};
    if (read_endpoint(out, text, listens))
        return STATUS_OK;
    *out = (endpoint_t){0};
    return STATUS_BAD_ENDPOINT;
}

status_t endpoint_parse(endpoint_t *out, const char *text)
{
    return parse(out, text, false);
}

status_t endpoint_parse_listen(endpoint_t *out, const char *text)
{
    return parse(out, text, true);
}

static status_t format(const endpoint_t *self, char *out, size_t size, const char *key)
{
    char port[6] = "*";
    if (self->port)
        snprintf(port, sizeof port, "%u", (unsigned)self->port);
    int written =
        snprintf(out, size, "%s%s%s%s:%s%s%s", scheme, self->is_ipv6 ? "[" : "", self->host,
                 self->is_ipv6 ? "]" : "", port, key ? "#" : "", key ? key : "");
    if (written >= 0 && (size_t)written < size)
        return STATUS_OK;
    if (size)
        out[0] = '\0';
    return STATUS_TOO_LARGE;
}

status_t endpoint_format(const endpoint_t *self, char *out, size_t size)
{
    char key[KEY_TEXT_BYTES];
    key_to_text(key, self->key);
    return format(self, out, size, self->has_key ? key : NULL);
}

status_t endpoint_format_zmq(const endpoint_t *self, char *out, size_t size)
{
    return format(self, out, size, NULL);
}

void key_to_text(char out[static KEY_TEXT_BYTES], const uint8_t key[static KEY_BYTES])
{
    sodium_bin2base64(out, KEY_TEXT_BYTES, key, KEY_BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

status_t key_from_text(uint8_t out[static KEY_BYTES], const char *text, size_t size)
{
    size_t written = 0;
    const char *end = NULL;
    if (size == KEY_TEXT_BYTES - 1 &&
        sodium_base642bin(out, KEY_BYTES, text, size, NULL, &written, &end,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
        written == KEY_BYTES && end == text + size)
        return STATUS_OK;
    memset(out, 0, KEY_BYTES);
    return STATUS_BAD_ENDPOINT;
}
