/* SPDX-License-Identifier: MPL-2.0 */
/* conclave-trace: reads the command line and calls a command. */
#include "broker/trace/names.h"
#include "broker/tracer/tracer.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int (*run)(const tracer_options_t *options);
    int arguments; /* -1: none or one */
    const char *usage;
} command_t;

static const command_t commands[] = {
    {"watch", command_watch, 0, "watch"},
    {"explain", command_explain, 2, "explain GROUP NUMBER"},
    {"top", command_top, 0, "top"},
    {"record", command_record, 1, "record FILE"},
    {"perfetto", command_perfetto, 1, "perfetto FILE"},
    {"otlp", command_otlp, -1, "otlp [URL]"},
    {"backup", command_backup, 1, "backup DIR"},
    {"keygen", command_keygen, 1, "keygen FILE"},
};

static const char help_text[] =
    "Usage: conclave-trace [OPTION]... COMMAND\n"
    "Shows what a broker does, step by step: names, times and sizes, never contents.\n"
    "\n"
    "Commands:\n"
    "  watch               steps as they happen, a line each\n"
    "  explain GROUP N     one message's whole story: when it came, was stored,\n"
    "                      to whom it went, and who still waits for it\n"
    "  top                 rates, waits, busy groups and slow clients, each second\n"
    "  record FILE         steps into a new file, to be read with --from\n"
    "  perfetto FILE       steps into a new file for Perfetto (ui.perfetto.dev)\n"
    "  otlp [URL]          steps as spans to an OpenTelemetry collector\n"
    "                      [$OTEL_EXPORTER_OTLP_ENDPOINT]\n"
    "  backup DIR          a consistent copy of the running broker's store and key\n"
    "  keygen FILE         make an operator's key, for brokers elsewhere\n"
    "\n"
    "Which broker:\n"
    "  --data DIR          the data directory of a broker on this machine\n"
    "                      [$XDG_DATA_HOME/conclave-broker]\n"
    "  --broker URL        tcp://HOST:PORT#KEY of a broker's --operator-listen\n"
    "  --key FILE          the operator's key for that\n"
    "  --from FILE         no broker: the steps in a recording\n"
    "\n"
    "Which steps:\n"
    "  --past              first those that the broker remembers\n"
    "                      (conclaved --trace-history)\n"
    "  --past-only         only those, and end\n"
    "  --user NAME         of this user\n"
    "  --group NAME        of this group\n"
    "  --verb VERB         of requests of this kind, e.g. send\n"
    "  --status STATUS     refused for this reason, e.g. STALE_EPOCH\n"
    "  --refused           refusals, drops and failures only\n"
    "  --step STEP         steps of this kind, e.g. pushed; may be repeated\n"
    "  --share N           of so many in 1,000 batches\n"
    "  --for SECONDS       end after so long\n"
    "\n"
    "  --header 'K: V'     a header for the collector, or @FILE with one a line;\n"
    "                      may be repeated\n"
    "  --polls             watch shows polls too, not only what they fetch\n"
    "  --json              one JSON object a line\n"
    "  --version           print the version\n"
    "  --help              print this\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no broker. See conclave-trace(8).\n";

enum {
    OPTION_DATA = 256,
    OPTION_BROKER,
    OPTION_KEY,
    OPTION_FROM,
    OPTION_PAST,
    OPTION_PAST_ONLY,
    OPTION_USER,
    OPTION_GROUP,
    OPTION_VERB,
    OPTION_STATUS,
    OPTION_REFUSED,
    OPTION_STEP,
    OPTION_SHARE,
    OPTION_FOR,
    OPTION_HEADER,
    OPTION_POLLS,
    OPTION_JSON,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option flags[] = {{"data", required_argument, NULL, OPTION_DATA},
                                      {"broker", required_argument, NULL, OPTION_BROKER},
                                      {"key", required_argument, NULL, OPTION_KEY},
                                      {"from", required_argument, NULL, OPTION_FROM},
                                      {"past", no_argument, NULL, OPTION_PAST},
                                      {"past-only", no_argument, NULL, OPTION_PAST_ONLY},
                                      {"user", required_argument, NULL, OPTION_USER},
                                      {"group", required_argument, NULL, OPTION_GROUP},
                                      {"verb", required_argument, NULL, OPTION_VERB},
                                      {"status", required_argument, NULL, OPTION_STATUS},
                                      {"refused", no_argument, NULL, OPTION_REFUSED},
                                      {"step", required_argument, NULL, OPTION_STEP},
                                      {"share", required_argument, NULL, OPTION_SHARE},
                                      {"for", required_argument, NULL, OPTION_FOR},
                                      {"header", required_argument, NULL, OPTION_HEADER},
                                      {"polls", no_argument, NULL, OPTION_POLLS},
                                      {"json", no_argument, NULL, OPTION_JSON},
                                      {"version", no_argument, NULL, OPTION_VERSION},
                                      {"help", no_argument, NULL, OPTION_HELP},
                                      {0}};

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out >= least &&
           *out <= most;
}

static bool find_verb(const char *name, uint64_t *out)
{
    for (uint64_t verb = 1; verb < COUNTED_VERBS; verb++) {
        const char *known = verb_name(verb);
        if (known && strcmp(known, name) == 0) {
            *out = verb;
            return true;
        }
    }
    return false;
}

static bool find_status(const char *name, uint64_t *out)
{
    for (uint64_t status = 1; status < STATUS_FIRST_LOCAL; status++)
        if (strcmp(status_name((status_t)status), name) == 0 &&
            status_from_code(status) == (status_t)status) {
            *out = status;
            return true;
        }
    return false;
}

static bool add_header(tracer_options_t *options, const char *header)
{
    if (options->header_count == TRACER_HEADERS_MAX)
        return false;
    options->headers[options->header_count++] = header;
    return true;
}

static bool add_step(trace_filter_t *filter, const char *name)
{
    trace_step_t step;
    if (!trace_step_find(name, &step))
        return false;
    filter->steps |= UINT64_C(1) << step;
    return true;
}

/* What a flag's argument should have been; NULL if it is right. */
static const char *set_option(tracer_options_t *options, int option, const char *argument)
{
    trace_filter_t *filter = &options->filter;
    switch (option) {
    case OPTION_DATA:
        options->target.data = argument;
        return NULL;
    case OPTION_BROKER:
        options->target.broker = argument;
        return NULL;
    case OPTION_KEY:
        options->target.key_file = argument;
        return NULL;
    case OPTION_FROM:
        options->from = argument;
        return NULL;
    case OPTION_PAST:
        options->with_past = true;
        return NULL;
    case OPTION_PAST_ONLY:
        options->with_past = options->past_only = true;
        return NULL;
    case OPTION_USER:
        return name_parse(&filter->user, argument) == STATUS_OK ? NULL : "a user's name";
    case OPTION_GROUP:
        return name_parse(&filter->group, argument) == STATUS_OK ? NULL : "a group's name";
    case OPTION_VERB:
        return find_verb(argument, &filter->verb) ? NULL : "a request of PROTOCOL.md, e.g. send";
    case OPTION_STATUS:
        return find_status(argument, &filter->status) ? NULL : "a status, e.g. STALE_EPOCH";
    case OPTION_REFUSED:
        filter->refused_only = true;
        return NULL;
    case OPTION_STEP:
        return add_step(filter, argument) ? NULL
                                          : "received, accepted, refused, appended, stored, "
                                            "store-failed, fanned-out, pushed, push-dropped, "
                                            "fetched, cursor-moved, session-opened, "
                                            "session-ended or handshake-failed";
    case OPTION_SHARE:
        return read_number(argument, 1, TRACE_SHARE_WHOLE, &filter->share) ? NULL : "1 to 1000";
    case OPTION_HEADER:
        return add_header(options, argument) ? NULL : "given 16 times at most; a file holds more";
    case OPTION_FOR:
        return read_number(argument, 1, 1000000, &options->limit_seconds) ? NULL
                                                                          : "1 to 1000000 seconds";
    case OPTION_POLLS:
        options->with_polls = true;
        return NULL;
    default:
        options->is_json = true;
        return NULL;
    }
}

static int wrong_usage(void)
{
    fputs("Try 'conclave-trace --help'.\n", stderr);
    return TRACER_USAGE;
}

static int run_command(tracer_options_t *options, const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const command_t *command = &commands[i];
        if (strcmp(command->name, name) != 0)
            continue;
        if (options->argument_count == command->arguments ||
            (command->arguments < 0 && options->argument_count <= -command->arguments))
            return command->run(options);
        tracer_complain("usage: conclave-trace %s", command->usage);
        return wrong_usage();
    }
    tracer_complain("no such command; see --help");
    return wrong_usage();
}

int main(int argc, char **argv)
{
    tracer_options_t options = {.style = style_of_stdout()};
    int option, at = 0;
    while ((option = getopt_long(argc, argv, "", flags, &at)) != -1) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            fputs(option == OPTION_HELP ? help_text : "conclave-trace " CONCLAVE_VERSION "\n",
                  stdout);
            return tracer_flush() ? TRACER_DONE : TRACER_FAILED;
        }
        if (option == '?')
            return wrong_usage();
        const char *wanted = set_option(&options, option, optarg);
        if (wanted) {
            tracer_complain("--%s: it must be %s", flags[at].name, wanted);
            return wrong_usage();
        }
    }
    if (optind == argc) {
        tracer_complain("which command?");
        return wrong_usage();
    }
    if (sodium_init() < 0)
        return TRACER_FAILED;
    signal(SIGPIPE, SIG_IGN);
    connection_catch_signals();
    options.arguments = argv + optind + 1;
    options.argument_count = argc - optind - 1;
    return run_command(&options, argv[optind]);
}
