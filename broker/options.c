/* SPDX-License-Identifier: MPL-2.0 */
/* Long options only: a broker is started by a unit file, where they explain themselves. */
#include "broker/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "Usage: conclaved [OPTION]...\n"
    "The Conclave broker: carries the messages of locked rooms and can read none.\n"
    "\n"
    "  --data DIR             where keys and messages are kept\n"
    "                         [$XDG_DATA_HOME/conclave-broker]\n"
    "  --listen ENDPOINT      tcp://HOST:PORT, port * for any free one; may be repeated\n"
    "                         [" OPTIONS_LISTEN_DEFAULT "]\n"
    "  --log-format FORMAT    text or json [text]\n"
    "  --log-level LEVEL      error, warn, info or debug [info]\n"
    "  --idle-seconds N       a session ends when its client is silent for so long [600]\n"
    "  --retention-days N     messages that a member has not fetched are kept so long [30]\n"
    "  --store-reserve-mb N   refuse to write when less is free on the disk, 0: never [64]\n"
    "  --report-minutes N     log the counters so often, 0: only at the end [60]\n"
    "  --version              print the version\n"
    "  --help                 print this\n"
    "\n"
    "When ready, it writes DIR/broker.url: the address that clients need, key included.\n"
    "Exit codes: 0 stopped by SIGTERM or SIGINT, 1 could not start, 2 wrong usage.\n";

enum { DATA = 1, LISTEN, LOG_FORMAT, LEVEL, IDLE, RETENTION, RESERVE, REPORT, VERSION, HELP };

static const struct option long_options[] = {
    {"data", required_argument, NULL, DATA},
    {"listen", required_argument, NULL, LISTEN},
    {"log-format", required_argument, NULL, LOG_FORMAT},
    {"log-level", required_argument, NULL, LEVEL},
    {"idle-seconds", required_argument, NULL, IDLE},
    {"retention-days", required_argument, NULL, RETENTION},
    {"store-reserve-mb", required_argument, NULL, RESERVE},
    {"report-minutes", required_argument, NULL, REPORT},
    {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, HELP},
    {0},
};

/* A decimal number from least to most, in units of `unit`. */
static bool parse_number(uint64_t *out, const char *text, uint64_t least, uint64_t most,
                         uint64_t unit)
{
    uint64_t number = 0;
    if (!*text || strlen(text) > 9) {
        return false;
    }
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(*c - '0');
    }
    *out = number * unit;
    return number >= least && number <= most;
}

static bool add_listen(options_t *out, const char *text)
{
    return out->listen_count < OPTIONS_LISTEN_MAX &&
           endpoint_parse_listen(&out->listen[out->listen_count++], text) == STATUS_OK;
}

static bool apply(options_t *out, int option, const char *value)
{
    switch (option) {
    case DATA:
        out->data = value;
        return *value != '\0';
    case LISTEN:
        return add_listen(out, value);
    case LOG_FORMAT:
        return log_format_parse(&out->log_format, value);
    case LEVEL:
        return log_level_parse(&out->log_level, value);
    case IDLE:
        return parse_number(&out->idle_ms, value, 1, 100000000, 1000);
    case RETENTION:
        return parse_number(&out->retention_ms, value, 1, 36500, UINT64_C(86400000));
    case RESERVE:
        if (!parse_number(&out->store_reserve_bytes, value, 0, 100000000, 1024 * 1024)) {
            return false;
        }
        out->store_reserve_bytes = out->store_reserve_bytes ? out->store_reserve_bytes : UINT64_MAX;
        return true;
    case REPORT:
        return parse_number(&out->report_ms, value, 0, 100000, 60000);
    case VERSION:
        out->mode = OPTIONS_VERSION;
        return true;
    case HELP:
        out->mode = OPTIONS_HELP;
        return true;
    default:
        return false;
    }
}

static const char *option_name(int option)
{
    for (const struct option *row = long_options; row->name; row++) {
        if (row->val == option) {
            return row->name;
        }
    }
    return "";
}

status_t options_parse(options_t *out, int argc, char **argv, char *problem, size_t problem_size)
{
    *out = (options_t){.log_level = LEVEL_INFO, .report_ms = 3600000};
    problem[0] = '\0';
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, "+:", long_options, NULL);
        if (option == -1) {
            break;
        }
        if (option == '?' || option == ':') {
            snprintf(problem, problem_size, "%s %s",
                     option == ':' ? "a value is missing after" : "there is no option",
                     argv[optind - 1]);
            return STATUS_USAGE;
        }
        if (!apply(out, option, optarg)) {
            snprintf(problem, problem_size, "--%s can't be '%s'", option_name(option), optarg);
            return STATUS_USAGE;
        }
    }
    if (optind < argc) {
        snprintf(problem, problem_size, "'%s' is not understood", argv[optind]);
        return STATUS_USAGE;
    }
    if (out->listen_count == 0 && !add_listen(out, OPTIONS_LISTEN_DEFAULT)) {
        return STATUS_USAGE;
    }
    return STATUS_OK;
}
