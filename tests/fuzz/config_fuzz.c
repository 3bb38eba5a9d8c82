/* SPDX-License-Identifier: MPL-2.0 */
/* Config files: what is wrong is told with its line, in printable ASCII; what is right prints as a
   file that says the same. */
#include "broker/settings/config_text.h"
#include "broker/settings/options.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, by its name in /proc. */
typedef struct {
    int fd;
    char path[64];
} memory_file_t;

static memory_file_t memory_file(void)
{
    memory_file_t self = {.fd = memfd_create("config", MFD_CLOEXEC)};
    FUZZ_MUST(self.fd >= 0);
    snprintf(self.path, sizeof self.path, "/proc/self/fd/%d", self.fd);
    return self;
}

static void memory_file_write(const memory_file_t *self, const uint8_t *data, size_t size)
{
    FUZZ_MUST(ftruncate(self->fd, 0) == 0);
    FUZZ_MUST(pwrite(self->fd, data, size, 0) == (ssize_t)size);
}

typedef struct {
    size_t count;
    size_t lines; /* of the file */
} told_t;

static void check_problem(void *context, const options_problem_t *problem)
{
    told_t *self = context;
    self->count++;
    FUZZ_MUST(problem->file && problem->line <= self->lines);
    FUZZ_MUST(problem->line > 0 || self->lines == SIZE_MAX);
    FUZZ_MUST(*problem->text && strlen(problem->text) < 512);
    for (const char *c = problem->text; *c; c++) {
        FUZZ_MUST(*c >= ' ' && *c <= '~');
    }
}

static status_t load(options_t *out, const memory_file_t *file, told_t *told)
{
    static char *argv[4];
    argv[0] = (char *)(uintptr_t) "conclaved";
    argv[1] = (char *)(uintptr_t) "--config";
    argv[2] = (char *)(uintptr_t)file->path;
    return options_load(out, 3, argv, check_problem, told);
}

static void must_not_differ(void *context, const char *name, const char *old, const char *new)
{
    (void)context;
    fprintf(stderr, "%s: '%s' reads back as '%s'\n", name, old, new);
    abort();
}

static void check_printed(options_t *options)
{
    static memory_file_t printed;
    options_t again;
    told_t told = {.lines = SIZE_MAX};
    if (!printed.path[0]) {
        printed = memory_file();
    }
    memory_file_write(&printed, NULL, 0);
    FILE *out = fopen(printed.path, "w");
    FUZZ_MUST(out);
    options_print_config(options, out);
    FUZZ_MUST(fclose(out) == 0);
    FUZZ_MUST(load(&again, &printed, &told) == STATUS_OK);
    options_take_reloaded(options, &again, must_not_differ, must_not_differ, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static memory_file_t file;
    options_t options;
    told_t told = {.lines = 1};
    if (!file.path[0]) {
        file = memory_file();
    }
    for (size_t i = 0; i < size; i++) {
        told.lines += data[i] == '\n';
    }
    if (size > CONFIG_FILE_MAX_BYTES) {
        told.lines = SIZE_MAX; /* told of the file as a whole */
    }
    memory_file_write(&file, data, size);
    if (load(&options, &file, &told) == STATUS_OK) {
        FUZZ_MUST(told.count == 0);
        check_printed(&options);
    } else {
        FUZZ_MUST(told.count > 0 && told.count <= OPTIONS_TOLD_MAX);
    }
    return 0;
}
