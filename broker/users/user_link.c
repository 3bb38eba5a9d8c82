/* SPDX-License-Identifier: MPL-2.0 */
/* One DEALER, one request at a time. */
#include "broker/users/user_link.h"

#include "broker/operator/socket_name.h"
#include "proto/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define ANSWER_MS 10000

struct user_link {
    void *context;
    void *socket;
    zmq_msg_t frame;
    message_t reply;
    uint64_t id;
    int dir_fd; /* the data directory's */
};

user_link_t *user_link_open(const char *data)
{
    char address[PATH_MAX + 32];
    struct sockaddr_un room;
    const int limit_ms = ANSWER_MS, none = 0;
    user_link_t *self = mem_zalloc(1, sizeof *self);
    zmq_msg_init(&self->frame);
    self->context = zmq_ctx_new();
    self->socket = zmq_socket(self->context, ZMQ_DEALER);
    self->dir_fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int length = snprintf(address, sizeof address, "ipc://%s/" OPERATOR_SOCKET_NAME, data);
    if ((size_t)length >= sizeof room.sun_path + sizeof "ipc://" - 1) {
        /* A socket's address is short, a path may be long. */
        snprintf(address, sizeof address, "ipc:///proc/self/fd/%d/" OPERATOR_SOCKET_NAME,
                 self->dir_fd);
    }
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
    if (dead->dir_fd >= 0) {
        close(dead->dir_fd);
    }
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
