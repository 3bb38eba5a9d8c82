/* SPDX-License-Identifier: MPL-2.0 */
/* What tracing costs: acked sends/s at fan-out 10 with and without somebody who listens, and with a
   broker that makes no trace records. Each round measures all of them one after the other, and
   compares within the round: what else the machine does changes slowly.
   Usage: trace_bench BUILD_DIR [listeners|records]. JSON goes to $BENCH_JSON, rounds to
   $BENCH_ROUNDS (9). */
#include "tests/bench/load_broker.h"
#include "tests/bench/load_figures.h"
#include "tests/bench/load_listener.h"
#include "tests/bench/load_page.h"
#include "tests/bench/load_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENDERS = 16, FAN_OUT = 10, ARGUMENTS_MAX = 8 };

typedef struct {
    const char *build;
    size_t rounds;
    void *context;
    figures_t figures;
} bench_t;

typedef struct {
    load_broker_t broker;
    load_room_t room;
} side_t;

static void side_open(side_t *self, bench_t *bench, const char *build)
{
    char program[512];
    snprintf(program, sizeof program, "%s/conclaved", build);
    load_broker_start(&self->broker, program);
    load_room_open(&self->room, bench->context, &self->broker.endpoint, SENDERS, FAN_OUT);
}

static void side_close(side_t *self)
{
    load_room_close(&self->room);
    load_broker_stop(&self->broker);
}

typedef struct {
    double acked_per_s;
    double sends;  /* in all, with warm-up */
    double cpu_us; /* of the broker for each of them */
} sample_t;

static double total_acked(const load_room_t *room)
{
    double total = 0;
    for (size_t i = 0; i < room->sender_count; i++) {
        total += (double)room->senders[i].acked;
    }
    return total;
}

static sample_t measure(side_t *self)
{
    load_run_t run = load_room_run(&self->room);
    const double acked = total_acked(&self->room);
    const uint64_t cpu_ns = load_broker_cpu_ns(&self->broker);
    load_run(&run);
    const double sends = total_acked(&self->room) - acked;
    return (sample_t){.acked_per_s = run.acked_per_s,
                      .sends = sends,
                      .cpu_us = (double)(load_broker_cpu_ns(&self->broker) - cpu_ns) / 1e3 / sends};
}

/* --- With and without a listener -------------------------------------------------------------- */

enum { ACKED, RATIO, BROKER_CPU, BROKER_CPU_RATIO, LISTENER_CPU, LOST, FIGURES };

static const char *const units[FIGURES] = {"acked sends/s",
                                           "% of no listener",
                                           "us CPU of the broker a send",
                                           "% of no listener",
                                           "us CPU of the listener a send",
                                           "steps lost a send"};

typedef struct {
    const char *names[FIGURES];
    const char *arguments[ARGUMENTS_MAX]; /* of conclave-trace; NULL: it is not run */
    bool is_page;
} listening_t;

static const listening_t modes[] = {
    {{"no_listener", NULL, "no_listener_cpu", NULL, NULL, NULL}, {NULL}, false},
    {{"watch", "watch_ratio", "watch_broker_cpu", "watch_broker_cpu_ratio", "watch_own_cpu",
      "watch_lost"},
     {"watch"},
     false},
    {{"record", "record_ratio", "record_broker_cpu", "record_broker_cpu_ratio", "record_own_cpu",
      "record_lost"},
     {"record", "RECORDING"},
     false},
    {{"otlp", "otlp_ratio", "otlp_broker_cpu", "otlp_broker_cpu_ratio", "otlp_own_cpu",
      "otlp_lost"},
     {"otlp", "COLLECTOR"},
     false},
    {{"page", "page_ratio", "page_broker_cpu", "page_broker_cpu_ratio", NULL, NULL}, {NULL}, true},
};
enum { MODES = sizeof modes / sizeof *modes };

/* Fills in what is known only now. */
static const char *resolve(const char *argument, const char *recording, const char *collector)
{
    return strcmp(argument, "RECORDING") == 0   ? recording
           : strcmp(argument, "COLLECTOR") == 0 ? collector
                                                : argument;
}

static void start_tool(load_listener_t *listener, const bench_t *self, const side_t *side,
                       const listening_t *mode, const char *collector)
{
    char program[512], recording[96];
    snprintf(program, sizeof program, "%s/conclave-trace", self->build);
    snprintf(recording, sizeof recording, "%s/recording", side->broker.dir);
    unlink(recording);
    const char *arguments[ARGUMENTS_MAX + 3] = {program, "--data", side->broker.dir};
    for (size_t i = 0; i < ARGUMENTS_MAX && mode->arguments[i]; i++) {
        arguments[3 + i] = resolve(mode->arguments[i], recording, collector);
    }
    load_listener_start(listener, program, arguments);
}

static sample_t measure_mode(const bench_t *self, side_t *side, const listening_t *mode,
                             const char *collector, load_listener_t *listener)
{
    load_page_t page;
    if (mode->arguments[0]) {
        start_tool(listener, self, side, mode, collector);
    } else if (mode->is_page) {
        load_page_open(&page, &side->broker);
    }
    sample_t sample = measure(side);
    if (mode->arguments[0]) {
        load_listener_stop(listener);
    } else if (mode->is_page) {
        load_page_close(&page);
    }
    return sample;
}

static void record_mode(bench_t *self, const listening_t *mode, const double *values)
{
    for (size_t i = 0; i < FIGURES; i++) {
        if (mode->names[i]) {
            figures_record(&self->figures, mode->names[i], units[i], values[i]);
        }
    }
}

static void measure_listeners(bench_t *self)
{
    side_t side;
    uint16_t port;
    char collector[64];
    pid_t sink = load_sink_start(&port);
    snprintf(collector, sizeof collector, "http://127.0.0.1:%u", port);
    side_open(&side, self, self->build);
    for (size_t round = 0; round < self->rounds; round++) {
        sample_t samples[MODES];
        load_listener_t listeners[MODES] = {0};
        for (size_t turn = 0; turn < MODES; turn++) {
            /* Who comes first changes from round to round: the store grows, the disk tires. */
            const size_t i = (round + turn) % MODES;
            samples[i] = measure_mode(self, &side, &modes[i], collector, &listeners[i]);
        }
        for (size_t i = 0; i < MODES; i++) {
            const sample_t *sample = &samples[i], *without = &samples[0];
            record_mode(
                self, &modes[i],
                (const double[FIGURES]){[ACKED] = sample->acked_per_s,
                                        [RATIO] = 100 * sample->acked_per_s / without->acked_per_s,
                                        [BROKER_CPU] = sample->cpu_us,
                                        [BROKER_CPU_RATIO] = 100 * sample->cpu_us / without->cpu_us,
                                        [LISTENER_CPU] = listeners[i].cpu_us / sample->sends,
                                        [LOST] = (double)listeners[i].lost / sample->sends});
        }
    }
    side_close(&side);
    load_sink_stop(sink);
}

/* --- With and without records ----------------------------------------------------------------- */

static void measure_records(bench_t *self)
{
    char build[512];
    side_t with, without;
    snprintf(build, sizeof build, "%s/trace-0", self->build);
    side_open(&with, self, self->build);
    side_open(&without, self, build);
    for (size_t round = 0; round < self->rounds; round++) {
        /* Who comes first changes from round to round. */
        sample_t none = {0};
        if (round % 2) {
            none = measure(&without);
        }
        sample_t some = measure(&with);
        if (round % 2 == 0) {
            none = measure(&without);
        }
        figures_record(&self->figures, "trace_1", units[ACKED], some.acked_per_s);
        figures_record(&self->figures, "trace_0", units[ACKED], none.acked_per_s);
        figures_record(&self->figures, "trace_1_ratio", "% of TRACE=0",
                       100 * some.acked_per_s / none.acked_per_s);
        figures_record(&self->figures, "trace_1_cpu", units[BROKER_CPU], some.cpu_us);
        figures_record(&self->figures, "trace_0_cpu", units[BROKER_CPU], none.cpu_us);
        figures_record(&self->figures, "trace_1_cpu_ratio", "% of TRACE=0",
                       100 * some.cpu_us / none.cpu_us);
    }
    side_close(&with);
    side_close(&without);
}

int main(int argc, char **argv)
{
    const char *rounds = getenv("BENCH_ROUNDS");
    const char *wanted = argc > 2 ? argv[2] : "";
    bench_t bench = {.build = argc > 1 ? argv[1] : "build",
                     .rounds = rounds ? strtoul(rounds, NULL, 10) : 9};
    if (bench.rounds == 0 || bench.rounds > FIGURES_ROUNDS_MAX || sodium_init() < 0) {
        load_fail("BENCH_ROUNDS", "must be 1 to 32");
    }
    bench.context = zmq_ctx_new();
    if (strcmp(wanted, "records") != 0) {
        measure_listeners(&bench);
    }
    if (strcmp(wanted, "listeners") != 0) {
        measure_records(&bench);
    }
    zmq_ctx_term(bench.context);
    figures_print(&bench.figures, getenv("BENCH_JSON"));
    return 0;
}
