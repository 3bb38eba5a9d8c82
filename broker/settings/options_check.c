/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/settings/options_check.h"

#include "broker/http/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

/* By what stands there: what a name means is asked at the start. */
static bool others_can_reach(const endpoint_t *endpoint)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (strcmp(endpoint->host, "*") == 0) {
        return true;
    }
    if (inet_pton(AF_INET, endpoint->host, &in.sin_addr) == 1) {
        return !http_address_is_local((const struct sockaddr *)&in);
    }
    return inet_pton(AF_INET6, endpoint->host, &in6.sin6_addr) == 1 &&
           !http_address_is_local((const struct sockaddr *)&in6);
}

/* NULL: nothing. Whether what is in it is a token, and whose it is, the start finds out. */
static const char *token_file_fault(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return strerrordesc_np(errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return "is no regular file";
    }
    return (info.st_mode & 077) != 0 ? "others may read or write it; it must be private: chmod 600"
                                     : NULL;
}

void options_check(const options_t *options, options_fault_t *fault, void *context)
{
    const bool is_public = options->http_public != 0;
    const char *why;
    if (options->http.is_off) {
        return;
    }
    if (options->http.is_given && !is_public && others_can_reach(&options->http.endpoint)) {
        fault(context, "http",
              "others can reach that address, and who reads this sees names, groups and times; "
              "if that is meant: 'http-public' yes and 'http-token-file'");
    }
    if (is_public && !*options->http_token_file) {
        fault(context, "http-public", "yes needs 'http-token-file' too");
    }
    why = *options->http_token_file ? token_file_fault(options->http_token_file) : NULL;
    if (why) {
        fault(context, "http-token-file", why);
    }
}
