/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A world in one thread: clients (member and admin cores on vaults in memory), the real broker
 * rules on the store in memory, a network that loses, delays, doubles and reorders, crashes with
 * restart from what is durable, and a clock that jumps from event to event. Everything follows from
 * the seed.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_WORLD_H
#define CONCLAVE_TESTS_SIMULATION_WORLD_H

#include "broker/rules/rules.h"
#include "client/core/core.h"
#include "client/core/vault_memory.h"
#include "client/keys/identity.h"
#include "client/local/local.h"
#include "tests/simulation/chance.h"

/* Chances in 1/10,000. */
typedef struct {
    uint64_t seed;
    unsigned clients;
    unsigned loss;      /* of a frame, either way */
    unsigned push_loss; /* of a frame to a client, on top */
    unsigned doubling;
    unsigned reorder;      /* a frame may overtake others of its connection */
    unsigned cut;          /* the connection breaks at a frame */
    unsigned client_crash; /* at a step: before or after its transaction */
    unsigned broker_crash; /* at a turn */
    unsigned store_failure;
    uint64_t delay_ms; /* longest */
    uint64_t poll_period_ms;
    bool is_loud; /* prints what happens */
} world_options_t;

enum { SIDE_MEMBER = 0, SIDE_ADMIN = 1, SIDES = 2 };

typedef struct {
    bool is_open;
    uint64_t number; /* the routing id; a new one for each socket */
    uint8_t curve_key[KEY_BYTES];
    uint64_t last_at[2]; /* when the last frame arrives, to and from the broker */
} connection_t;

typedef struct {
    name_t name;
    identity_t *identity;
    vault_t *vaults[SIDES];
    core_t *cores[SIDES]; /* NULL while it is down */
    connection_t links[SIDES];
    uint64_t life;       /* counts restarts: what was under way in an older life is lost */
    uint64_t restart_at; /* while it is down */
    unsigned crashes;
} node_t;

typedef struct world world_t;

/* What a screen of a client is told: a reply or a push. */
typedef void world_screen_fn(void *context, world_t *world, size_t client,
                             const local_message_t *message);

#define WORLD_BROKER SIZE_MAX
/* Called after each step, when what it wrote is durable and what it sent is under way: of a client
 * (which may have crashed in it), or of the broker. What finds something wrong calls world_fail. */
typedef void world_observe_fn(void *context, world_t *world, size_t client_or_broker);

/* A lying broker: whether it puts other bytes (to out, which is empty) in the place of a frame for
 * a client. */
typedef bool world_lie_fn(void *context, bytes_t frame, buffer_t *out);

/* An event as the broker handed it out: what an eavesdropper with the broker's log has. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t sequence, kind;
    buffer_t payload;
} recorded_t;

struct world {
    world_options_t options;
    chance_t chance;
    uint64_t now_ms;
    store_t *store;
    rules_t *rules;
    uint8_t broker_key[KEY_BYTES];
    node_t *nodes;
    uint64_t last_connection;
    uint64_t last_request;
    struct event *events; /* a heap by time */
    size_t event_count, event_capacity;
    uint64_t event_order;
    world_screen_fn *screen;
    void *screen_context;
    world_observe_fn *observe; /* NULL: nobody watches */
    void *observe_context;
    world_lie_fn *lie; /* NULL: it is honest */
    void *lie_context;
    recorded_t *recorded; /* by group in the order of their sequence */
    size_t recorded_count, recorded_capacity;
    uint64_t steps, turns, crashes, losses;
    char failure[512]; /* not empty: the run has failed */
};

/* Makes the world, registers all clients ("c0", "c1", ...), starts them. */
world_t *world_new(const world_options_t *options, world_screen_fn *screen, void *context);
void world_destroy(world_t **self);

/* Runs until this time of its clock (ms since the start). */
void world_run(world_t *self, uint64_t until_ms);
/* From now on nothing is lost, doubled or crashed; who is down comes up at once. */
void world_calm(world_t *self);
/* Sends a request from the client's screen; its id, or 0 if the client is down. */
uint64_t world_request(world_t *self, size_t client, local_verb_t verb, const void *body);
void world_crash(world_t *self, size_t client);
/* NULL if it was never handed out. */
const recorded_t *world_recorded(const world_t *self, const uint8_t *group, uint64_t sequence);
void world_fail(world_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

void world_observe(world_t *self, size_t client_or_broker);

/* world_broker.c */
void world_broker_start(world_t *self);
/* A turn with one frame (size 0: only the tick). */
void world_broker_turn(world_t *self, const connection_t *from, bytes_t frame);
void world_broker_register(world_t *self, const identity_t *identity);

/* world_network.c */
typedef enum { EVENT_TO_BROKER, EVENT_TO_CLIENT, EVENT_LINK, EVENT_MAIL } event_kind_t;
typedef struct event {
    uint64_t at_ms, order;
    event_kind_t kind;
    size_t client;
    unsigned side;
    uint64_t life, connection;
    link_event_t link;
    connection_t peer;
    buffer_t bytes;
} event_t;
void world_event_add(world_t *self, event_t *event); /* bytes are moved */
bool world_event_take(world_t *self, uint64_t until_ms, event_t *out);
uint64_t world_event_next(const world_t *self);
void world_link_open(world_t *self, size_t client, unsigned side);
void world_link_close(world_t *self, size_t client, unsigned side);
void world_send_to_broker(world_t *self, size_t client, unsigned side, buffer_t *frame);
void world_send_to_client(world_t *self, const rules_peer_t *peer, bytes_t frame, bool is_push);

/* world_record.c */
void world_record(world_t *self, bytes_t frame);
void world_record_free(world_t *self);

#endif
