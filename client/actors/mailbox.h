/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How actors hand each other owned pointers: nothing else crosses threads. A mailbox is one end of
 * a pair; both ends keep what doesn't fit into the pipe in a bounded list of their own, so that
 * neither ever waits for the other.
 */
#ifndef CONCLAVE_CLIENT_ACTORS_MAILBOX_H
#define CONCLAVE_CLIENT_ACTORS_MAILBOX_H

#include <czmq.h>

#include "proto/bytes.h"

typedef enum {
    PARCEL_CORE,        /* bytes of one core for the other */
    PARCEL_SCREEN,      /* a frame from or to a screen */
    PARCEL_SCREEN_GONE, /* a screen has closed */
    PARCEL_FAILED,      /* an actor stopped for good: status, and its reason in bytes */
    PARCEL_ENDING,      /* the process is about to end: the reason in bytes */
    PARCEL_SOCKET,      /* a connected socket to serve as a screen */
} parcel_kind_t;

typedef struct parcel {
    parcel_kind_t kind;
    uint64_t screen; /* of PARCEL_SCREEN, PARCEL_SCREEN_GONE */
    status_t status; /* of PARCEL_FAILED */
    int socket;      /* of PARCEL_SOCKET: owned, or -1 */
    buffer_t bytes;  /* may be secret: wiped */
    struct parcel *next;
} parcel_t;

/* Moves bytes in; NULL means none. */
parcel_t *parcel_new(parcel_kind_t kind, buffer_t *bytes);
void parcel_destroy(parcel_t **self);

/* What may wait at one end because the other doesn't read. More than this and the other side is
 * taken for stuck. */
#define MAILBOX_WAITING_MESSAGES_MAX 65536
#define MAILBOX_WAITING_BYTES_MAX    (64u * 1024 * 1024)

/* Owned by one actor. Not thread-safe; may move to another thread before its first use. */
typedef struct mailbox mailbox_t;

/* A connected pair. */
void mailbox_pair_new(mailbox_t **one, mailbox_t **other);
/* Mail that waits at this end, or in the pipe towards it, is destroyed. Destroy both ends only when
 * no thread uses either any more. */
void mailbox_destroy(mailbox_t **self);

/* Takes the parcel over whatever happens, and never waits. STATUS_TOO_MANY: over the limits, it
 * is destroyed. */
MUST_CHECK status_t mailbox_send(mailbox_t *self, parcel_t **parcel);
/* The next parcel, or NULL. Never waits. */
parcel_t *mailbox_receive(mailbox_t *self);
/* Sends what waits. True if something still does: call again within milliseconds. */
bool mailbox_flush(mailbox_t *self);
/* To poll for reading. */
zsock_t *mailbox_socket(const mailbox_t *self);

/* For a pointer that changes threads by CZMQ's own means: an actor's argument, when its thread
 * ends. Before, and after. */
void pointer_hand_over(void *pointer);
void pointer_take_over(void *pointer);

#endif
