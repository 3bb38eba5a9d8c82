/* SPDX-License-Identifier: MPL-2.0 */
/* The protocol is a datagram; libsystemd would bring libgcrypt and four compressors into a broker
   that is to open nothing. */
#include "broker/process/service.h"

#include "broker/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SEND_SECONDS   1 /* a manager that takes nothing for so long isn't told */
#define EXTEND_SECONDS 5 /* beyond the drain's limit: for closing the store */

/* A path, or @NAME in the abstract namespace. */
static bool set_address(service_t *self, const char *text)
{
    size_t size = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof self->address.sun_path) {
        return false;
    }
    self->address.sun_family = AF_UNIX;
    memcpy(self->address.sun_path, text, size);
    if (text[0] == '@') {
        self->address.sun_path[0] = '\0';
    } else {
        size++; /* the NUL */
    }
    self->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

/* A watchdog is pinged in half its time, and only by the process that it watches. */
static uint64_t ping_every_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid())) {
        return 0;
    }
    uint64_t time_us = strtoull(usec, NULL, 10);
    return time_us > 0 && time_us < 2000 ? 1 : time_us / 2000;
}

static void tell(service_t *self, const char *state, int flags)
{
    if (!self->is_listening) {
        return;
    }
    ssize_t sent;
    do {
        sent = sendto(self->fd, state, strlen(state), flags | MSG_NOSIGNAL,
                      (const struct sockaddr *)&self->address, self->address_size);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        LOG(self->log, LEVEL_WARN, log_event("service_manager_not_told"),
            log_errno("cause", errno));
    }
}

void service_open(service_t *self, log_t *log)
{
    const char *address = getenv("NOTIFY_SOCKET");
    const struct timeval patience = {.tv_sec = SEND_SECONDS};
    *self = (service_t){.log = log};
    if (!address || !*address) {
        return;
    }
    if (!set_address(self, address)) {
        LOG(log, LEVEL_WARN, log_event("service_manager_not_told"),
            log_text("NOTIFY_SOCKET", address),
            log_text("text", "it is neither a path nor @NAME, or it is too long"));
        return;
    }
    self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 ||
        setsockopt(self->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        LOG(log, LEVEL_WARN, log_event("service_manager_not_told"), log_errno("cause", errno));
        if (self->fd >= 0) {
            close(self->fd);
        }
        return;
    }
    self->is_listening = true;
    self->ping_every_ms = ping_every_ms();
}

void service_close(service_t *self)
{
    if (self->is_listening) {
        close(self->fd);
    }
    *self = (service_t){0};
}

void service_ready(service_t *self, const char *address)
{
    snprintf(self->serving, sizeof self->serving, "READY=1\nSTATUS=Serving at %s", address);
    tell(self, self->serving, 0);
}

void service_trouble(service_t *self, const char *text)
{
    char state[512];
    snprintf(state, sizeof state, "STATUS=%s", text ? text : "");
    tell(self, text ? state : self->serving, MSG_DONTWAIT);
}

void service_reloading(service_t *self)
{
    char state[96];
    snprintf(state, sizeof state,
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the config file",
             monotonic_clock_us());
    tell(self, state, 0);
}

void service_stopping(service_t *self, uint64_t limit_seconds)
{
    char state[192];
    char watchdog[64] = "";
    uint64_t time_us = (limit_seconds + EXTEND_SECONDS) * 1000000;
    if (self->ping_every_ms) {
        snprintf(watchdog, sizeof watchdog, "\nWATCHDOG_USEC=%" PRIu64, time_us);
    }
    snprintf(state, sizeof state,
             "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "%s\nSTATUS=Draining, for %" PRIu64
             " s at most",
             time_us, watchdog, limit_seconds);
    tell(self, state, 0);
}

void service_alive(service_t *self, uint64_t now_ms)
{
    if (self->ping_every_ms && now_ms >= self->next_ping_ms) {
        self->next_ping_ms = now_ms + self->ping_every_ms;
        tell(self, "WATCHDOG=1", MSG_DONTWAIT); /* the loop waits for nobody */
    }
}

uint64_t service_next_ping(const service_t *self)
{
    return self->ping_every_ms ? self->next_ping_ms : UINT64_MAX;
}
