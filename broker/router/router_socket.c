/* SPDX-License-Identifier: MPL-2.0 */
/* The hot path calls libzmq itself: CZMQ's messages would cost an allocation and a copy a part. */
#include "broker/router/router_socket.h"

#include "broker/zap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* zmq.h hides it among the drafts; the library has it. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

/* libzmq's own routing ids: a zero byte and a number. Those of a client's choice can't start so. */
#define ROUTING_ID_BYTES 5

#define HIGH_WATER_MARK    64
#define HEARTBEAT_MS       5000
#define HEARTBEAT_LIMIT_MS 15000
#define HANDSHAKE_LIMIT_MS 3000
#define LISTEN_BACKLOG     1024

status_t router_socket_init(router_socket_t *self, const key_pair_t *key, counters_t *counters)
{
    self->counters = counters;
    self->socket = zsock_new(ZMQ_ROUTER);
    self->handle = self->socket ? zsock_resolve(self->socket) : NULL;
    if (!self->handle) {
        return STATUS_IO_ERROR;
    }
    zsock_set_router_mandatory(self->socket, 1);
    zsock_set_sndtimeo(self->socket, 0);
    zsock_set_rcvtimeo(self->socket, 0);
    zsock_set_sndhwm(self->socket, HIGH_WATER_MARK);
    zsock_set_rcvhwm(self->socket, HIGH_WATER_MARK);
    zsock_set_maxmsgsize(self->socket, FRAME_MAX_BYTES);
    zsock_set_ipv6(self->socket, 1);
    zsock_set_backlog(self->socket, LISTEN_BACKLOG);
    zsock_set_handshake_ivl(self->socket, HANDSHAKE_LIMIT_MS);
    zsock_set_heartbeat_ivl(self->socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(self->socket, HEARTBEAT_LIMIT_MS);
    zsock_set_heartbeat_ttl(self->socket, HEARTBEAT_LIMIT_MS);
    zsock_set_curve_server(self->socket, 1);
    zsock_set_curve_secretkey_bin(self->socket, key->secret_key);
    zsock_set_zap_domain(self->socket, ZAP_DOMAIN);
    int enforce = 1;
    return zmq_setsockopt(self->handle, ZMQ_ZAP_ENFORCE_DOMAIN, &enforce, sizeof enforce) == 0
               ? STATUS_OK
               : STATUS_IO_ERROR;
}

void router_socket_wipe(router_socket_t *self, int linger_ms)
{
    if (self->socket) {
        zsock_set_linger(self->socket, linger_ms);
        zsock_destroy(&self->socket);
    }
    self->handle = NULL;
}

status_t router_socket_bind(router_socket_t *self, const endpoint_t *endpoint, endpoint_t *bound)
{
    char text[320];
    char last[320];
    size_t size = sizeof last;
    status_t status = endpoint_format_zmq(endpoint, text, sizeof text);
    if (status != STATUS_OK) {
        return status;
    }
    if (zmq_bind(self->handle, text) != 0 ||
        zmq_getsockopt(self->handle, ZMQ_LAST_ENDPOINT, last, &size) != 0) {
        return STATUS_IO_ERROR;
    }
    *bound = *endpoint;
    const char *port = strrchr(last, ':');
    bound->port = port ? (uint16_t)strtoul(port + 1, NULL, 10) : endpoint->port;
    return STATUS_OK;
}

/* Reads and drops the parts that are left of a message. */
static void drop_rest(void *handle, zmq_msg_t *part)
{
    while (zmq_msg_more(part) && zmq_msg_recv(part, handle, ZMQ_DONTWAIT) >= 0) {
    }
}

static bool frame_is_acceptable(router_socket_t *self, received_frame_t *out, zmq_msg_t *id)
{
    const uint8_t *id_bytes = zmq_msg_data(id);
    if (zmq_msg_more(&out->body)) {
        counter_add(&self->counters->frames_multipart, 1);
        drop_rest(self->handle, &out->body);
        return false;
    }
    if (zmq_msg_size(id) != ROUTING_ID_BYTES || id_bytes[0] != 0 ||
        !zap_user_key(out->peer.curve_key, zmq_msg_gets(&out->body, "User-Id"))) {
        counter_add(&self->counters->frames_without_user, 1);
        return false;
    }
    memcpy(out->peer.id, id_bytes, ROUTING_ID_BYTES);
    out->peer.id_size = ROUTING_ID_BYTES;
    return true;
}

bool router_socket_receive(router_socket_t *self, received_frame_t *out)
{
    zmq_msg_t id;
    zmq_msg_init(&id);
    zmq_msg_init(&out->body);
    while (zmq_msg_recv(&id, self->handle, ZMQ_DONTWAIT) >= 0) {
        counter_add(&self->counters->frames_received, 1);
        if (!zmq_msg_more(&id) || zmq_msg_recv(&out->body, self->handle, ZMQ_DONTWAIT) < 0) {
            continue;
        }
        if (frame_is_acceptable(self, out, &id)) {
            zmq_msg_close(&id);
            return true;
        }
    }
    zmq_msg_close(&id);
    zmq_msg_close(&out->body);
    return false;
}

bytes_t received_frame_bytes(received_frame_t *self)
{
    return (bytes_t){.data = zmq_msg_data(&self->body), .size = zmq_msg_size(&self->body)};
}

void received_frame_close(received_frame_t *self)
{
    zmq_msg_close(&self->body);
}

send_result_t router_socket_send(router_socket_t *self, const rules_peer_t *peer, bytes_t frame)
{
    zmq_msg_t id;
    zmq_msg_t body;
    /* So short that it needs no allocation. */
    zmq_msg_init_size(&id, peer->id_size);
    memcpy(zmq_msg_data(&id), peer->id, peer->id_size);
    if (zmq_msg_send(&id, self->handle, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        send_result_t result = errno == EHOSTUNREACH ? SEND_GONE : SEND_FULL;
        zmq_msg_close(&id);
        return result;
    }
    if (zmq_msg_init_size(&body, frame.size) != 0) {
        abort();
    }
    memcpy(zmq_msg_data(&body), frame.data, frame.size);
    counter_add(&self->counters->frames_sent, 1);
    if (zmq_msg_send(&body, self->handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&body);
        return SEND_GONE;
    }
    return SEND_OK;
}
