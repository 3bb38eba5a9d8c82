/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/load_room.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned next_name;

load_client_t *load_clients_new(void *context, const endpoint_t *broker, size_t count,
                                uint8_t purpose)
{
    load_client_t *clients = calloc(count, sizeof *clients);
    for (size_t i = 0; clients && i < count; i++) {
        char name[NAME_MAX_BYTES];
        snprintf(name, sizeof name, "user%u", next_name++);
        load_client_init(&clients[i], name);
        load_client_connect(&clients[i], context, broker);
        load_client_register(&clients[i], broker);
        load_client_login(&clients[i], broker, purpose);
    }
    return clients;
}

void load_clients_destroy(load_client_t *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        load_client_wipe(&clients[i]);
    }
    free(clients);
}

load_group_t *load_group_new(load_client_t *creator)
{
    char name[NAME_MAX_BYTES];
    load_group_t *group = calloc(1, sizeof *group);
    snprintf(name, sizeof name, "group%u", next_name++);
    load_group_create(group, name, creator);
    return group;
}

void load_room_open(load_room_t *self, void *context, const endpoint_t *broker, size_t senders,
                    size_t receivers)
{
    *self = (load_room_t){
        .sender_clients = load_clients_new(context, broker, senders, PURPOSE_DUTIES),
        .receiver_clients = load_clients_new(context, broker, receivers, PURPOSE_EVENTS),
        .senders = calloc(senders, sizeof(load_sender_t)),
        .receivers = calloc(receivers, sizeof(load_receiver_t)),
        .sender_count = senders,
        .receiver_count = receivers};
    load_group_t *group = self->group = load_group_new(&self->sender_clients[0]);
    load_group_join(group, &self->sender_clients[0], self->sender_clients + 1, senders - 1);
    load_group_join(group, &self->sender_clients[0], self->receiver_clients, receivers);
    /* A member's first event is the commit that added it; here all are added by the last ones. */
    for (size_t i = 0; i < senders; i++) {
        self->senders[i] = (load_sender_t){
            .client = &self->sender_clients[i], .group = group, .leaf = (uint32_t)i};
    }
    for (size_t i = 0; i < receivers; i++) {
        self->receivers[i] = (load_receiver_t){
            .client = &self->receiver_clients[i], .group = group, .cursor = group->epoch};
    }
}

void load_room_close(load_room_t *self)
{
    load_clients_destroy(self->sender_clients, self->sender_count);
    load_clients_destroy(self->receiver_clients, self->receiver_count);
    free(self->senders);
    free(self->receivers);
    free(self->group);
}

load_run_t load_room_run(const load_room_t *self)
{
    return (load_run_t){.senders = self->senders,
                        .sender_count = self->sender_count,
                        .receivers = self->receivers,
                        .receiver_count = self->receiver_count,
                        .window = LOAD_WINDOW,
                        .sealed_bytes = LOAD_SEALED_BYTES,
                        .warm_up_ns = UINT64_C(500000000),
                        .duration_ns = UINT64_C(2000000000)};
}
