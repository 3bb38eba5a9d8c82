/* SPDX-License-Identifier: MPL-2.0 */
/* Where spans go: the address, the headers and the certificate, from the command line and from
 * OpenTelemetry's environment variables. */
#ifndef CONCLAVE_BROKER_TRACER_OTLP_TARGET_H
#define CONCLAVE_BROKER_TRACER_OTLP_TARGET_H

#include "broker/tracer/tracer.h"

#include <curl/curl.h>

typedef struct {
    char *url;   /* as curl gets it; curl_free */
    char *shown; /* without a password; curl_free */
    struct curl_slist *headers;
    const char *ca_file; /* borrowed; NULL: the system's */
    long timeout_ms;     /* of one request */
} otlp_target_t;

/* False: said on standard error what is wrong. Needs curl_global_init. */
MUST_CHECK bool otlp_target_read(otlp_target_t *out, const tracer_options_t *options);
void otlp_target_wipe(otlp_target_t *self);

#endif
