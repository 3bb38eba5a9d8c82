/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/access.h"

#include "broker/files/private_file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char token_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";

status_t http_token_read(http_token_t *out, const char *path)
{
    char bytes[2 * HTTP_TOKEN_MAX_BYTES];
    size_t size = 0;
    memset(out, 0, sizeof *out);
    status_t status = private_file_read(AT_FDCWD, path, bytes, sizeof bytes - 1, &size);
    bytes[size] = '\0';
    if (status == STATUS_OK) {
        size_t length = strspn(bytes, token_alphabet);
        size_t end = length + strcspn(bytes + length, "\n");
        bool is_token = length >= HTTP_TOKEN_MIN_BYTES && length <= HTTP_TOKEN_MAX_BYTES &&
                        (end == length || (end == length + 1 && bytes[length] == '\r'));
        if (is_token) {
            memcpy(out->text, bytes, length);
        }
        status = is_token ? STATUS_OK : STATUS_INVALID;
    }
    sodium_memzero(bytes, sizeof bytes);
    return status;
}

bool http_token_matches(const http_token_t *self, const char *given)
{
    http_token_t padded = {0};
    if (!self->text[0]) {
        return true;
    }
    if (!given || strlen(given) > HTTP_TOKEN_MAX_BYTES) {
        return false;
    }
    memcpy(padded.text, given, strlen(given));
    return sodium_memcmp(padded.text, self->text, sizeof padded.text) == 0;
}

const char *http_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)) != 0) {
        return NULL;
    }
    return authorization + strlen(scheme);
}

static bool is_port(const char *text)
{
    return *text == '\0' ||
           (*text == ':' && text[1] && strspn(text + 1, "0123456789") == strlen(text + 1));
}

bool http_host_is_local(const char *host)
{
    static const char name[] = "localhost", v6[] = "[::1]";
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (!host) {
        return false;
    }
    if (strncasecmp(host, name, strlen(name)) == 0) {
        return is_port(host + strlen(name));
    }
    if (strncmp(host, v6, strlen(v6)) == 0) {
        return is_port(host + strlen(v6));
    }
    size_t size = strcspn(host, ":");
    if (size >= sizeof text || !is_port(host + size)) {
        return false;
    }
    memcpy(text, host, size);
    text[size] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool http_is_cross_site(const char *fetch_site, const char *fetch_mode)
{
    if (!fetch_site || strcmp(fetch_site, "same-origin") == 0 || strcmp(fetch_site, "none") == 0) {
        return false;
    }
    return !fetch_mode || strcmp(fetch_mode, "navigate") != 0;
}

bool http_address_is_local(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}
