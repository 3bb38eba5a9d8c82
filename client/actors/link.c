/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/link.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/actors/link_watch.h"
#include "client/home/clock.h"
#include "proto/limits.h"
#include "proto/memory.h"

enum {
    HIGH_WATER_MARK = 64,
    HEARTBEAT_MS = 5000,
    HEARTBEAT_DEAD_MS = 15000,
    RECONNECT_FIRST_MS = 100,
    RECONNECT_MAX_MS = 2000,
    CONNECT_TIMEOUT_MS = 10000,
    CURVE_OVERHEAD_BYTES = 256, /* ZeroMQ's limit counts the sealed message */
};

struct link {
    char endpoint[320];
    uint8_t broker_key[KEY_BYTES];
    bool is_name; /* of a host, not an address */
    unsigned opened;
    zsock_t *socket;
    zsock_t *monitor;
    link_watch_t watch;
    buffer_t waiting[LINK_WAITING_FRAMES_MAX]; /* a ring, oldest at first */
    size_t first, count, waiting_bytes;
};

status_t link_new(link_t **out, const endpoint_t *broker)
{
    *out = NULL;
    if (!broker->has_key)
        return STATUS_BAD_ENDPOINT;
    link_t *self = mem_zalloc(1, sizeof *self);
    if (endpoint_format_zmq(broker, self->endpoint, sizeof self->endpoint) != STATUS_OK) {
        free(self);
        return STATUS_BAD_ENDPOINT;
    }
    memcpy(self->broker_key, broker->key, KEY_BYTES);
    struct in_addr unused;
    self->is_name = !broker->is_ipv6 && inet_pton(AF_INET, broker->host, &unused) != 1;
    *out = self;
    return STATUS_OK;
}

void link_destroy(link_t **self)
{
    if (!*self)
        return;
    link_close(*self);
    free(*self);
    *self = NULL;
}

static void drop_waiting(link_t *self)
{
    for (; self->count > 0; self->count--) {
        buffer_wipe(&self->waiting[self->first]);
        self->first = (self->first + 1) % LINK_WAITING_FRAMES_MAX;
    }
    self->waiting_bytes = 0;
}

void link_close(link_t *self)
{
    if (self->socket)
        zmq_socket_monitor(zsock_resolve(self->socket), NULL, 0);
    zsock_destroy(&self->monitor);
    zsock_destroy(&self->socket);
    drop_waiting(self);
}

/* A fresh key pair; the secret half is only in the socket afterwards. */
static bool set_keys(link_t *self, void *socket, uint8_t key[static KEY_BYTES])
{
    uint8_t secret[crypto_box_SECRETKEYBYTES];
    crypto_box_keypair(key, secret);
    bool is_set = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, self->broker_key, KEY_BYTES) == 0 &&
                  zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key, KEY_BYTES) == 0 &&
                  zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, sizeof secret) == 0;
    sodium_memzero(secret, sizeof secret);
    return is_set;
}

static void set_limits(link_t *self)
{
    zsock_t *socket = self->socket;
    zsock_set_linger(socket, 0);
    zsock_set_sndhwm(socket, HIGH_WATER_MARK);
    zsock_set_rcvhwm(socket, HIGH_WATER_MARK);
    zsock_set_sndtimeo(socket, 0);
    zsock_set_rcvtimeo(socket, 0);
    zsock_set_maxmsgsize(socket, FRAME_MAX_BYTES + CURVE_OVERHEAD_BYTES);
    zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(socket, HEARTBEAT_DEAD_MS);
    zsock_set_handshake_ivl(socket, LINK_HANDSHAKE_MS);
    zsock_set_connect_timeout(socket, CONNECT_TIMEOUT_MS);
    zsock_set_reconnect_ivl(socket, RECONNECT_FIRST_MS);
    zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
    /* Nothing is queued inside ZeroMQ for a connection that isn't there: it would be sent, out of
     * order, on the next one. */
    zsock_set_immediate(socket, 1);
    /* With IPV6 set ZeroMQ tries a name's first IPv6 address only, without it its IPv4 addresses
     * only: take turns. [::1] needs it. */
    bool is_ipv6_turn = self->is_name && self->opened % 2 == 1;
    zsock_set_ipv6(socket, strchr(self->endpoint, '[') || is_ipv6_turn);
}

static bool open_monitor(link_t *self)
{
    char name[64]; /* never used before: ZeroMQ frees the name of a closed one some time later */
    snprintf(name, sizeof name, "inproc://link-%08x%08x", randombytes_random(),
             randombytes_random());
    if (zmq_socket_monitor(zsock_resolve(self->socket), name, ZMQ_EVENT_ALL) != 0)
        return false;
    self->monitor = zsock_new(ZMQ_PAIR);
    if (!self->monitor)
        return false;
    zsock_set_linger(self->monitor, 0);
    zsock_set_rcvtimeo(self->monitor, 0);
    return zsock_connect(self->monitor, "%s", name) == 0;
}

status_t link_open(link_t *self, uint8_t key[static KEY_BYTES])
{
    link_close(self);
    link_watch_reopen(&self->watch);
    self->socket = zsock_new(ZMQ_DEALER);
    if (self->socket) {
        set_limits(self);
        self->opened++;
        if (set_keys(self, zsock_resolve(self->socket), key) && open_monitor(self) &&
            zsock_connect(self->socket, "%s", self->endpoint) == 0)
            return STATUS_OK;
    }
    link_close(self);
    return STATUS_IO_ERROR;
}

zsock_t *link_socket(const link_t *self)
{
    return self->socket;
}

zsock_t *link_monitor(const link_t *self)
{
    return self->monitor;
}

void link_wait(link_t *self, uint64_t timeout_ms)
{
    if (!self->socket) {
        clock_sleep_ms(timeout_ms);
        return;
    }
    zmq_pollitem_t items[] = {{zsock_resolve(self->socket), 0, ZMQ_POLLIN, 0},
                              {zsock_resolve(self->monitor), 0, ZMQ_POLLIN, 0}};
    if (self->watch.is_connected && self->count > 0)
        items[0].events |= ZMQ_POLLOUT;
    zmq_poll(items, 2, timeout_ms > LONG_MAX ? -1 : (long)timeout_ms);
}

bool link_flush(link_t *self)
{
    while (self->count > 0) {
        if (!self->socket || !(zsock_events(self->socket) & ZMQ_POLLOUT))
            return self->watch.is_connected;
        buffer_t *frame = &self->waiting[self->first];
        if (zmq_send(zsock_resolve(self->socket), frame->data, frame->size, ZMQ_DONTWAIT) < 0)
            return self->watch.is_connected;
        self->waiting_bytes -= frame->size;
        buffer_wipe(frame);
        self->first = (self->first + 1) % LINK_WAITING_FRAMES_MAX;
        self->count--;
    }
    return false;
}

status_t link_send(link_t *self, buffer_t *frame)
{
    status_t status = STATUS_OK;
    if (!self->socket)
        status = STATUS_UNREACHABLE;
    else if (frame->size > FRAME_MAX_BYTES)
        status = STATUS_TOO_LARGE;
    else if (self->count == LINK_WAITING_FRAMES_MAX ||
             self->waiting_bytes + frame->size > LINK_WAITING_BYTES_MAX)
        status = STATUS_TOO_MANY;
    if (status != STATUS_OK) {
        buffer_wipe(frame);
        return status;
    }
    self->waiting[(self->first + self->count) % LINK_WAITING_FRAMES_MAX] = *frame;
    self->count++;
    self->waiting_bytes += frame->size;
    *frame = (buffer_t){0}; /* transferred */
    link_flush(self);
    return STATUS_OK;
}

bool link_receive(link_t *self, buffer_t *frame)
{
    bool is_rest = false; /* of a message that is dropped */
    while (self->socket) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, zsock_resolve(self->socket), ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return false;
        }
        bool has_more = zmq_msg_more(&part) != 0;
        size_t size = zmq_msg_size(&part);
        bool is_frame = !is_rest && !has_more && size > 0 && size <= FRAME_MAX_BYTES;
        if (is_frame) {
            buffer_clear(frame);
            buffer_append(frame, zmq_msg_data(&part), size);
        }
        zmq_msg_close(&part);
        if (is_frame)
            return true;
        is_rest = has_more;
    }
    return false;
}

/* One event of the monitor: its first part holds number (2 bytes) and value (4), its second the
 * address. */
static bool read_monitor(link_t *self, unsigned *event)
{
    void *monitor = zsock_resolve(self->monitor);
    uint8_t head[6];
    if (zmq_recv(monitor, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head)
        return false;
    uint16_t number;
    memcpy(&number, head, sizeof number); /* in the machine's byte order */
    *event = number;
    char address[8];
    zmq_recv(monitor, address, sizeof address, ZMQ_DONTWAIT); /* cut off, not needed */
    return true;
}

bool link_next_event(link_t *self, link_event_t *out)
{
    unsigned event;
    while (self->monitor && read_monitor(self, &event)) {
        if (!link_watch_event(&self->watch, event, clock_boot_ms(), out))
            continue;
        if (*out != LINK_CONNECTED)
            drop_waiting(self); /* it belonged to the connection that is gone */
        return true;
    }
    return false;
}
