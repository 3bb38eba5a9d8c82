/* SPDX-License-Identifier: MPL-2.0 */
/* Start: directory and lock, key, store, rules, handler and monitor, addresses. End: backwards. */
#include "broker/broker.h"

#include "broker/broker_data.h"
#include "broker/files/private_file.h"
#include "broker/http/server.h"
#include "broker/monitor.h"
#include "broker/operator/operator.h"
#include "broker/process/drain_guard.h"
#include "broker/process/service.h"
#include "broker/router/router.h"
#include "broker/settings/reload.h"
#include "broker/store/store_rocksdb.h"
#include "broker/zap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINGER_MS  1000
#define IO_THREADS 1
#define URL_BYTES  384

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS    (24 * 60 * MINUTE_MS)
#define MEGABYTE  (UINT64_C(1024) * 1024)

typedef struct {
    options_t *options;
    int signal_fd;
    void (*leave)(void);
    log_t *log;
    broker_data_t data;
    rules_t *rules;
    trace_hub_t *trace;
    router_calls_t *calls;
    counters_t counters;
    zap_options_t zap_options;
    zactor_t *zap;
    monitor_options_t monitor_options;
    zactor_t *monitor;
    router_socket_t socket;
    router_options_t router;
    service_t service;
    char url[URL_BYTES + 1];
    router_times_t times;
    http_server_t *http;
    log_level_t level_before_debug;
    drain_guard_t *drain_guard;      /* from the signal to stop on */
    counters_t operator_counters[2]; /* of the tools here, and of those from elsewhere */
    operator_options_t operator_options;
    atomic_uint_fast64_t backup_reserve_bytes; /* the store's, for the thread that backs it up */
    zactor_t *operators;
} broker_t;

static status_t open_rules(broker_t *self)
{
    rules_config_t config = rules_config_default(self->data.key.public_key);
    config.idle_ms = self->options->idle_seconds * SECOND_MS;
    config.retention_ms = self->options->retention_days * DAY_MS;
    config.registration = (registration_mode_t)self->options->registration;
    snprintf(config.software, sizeof config.software, "conclaved %s", CONCLAVE_VERSION);
    self->rules = rules_new(self->data.store, &config);
    status_t status = rules_open(self->rules);
    if (status != STATUS_OK) {
        broker_data_log_store_refusal(&self->data, self->log, status);
    }
    return status;
}

/* libzmq and RocksDB abort, or fail later, where they get no descriptor. */
static status_t find_quota(broker_t *self)
{
    self->zap_options.connections_max = zap_connection_quota();
    if (self->zap_options.connections_max > 0) {
        return STATUS_OK;
    }
    LOG(self->log, LEVEL_ERROR, log_event("too_few_descriptors"),
        log_text("text", "the limit on open files is too low"),
        log_text("hint", "ulimit -n 1024 or more; with systemd LimitNOFILE="));
    return STATUS_TOO_MANY;
}

static void tell_trace_loss(void *context, const char *who, uint64_t lost, bool has_left)
{
    const broker_t *self = context;
    if (has_left) {
        LOG(self->log, LEVEL_WARN, log_event("trace_listener_lost_steps"), log_text("who", who),
            log_count("steps", lost), log_text("text", "it has left"));
    } else {
        LOG(self->log, LEVEL_WARN, log_event("trace_listener_too_slow"), log_text("who", who),
            log_text("text", "it does not take steps as fast as they come, and loses some; nobody "
                             "waits for it"));
    }
}

static status_t open_trace(broker_t *self)
{
    self->trace = trace_hub_new(self->options->trace_history);
    self->calls = router_calls_new();
    if (self->trace && self->calls) {
        trace_hub_on_loss(self->trace, tell_trace_loss, self);
        return STATUS_OK;
    }
    LOG(self->log, LEVEL_ERROR, log_event("trace_failed"), log_errno("cause", errno));
    return STATUS_IO_ERROR;
}

static status_t open_socket(broker_t *self)
{
    self->zap_options.log = self->log;
    self->zap_options.counters = &self->counters;
    self->zap_options.local_counters = &self->operator_counters[0];
    self->zap_options.operator_counters = &self->operator_counters[1];
    self->zap_options.dir_fd = self->data.dir.fd;
    self->zap = zactor_new(zap_actor, &self->zap_options);
    status_t status = router_socket_init(&self->socket, &self->data.key, &self->counters);
    if (status == STATUS_OK) {
        self->monitor_options = (monitor_options_t){.log = self->log,
                                                    .counters = &self->counters,
                                                    .trace = self->trace,
                                                    .watched = self->socket.socket};
        self->monitor = zactor_new(monitor_actor, &self->monitor_options);
    }
    if (status != STATUS_OK || !self->zap || !self->zap_options.is_bound || !self->monitor ||
        !self->monitor_options.is_started) {
        LOG(self->log, LEVEL_ERROR, log_event("socket_failed"), log_errno("cause", errno));
        return STATUS_IO_ERROR;
    }
    return STATUS_OK;
}

static status_t open_operator(broker_t *self)
{
    self->operator_options =
        (operator_options_t){.log = self->log,
                             .counters = &self->counters,
                             .own_counters = self->operator_counters,
                             .trace = self->trace,
                             .calls = self->calls,
                             .dir = &self->data.dir,
                             .key = &self->data.key,
                             .listen = self->options->operator_listen.items,
                             .listen_count = self->options->operator_listen.count};
    self->operator_options.backup = (backup_source_t){.store = self->data.store,
                                                      .data_fd = self->data.dir.fd,
                                                      .software = "conclaved " CONCLAVE_VERSION,
                                                      .reserve_bytes = &self->backup_reserve_bytes};
    atomic_store(&self->backup_reserve_bytes, self->options->store_reserve_mb * MEGABYTE);
    memcpy(self->operator_options.backup.incarnation, rules_incarnation(self->rules),
           INCARNATION_BYTES);
    self->operators = zactor_new(operator_actor, &self->operator_options);
    return self->operators && self->operator_options.is_started ? STATUS_OK : STATUS_IO_ERROR;
}

static status_t open_http(broker_t *self)
{
    const http_options_t options = {.address = &self->options->http,
                                    .is_public = self->options->http_public,
                                    .token_file = self->options->http_token_file,
                                    .log = self->log,
                                    .numbers = {.counters = &self->counters,
                                                .operator_counters = self->operator_counters,
                                                .times = &self->times,
                                                .trace = self->trace,
                                                .calls = self->calls,
                                                .store = self->data.store}};
    return http_server_new(&self->http, &options);
}

static void log_bind_failure(broker_t *self, const endpoint_t *endpoint, int error)
{
    char text[URL_BYTES];
    const char *hint = "";
    if (endpoint_format_zmq(endpoint, text, sizeof text) != STATUS_OK) {
        text[0] = '\0';
    }
    if (error == EADDRINUSE) {
        hint = "another program listens there (perhaps another broker): stop it, or choose another "
               "port, e.g. --listen 'tcp://127.0.0.1:*' for any free one";
    } else if (error == EACCES) {
        hint = "ports below 1024 need a privilege; choose a higher one";
    } else if (error == EADDRNOTAVAIL || error == ENODEV) {
        hint = "this machine doesn't have that address";
    }
    LOG(self->log, LEVEL_ERROR, log_event("listen_failed"), log_text("address", text),
        log_text("cause", error == ENODEV ? "No such address or interface" : zmq_strerror(error)),
        log_text("hint", hint));
}

static status_t listen_all(broker_t *self, char *url, size_t size)
{
    for (size_t i = 0; i < self->options->listen.count; i++) {
        endpoint_t bound;
        char text[URL_BYTES];
        errno = 0;
        status_t status =
            router_socket_bind(&self->socket, &self->options->listen.items[i], &bound);
        if (status != STATUS_OK) {
            log_bind_failure(self, &self->options->listen.items[i], errno);
            return status;
        }
        bound.has_key = true;
        memcpy(bound.key, self->data.key.public_key, KEY_BYTES);
        status = endpoint_format(&bound, text, sizeof text);
        if (status != STATUS_OK) {
            return status;
        }
        LOG(self->log, LEVEL_INFO, log_event("listening"), log_text("url", text));
        if (i == 0) {
            snprintf(url, size, "%s", text);
        }
    }
    return STATUS_OK;
}

/* The first address is the one that clients on this machine are told. */
static status_t announce(broker_t *self)
{
    char *url = self->url;
    status_t status = listen_all(self, url, URL_BYTES);
    if (status != STATUS_OK) {
        return status;
    }
    size_t size = strlen(url);
    url[size] = '\n';
    status = private_file_write(self->data.dir.fd, BROKER_URL_NAME, url, size + 1);
    url[size] = '\0';
    if (status != STATUS_OK) {
        LOG(self->log, LEVEL_ERROR, log_event("url_file_failed"),
            log_text("dir", self->data.dir.path), log_errno("cause", errno));
        return status;
    }
    LOG(self->log, LEVEL_INFO, log_event("ready"), log_text("url", url),
        log_text("data", self->data.dir.path), log_text("version", CONCLAVE_VERSION));
    return STATUS_OK;
}

static void broker_close(broker_t *self)
{
    http_server_detach(self->http);
    zactor_destroy(&self->operators);
    if (self->monitor) {
        monitor_stop(self->socket.socket);
        zactor_destroy(&self->monitor);
    }
    /* In a drain it is the guard that ends the waiting, and says so: -1 is without an end. */
    router_socket_wipe(&self->socket, self->drain_guard ? -1 : LINGER_MS);
    zactor_destroy(&self->zap);
    trace_hub_destroy(&self->trace);
    router_calls_destroy(&self->calls);
    rules_destroy(&self->rules);
    store_destroy(&self->data.store);
    key_pair_wipe(&self->data.key);
    zsys_shutdown(); /* waits until what was sent has left */
    http_server_destroy(&self->http);
    drain_guard_destroy(&self->drain_guard);
    data_dir_close(&self->data.dir);
}

static void drain_is_over(void *context, drain_end_t end)
{
    broker_t *self = context;
    LOG(self->log, LEVEL_WARN, log_event("drain_cut_short"),
        log_text("cause", end == DRAIN_LIMIT ? "drain-seconds are over" : "a second signal"),
        log_text("text", "what was not sent yet is dropped; what was acknowledged is stored"));
    self->leave();
}

static void begin_drain(broker_t *self)
{
    counter_add(&self->counters.draining, 1);
    LOG(self->log, LEVEL_INFO, log_event("stopping"),
        log_count("drain_seconds", self->options->drain_seconds));
    service_stopping(&self->service, self->options->drain_seconds);
    self->drain_guard = drain_guard_new(self->signal_fd, self->options->drain_seconds * SECOND_MS,
                                        drain_is_over, self);
    if (!self->drain_guard) {
        LOG(self->log, LEVEL_WARN, log_event("drain_unguarded"), log_errno("cause", errno));
    }
}

/* What options.def says RELOADS is put in force here. */
static void reload(broker_t *self)
{
    const options_t *options = self->options;
    service_reloading(&self->service);
    if (reload_options(self->options, self->log)) {
        log_set_level(self->log, (log_level_t)options->log_level);
        rules_set_lifetimes(self->rules, options->idle_seconds * SECOND_MS,
                            options->retention_days * DAY_MS);
        rules_set_registration(self->rules, (registration_mode_t)options->registration);
        store_rocksdb_set_reserve(self->data.store, options->store_reserve_mb * MEGABYTE);
        atomic_store(&self->backup_reserve_bytes, options->store_reserve_mb * MEGABYTE);
        self->router.report_ms = options->report_minutes * MINUTE_MS;
    }
    service_ready(&self->service, self->url);
}

/* Debug and back. It counts as a setting, so a reload takes it back to what the file says. */
static void toggle_debug(broker_t *self)
{
    log_level_t old = (log_level_t)self->options->log_level;
    log_level_t new = old == LEVEL_DEBUG ? self->level_before_debug : LEVEL_DEBUG;
    self->level_before_debug = old == LEVEL_DEBUG ? self->level_before_debug : old;
    self->options->log_level = new;
    log_set_level(self->log, LEVEL_DEBUG); /* so that the line is written */
    LOG(self->log, LEVEL_INFO, log_event("log_level_changed"),
        log_text("old", log_level_names[old]), log_text("new", log_level_names[new]));
    log_set_level(self->log, new);
}

static void on_signal(void *context, signal_kind_t kind)
{
    broker_t *self = context;
    if (kind == SIGNAL_STOP) {
        begin_drain(self);
    } else if (kind == SIGNAL_RELOAD) {
        reload(self);
    } else if (kind == SIGNAL_LOG_LEVEL) {
        toggle_debug(self);
    }
}

static status_t serve(broker_t *self)
{
    self->router = (router_options_t){.socket = &self->socket,
                                      .rules = self->rules,
                                      .store = self->data.store,
                                      .counters = &self->counters,
                                      .operator_counters = self->operator_counters,
                                      .log = self->log,
                                      .times = &self->times,
                                      .trace = self->trace,
                                      .calls = self->calls,
                                      .service = &self->service,
                                      .signal_fd = self->signal_fd,
                                      .on_signal = on_signal,
                                      .signal_context = self,
                                      .report_ms = self->options->report_minutes * MINUTE_MS};
    service_open(&self->service, self->log);
    service_ready(&self->service, self->url);
    status_t status = router_run(&self->router);
    service_close(&self->service);
    return status;
}

status_t broker_run(options_t *options, log_t *log, int signal_fd, void (*leave)(void))
{
    broker_t self = {.options = options,
                     .log = log,
                     .signal_fd = signal_fd,
                     .leave = leave,
                     .level_before_debug = LEVEL_INFO,
                     .data = {.dir = {.fd = -1, .lock_fd = -1}}};
    bool has_served = false;
    zsys_set_io_threads(IO_THREADS); /* before the first socket, else CZMQ aborts */
    status_t status = find_quota(&self);
    if (status == STATUS_OK) {
        status =
            broker_data_open(&self.data, options->data, options->store_reserve_mb * MEGABYTE, log);
    }
    if (status == STATUS_OK) {
        status = open_rules(&self);
    }
    if (status == STATUS_OK) {
        status = open_trace(&self);
    }
    if (status == STATUS_OK) {
        status = open_socket(&self);
    }
    if (status == STATUS_OK) {
        status = open_operator(&self);
    }
    if (status == STATUS_OK) {
        status = open_http(&self);
    }
    if (status == STATUS_OK) {
        status = announce(&self);
    }
    if (status == STATUS_OK) {
        status = serve(&self);
        has_served = true;
    }
    broker_close(&self);
    if (has_served) {
        LOG(log, status == STATUS_OK ? LEVEL_INFO : LEVEL_ERROR, log_event("stopped"),
            log_status("status", status));
    }
    return status;
}
