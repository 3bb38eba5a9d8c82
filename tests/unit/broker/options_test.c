/* SPDX-License-Identifier: MPL-2.0 */
/* Flags, config files and defaults, and every way in which they are wrong. */
#include "broker/settings/option_name.h"
#include "broker/settings/option_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char config_path[64];
static char told[8192]; /* "LINE: TEXT\n" for each problem */
static options_t options;
static const char *named_file; /* by --config */

static int setup(void **state)
{
    (void)state;
    strcpy(config_path, "/tmp/conclave-options-XXXXXX");
    int fd = mkstemp(config_path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return remove(config_path);
}

static void write_config(const void *bytes, size_t size)
{
    FILE *file = fopen(config_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void note(void *context, const options_problem_t *problem)
{
    assert_ptr_equal(context, told);
    if (problem->file) {
        assert_string_equal(problem->file, named_file);
    }
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%zu: %s\n", problem->line, problem->text);
}

/* Loads these flags, up to a NULL. */
static status_t load_flags(const char *first, ...)
{
    static char *argv[32];
    int argc = 0;
    va_list list;
    argv[argc++] = (char *)(uintptr_t) "conclaved";
    va_start(list, first);
    for (const char *flag = first; flag; flag = va_arg(list, const char *)) {
        argv[argc++] = (char *)(uintptr_t)flag;
        if (strcmp(argv[argc - 2], "--config") == 0) {
            named_file = flag;
        }
    }
    va_end(list);
    argv[argc] = NULL;
    told[0] = '\0';
    return options_load(&options, argc, argv, note, told);
}

static status_t load_bytes(const void *bytes, size_t size)
{
    write_config(bytes, size);
    return load_flags("--config", config_path, NULL);
}

static status_t load_text(const char *text)
{
    return load_bytes(text, strlen(text));
}

/* The text's only problems are these. */
static void refused(const char *text, const char *problems)
{
    assert_int_equal(load_text(text), STATUS_USAGE);
    assert_string_equal(told, problems);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(load_flags(NULL), STATUS_OK);
    assert_int_equal(options.action, OPTIONS_RUN);
    assert_string_equal(options.data, "");
    assert_int_equal(options.listen.count, 1);
    assert_int_equal(options.listen.items[0].port, 5670);
    assert_int_equal(options.log_level, LEVEL_INFO);
    assert_int_equal(options.log_format, LOG_TEXT);
    assert_int_equal(options.idle_seconds, 600);
    assert_int_equal(options.report_minutes, 60);
}

static void test_an_address_or_off(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        unsigned port;
    } addresses[] = {{"127.0.0.1:5680", "127.0.0.1", 5680},
                     {"[::1]:80", "::1", 80},
                     {"localhost:*", "localhost", 0},
                     {"*:1", "*", 1}};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        assert_int_equal(load_flags("--print-config", "--http", addresses[i].text, NULL),
                         STATUS_OK);
        assert_true(options.http.is_given && !options.http.is_off);
        assert_string_equal(options.http.endpoint.host, addresses[i].host);
        assert_int_equal(options.http.endpoint.port, addresses[i].port);
    }
    assert_int_equal(load_flags("--http", "off", NULL), STATUS_OK);
    assert_true(options.http.is_given && options.http.is_off);
    assert_int_equal(load_flags(NULL), STATUS_OK);
    assert_false(options.http.is_given);
    refused("http = 5680\nhttp-public = maybe\n",
            "1: key 'http': can't be '5680'; allowed: HOST:PORT, HOST:* or off\n"
            "2: key 'http-public': can't be 'maybe'; allowed: no or yes\n");
}

/* Each row's default is one of its values, and its limits are. */
static void test_the_table_is_consistent(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const option_row_t *row = &option_rows[i];
        options_t copy = {0};
        assert_true(strlen(row->name) <= 32 && *row->help);
        assert_true((row->kind == OPTION_ACTION) == !row->argument);
        if (*row->initial) {
            assert_true(option_value_parse(row, option_field(&copy, row), row->initial));
        }
        if (row->kind == OPTION_NUMBER) {
            assert_true(row->least <= row->most);
            assert_true(*row->initial);
        }
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(row->name, option_rows[j].name);
        }
    }
}

static void test_a_config_file(void **state)
{
    (void)state;
    assert_int_equal(load_text("# comment\n"
                               "\n"
                               "   \t # another\n"
                               "data=/srv/con clave#1\n"
                               "\tlisten  =\ttcp://127.0.0.1:1  \n"
                               "listen = tcp://[::1]:*\n"
                               "log-format = json\n"
                               "log-level = warn\n"
                               "idle-seconds = 0005\n"
                               "retention-days = 36500\n"
                               "store-reserve-mb = 0\n"
                               "report-minutes = 0"),
                     STATUS_OK);
    assert_string_equal(told, "");
    assert_string_equal(options.data, "/srv/con clave#1");
    assert_int_equal(options.listen.count, 2);
    assert_int_equal(options.listen.items[0].port, 1);
    assert_string_equal(options.listen.items[1].host, "::1");
    assert_int_equal(options.log_format, LOG_JSON);
    assert_int_equal(options.log_level, LEVEL_WARN);
    assert_int_equal(options.idle_seconds, 5);
    assert_int_equal(options.retention_days, 36500);
    assert_int_equal(options.store_reserve_mb, 0);
    assert_int_equal(options.report_minutes, 0);
}

static void test_flags_override_the_file_wherever_they_stand(void **state)
{
    (void)state;
    write_config("listen = tcp://127.0.0.1:1\nlisten = tcp://127.0.0.1:2\nidle-seconds = 7\n"
                 "log-level = debug\n",
                 88);
    assert_int_equal(load_flags("--log-level", "error", "--log-level", "warn", "--config",
                                config_path, "--listen", "tcp://127.0.0.1:3", NULL),
                     STATUS_OK);
    assert_int_equal(options.listen.count, 1);
    assert_int_equal(options.listen.items[0].port, 3);
    assert_int_equal(options.log_level, LEVEL_WARN);
    assert_int_equal(options.idle_seconds, 7);
}

static void test_what_editors_leave_in_a_file(void **state)
{
    (void)state;
    static const char windows[] = "\xef\xbb\xbf"
                                  "# c\r\nidle-seconds = 9\r\n\r\ndata = /\xc3\xa9\r\n";
    assert_int_equal(load_text(windows), STATUS_OK);
    assert_int_equal(options.idle_seconds, 9);
    assert_string_equal(options.data, "/\xc3\xa9");
    assert_int_equal(load_text(""), STATUS_OK);
    refused("idle-seconds = 9\n\xef\xbb\xbf"
            "data = /x\n",
            "2: key '???data': unknown; allowed are the keys that --print-config prints\n");
}

static void test_each_error_is_told_with_its_line(void **state)
{
    (void)state;
    refused("idle-seconds = 1\nidle-second = 1\nbogus = 1\n\nlog_level = info\n",
            "2: key 'idle-second': unknown; did you mean 'idle-seconds'?\n"
            "3: key 'bogus': unknown; allowed are the keys that --print-config prints\n"
            "5: key 'log_level': unknown; did you mean 'log-level'?\n");
    refused("idle-seconds = 0\nretention-days = 36501\nreport-minutes = -1\n"
            "store-reserve-mb = 18446744073709551616\n",
            "1: key 'idle-seconds': can't be '0'; allowed: a whole number from 1 to 100000000\n"
            "2: key 'retention-days': can't be '36501'; allowed: a whole number from 1 to 36500\n"
            "3: key 'report-minutes': can't be '-1'; allowed: a whole number from 0 to 100000\n"
            "4: key 'store-reserve-mb': can't be '18446744073709551616'; allowed: a whole number "
            "from 0 to 100000000\n");
    refused("log-level = loud\nlog-format =\nlisten = udp://x:1\ndata = \"/srv\"\n",
            "1: key 'log-level': can't be 'loud'; allowed: error, warn, info or debug\n"
            "2: key 'log-format': can't be ''; allowed: text, json or journal\n"
            "3: key 'listen': can't be 'udp://x:1'; allowed: tcp://HOST:PORT or tcp://HOST:*, 16 "
            "at most\n"
            "4: key 'data': can't be '\"/srv\"'; allowed: DIR: 1 to 4095 bytes, without quotes\n");
    refused("idle-seconds = 5 # five\n",
            "1: key 'idle-seconds': can't be '5 # five'; allowed: a whole number from 1 to "
            "100000000; a comment needs a line of its own\n");
    refused("data = /a\n#\ndata = /b\n", "3: key 'data': given twice, first in line 1; allowed "
                                         "once\n");
    refused("config = /a\nhelp = 1\n",
            "1: key 'config': only a flag; not allowed in a config file\n"
            "2: key 'help': only a flag; not allowed in a config file\n");
    refused("[broker]\nidle-seconds\n= 3\n",
            "1: there are no sections; each line is 'key = value'\n"
            "2: this is not 'key = value'\n"
            "3: this is not 'key = value'\n");
    refused("data = /\xff\ndata = /\x1b[31m\n\x1b[31m = 1\n\xe2\x80\xae = 1\n",
            "1: the line is not UTF-8\n"
            "2: there is a control character; only blanks and tabs are allowed\n"
            "3: there is a control character; only blanks and tabs are allowed\n"
            "4: key '?"
            "?"
            "?': unknown; allowed are the keys that --print-config prints\n");
    assert_int_equal(load_bytes("data = /a\0b\n", 12), STATUS_USAGE);
    assert_string_equal(told, "1: there is a NUL byte; a config file is text\n");
}

static void test_seventeen_addresses(void **state)
{
    char text[1024] = "";
    (void)state;
    for (int i = 0; i < OPTION_ENDPOINTS_MAX; i++) {
        strcat(text, "listen = tcp://127.0.0.1:*\n");
    }
    assert_int_equal(load_text(text), STATUS_OK);
    assert_int_equal(options.listen.count, OPTION_ENDPOINTS_MAX);
    strcat(text, "listen = tcp://127.0.0.1:*\n");
    assert_int_equal(load_text(text), STATUS_USAGE);
    assert_non_null(strstr(told, "17: key 'listen'"));
}

static void test_only_so_many_errors_are_told(void **state)
{
    char text[1024] = "";
    (void)state;
    for (int i = 0; i < 100; i++) {
        strcat(text, "x = 1\n");
    }
    assert_int_equal(load_text(text), STATUS_USAGE);
    assert_non_null(strstr(told, "20: key 'x'"));
    assert_null(strstr(told, "21: "));
}

static void test_lines_and_files_that_are_too_long(void **state)
{
    static char text[70000];
    (void)state;
    /* The longest path, and one byte more. */
    memset(text, 'p', sizeof text);
    memcpy(text, "data = /", 8);
    strcpy(text + 7 + 4095, "\n");
    assert_int_equal(load_text(text), STATUS_OK);
    assert_int_equal(strlen(options.data), 4095);
    text[7 + 4095] = 'p';
    strcpy(text + 7 + 4096, "\n");
    assert_int_equal(load_text(text), STATUS_USAGE);
    assert_non_null(strstr(told, "1: key 'data': can't be '/ppp"));
    memset(text, '#', 8192);
    strcpy(text + 8192, "\nidle-seconds = 3\n");
    assert_int_equal(load_text(text), STATUS_OK);
    memset(text, '#', 8193);
    strcpy(text + 8193, "\nidle-seconds = 0\n");
    assert_int_equal(load_text(text), STATUS_USAGE);
    assert_non_null(strstr(told, "1: the line is too long; at most 8192 bytes\n2: key"));
    memset(text, '\n', 65537);
    assert_int_equal(load_bytes(text, 65536), STATUS_OK);
    assert_int_equal(load_bytes(text, 65537), STATUS_USAGE);
    assert_string_equal(told, "0: the file is too large; at most 65536 bytes\n");
}

static void test_files_that_are_no_use(void **state)
{
    (void)state;
    assert_int_equal(load_flags("--config", "/", NULL), STATUS_USAGE);
    assert_string_equal(told, "0: is a directory; name a file\n");
    assert_int_equal(load_flags("--config", "/dev/null", NULL), STATUS_USAGE);
    assert_string_equal(told, "0: is no regular file\n");
    assert_int_equal(remove(config_path), 0);
    assert_int_equal(load_flags("--config", config_path, NULL), STATUS_USAGE);
    assert_string_equal(told, "0: No such file or directory\n");
    /* Nobody writes into it: it must not be waited for. */
    assert_int_equal(mkfifo(config_path, 0600), 0);
    assert_int_equal(load_flags("--config", config_path, NULL), STATUS_USAGE);
    assert_string_equal(told, "0: is no regular file\n");
}

static void test_flags_that_are_wrong(void **state)
{
    (void)state;
    assert_int_equal(load_flags("--bogus", "--idle-seconds", "x", "--data", "", "\x1b[0m", NULL),
                     STATUS_USAGE);
    assert_string_equal(
        told, "0: there is no option --bogus\n"
              "0: --idle-seconds can't be 'x'; allowed: a whole number from 1 to 100000000\n"
              "0: --data can't be ''; allowed: DIR: 1 to 4095 bytes, without quotes\n"
              "0: '?[0m' is not understood\n");
    assert_int_equal(load_flags("--data", NULL), STATUS_USAGE);
    assert_string_equal(told, "0: a value is missing after --data\n");
    /* Those who ask for help get it. */
    assert_int_equal(load_flags("--config", "/nowhere", "--help", NULL), STATUS_OK);
    assert_int_equal(options.action, OPTIONS_HELP);
    assert_int_equal(load_flags("--config", "/nowhere", "--check-config", NULL), STATUS_USAGE);
}

static void test_options_that_need_each_other(void **state)
{
    (void)state;
    char token[] = "/tmp/conclave-token-XXXXXX"; /* mode 0600 */
    char text[256], problem[256];
    int fd = mkstemp(token);
    assert_true(fd >= 0);
    static const char reachable[] = "others can reach that address, and who reads this sees names, "
                                    "groups and times; if that is meant: 'http-public' yes and "
                                    "'http-token-file'\n";
    static const char *const addresses[] = {"0.0.0.0:9999", "*:9999", "[::]:1", "192.0.2.1:*",
                                            "[2001:db8::1]:1"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        snprintf(text, sizeof text, "log-level = warn\nhttp = %s\n", addresses[i]);
        snprintf(problem, sizeof problem, "2: key 'http': %s", reachable);
        refused(text, problem);
        assert_int_equal(load_flags("--check-config", "--http", addresses[i], NULL), STATUS_USAGE);
        snprintf(problem, sizeof problem, "0: --http: %s", reachable);
        assert_string_equal(told, problem);
        assert_int_equal(load_flags("--http", addresses[i], "--http-public", "yes",
                                    "--http-token-file", token, NULL),
                         STATUS_OK);
    }
    assert_int_equal(load_text("http = 127.8.0.1:1\n"), STATUS_OK);
    assert_int_equal(load_text("http = [::1]:1\n"), STATUS_OK);
    /* A flag and a line of the file: told where the one stands that lacks the other. */
    write_config("\nhttp-public = yes\n", 19);
    assert_int_equal(load_flags("--config", config_path, "--http", "*:1", NULL), STATUS_USAGE);
    assert_string_equal(told, "2: key 'http-public': yes needs 'http-token-file' too\n");
    assert_int_equal(load_flags("--config", config_path, "--http-token-file", token, NULL),
                     STATUS_OK);
    /* Not for a server that is off, nor for who only prints, checks a store or restores one. */
    assert_int_equal(load_flags("--config", config_path, "--http", "off", NULL), STATUS_OK);
    assert_int_equal(load_flags("--config", config_path, "--print-config", NULL), STATUS_OK);
    assert_int_equal(load_flags("--config", config_path, "--fsck", NULL), STATUS_OK);
    assert_int_equal(load_flags("--config", config_path, "--restore", "/b", NULL), STATUS_OK);
    /* The token's file. */
    assert_int_equal(chmod(token, 0640), 0);
    assert_int_equal(load_flags("--http-token-file", token, NULL), STATUS_USAGE);
    assert_string_equal(told, "0: --http-token-file: others may read or write it; it must be "
                              "private: chmod 600\n");
    assert_int_equal(load_flags("--http-token-file", "/tmp", NULL), STATUS_USAGE);
    assert_string_equal(told, "0: --http-token-file: is no regular file\n");
    close(fd);
    assert_int_equal(remove(token), 0);
    assert_int_equal(load_flags("--http-token-file", token, NULL), STATUS_USAGE);
    assert_string_equal(told, "0: --http-token-file: No such file or directory\n");
}

/* "name: old -> new; " for each, those that need a restart in brackets. */
static char differences[1024];

static void note_changed(void *context, const char *name, const char *old, const char *new)
{
    size_t used = strlen(context);
    snprintf((char *)context + used, sizeof differences - used, "%s: %s -> %s; ", name, old, new);
}

static void note_restart(void *context, const char *name, const char *old, const char *new)
{
    size_t used = strlen(context);
    snprintf((char *)context + used, sizeof differences - used, "[%s: %s -> %s]; ", name, old, new);
}

static void test_what_a_reload_takes(void **state)
{
    (void)state;
    assert_int_equal(load_text("log-level = warn\nidle-seconds = 5\n"), STATUS_OK);
    options_t running = options;
    assert_int_equal(load_text("data = /srv\nlisten = tcp://127.0.0.1:1\nlisten = tcp://[::1]:*\n"
                               "idle-seconds = 6\nretention-days = 30\n"),
                     STATUS_OK);
    differences[0] = '\0';
    options_take_reloaded(&running, &options, note_changed, note_restart, differences);
    assert_string_equal(differences,
                        "[data:  -> /srv]; "
                        "[listen: tcp://127.0.0.1:5670 -> tcp://127.0.0.1:1 tcp://[::1]:*]; "
                        "log-level: warn -> info; idle-seconds: 5 -> 6; ");
    assert_string_equal(running.data, "");
    assert_int_equal(running.listen.items[0].port, 5670);
    assert_int_equal(running.log_level, LEVEL_INFO);
    assert_int_equal(running.idle_seconds, 6);
    differences[0] = '\0';
    options_take_reloaded(&running, &running, note_changed, note_restart, differences);
    assert_string_equal(differences, "");
}

/* What --print-config prints says the same again. */
static void test_printed_settings_are_a_config_file(void **state)
{
    (void)state;
    assert_int_equal(load_text("data = /srv\nlisten = tcp://127.0.0.1:1\nlisten = tcp://[::1]:*\n"
                               "log-level = debug\nlog-format = json\nstore-reserve-mb = 0\n"),
                     STATUS_OK);
    options_t first = options;
    FILE *file = fopen(config_path, "wb");
    assert_non_null(file);
    options_print_config(&first, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(load_flags("--config", config_path, NULL), STATUS_OK);
    differences[0] = '\0';
    options_take_reloaded(&first, &options, note_changed, note_restart, differences);
    assert_string_equal(differences, "");
}

static void test_names_that_are_near(void **state)
{
    (void)state;
    assert_true(option_name_is_near("log-level", "log-level"));
    assert_true(option_name_is_near("lg-levl", "log-level"));
    assert_true(option_name_is_near("olg-level", "log-level"));
    assert_false(option_name_is_near("lg-lvl", "log-level"));
    assert_false(option_name_is_near("", "log"));
    assert_true(option_name_is_near("", "lo"));
    char endless[300];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_false(option_name_is_near(endless, "log-level"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_an_address_or_off),
        cmocka_unit_test(test_the_table_is_consistent),
        cmocka_unit_test(test_options_that_need_each_other),
        cmocka_unit_test(test_a_config_file),
        cmocka_unit_test(test_flags_override_the_file_wherever_they_stand),
        cmocka_unit_test(test_what_editors_leave_in_a_file),
        cmocka_unit_test(test_each_error_is_told_with_its_line),
        cmocka_unit_test(test_seventeen_addresses),
        cmocka_unit_test(test_only_so_many_errors_are_told),
        cmocka_unit_test(test_lines_and_files_that_are_too_long),
        cmocka_unit_test(test_flags_that_are_wrong),
        cmocka_unit_test(test_what_a_reload_takes),
        cmocka_unit_test(test_printed_settings_are_a_config_file),
        cmocka_unit_test(test_names_that_are_near),
        cmocka_unit_test(test_files_that_are_no_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
