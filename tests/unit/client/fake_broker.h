/* SPDX-License-Identifier: MPL-2.0 */
/* A ROUTER with CURVE that says what a test wants it to say. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_FAKE_BROKER_H
#define CONCLAVE_TESTS_UNIT_CLIENT_FAKE_BROKER_H

#include <czmq.h>
#include <sodium.h>
#include <string.h>

#include "proto/endpoint.h"

/* libzmq isn't built for ThreadSanitizer, which sees the memcpy of its threads but not what orders
 * them. Our own code is checked as ever. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}

typedef struct {
    zsock_t *router;
    endpoint_t endpoint; /* with the key that the ROUTER has */
    uint8_t peer[256];   /* routing id of who sent last */
    size_t peer_size;
} fake_broker_t;

/* port 0: any. */
static inline void fake_broker_open(fake_broker_t *self, uint16_t port,
                                    const uint8_t secret[static KEY_BYTES])
{
    memset(self, 0, sizeof *self);
    self->router = zsock_new(ZMQ_ROUTER);
    void *handle = zsock_resolve(self->router);
    int on = 1;
    zmq_setsockopt(handle, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, secret, KEY_BYTES);
    zsock_set_linger(self->router, 0);
    zsock_set_rcvtimeo(self->router, 15000);
    char wanted[64];
    snprintf(wanted, sizeof wanted, port ? "tcp://127.0.0.1:%u" : "tcp://127.0.0.1:*", port);
    int bound = zsock_bind(self->router, "%s", wanted);
    if (bound < 0)
        abort();
    snprintf(self->endpoint.host, sizeof self->endpoint.host, "127.0.0.1");
    self->endpoint.port = (uint16_t)bound;
    self->endpoint.has_key = true;
    crypto_scalarmult_base(self->endpoint.key, secret);
}

static inline void fake_broker_close(fake_broker_t *self)
{
    zsock_destroy(&self->router);
}

/* The next frame, waiting up to 3 s. False: none. */
static inline bool fake_broker_receive(fake_broker_t *self, buffer_t *frame)
{
    void *handle = zsock_resolve(self->router);
    int size = zmq_recv(handle, self->peer, sizeof self->peer, 0);
    if (size < 0)
        return false;
    self->peer_size = (size_t)size;
    zmq_msg_t part;
    zmq_msg_init(&part);
    zmq_msg_recv(&part, handle, 0);
    buffer_clear(frame);
    buffer_append(frame, zmq_msg_data(&part), zmq_msg_size(&part));
    zmq_msg_close(&part);
    return true;
}

static inline void fake_broker_send(fake_broker_t *self, const void *data, size_t size)
{
    void *handle = zsock_resolve(self->router);
    zmq_send(handle, self->peer, self->peer_size, ZMQ_SNDMORE);
    zmq_send(handle, data, size, 0);
}

#endif
