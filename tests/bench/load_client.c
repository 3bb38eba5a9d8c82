/* SPDX-License-Identifier: MPL-2.0 */
/* Plain blocking calls for the set-up; the measured part sends and receives frames itself. */
#include "tests/bench/load_client.h"

#include "proto/statement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 20000

void load_fail(const char *what, const char *cause)
{
    fprintf(stderr, "broker_load: %s: %s\n", what, cause);
    exit(1);
}

void load_client_init(load_client_t *self, const char *name)
{
    memset(self, 0, sizeof *self);
    if (name_parse(&self->name, name) != STATUS_OK) {
        load_fail(name, "bad name");
    }
    crypto_sign_keypair(self->identity_key, self->identity_secret);
}

void load_client_wipe(load_client_t *self)
{
    if (self->socket) {
        zmq_close(self->socket);
    }
    sodium_memzero(self, sizeof *self);
}

bytes_t load_client_token(const load_client_t *self)
{
    return (bytes_t){self->token, self->has_token ? sizeof self->token : 0};
}

static void release(void *data, void *hint)
{
    (void)hint;
    free(data);
}

void load_client_send_frame(load_client_t *self, buffer_t *frame)
{
    zmq_msg_t message;
    zmq_msg_init_data(&message, frame->data, frame->size, release, NULL);
    if (zmq_msg_send(&message, self->socket, ZMQ_DONTWAIT) < 0) {
        load_fail("send", zmq_strerror(errno));
    }
    *frame = (buffer_t){0};
}

static void set_number(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0) {
        load_fail("zmq_setsockopt", zmq_strerror(errno));
    }
}

void load_client_connect(load_client_t *self, void *context, const endpoint_t *broker)
{
    char address[320];
    char public_text[41];
    char secret_text[41];
    self->socket = zmq_socket(context, ZMQ_DEALER);
    if (!self->socket) {
        load_fail("zmq_socket", zmq_strerror(errno));
    }
    zmq_curve_keypair(public_text, secret_text);
    zmq_z85_decode(self->curve_key, public_text);
    zmq_setsockopt(self->socket, ZMQ_CURVE_SERVERKEY, broker->key, KEY_BYTES);
    zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, public_text, sizeof public_text);
    zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, secret_text, sizeof secret_text);
    set_number(self->socket, ZMQ_LINGER, 0);
    set_number(self->socket, ZMQ_RCVTIMEO, CALL_TIMEOUT_MS);
    set_number(self->socket, ZMQ_HEARTBEAT_IVL, 5000);
    if (endpoint_format_zmq(broker, address, sizeof address) != STATUS_OK ||
        zmq_connect(self->socket, address) != 0) {
        load_fail("connect", zmq_strerror(errno));
    }
    const hello_request_t hello = {
        .version_min = 1, .version_max = 1, .software = {"broker_load", 11}};
    load_client_must(self, VERB_hello, &hello);
}

void load_reply_wipe(load_reply_t *self)
{
    message_wipe(&self->message);
    zmq_msg_close(&self->frame);
}

/* True if the frame holds the reply to this id, which is then in *reply. */
static bool find_reply(load_reply_t *reply, uint64_t id)
{
    bytes_t rest = {zmq_msg_data(&reply->frame), zmq_msg_size(&reply->frame)};
    for (;;) {
        memset(&reply->message, 0, sizeof reply->message);
        if (message_read(&reply->message, &rest, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH) !=
            STATUS_OK) {
            message_wipe(&reply->message);
            return false;
        }
        if (reply->message.kind == MESSAGE_REPLY && reply->message.id == id) {
            return true;
        }
        message_wipe(&reply->message);
    }
}

status_t load_client_call(load_client_t *self, verb_t verb, const void *body, load_reply_t *reply)
{
    buffer_t frame = {0};
    uint64_t id = ++self->next_id;
    message_write_request(&frame, verb, id, load_client_token(self), (text_t){"", 0}, body);
    load_client_send_frame(self, &frame);
    for (;;) {
        zmq_msg_init(&reply->frame);
        if (zmq_msg_recv(&reply->frame, self->socket, 0) < 0) {
            load_fail(verb_name(verb), zmq_strerror(errno));
        }
        if (find_reply(reply, id)) {
            return reply->message.status;
        }
        zmq_msg_close(&reply->frame);
    }
}

void load_client_must(load_client_t *self, verb_t verb, const void *body)
{
    load_reply_t reply;
    status_t status = load_client_call(self, verb, body, &reply);
    if (status != STATUS_OK) {
        load_fail(verb_name(verb), status_name(status));
    }
    load_reply_wipe(&reply);
}

void load_client_register(load_client_t *self, const endpoint_t *broker)
{
    buffer_t statement = {0};
    register_request_t request = {.name = self->name};
    memcpy(request.identity_key, self->identity_key, KEY_BYTES);
    statement_register(&statement, broker->key, self->name.text, self->identity_key);
    crypto_sign_detached(request.signature, NULL, statement.data, statement.size,
                         self->identity_secret);
    buffer_free(&statement);
    load_client_must(self, VERB_register, &request);
}

void load_client_login(load_client_t *self, const endpoint_t *broker, uint8_t purpose)
{
    buffer_t statement = {0};
    load_reply_t reply;
    const challenge_request_t ask = {.name = self->name};
    login_request_t login = {.name = self->name, .purpose = purpose};
    if (load_client_call(self, VERB_challenge, &ask, &reply) != STATUS_OK) {
        load_fail("challenge", status_name(reply.message.status));
    }
    memcpy(login.challenge, reply.message.body.challenge_reply.challenge, CHALLENGE_BYTES);
    load_reply_wipe(&reply);
    statement_login(&statement, broker->key, self->name.text, login.challenge, self->curve_key,
                    purpose);
    crypto_sign_detached(login.signature, NULL, statement.data, statement.size,
                         self->identity_secret);
    buffer_free(&statement);
    if (load_client_call(self, VERB_login, &login, &reply) != STATUS_OK) {
        load_fail("login", status_name(reply.message.status));
    }
    memcpy(self->token, reply.message.body.login_reply.token, TOKEN_BYTES);
    self->has_token = true;
    load_reply_wipe(&reply);
}
