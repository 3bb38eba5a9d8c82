/* SPDX-License-Identifier: MPL-2.0 */
/* Measures a broker from outside, over the real protocol with CURVE, every ack synced.
   Usage: broker_load [CONCLAVED [SCENARIO]]. JSON goes to $BENCH_JSON, rounds to $BENCH_ROUNDS. */
#include "tests/bench/load_broker.h"
#include "tests/bench/load_figures.h"
#include "tests/bench/load_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define IDLE_CLIENTS 1000
#define SECOND_NS    UINT64_C(1000000000)

typedef struct {
    void *context;
    load_broker_t broker;
    size_t rounds;
    figures_t figures;
} bench_t;

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Senders alone in their groups, logged in for duties, so that nothing is pushed to them. */
static void measure_sends(bench_t *self, size_t senders, const char *name, const char *cpu_name)
{
    load_client_t *clients =
        load_clients_new(self->context, &self->broker.endpoint, senders, PURPOSE_DUTIES);
    load_sender_t *sending = calloc(senders, sizeof *sending);
    for (size_t i = 0; i < senders; i++) {
        sending[i] = (load_sender_t){.client = &clients[i], .group = load_group_new(&clients[i])};
    }
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = {.senders = sending,
                          .sender_count = senders,
                          .window = LOAD_WINDOW,
                          .sealed_bytes = LOAD_SEALED_BYTES,
                          .warm_up_ns = SECOND_NS / 2,
                          .duration_ns = 2 * SECOND_NS};
        uint64_t cpu = load_broker_cpu_ns(&self->broker);
        uint64_t started = load_now_ns();
        load_run(&run);
        double share =
            (double)(load_broker_cpu_ns(&self->broker) - cpu) / (double)(load_now_ns() - started);
        figures_record(&self->figures, name, "acked sends/s", run.acked_per_s);
        figures_record(&self->figures, cpu_name, "cores of the broker", share);
    }
    for (size_t i = 0; i < senders; i++) {
        free((void *)(uintptr_t)sending[i].group);
    }
    free(sending);
    load_clients_destroy(clients, senders);
}

/* `senders` of them in one group of fan_out receivers. */
static void measure_fan_out(bench_t *self, size_t senders, size_t fan_out, const char *acked_name,
                            const char *delivered_name)
{
    load_room_t room;
    load_room_open(&room, self->context, &self->broker.endpoint, senders, fan_out);
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = load_room_run(&room);
        load_run(&run);
        figures_record(&self->figures, acked_name, "acked sends/s", run.acked_per_s);
        figures_record(&self->figures, delivered_name, "delivered messages/s", run.delivered_per_s);
    }
    load_room_close(&room);
}

static void measure_latency(bench_t *self)
{
    uint64_t latencies[1000];
    load_client_t *sender =
        load_clients_new(self->context, &self->broker.endpoint, 1, PURPOSE_DUTIES);
    load_client_t *receiver =
        load_clients_new(self->context, &self->broker.endpoint, 1, PURPOSE_EVENTS);
    load_group_t *group = load_group_new(sender);
    load_group_join(group, sender, receiver, 1);
    load_sender_t sending = {.client = sender, .group = group};
    load_receiver_t receiving = {.client = receiver, .group = group, .cursor = group->epoch};
    for (size_t round = 0; round < self->rounds; round++) {
        load_run_t run = {.senders = &sending,
                          .sender_count = 1,
                          .receivers = &receiving,
                          .receiver_count = 1,
                          .window = LOAD_WINDOW,
                          .sealed_bytes = LOAD_SEALED_BYTES,
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
        figures_record(&self->figures, "latency_p50", "ms",
                       (double)latencies[run.latency_count / 2] / 1e6);
        figures_record(&self->figures, "latency_p99", "ms",
                       (double)latencies[run.latency_count * 99 / 100] / 1e6);
    }
    free(group);
    load_clients_destroy(sender, 1);
    load_clients_destroy(receiver, 1);
}

/* On a broker of its own, since memory once used is seldom given back. */
static void measure_memory(bench_t *self)
{
    uint64_t before = load_broker_memory(&self->broker);
    load_client_t *clients =
        load_clients_new(self->context, &self->broker.endpoint, IDLE_CLIENTS, PURPOSE_EVENTS);
    uint64_t after = load_broker_memory(&self->broker);
    figures_record(&self->figures, "memory_0_clients", "MB", (double)before / 1e6);
    figures_record(&self->figures, "memory_1000_clients", "MB", (double)after / 1e6);
    figures_record(&self->figures, "memory_per_client", "kB",
                   (double)(after - before) / IDLE_CLIENTS / 1e3);
    load_clients_destroy(clients, IDLE_CLIENTS);
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
    {"memory", measure_memory}, {"send1", run_send1},   {"send16", run_send16},
    {"fan10", run_fan10},       {"fan100", run_fan100}, {"latency", measure_latency},
};

int main(int argc, char **argv)
{
    const char *program = argc > 1 ? argv[1] : "build/conclaved";
    const char *wanted = argc > 2 ? argv[2] : "";
    const char *rounds = getenv("BENCH_ROUNDS");
    struct rlimit files = {8192, 8192};
    bench_t bench = {.rounds = rounds ? strtoul(rounds, NULL, 10) : 5};
    if (bench.rounds == 0 || bench.rounds > FIGURES_ROUNDS_MAX || sodium_init() < 0) {
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
    figures_print(&bench.figures, getenv("BENCH_JSON"));
    return 0;
}
