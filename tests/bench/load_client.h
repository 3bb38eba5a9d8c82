/* SPDX-License-Identifier: MPL-2.0 */
/* A user of the load client: an identity, and one connection that speaks the real protocol. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_CLIENT_H
#define CONCLAVE_TESTS_BENCH_LOAD_CLIENT_H

#include "proto/endpoint.h"
#include "proto/message.h"

#include <sodium.h>
#include <zmq.h>

typedef struct {
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    uint8_t identity_secret[crypto_sign_SECRETKEYBYTES];
    void *socket;
    uint8_t curve_key[KEY_BYTES]; /* public, of this connection */
    uint8_t token[TOKEN_BYTES];
    bool has_token;
    uint64_t next_id;
} load_client_t;

/* Everything here ends the process with a message when it fails: this is a measuring tool. */
_Noreturn void load_fail(const char *what, const char *cause);

/* Makes an identity with this name; not connected yet. */
void load_client_init(load_client_t *self, const char *name);
void load_client_wipe(load_client_t *self);

/* A fresh DEALER, and hello. */
void load_client_connect(load_client_t *self, void *context, const endpoint_t *broker);
void load_client_register(load_client_t *self, const endpoint_t *broker);
void load_client_login(load_client_t *self, const endpoint_t *broker, uint8_t purpose);

/* One request, and its reply, which is valid until load_reply_wipe. Pushes meanwhile are dropped.
 */
typedef struct {
    zmq_msg_t frame;
    message_t message;
} load_reply_t;
status_t load_client_call(load_client_t *self, verb_t verb, const void *body, load_reply_t *reply);
void load_reply_wipe(load_reply_t *self);
/* The same for calls that must succeed and whose reply doesn't matter. */
void load_client_must(load_client_t *self, verb_t verb, const void *body);

/* Sends without waiting, and leaves the frame empty. */
void load_client_send_frame(load_client_t *self, buffer_t *frame);
bytes_t load_client_token(const load_client_t *self);

#endif
