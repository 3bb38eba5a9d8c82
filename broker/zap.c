/* SPDX-License-Identifier: MPL-2.0 */
/* Whoever holds a CURVE key may connect: accounts are the rules' affair. */
#include "broker/zap.h"

#include "broker/operator/operator_keys.h"
#include "proto/endpoint.h"

#include <string.h>
#include <sys/resource.h>

#define ZAP_ENDPOINT  "inproc://zeromq.zap.01"
#define Z85_KEY_BYTES 40
/* Descriptors that are no connections: RocksDB's files, sockets, the log. */
#define DESCRIPTORS_KEPT  320
#define CONNECTIONS_LEAST 16

/* "300" asks the client's socket to try again later; "400" is for good. */
#define ZAP_YES   "200"
#define ZAP_LATER "300"
#define ZAP_NO    "400"

/* The monitor counts, a moment later: a quota is soft by the handshakes under way, which the
 * descriptors kept free allow for. */
static const char *within_quota(log_t *log, counters_t *counters, uint64_t limit)
{
    if (counter_get(&counters->connections) <= limit) {
        return ZAP_YES;
    }
    counter_add(&counters->connections_refused, 1);
    LOG(log, LEVEL_WARN, log_event("connection_refused"), log_text("cause", "too many connections"),
        log_count("limit", limit));
    return ZAP_LATER;
}

static const char *decide_operator(const zap_options_t *self, const uint8_t *key)
{
    char text[KEY_TEXT_BYTES];
    status_t status = operator_keys_find(self->dir_fd, key);
    if (status == STATUS_OK) {
        return within_quota(self->log, self->operator_counters, ZAP_OPERATOR_CONNECTIONS_MAX);
    }
    key_to_text(text, key);
    LOG(self->log, LEVEL_WARN, log_event("operator_refused"), log_text("key", text),
        log_text("cause",
                 status == STATUS_NOT_FOUND ? "not in operator.keys" : status_text(status)));
    return ZAP_NO;
}

static const char *zap_decide(const zap_options_t *self, const char *domain, const char *mechanism,
                              zframe_t *key)
{
    bool has_key = strcmp(mechanism, "CURVE") == 0 && key && zframe_size(key) == KEY_BYTES;
    if (strcmp(domain, ZAP_DOMAIN) == 0 && has_key) {
        return within_quota(self->log, self->counters, self->connections_max);
    }
    if (!self->operator_counters) {
        return ZAP_NO;
    }
    if (strcmp(domain, ZAP_OPERATOR_DOMAIN) == 0 && has_key) {
        return decide_operator(self, zframe_data(key));
    }
    if (strcmp(domain, ZAP_LOCAL_DOMAIN) == 0 && strcmp(mechanism, "NULL") == 0) {
        return within_quota(self->log, self->local_counters, ZAP_OPERATOR_CONNECTIONS_MAX);
    }
    return ZAP_NO;
}

static void zap_answer(const zap_options_t *self, zsock_t *handler)
{
    char *version = NULL;
    char *request_id = NULL;
    char *domain = NULL;
    char *address = NULL;
    char *mechanism = NULL;
    zframe_t *routing_id = NULL;
    zframe_t *key = NULL;
    char user_id[Z85_KEY_BYTES + 1] = "";
    if (zsock_recv(handler, "ssssfsf", &version, &request_id, &domain, &address, &routing_id,
                   &mechanism, &key) == 0) {
        const char *code = zap_decide(self, domain ? domain : "", mechanism ? mechanism : "", key);
        if (code[0] == '2' && key && zframe_size(key) == KEY_BYTES) {
            zmq_z85_encode(user_id, zframe_data(key), KEY_BYTES);
        }
        LOG(self->log, LEVEL_DEBUG, log_event("handshake"), log_text("peer", address),
            log_text("answer", code));
        zsock_send(handler, "ssssss", "1.0", request_id ? request_id : "", code,
                   code[0] == '2' ? "OK" : "refused", user_id, "");
    }
    free(version);
    free(request_id);
    free(domain);
    free(address);
    free(mechanism);
    zframe_destroy(&routing_id);
    zframe_destroy(&key);
}

void zap_actor(zsock_t *pipe, void *options)
{
    zap_options_t *self = options;
    zsock_t *handler = zsock_new(ZMQ_REP);
    self->is_bound = handler && zsock_bind(handler, ZAP_ENDPOINT) == 0;
    zsock_signal(pipe, 0);
    if (self->is_bound) {
        zpoller_t *poller = zpoller_new(pipe, handler, NULL);
        zpoller_set_nonstop(poller, true);
        while (zpoller_wait(poller, -1) == handler) {
            zap_answer(self, handler);
        }
        zpoller_destroy(&poller);
        /* Closing alone would free the name some time later. */
        zsock_unbind(handler, ZAP_ENDPOINT);
    }
    zsock_destroy(&handler);
}

bool zap_user_key(uint8_t out[static KEY_BYTES], const char *user_id)
{
    return user_id && strlen(user_id) == Z85_KEY_BYTES && zmq_z85_decode(out, user_id) != NULL;
}

uint64_t zap_connection_quota(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 512;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    uint64_t kept = limit.rlim_cur / 10 + DESCRIPTORS_KEPT;
    return limit.rlim_cur >= kept + CONNECTIONS_LEAST ? limit.rlim_cur - kept : 0;
}
