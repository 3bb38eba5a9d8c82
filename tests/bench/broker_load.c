/* SPDX-License-Identifier: MPL-2.0 */
/* Measures a broker from outside, over the real protocol with CURVE, every ack synced.
   Usage: broker_load [CONCLAVED [SCENARIO]]. JSON goes to $BENCH_JSON, rounds to $BENCH_ROUNDS. */
#include "tests/bench/load_broker.h"
#include "tests/bench/load_page.h"
#include "tests/bench/load_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ROUNDS_MAX   32
#define WINDOW       64
#define SEALED_BYTES 400 /* a text of 256 bytes with its signature, padded and sealed */
#define IDLE_CLIENTS 1000
#define SECOND_NS    UINT64_C(1000000000)

typedef struct {
    const char *name;
    const char *unit;
    double values[ROUNDS_MAX];
    size_t count;
} figure_t;

typedef struct {
    void *context;
    load_broker_t broker;
    size_t rounds;
    figure_t figures[32];
    size_t figure_count;
    unsigned next_name;
} bench_t;

static void record(bench_t *self, const char *name, const char *unit, double value)
{
    for (size_t i = 0; i < self->figure_count; i++) {
        figure_t *figure = &self->figures[i];
        if (strcmp(figure->name, name) == 0) {
            figure->values[figure->count++] = value;
            return;
        }
    }
    figure_t *figure = &self->figures[self->figure_count++];
    *figure = (figure_t){.name = name, .unit = unit, .values = {value}, .count = 1};
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static load_client_t *make_clients(bench_t *self, size_t count, uint8_t purpose)
{
    load_client_t *clients = calloc(count, sizeof *clients);
    for (size_t i = 0; clients && i < count; i++) {
        char name[NAME_MAX_BYTES];
        snprintf(name, sizeof name, "user%u", self->next_name++);
        load_client_init(&clients[i], name);
        load_client_connect(&clients[i], self->context, &self->broker.endpoint);
        load_client_register(&clients[i], &self->broker.endpoint);
        load_client_login(&clients[i], &self->broker.endpoint, purpose);
    }
    return clients;
}

static void drop_clients(load_client_t *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        load_client_wipe(&clients[i]);
    }
    free(clients);
}

static load_group_t *make_group(bench_t *self, load_client_t *creator)
{
    char name[NAME_MAX_BYTES];
    load_group_t *group = calloc(1, sizeof *group);
    snprintf(name, sizeof name, "group%u", self->next_name++);
    load_group_create(group, name, creator);
    return group;
}

/* Senders alone in their groups, logged in for duties, so that nothing is pushed to them. */
static void measure_sends(bench_t *self, size_t senders, const char *name, const char *cpu_name)
{
    load_client_t *clients = make_clients(self, senders, PURPOSE_DUTIES);
    load_sender_t *sending = calloc(senders, sizeof *sending);
    for (size_t i = 0; i < senders; i++) {
        sending[i] = (load_sender_t){.client = &clients[i], .group = make_group(self, &clients[i])};
    }
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = {.senders = sending,
                          .sender_count = senders,
                          .window = WINDOW,
                          .sealed_bytes = SEALED_BYTES,
                          .warm_up_ns = SECOND_NS / 2,
                          .duration_ns = 2 * SECOND_NS};
        uint64_t cpu = load_broker_cpu_ns(&self->broker);
        uint64_t started = load_now_ns();
        load_run(&run);
        double share =
            (double)(load_broker_cpu_ns(&self->broker) - cpu) / (double)(load_now_ns() - started);
        record(self, name, "acked sends/s", run.acked_per_s);
        record(self, cpu_name, "cores of the broker", share);
    }
    for (size_t i = 0; i < senders; i++) {
        free((void *)(uintptr_t)sending[i].group);
    }
    free(sending);
    drop_clients(clients, senders);
}

/* Senders in one group of receivers. */
typedef struct {
    size_t senders;
    size_t receivers;
    load_client_t *sender_clients;
    load_client_t *receiver_clients;
    load_sender_t *sending;
    load_receiver_t *receiving;
    load_group_t *group;
} fan_out_t;

static fan_out_t fan_out_make(bench_t *bench, size_t senders, size_t receivers)
{
    fan_out_t self = {.senders = senders,
                      .receivers = receivers,
                      .sender_clients = make_clients(bench, senders, PURPOSE_DUTIES),
                      .receiver_clients = make_clients(bench, receivers, PURPOSE_EVENTS),
                      .sending = calloc(senders, sizeof *self.sending),
                      .receiving = calloc(receivers, sizeof *self.receiving)};
    self.group = make_group(bench, &self.sender_clients[0]);
    load_group_join(self.group, &self.sender_clients[0], self.sender_clients + 1, senders - 1);
    load_group_join(self.group, &self.sender_clients[0], self.receiver_clients, receivers);
    /* A member's first event is the commit that added it; here all are added by the last ones. */
    for (size_t i = 0; i < senders; i++) {
        self.sending[i] = (load_sender_t){
            .client = &self.sender_clients[i], .group = self.group, .leaf = (uint32_t)i};
    }
    for (size_t i = 0; i < receivers; i++) {
        self.receiving[i] = (load_receiver_t){
            .client = &self.receiver_clients[i], .group = self.group, .cursor = self.group->epoch};
    }
    return self;
}

static void fan_out_drop(fan_out_t *self)
{
    free(self->group);
    free(self->sending);
    free(self->receiving);
    drop_clients(self->sender_clients, self->senders);
    drop_clients(self->receiver_clients, self->receivers);
}

static load_run_t fan_out_run(const fan_out_t *self)
{
    load_run_t run = {.senders = self->sending,
                      .sender_count = self->senders,
                      .receivers = self->receiving,
                      .receiver_count = self->receivers,
                      .window = WINDOW,
                      .sealed_bytes = SEALED_BYTES,
                      .warm_up_ns = SECOND_NS / 2,
                      .duration_ns = 2 * SECOND_NS};
    load_run(&run);
    return run;
}

static void measure_fan_out(bench_t *self, size_t senders, size_t receivers, const char *acked_name,
                            const char *delivered_name)
{
    fan_out_t fan_out = fan_out_make(self, senders, receivers);
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = fan_out_run(&fan_out);
        record(self, acked_name, "acked sends/s", run.acked_per_s);
        record(self, delivered_name, "delivered messages/s", run.delivered_per_s);
    }
    fan_out_drop(&fan_out);
}

static uint64_t acked(const fan_out_t *self)
{
    uint64_t total = 0;
    for (size_t i = 0; i < self->senders; i++) {
        total += self->sending[i].acked;
    }
    return total;
}

/* One round, and what a message cost the broker in it. */
static void measure_round(bench_t *self, const fan_out_t *fan_out, const char *acked_name,
                          const char *cpu_name)
{
    uint64_t cpu_ns = load_broker_cpu_ns(&self->broker);
    uint64_t before = acked(fan_out);
    load_run_t run = fan_out_run(fan_out);
    cpu_ns = load_broker_cpu_ns(&self->broker) - cpu_ns;
    record(self, acked_name, "acked sends/s", run.acked_per_s);
    record(self, cpu_name, "us of the broker's CPU a send",
           (double)cpu_ns / 1000 / (double)(acked(fan_out) - before));
}

/* Rounds in turn, so that what else the machine does falls on both alike. */
static void measure_page(bench_t *self)
{
    fan_out_t fan_out = fan_out_make(self, 16, 10);
    for (size_t round = 0; round < self->rounds; round++) {
        load_page_t page;
        measure_round(self, &fan_out, "no_page_acked", "no_page_cpu");
        load_page_open(&page, &self->broker);
        measure_round(self, &fan_out, "page_open_acked", "page_open_cpu");
        load_page_close(&page);
    }
    fan_out_drop(&fan_out);
}

static void measure_latency(bench_t *self)
{
    uint64_t latencies[1000];
    load_client_t *sender = make_clients(self, 1, PURPOSE_DUTIES);
    load_client_t *receiver = make_clients(self, 1, PURPOSE_EVENTS);
    load_group_t *group = make_group(self, sender);
    load_group_join(group, sender, receiver, 1);
    load_sender_t sending = {.client = sender, .group = group};
    load_receiver_t receiving = {.client = receiver, .group = group, .cursor = group->epoch};
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = {.senders = &sending,
                          .sender_count = 1,
                          .receivers = &receiving,
                          .receiver_count = 1,
                          .window = WINDOW,
                          .sealed_bytes = SEALED_BYTES,
                          .warm_up_ns = SECOND_NS / 2,
                          .duration_ns = 3 * SECOND_NS,
                          .pace_ns = SECOND_NS / 100,
                          .latencies_ns = latencies,
                          .latency_max = sizeof latencies / sizeof *latencies};
        load_run(&run);
        if (run.latency_count < 100) {
            load_fail("latency", "too few messages arrived");
        }
        qsort(latencies, run.latency_count, sizeof *latencies, compare_u64);
        record(self, "latency_p50", "ms", (double)latencies[run.latency_count / 2] / 1e6);
        record(self, "latency_p99", "ms", (double)latencies[run.latency_count * 99 / 100] / 1e6);
    }
    free(group);
    drop_clients(sender, 1);
    drop_clients(receiver, 1);
}

/* On a broker of its own, since memory once used is seldom given back. */
static void measure_memory(bench_t *self)
{
    uint64_t before = load_broker_memory(&self->broker);
    load_client_t *clients = make_clients(self, IDLE_CLIENTS, PURPOSE_EVENTS);
    uint64_t after = load_broker_memory(&self->broker);
    record(self, "memory_0_clients", "MB", (double)before / 1e6);
    record(self, "memory_1000_clients", "MB", (double)after / 1e6);
    record(self, "memory_per_client", "kB", (double)(after - before) / IDLE_CLIENTS / 1e3);
    drop_clients(clients, IDLE_CLIENTS);
}

static void print_figures(bench_t *self)
{
    const char *path = getenv("BENCH_JSON");
    FILE *json = path ? fopen(path, "w") : NULL;
    if (json) {
        fprintf(json, "{");
    }
    printf("%-24s %12s   %12s .. %-12s %s\n", "figure", "median", "least", "most", "unit");
    for (size_t i = 0; i < self->figure_count; i++) {
        figure_t *figure = &self->figures[i];
        qsort(figure->values, figure->count, sizeof(double), compare_doubles);
        double median = figure->values[figure->count / 2];
        double least = figure->values[0];
        double most = figure->values[figure->count - 1];
        printf("%-24s %12.2f   %12.2f .. %-12.2f %s\n", figure->name, median, least, most,
               figure->unit);
        if (json) {
            fprintf(json,
                    "%s\"%s\":{\"median\":%.3f,\"least\":%.3f,\"most\":%.3f,\"rounds\":%zu,"
                    "\"unit\":\"%s\"}",
                    i ? "," : "", figure->name, median, least, most, figure->count, figure->unit);
        }
    }
    if (json) {
        fprintf(json, "}\n");
        fclose(json);
    }
}

typedef struct {
    const char *name;
    void (*run)(bench_t *self);
} scenario_t;

static void run_send1(bench_t *self)
{
    measure_sends(self, 1, "send_1_sender", "send_1_sender_cpu");
}

static void run_send16(bench_t *self)
{
    measure_sends(self, 16, "send_16_senders", "send_16_senders_cpu");
}

static void run_fan10(bench_t *self)
{
    measure_fan_out(self, 16, 10, "fan_out_10_acked", "fan_out_10_delivered");
}

static void run_fan100(bench_t *self)
{
    measure_fan_out(self, 4, 100, "fan_out_100_acked", "fan_out_100_delivered");
}

static const scenario_t scenarios[] = {
    {"memory", measure_memory},   {"send1", run_send1},   {"send16", run_send16},
    {"fan10", run_fan10},         {"fan100", run_fan100}, {"page", measure_page},
    {"latency", measure_latency},
};

int main(int argc, char **argv)
{
    const char *program = argc > 1 ? argv[1] : "build/conclaved";
    const char *wanted = argc > 2 ? argv[2] : "";
    const char *rounds = getenv("BENCH_ROUNDS");
    struct rlimit files = {8192, 8192};
    bench_t bench = {.rounds = rounds ? strtoul(rounds, NULL, 10) : 5};
    if (bench.rounds == 0 || bench.rounds > ROUNDS_MAX || sodium_init() < 0) {
        load_fail("BENCH_ROUNDS", "must be 1 to 32");
    }
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (*wanted && strcmp(wanted, scenarios[i].name) != 0) {
            continue;
        }
        bench.context = zmq_ctx_new();
        zmq_ctx_set(bench.context, ZMQ_MAX_SOCKETS, 4096);
        load_broker_start(&bench.broker, program);
        scenarios[i].run(&bench);
        load_broker_stop(&bench.broker);
        zmq_ctx_term(bench.context);
    }
    print_figures(&bench);
    return 0;
}
