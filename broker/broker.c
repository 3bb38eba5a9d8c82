/* SPDX-License-Identifier: MPL-2.0 */
/* Start: directory and lock, key, store, rules, handler and monitor, addresses. End: backwards. */
#include "broker/broker.h"

#include "broker/data_dir.h"
#include "broker/monitor.h"
#include "broker/private_file.h"
#include "broker/router.h"
#include "broker/store/store_rocksdb.h"
#include "broker/zap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINGER_MS  1000
#define IO_THREADS 1
#define URL_BYTES  384
#define STORE_NAME "store"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS    (24 * 60 * MINUTE_MS)
#define MEGABYTE  (UINT64_C(1024) * 1024)

typedef struct {
    const options_t *options;
    log_t *log;
    data_dir_t dir;
    broker_key_t key;
    store_t *store;
    rules_t *rules;
    trace_hub_t *trace;
    router_calls_t *calls;
    counters_t counters;
    zap_options_t zap_options;
    zactor_t *zap;
    monitor_options_t monitor_options;
    zactor_t *monitor;
    router_socket_t socket;
} broker_t;

static status_t open_dir(broker_t *self)
{
    char path[PATH_MAX];
    const char *name = self->options->data;
    pid_t holder = 0;
    status_t status = STATUS_OK;
    if (!*name) {
        status = data_dir_default_path(path);
        name = path;
    }
    if (status != STATUS_OK) {
        LOG(self->log, LEVEL_ERROR, log_event("no_data_directory"),
            log_text("hint", "set HOME or give --data DIR"));
        return status;
    }
    status = data_dir_open(&self->dir, name, &holder);
    if (status == STATUS_HOME_IN_USE) {
        LOG(self->log, LEVEL_ERROR, log_event("data_directory_in_use"), log_text("path", name),
            log_integer("pid", holder), log_text("text", "another broker runs on this directory"),
            log_text("hint", "stop it, or give --data DIR for a second broker"));
    } else if (status == STATUS_UNSAFE_PERMISSIONS) {
        LOG(self->log, LEVEL_ERROR, log_event("data_directory_unsafe"), log_text("path", name),
            log_text("hint", "it must be yours, and nobody else may write to it: chmod 700"));
    } else if (status != STATUS_OK) {
        LOG(self->log, LEVEL_ERROR, log_event("data_directory_failed"), log_text("path", name),
            log_status("status", status), log_errno("cause", errno));
    }
    return status;
}

/* A store without its key: making a new one would lock out everybody who knows the old one. */
static bool key_is_lost(const broker_t *self)
{
    return faccessat(self->dir.fd, STORE_NAME, F_OK, 0) == 0 &&
           faccessat(self->dir.fd, KEY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
           errno == ENOENT;
}

static status_t open_key(broker_t *self)
{
    bool is_new = false;
    errno = 0;
    status_t status =
        key_is_lost(self) ? STATUS_NOT_FOUND : key_file_open(&self->key, self->dir.fd, &is_new);
    if (status == STATUS_OK) {
        if (is_new) {
            LOG(self->log, LEVEL_INFO, log_event("key_made"), log_text("dir", self->dir.path));
        }
        return status;
    }
    const char *hint = "";
    if (status == STATUS_UNSAFE_PERMISSIONS) {
        hint = "chmod 600 the file";
    } else if (status == STATUS_DAMAGED_FILE || status == STATUS_NOT_FOUND) {
        hint = "restore it from a backup: with another key it is another broker";
    } else if (status == STATUS_NEWER_FORMAT) {
        hint = "start the newer broker again";
    } else if (errno != 0) {
        hint = strerrordesc_np(errno);
    }
    LOG(self->log, LEVEL_ERROR, log_event("key_file_refused"), log_text("dir", self->dir.path),
        log_text("file", KEY_FILE_NAME), log_text("text", status_text(status)),
        log_text("hint", hint));
    return status;
}

/* 0 asks for no reserve; to the store 0 is its default. */
static uint64_t reserve_bytes(const options_t *options)
{
    return options->store_reserve_mb ? options->store_reserve_mb * MEGABYTE : UINT64_MAX;
}

static status_t open_store(broker_t *self)
{
    char path[PATH_MAX + 8];
    store_rocksdb_options_t options = {.reserve_bytes = reserve_bytes(self->options)};
    snprintf(path, sizeof path, "%s/" STORE_NAME, self->dir.path);
    status_t status = store_rocksdb_open(path, &options, &self->store);
    if (status == STATUS_OK) {
        rules_config_t config = rules_config_default(self->key.public_key);
        config.idle_ms = self->options->idle_seconds * SECOND_MS;
        config.retention_ms = self->options->retention_days * DAY_MS;
        snprintf(config.software, sizeof config.software, "conclaved %s", CONCLAVE_VERSION);
        self->rules = rules_new(self->store, &config);
        status = rules_open(self->rules);
    }
    if (status != STATUS_OK) {
        LOG(self->log, LEVEL_ERROR, log_event("store_refused"), log_text("path", path),
            log_status("status", status), log_text("text", status_text(status)));
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

static status_t open_trace(broker_t *self)
{
    self->trace = trace_hub_new(0);
    self->calls = router_calls_new();
    if (self->trace && self->calls) {
        return STATUS_OK;
    }
    LOG(self->log, LEVEL_ERROR, log_event("trace_failed"), log_errno("cause", errno));
    return STATUS_IO_ERROR;
}

static status_t open_socket(broker_t *self)
{
    zsys_set_io_threads(IO_THREADS);
    self->zap_options.log = self->log;
    self->zap_options.counters = &self->counters;
    self->zap = zactor_new(zap_actor, &self->zap_options);
    status_t status = router_socket_init(&self->socket, &self->key, &self->counters);
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
        memcpy(bound.key, self->key.public_key, KEY_BYTES);
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
    char url[URL_BYTES + 1];
    status_t status = listen_all(self, url, URL_BYTES);
    if (status != STATUS_OK) {
        return status;
    }
    size_t size = strlen(url);
    url[size] = '\n';
    status = private_file_write(self->dir.fd, BROKER_URL_NAME, url, size + 1);
    url[size] = '\0';
    if (status != STATUS_OK) {
        LOG(self->log, LEVEL_ERROR, log_event("url_file_failed"), log_text("dir", self->dir.path),
            log_errno("cause", errno));
        return status;
    }
    LOG(self->log, LEVEL_INFO, log_event("ready"), log_text("url", url),
        log_text("data", self->dir.path), log_text("version", CONCLAVE_VERSION));
    return STATUS_OK;
}

static void broker_close(broker_t *self)
{
    if (self->monitor) {
        monitor_stop(self->socket.socket);
        zactor_destroy(&self->monitor);
    }
    router_socket_wipe(&self->socket, LINGER_MS);
    zactor_destroy(&self->zap);
    trace_hub_destroy(&self->trace);
    router_calls_destroy(&self->calls);
    rules_destroy(&self->rules);
    store_destroy(&self->store);
    broker_key_wipe(&self->key);
    zsys_shutdown(); /* waits until what was sent has left, LINGER_MS at most */
    data_dir_close(&self->dir);
}

status_t broker_run(const options_t *options, log_t *log, int signal_fd)
{
    broker_t self = {.options = options, .log = log, .dir = {.fd = -1, .lock_fd = -1}};
    status_t status = find_quota(&self);
    if (status == STATUS_OK) {
        status = open_dir(&self);
    }
    if (status == STATUS_OK) {
        status = open_key(&self);
    }
    if (status == STATUS_OK) {
        status = open_store(&self);
    }
    if (status == STATUS_OK) {
        status = open_trace(&self);
    }
    if (status == STATUS_OK) {
        status = open_socket(&self);
    }
    if (status == STATUS_OK) {
        status = announce(&self);
    }
    if (status == STATUS_OK) {
        const router_options_t router = {.socket = &self.socket,
                                         .rules = self.rules,
                                         .store = self.store,
                                         .counters = &self.counters,
                                         .log = log,
                                         .trace = self.trace,
                                         .calls = self.calls,
                                         .signal_fd = signal_fd,
                                         .report_ms = options->report_minutes * MINUTE_MS};
        status = router_run(&router);
        LOG(log, status == STATUS_OK ? LEVEL_INFO : LEVEL_ERROR, log_event("stopped"),
            log_status("status", status));
    }
    broker_close(&self);
    return status;
}
