/* SPDX-License-Identifier: MPL-2.0 */
/* What a service manager is told (sd_notify(3)), where there is one. */
#ifndef CONCLAVE_BROKER_PROCESS_SERVICE_H
#define CONCLAVE_BROKER_PROCESS_SERVICE_H

#include "broker/log.h"

#include <sys/socket.h>
#include <sys/un.h>

/* Owned by one thread. Zeroed: nobody listens, and all below do nothing. */
typedef struct {
    log_t *log; /* borrowed; told when a message can't be sent */
    bool is_listening;
    int fd;
    struct sockaddr_un address;
    socklen_t address_size;
    uint64_t ping_every_ms; /* 0: no watchdog */
    uint64_t next_ping_ms;
    char serving[512]; /* what service_ready told */
} service_t;

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment. */
void service_open(service_t *self, log_t *log);
void service_close(service_t *self);

/* It serves at this address: after the start, and again after each service_reloading. */
void service_ready(service_t *self, const char *address);
/* What is wrong while it goes on, for the manager's status; NULL: nothing any more. */
void service_trouble(service_t *self, const char *text);
void service_reloading(service_t *self);
/* It ends within so long: a manager, and a watchdog, with less patience are asked for more. */
void service_stopping(service_t *self, uint64_t limit_seconds);

/* To be called at least as often as service_next_ping says, by the loop that must not hang: tells
   the watchdog, when it is due, that it does not. now_ms: the clock of service_next_ping. */
void service_alive(service_t *self, uint64_t now_ms);
/* UINT64_MAX without a watchdog. */
uint64_t service_next_ping(const service_t *self);

#endif
