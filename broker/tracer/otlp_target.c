/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/otlp_target.h"

#include "proto/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACES_PATH "/v1/traces"
enum { HEADERS_MAX = 32, HEADER_MAX_BYTES = 4096, TIMEOUT_DEFAULT_MS = 10000 };

static const char *environment(const char *for_traces, const char *for_all)
{
    const char *value = getenv(for_traces);
    if (!value || !*value)
        value = getenv(for_all);
    return value && *value ? value : NULL;
}

/* --- The address ----------------------------------------------------------------------------- */

static bool add_path(CURLU *url)
{
    char *path = NULL;
    if (curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
        return false;
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    const size_t suffix = sizeof TRACES_PATH - 1;
    bool is_there = size >= suffix && memcmp(path + size - suffix, TRACES_PATH, suffix) == 0;
    char *whole = mem_alloc(size + sizeof TRACES_PATH);
    snprintf(whole, size + sizeof TRACES_PATH, "%.*s%s", (int)size, path,
             is_there ? "" : TRACES_PATH);
    bool is_set = curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK;
    free(whole);
    curl_free(path);
    return is_set;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return is;
}

static bool read_url(otlp_target_t *self, const char *text, bool is_whole)
{
    CURLU *url = curl_url();
    bool is_read = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && is_http(url) &&
                   (is_whole || add_path(url)) &&
                   curl_url_get(url, CURLUPART_URL, &self->url, 0) == CURLUE_OK &&
                   curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
                   curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
                   curl_url_set(url, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
                   curl_url_get(url, CURLUPART_URL, &self->shown, 0) == CURLUE_OK;
    curl_url_cleanup(url);
    if (!is_read)
        tracer_complain("the address of the OpenTelemetry collector must be http://HOST:PORT or "
                        "https://HOST:PORT, perhaps with a path");
    return is_read;
}

static bool find_url(otlp_target_t *self, const tracer_options_t *options)
{
    if (options->argument_count > 0)
        return read_url(self, options->arguments[0], false);
    const char *whole = getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    if (whole && *whole)
        return read_url(self, whole, true);
    const char *base = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (base && *base)
        return read_url(self, base, false);
    tracer_complain("where to? conclave-trace otlp URL, or OTEL_EXPORTER_OTLP_ENDPOINT");
    return false;
}

/* --- Headers --------------------------------------------------------------------------------- */

static bool is_header(const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line || strlen(line) > HEADER_MAX_BYTES)
        return false;
    for (const char *at = line; at < colon; at++)
        if (*at <= ' ' || *at >= 127 || strchr("()<>@,;\\\"/[]?={}", *at))
            return false;
    for (const char *at = colon; *at; at++)
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 127)
            return false;
    return true;
}

/* The value may be a secret: it is not shown. */
static bool add_header(otlp_target_t *self, const char *line, const char *source)
{
    size_t count = 0;
    for (const struct curl_slist *header = self->headers; header; header = header->next)
        count++;
    if (count < HEADERS_MAX && is_header(line)) {
        struct curl_slist *longer = curl_slist_append(self->headers, line);
        if (longer)
            self->headers = longer;
        return longer != NULL;
    }
    tracer_complain(count < HEADERS_MAX ? "%s: a header must be 'NAME: VALUE'"
                                        : "%s: too many headers",
                    source);
    return false;
}

static bool add_headers_of_file(otlp_target_t *self, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    bool is_fine = true;
    FILE *in = fopen(path, "re");
    if (!in) {
        tracer_complain("%s: %s", path, strerrordesc_np(errno));
        return false;
    }
    while (is_fine && getline(&line, &room, in) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        is_fine = line[0] == '\0' || line[0] == '#' || add_header(self, line, path);
    }
    free(line);
    fclose(in);
    return is_fine;
}

/* "name=value,name=value", values percent-encoded. */
static bool add_headers_of_environment(otlp_target_t *self, const char *text)
{
    static const char source[] = "OTEL_EXPORTER_OTLP_HEADERS";
    char line[HEADER_MAX_BYTES + 1];
    while (*text) {
        text += strspn(text, " ");
        const size_t size = strcspn(text, ",");
        const size_t name = strcspn(text, "=");
        int value_size = 0;
        if (name < size) {
            char *value =
                curl_easy_unescape(NULL, text + name + 1, (int)(size - name - 1), &value_size);
            int length = snprintf(line, sizeof line, "%.*s: %s", (int)name,
                                  text + strspn(text, " "), value ? value : "");
            bool is_whole = value && strlen(value) == (size_t)value_size && length > 0 &&
                            (size_t)length < sizeof line;
            curl_free(value);
            if (!add_header(self, is_whole ? line : "", source))
                return false;
        } else if (size > 0 && !add_header(self, "", source)) {
            return false;
        }
        text += size + (text[size] == ',');
    }
    return true;
}

static bool find_headers(otlp_target_t *self, const tracer_options_t *options)
{
    const char *given =
        environment("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    if (given && !add_headers_of_environment(self, given))
        return false;
    for (size_t i = 0; i < options->header_count; i++) {
        const char *header = options->headers[i];
        if (header[0] == '@' ? !add_headers_of_file(self, header + 1)
                             : !add_header(self, header, "--header"))
            return false;
    }
    return add_header(self, "Content-Type: application/json", "") &&
           /* curl would ask before it sends, and wait for a second. */
           add_header(self, "Expect:", "");
}

/* --- All ------------------------------------------------------------------------------------- */

static bool find_timeout(otlp_target_t *self)
{
    const char *text =
        environment("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    char *end = NULL;
    self->timeout_ms = text ? strtol(text, &end, 10) : TIMEOUT_DEFAULT_MS;
    if (self->timeout_ms >= 1 && self->timeout_ms <= 3600000 && (!text || *end == '\0'))
        return true;
    tracer_complain("OTEL_EXPORTER_OTLP_TIMEOUT: it must be 1 to 3600000 milliseconds");
    return false;
}

bool otlp_target_read(otlp_target_t *out, const tracer_options_t *options)
{
    *out = (otlp_target_t){.ca_file = environment("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                                                  "OTEL_EXPORTER_OTLP_CERTIFICATE")};
    bool is_read = find_url(out, options) && find_headers(out, options) && find_timeout(out);
    if (!is_read)
        otlp_target_wipe(out);
    return is_read;
}

void otlp_target_wipe(otlp_target_t *self)
{
    curl_free(self->url);
    curl_free(self->shown);
    curl_slist_free_all(self->headers);
    *self = (otlp_target_t){0};
}
