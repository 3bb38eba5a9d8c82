/* SPDX-License-Identifier: MPL-2.0 */
/* One DEALER, one request at a time. */
#include "broker/user_link.h"

#include "broker/operator/socket_name.h"
#include "proto/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define ANSWER_MS 10000

struct user_link {
    void *context;
    void *socket;
    zmq_msg_t frame;
    message_t reply;
    uint64_t id;
};

user_link_t *user_link_open(const char *data)
{
    char address[PATH_MAX + 32];
    const int limit_ms = ANSWER_MS, none = 0;
    user_link_t *self = mem_zalloc(1, sizeof *self);
    zmq_msg_init(&self->frame);
    self->context = zmq_ctx_new();
    self->socket = zmq_socket(self->context, ZMQ_DEALER);
    snprintf(address, sizeof address, "ipc://%s/" OPERATOR_SOCKET_NAME, data);
    if (self->socket && zmq_setsockopt(self->socket, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_setsockopt(self->socket, ZMQ_RCVTIMEO, &limit_ms, sizeof limit_ms) == 0 &&
        zmq_setsockopt(self->socket, ZMQ_SNDTIMEO, &limit_ms, sizeof limit_ms) == 0 &&
        zmq_connect(self->socket, address) == 0) {
        return self;
    }
    user_link_close(&self);
    return NULL;
}

void user_link_close(user_link_t **self)
{
    user_link_t *dead = *self;
    if (!dead) {
        return;
    }
    message_wipe(&dead->reply);
    zmq_msg_close(&dead->frame);
    if (dead->socket) {
        zmq_close(dead->socket);
    }
    zmq_ctx_term(dead->context);
    free(dead);
    *self = NULL;
}

status_t user_link_ask(user_link_t *self, verb_t verb, const void *body)
{
    buffer_t frame = {0};
    message_wipe(&self->reply);
    self->reply = (message_t){0};
    message_write_request(&frame, verb, ++self->id, (bytes_t){0}, (text_t){0}, body);
    int sent = zmq_send(self->socket, frame.data, frame.size, 0);
    buffer_free(&frame);
    while (sent >= 0 && zmq_msg_recv(&self->frame, self->socket, 0) >= 0) {
        bytes_t rest = {zmq_msg_data(&self->frame), zmq_msg_size(&self->frame)};
        if (rest.size == 0) {
            continue; /* a sign of life */
        }
        if (message_read(&self->reply, &rest, 1u << MESSAGE_REPLY) != STATUS_OK) {
            self->reply = (message_t){0};
            return STATUS_MALFORMED;
        }
        if (self->reply.id == self->id && self->reply.verb == verb) {
            return self->reply.status;
        }
        message_wipe(&self->reply);
        self->reply = (message_t){0};
    }
    return STATUS_TIMED_OUT;
}

const message_t *user_link_reply(const user_link_t *self)
{
    return &self->reply;
}
