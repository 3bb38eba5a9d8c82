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
#include "tests/simulation/tally.h"

typedef struct {
    uint64_t seed;
    unsigned clients;
    unsigned newcomers; /* of them, the last ones: nobody until they enrol */
    uint64_t absent;    /* bit per client: takes no part at all */
    faults_t faults;
    uint64_t delay_ms; /* longest of a frame, faults aside */
    uint64_t poll_period_ms;
    bool is_invite_only;           /* only whom the operator invited may register */
    uint64_t idle_ms, absolute_ms; /* how long sessions live; 0: as the broker has it by default */
    uint64_t pace;                 /* how much longer than in a hurry people and absences take */
    bool is_loud;                  /* prints what screens are told */
    bool is_traced;                /* prints each step */
} world_options_t;

enum { SIDE_MEMBER = 0, SIDE_ADMIN = 1, SIDES = 2 };

typedef struct {
    bool is_open;
    uint64_t number; /* the routing id; a new one for each socket */
    uint8_t curve_key[KEY_BYTES];
    uint64_t last_at[2]; /* when the last frame arrives, to and from the broker */
    uint64_t echo_ms;    /* what goes to the broker now comes once more, so much later */
    uint64_t late_ms;    /* the frames that go to the broker now take longer, and are overtaken */
} connection_t;

typedef struct {
    name_t name;
    identity_t *identity;
    chance_t chance; /* its own: of its connections and new starts, faults aside */
    vault_t *vaults[SIDES];
    core_t *cores[SIDES]; /* NULL while it is down */
    connection_t links[SIDES];
    uint64_t life;       /* counts restarts: what was under way in an older life is lost */
    uint64_t restart_at; /* while it is down; UINT64_MAX: not by itself */
    unsigned crashes;
    bool is_invited;
    bool is_registered;
    bool is_closing;            /* the broker took its unregister; it may not have been told */
    bool is_gone;               /* closed its account: for good */
    uint64_t disabled_until_ms; /* by the operator; 0: it isn't */
    int64_t wall_step_ms;       /* how wrong its clock is */
    struct watched *watched;    /* watch.c */
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
 * a client, or from it. */
typedef bool world_lie_fn(void *context, size_t client, bytes_t frame, buffer_t *out);

/* An event as the broker handed it out: what an eavesdropper with the broker's log has. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t sequence, kind;
    buffer_t payload;
} recorded_t;

struct world {
    world_options_t options;
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
    world_lie_fn *lie;  /* to a client; NULL: the truth */
    world_lie_fn *hear; /* from a client; NULL: what was said */
    void *lie_context;
    recorded_t *recorded; /* in the order in which they were first handed out */
    size_t recorded_count, recorded_capacity;
    struct head *heads; /* of the groups' logs, as the rules last told of them */
    size_t head_count;
    bool was_set_back, was_restored; /* the latter: and said so */
    store_t *remembered;             /* what the broker may be set back to; NULL: nothing */
    int64_t broker_step_ms;
    uint64_t full_until_ms;   /* the broker's disk is full until then; 0: it isn't */
    status_t register_status; /* as last answered */
    tally_t tally;
    char cause[128];          /* of the step under way, if traced */
    const char *failure_kind; /* its format */
    char failure[512];        /* not empty: the run has failed */
};

/* Makes the world, registers all clients ("c0", "c1", ...) but the newcomers, starts them. */
world_t *world_new(const world_options_t *options, world_screen_fn *screen, void *context);
void world_destroy(world_t **self);

/* Runs until this time of its clock (ms since the start). */
void world_run(world_t *self, uint64_t until_ms);
/* From now on nothing is lost, doubled or crashed; who is down comes up at once. */
void world_calm(world_t *self);
/* What the client's screen gives that request: a third of them are traced. */
trace_context_t world_trace_of(uint64_t request);
/* Sends a request from the client's screen; its id, or 0 if the client is down. */
uint64_t world_request(world_t *self, size_t client, local_verb_t verb, const void *body);
void world_crash(world_t *self, size_t client);
/* What the client's member side sends from now on is overtaken by what it sends after the next call
 * of this with 0. */
void world_dawdle(world_t *self, size_t client, uint64_t late_ms);
/* A copy of what it sends until the next call with 0 comes so much later. */
void world_echo(world_t *self, size_t client, uint64_t late_ms);
/* The client ends, and is started again after this time. */
void world_stop(world_t *self, size_t client, uint64_t away_ms);
/* A newcomer registers and starts, at once or as soon as the broker can. */
void world_enrol(world_t *self, size_t client);
/* Its account is closed: it never comes back. */
void world_bury(world_t *self, size_t client);
/* Its screen goes away, and another one comes. */
void world_reopen(world_t *self, size_t client);
/* Whether the fault happens now; counts it. */
bool world_fault(world_t *self, fault_t fault);
/* How long or how far, for a fault that happens. */
uint64_t world_fault_below(world_t *self, fault_t fault, uint64_t bound);
/* The first event of this place in the log, or the one after `after`: a broker that was set back
 * may have handed out several. NULL if there is none. */
const recorded_t *world_recorded(const world_t *self, const uint8_t *group, uint64_t sequence,
                                 const recorded_t *after);
/* Where the group's log ends by what the broker last told somebody; 0 if it never did. */
uint64_t world_head(const world_t *self, const uint8_t *group);
void world_fail(world_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

void world_observe(world_t *self, size_t client_or_broker);

typedef enum { EVENT_TO_BROKER, EVENT_TO_CLIENT, EVENT_LINK, EVENT_MAIL } happening_kind_t;
typedef struct event {
    uint64_t at_ms, order;
    happening_kind_t kind;
    size_t client;
    unsigned side;
    uint64_t life, connection;
    link_event_t link;
    connection_t peer;
    buffer_t bytes;
} happening_t;

/* world_client.c */
void world_start(world_t *self, size_t client);
void world_deliver(world_t *self, happening_t *event);
/* What is due is done: its deadlines, its new start. */
void world_wake(world_t *self, size_t client);

/* world_broker.c */
void world_broker_start(world_t *self);
/* A turn with one frame (size 0: only the tick). False if nothing was answered: the broker crashed,
 * or its store failed. */
bool world_broker_turn(world_t *self, const connection_t *from, bytes_t frame);
/* By an invite where it needs one. False if it is not sure that the account exists. */
bool world_broker_register(world_t *self, const identity_t *identity);
void world_broker_calm(world_t *self);
/* The operator shuts its account, for so long. */
void world_broker_disable(world_t *self, size_t client, uint64_t for_ms);
/* Keeps a copy of the store; and puts it in the store's place, once; it
 * says so if it is told. */
void world_broker_remember(world_t *self);
void world_broker_roll_back(world_t *self, bool is_told);
/* What it answered is counted. */
void world_broker_end(world_t *self);

/* world_network.c */
void world_event_add(world_t *self, happening_t *event); /* bytes are moved */
bool world_event_take(world_t *self, uint64_t until_ms, happening_t *out);
uint64_t world_event_next(const world_t *self);
void world_link_open(world_t *self, size_t client, unsigned side);
void world_link_close(world_t *self, size_t client, unsigned side);
void world_send_to_broker(world_t *self, size_t client, unsigned side, buffer_t *frame);
void world_send_to_client(world_t *self, const rules_peer_t *peer, bytes_t frame, bool is_push);
/* Whose connection it is; SIZE_MAX if it is nobody's any more. */
size_t world_client_of(const world_t *self, uint64_t connection);

/* world_trace.c: nothing is printed or kept unless the world is traced. */
void world_trace(world_t *self, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_trace_cause(world_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_trace_frame(world_t *self, bytes_t frame);
void world_trace_step(world_t *self, size_t client, unsigned side, const effects_t *effects);
void world_trace_broker(world_t *self, const trace_record_t *record);

/* watch.c: which states clients went through. */
void world_watch(world_t *self, size_t client);
/* It starts again: what it had before does not count as a change. */
void world_watch_start(world_t *self, size_t client);
void world_watch_end(world_t *self, size_t client);

/* world_record.c */
void world_record(world_t *self, size_t client, bytes_t frame);
void world_record_free(world_t *self);

#endif
