/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/mailbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/memory.h"

/* ThreadSanitizer can't see that libzmq orders what happens before a send and after its receive;
 * these two calls tell it. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifdef UNDER_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif

void pointer_hand_over(void *pointer)
{
#ifdef UNDER_TSAN
    __tsan_release(pointer);
#else
    (void)pointer;
#endif
}

void pointer_take_over(void *pointer)
{
#ifdef UNDER_TSAN
    __tsan_acquire(pointer);
#else
    (void)pointer;
#endif
}

enum { PIPE_MESSAGES = 256 };

struct mailbox {
    zsock_t *pipe;
    parcel_t *first; /* waiting, oldest first */
    parcel_t *last;
    size_t waiting_messages;
    size_t waiting_bytes;
};

parcel_t *parcel_new(parcel_kind_t kind, buffer_t *bytes)
{
    parcel_t *self = mem_zalloc(1, sizeof *self);
    self->kind = kind;
    self->socket = -1;
    if (bytes) {
        self->bytes = *bytes;
        *bytes = (buffer_t){0}; /* transferred */
    }
    return self;
}

void parcel_destroy(parcel_t **self)
{
    if (!*self)
        return;
    if ((*self)->socket >= 0)
        close((*self)->socket);
    buffer_wipe(&(*self)->bytes);
    free(*self);
    *self = NULL;
}

static mailbox_t *mailbox_of(zsock_t *pipe)
{
    mailbox_t *self = mem_zalloc(1, sizeof *self);
    self->pipe = pipe;
    zsock_set_sndhwm(pipe, PIPE_MESSAGES);
    zsock_set_rcvhwm(pipe, PIPE_MESSAGES);
    zsock_set_sndtimeo(pipe, 0);
    zsock_set_rcvtimeo(pipe, 0);
    zsock_set_linger(pipe, 0);
    return self;
}

void mailbox_pair_new(mailbox_t **one, mailbox_t **other)
{
    zsock_t *left = zsock_new(ZMQ_PAIR);
    zsock_t *right = zsock_new(ZMQ_PAIR);
    if (!left || !right)
        abort(); /* out of memory or of sockets at the start */
    *one = mailbox_of(left);
    *other = mailbox_of(right);
    char name[64]; /* never used before: ZeroMQ frees the name of a closed one some time later */
    snprintf(name, sizeof name, "inproc://mailbox-%08x%08x", randombytes_random(),
             randombytes_random());
    if (zsock_bind(left, "%s", name) != 0 || zsock_connect(right, "%s", name) != 0)
        abort();
}

void mailbox_destroy(mailbox_t **self)
{
    mailbox_t *box = *self;
    if (!box)
        return;
    parcel_t *parcel;
    while ((parcel = mailbox_receive(box)) != NULL)
        parcel_destroy(&parcel);
    while (box->first) {
        parcel = box->first;
        box->first = parcel->next;
        parcel_destroy(&parcel);
    }
    zsock_destroy(&box->pipe);
    free(box);
    *self = NULL;
}

/* The pointer itself travels; who receives it owns it. */
static bool pipe_send(mailbox_t *self, parcel_t *parcel)
{
    pointer_hand_over(parcel);
    int rc;
    do
        rc = zmq_send(zsock_resolve(self->pipe), &parcel, sizeof parcel, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc == (int)sizeof parcel;
}

bool mailbox_flush(mailbox_t *self)
{
    while (self->first) {
        parcel_t *parcel = self->first;
        parcel_t *next = parcel->next;
        size_t size = parcel->bytes.size;
        parcel->next = NULL;
        if (!pipe_send(self, parcel)) {
            parcel->next = next;
            return true;
        }
        self->first = next;
        self->waiting_messages--;
        self->waiting_bytes -= size;
    }
    self->last = NULL;
    return false;
}

status_t mailbox_send(mailbox_t *self, parcel_t **parcel)
{
    parcel_t *one = *parcel;
    *parcel = NULL; /* transferred */
    one->next = NULL;
    if (!mailbox_flush(self) && pipe_send(self, one))
        return STATUS_OK;
    if (self->waiting_messages >= MAILBOX_WAITING_MESSAGES_MAX ||
        one->bytes.size > MAILBOX_WAITING_BYTES_MAX - self->waiting_bytes) {
        parcel_destroy(&one);
        return STATUS_TOO_MANY;
    }
    if (self->last)
        self->last->next = one;
    else
        self->first = one;
    self->last = one;
    self->waiting_messages++;
    self->waiting_bytes += one->bytes.size;
    return STATUS_OK;
}

parcel_t *mailbox_receive(mailbox_t *self)
{
    parcel_t *parcel = NULL;
    int rc;
    do
        rc = zmq_recv(zsock_resolve(self->pipe), &parcel, sizeof parcel, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    if (rc != (int)sizeof parcel)
        return NULL;
    pointer_take_over(parcel);
    return parcel;
}

zsock_t *mailbox_socket(const mailbox_t *self)
{
    return self->pipe;
}
