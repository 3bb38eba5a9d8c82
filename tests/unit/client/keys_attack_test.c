/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A symbolic attacker on real runs. Every derivation and every wrap of an honest random schedule is
 * recorded (keys_recorder.h); whoever was in, left, came or lost a device gets all that can be
 * reached from what they ever held, and must not reach another's epochs. With a rule of PROTOCOL.md
 * section 9 taken out the attacker must win: what finds nothing then is no test.
 */
#include "tests/unit/client/keys_recorder.h"

#include "tests/splitmix.h"

enum { STEPS = 40, DEVICES_MAX = 2000, PEOPLE_MAX = 48, SENDERS = 3, COALITIONS = 60 };

#define NEVER UINT64_MAX

/* --- What people hold ----------------------------------------------------------------------- */

typedef struct {
    uint32_t *nodes;
    size_t count, capacity;
} hoard_t;

static void hoard_add(hoard_t *self, uint32_t node)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->nodes = mem_realloc(self->nodes, self->capacity, sizeof *self->nodes);
    }
    self->nodes[self->count++] = node;
}

static void hoard_add_map(hoard_t *self, const index_map_t *map, size_t secret_at)
{
    for (size_t i = 0; i < map->capacity; i++) {
        secret_t secret;
        if (!map->used[i])
            continue;
        memcpy(&secret, map->values + i * map->value_bytes + secret_at, sizeof secret);
        hoard_add(self, node_of(&secret));
    }
}

/* Every secret of a device. */
static void hoard_add_state(hoard_t *self, const group_state_t *state)
{
    for (unsigned level = 0; level <= state->path.depth; level++)
        hoard_add(self, node_of(&state->path.keys[level]));
    hoard_add(self, node_of(&state->membership));
    hoard_add_map(self, &state->secrets.nodes, 0);
    hoard_add_map(self, &state->secrets.chains, offsetof(chain_t, key));
}

/* Who was in from one epoch up to another with one device, and all that it ever held. */
typedef struct {
    uint64_t joined, left; /* NEVER while inside */
    hoard_t held;
    hoard_t used; /* message keys of the present epoch */
} device_t;

/* A device as somebody finds it at the end of an epoch. */
typedef struct {
    uint64_t epoch;
    hoard_t held, used;
} seizure_t;

typedef struct {
    uint64_t seed;
    holder_t *holder;
    person_t *inside[PEOPLE_MAX]; /* [0] is the admin */
    device_t *device_of[PEOPLE_MAX];
    size_t count;
    device_t devices[DEVICES_MAX];
    size_t device_count;
    seizure_t *seizures;
    size_t seizure_count;
    uint32_t epoch_secrets[STEPS + 2];
    unsigned names;
} world_t;

typedef struct {
    unsigned outside_span, seized, coalitions;
} wins_t;

static uint64_t draw(world_t *self)
{
    return splitmix_next(&self->seed);
}

static bool chance(world_t *self, unsigned percent)
{
    return draw(self) % 100 < percent;
}

/* --- An honest schedule --------------------------------------------------------------------- */

/* The welcome tells a newcomer the epoch secret too. */
static device_t *device_joins(world_t *self, const person_t *person)
{
    assert_true(self->device_count < DEVICES_MAX);
    device_t *device = &self->devices[self->device_count++];
    *device = (device_t){.joined = person->state->epoch, .left = NEVER};
    hoard_add(&device->held, self->epoch_secrets[person->state->epoch]);
    hoard_add_state(&device->held, person->state);
    return device;
}

typedef struct {
    commit_plan_t plan;
    served_request_t adds[PEOPLE_MAX], refreshes[PEOPLE_MAX];
    leaf_index_t removals[PEOPLE_MAX];
    person_t *newcomers[PEOPLE_MAX];
    bool removed[PEOPLE_MAX], refreshed[PEOPLE_MAX];
} turn_t;

static void choose(world_t *self, turn_t *turn)
{
    static const unsigned sizes[] = {0, 0, 1, 1, 2, 5, 12};
    memset(turn, 0, sizeof *turn);
    commit_plan_t *plan = &turn->plan;
    unsigned leave_percent = chance(self, 5) ? 80 : 12;
    for (size_t i = 1; i < self->count; i++) {
        turn->removed[i] = chance(self, leave_percent);
        turn->refreshed[i] = !turn->removed[i] && chance(self, 5);
        if (turn->removed[i])
            turn->removals[plan->removal_count++] = self->inside[i]->state->path.leaf;
        if (turn->refreshed[i])
            turn->refreshes[plan->refresh_count++] = person_asks(self->inside[i], self->holder);
    }
    size_t adds = sizes[draw(self) % (sizeof sizes / sizeof sizes[0])];
    for (; plan->add_count < adds && self->count + plan->add_count < PEOPLE_MAX;
         plan->add_count++) {
        person_t *person = person_new(self->names++);
        turn->newcomers[plan->add_count] = person;
        turn->adds[plan->add_count] = person_asks(person, self->holder);
    }
    plan->adds = turn->adds;
    plan->removals = turn->removals;
    plan->refreshes = turn->refreshes;
}

/* Everybody inside is moved, put out, or starts anew on another device. */
static void follow(world_t *self, const turn_t *turn, const prepared_commit_t *prepared)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        person_t *person = self->inside[i];
        device_t *device = self->device_of[i];
        device->used.count = 0;
        if (turn->removed[i] || turn->refreshed[i])
            device->left = graph.building;
        if (turn->removed[i]) {
            person_destroy(person);
            continue;
        }
        if (turn->refreshed[i]) {
            person_enters(person, prepared);
            device = device_joins(self, person);
        } else {
            person_follows(person, prepared);
            hoard_add_state(&device->held, person->state);
        }
        self->inside[kept] = person;
        self->device_of[kept++] = device;
    }
    self->count = kept;
    for (size_t i = 0; i < turn->plan.add_count; i++) {
        person_enters(turn->newcomers[i], prepared);
        self->device_of[self->count] = device_joins(self, turn->newcomers[i]);
        self->inside[self->count++] = turn->newcomers[i];
    }
}

static void move_on(world_t *self)
{
    turn_t turn;
    choose(self, &turn);
    graph.building = holder_epoch(self->holder) + 1;
    prepared_commit_t *prepared;
    assert_status(commit_build(self->holder, self->inside[0]->identity, &turn.plan, &prepared), OK);
    uint32_t made = graph.epoch_secret;
    self->epoch_secrets[graph.building] = made;
    follow(self, &turn, prepared);
    assert_int_equal(graph.epoch_secret, made); /* the followers came to the same */
    assert_status(holder_adopt(self->holder, &prepared), OK);
}

static void talk(world_t *self)
{
    size_t from = draw(self) % self->count;
    person_t *sender = self->inside[from];
    buffer_t sealed = {0};
    assert_status(group_state_seal(sender->state, sender->identity,
                                   &(message_body_t){.type = MESSAGE_TYPE_TEXT,
                                                     .number = ++sender->sent,
                                                     .content = {(const uint8_t *)"\0hi", 3}},
                                   &sealed, NULL),
                  OK);
    hoard_add(&self->device_of[from]->used, graph.message_key);
    for (size_t i = 0; i < self->count; i++) {
        opened_message_t opened;
        if (i == from || chance(self, 20)) /* some read later, or never */
            continue;
        assert_status(group_state_open(self->inside[i]->state, buffer_view(&sealed),
                                       identity_key(sender->identity), &opened),
                      OK);
        opened_message_wipe(&opened);
        hoard_add(&self->device_of[i]->used, graph.message_key);
    }
    buffer_free(&sealed);
}

/* Keeps what each device holds now, after some talk; and the whole tree, as its holder has it. */
static void seize_all(world_t *self)
{
    self->seizures =
        mem_realloc(self->seizures, self->seizure_count + self->count + 1, sizeof *self->seizures);
    seizure_t *tree = &self->seizures[self->seizure_count++];
    *tree = (seizure_t){.epoch = holder_epoch(self->holder)};
    for (uint32_t i = 0; i < tree_node_count(key_tree_depth(holder_tree(self->holder))); i++) {
        const secret_t *key = key_tree_get(holder_tree(self->holder), node_index(i));
        if (key)
            hoard_add(&tree->held, node_of(key));
    }
    hoard_add(&tree->held, node_of(holder_membership(self->holder)));
    for (size_t i = 0; i < self->count; i++) {
        seizure_t *seizure = &self->seizures[self->seizure_count++];
        *seizure = (seizure_t){.epoch = self->inside[i]->state->epoch};
        hoard_add_state(&seizure->held, self->inside[i]->state);
        for (size_t k = 0; k < self->device_of[i]->used.count; k++)
            hoard_add(&seizure->used, self->device_of[i]->used.nodes[k]);
    }
}

static world_t *run(uint64_t seed)
{
    world_t *self = mem_zalloc(1, sizeof *self);
    self->seed = seed;
    self->inside[0] = person_new(self->names++);
    graph.building = 1;
    self->holder = group_of(self->inside[0]);
    self->epoch_secrets[1] = graph.epoch_secret;
    self->count = 1;
    self->device_of[0] = device_joins(self, self->inside[0]);
    for (unsigned step = 0; step < STEPS; step++) {
        move_on(self);
        for (unsigned i = 0; i < SENDERS; i++)
            talk(self);
        seize_all(self);
    }
    return self;
}

static void world_destroy(world_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        person_destroy(self->inside[i]);
    for (size_t i = 0; i < self->device_count; i++) {
        free(self->devices[i].held.nodes);
        free(self->devices[i].used.nodes);
    }
    for (size_t i = 0; i < self->seizure_count; i++) {
        free(self->seizures[i].held.nodes);
        free(self->seizures[i].used.nodes);
    }
    free(self->seizures);
    holder_destroy(&self->holder);
    free(self);
}

/* --- The attacker --------------------------------------------------------------------------- */

static void reach(uint32_t node, uint32_t *left)
{
    if (graph.nodes[node].reached == graph.search)
        return;
    graph.nodes[node].reached = graph.search;
    graph.todo[(*left)++] = node;
}

/* Marks all that follows from these hoards. */
static void search(const hoard_t *const *hoards, size_t count)
{
    uint32_t left = 0;
    graph.search++;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < hoards[i]->count; k++)
            reach(hoards[i]->nodes[k], &left);
    while (left) {
        uint32_t node = graph.todo[--left];
        for (uint32_t at = graph.nodes[node].first_edge; at != NO_EDGE; at = graph.edges[at].next)
            reach(graph.edges[at].to, &left);
    }
}

static bool is_reached(uint32_t node)
{
    return graph.nodes[node].reached == graph.search;
}

/* Is a secret of an epoch reached in which none of these devices was? */
static bool reaches_foreign_epoch(const device_t *const *devices, size_t count)
{
    bool allowed[STEPS + 2] = {true}; /* 0: secrets of no one epoch */
    for (size_t i = 0; i < count; i++)
        for (uint64_t epoch = devices[i]->joined; epoch < STEPS + 2 && epoch < devices[i]->left;
             epoch++)
            allowed[epoch] = true;
    for (uint32_t node = 0; node < graph.node_count; node++)
        if (is_reached(node) && !allowed[graph.nodes[node].epoch])
            return true;
    return false;
}

/* Those who were in have all of their time, and nothing else. */
static void attack_alone(world_t *self, wins_t *wins)
{
    for (size_t i = 0; i < self->device_count; i++) {
        const device_t *device = &self->devices[i];
        const hoard_t *held = &device->held;
        search(&held, 1);
        for (uint64_t epoch = device->joined; epoch < device->left && epoch < STEPS + 2; epoch++)
            assert_true(is_reached(self->epoch_secrets[epoch]));
        wins->outside_span += reaches_foreign_epoch(&device, 1);
    }
}

/* Leavers and newcomers together; without the admin's, which was in all the time. */
static void attack_together(world_t *self, wins_t *wins)
{
    for (unsigned round = 0; round < COALITIONS && self->device_count > 1; round++) {
        const device_t *devices[5];
        const hoard_t *hoards[5];
        size_t count = 2 + draw(self) % 4;
        for (size_t i = 0; i < count; i++) {
            devices[i] = &self->devices[1 + draw(self) % (self->device_count - 1)];
            hoards[i] = &devices[i]->held;
        }
        search(hoards, count);
        wins->coalitions += reaches_foreign_epoch(devices, count);
    }
}

/* What was erased: earlier epochs, the epoch's own secret, and message keys that were used. */
static bool reaches_erased(const seizure_t *seizure)
{
    for (size_t i = 0; i < seizure->used.count; i++)
        if (is_reached(seizure->used.nodes[i]))
            return true;
    for (uint32_t node = 0; node < graph.node_count; node++) {
        const secret_node_t *secret = &graph.nodes[node];
        if (is_reached(node) && secret->epoch && secret->epoch <= seizure->epoch &&
            (secret->epoch < seizure->epoch || secret->is_epoch_secret))
            return true;
    }
    return false;
}

static void attack_seized(const world_t *self, wins_t *wins)
{
    for (size_t i = 0; i < self->seizure_count; i++) {
        const hoard_t *held = &self->seizures[i].held;
        search(&held, 1);
        wins->seized += reaches_erased(&self->seizures[i]);
    }
}

static wins_t attack(uint64_t seed, unsigned frozen)
{
    graph_clear(frozen);
    world_t *world = run(seed);
    wins_t wins = {0};
    attack_alone(world, &wins);
    attack_together(world, &wins);
    attack_seized(world, &wins);
    world_destroy(world);
    graph_clear(0);
    return wins;
}

static void test_nobody_reaches_what_is_not_theirs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        wins_t wins = attack(seed, 0);
        if (wins.outside_span || wins.coalitions || wins.seized)
            fail_msg("seed %llu: %u alone, %u coalitions, %u seized devices",
                     (unsigned long long)seed, wins.outside_span, wins.coalitions, wins.seized);
    }
}

static void test_rules_are_needed(void **state)
{
    (void)state;
    wins_t wins = attack(1, BIT(KDF_NEXT)); /* old wraps open under keys still held */
    assert_true(wins.seized > 0);
    wins = attack(1, BIT(KDF_NEXT) | BIT(KDF_JOIN)); /* and newcomers get those keys */
    assert_true(wins.outside_span > 0);
    wins = attack(1, BIT(KDF_RATCHET)); /* used message keys come again */
    assert_true(wins.seized > 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_reaches_what_is_not_theirs),
        cmocka_unit_test(test_rules_are_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
