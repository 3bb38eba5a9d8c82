/* SPDX-License-Identifier: MPL-2.0 */
/* Command line options from tables. */
#include "client/ui/options.h"

#include "proto/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX     64 /* options known at once, for the nearest name */
#define DISTANCE_WORD 32 /* longer words have no near ones */

void options_init(options_t *self, int argc, char **argv)
{
    *self = (options_t){.argc = argc, .argv = argv, .next = 1};
}

void options_wipe(options_t *self)
{
    text_buffer_wipe(&self->error);
}

void options_add_set(options_t *self, const option_row_t *rows, size_t count, void *values)
{
    assert(self->set_count < OPTIONS_SETS_MAX);
    self->sets[self->set_count++] = (option_set_t){rows, count, values};
}

const char *options_error(const options_t *self)
{
    return self->error.bytes ? self->error.bytes : "";
}

/* Restricted Damerau–Levenshtein distance (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][DISTANCE_WORD + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > DISTANCE_WORD || b_size > DISTANCE_WORD)
        return SIZE_MAX;
    size_t *two_above = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        two_above[j] = row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *spare = two_above;
        two_above = above;
        above = row;
        row = spare;
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < best)
                best = two_above[j - 2] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

const char *options_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) < 5 ? 2 : 3; /* one more than allowed */
    for (size_t i = 0; i < count; i++) {
        size_t slips = distance(word, candidates[i]);
        if (slips < least && slips < strlen(candidates[i])) {
            least = slips;
            nearest = candidates[i];
        }
    }
    return nearest;
}

static status_t refuse_unknown(options_t *self, const char *argument, const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t s = 0; s < self->set_count; s++)
        for (size_t i = 0; i < self->sets[s].count && count < NAMES_MAX; i++)
            names[count++] = self->sets[s].rows[i].name;
    const char *nearest = name ? options_nearest(name, names, count) : NULL;
    text_buffer_add_format(&self->error, "unknown option %s", argument);
    if (nearest)
        text_buffer_add_format(&self->error, "; did you mean --%s?", nearest);
    else
        text_buffer_add_text(&self->error, " (-- goes before text that starts with a dash)");
    return STATUS_USAGE;
}

/* Decimal digits only, and no overflow. */
static bool parse_number(const char *text, size_t size, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (text[i] < '0' || text[i] > '9' || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return size > 0;
}

/* Seconds with up to three decimals. */
static bool parse_seconds(const char *text, uint64_t *ms)
{
    uint64_t seconds, thousandths = 0;
    size_t whole = strcspn(text, ".");
    if (!parse_number(text, whole, &seconds) || seconds > UINT64_MAX / 1000 - 1)
        return false;
    if (text[whole]) {
        const char *decimals = text + whole + 1;
        size_t size = strlen(decimals);
        if (size > 3 || !parse_number(decimals, size, &thousandths))
            return false;
        for (; size < 3; size++)
            thousandths *= 10;
    }
    *ms = seconds * 1000 + thousandths;
    return true;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);
    for (const char *word = choices; *word;) {
        size_t length = strcspn(word, "|");
        if (length == size && memcmp(word, value, size) == 0)
            return true;
        word += length + (word[length] == '|');
    }
    return false;
}

static status_t refuse_number(options_t *self, const option_row_t *row, const char *value)
{
    uint64_t unit = row->kind == OPTION_SECONDS ? 1000 : 1;
    text_buffer_add_format(&self->error, "--%s %s: %s expected", row->name, value,
                           row->kind == OPTION_SECONDS ? "seconds" : "a number");
    if (row->maximum)
        text_buffer_add_format(&self->error, " from %.15g to %.15g",
                               (double)row->minimum / (double)unit,
                               (double)row->maximum / (double)unit);
    else if (row->minimum)
        text_buffer_add_format(&self->error, ", at least %.15g",
                               (double)row->minimum / (double)unit);
    return STATUS_USAGE;
}

static status_t store_number(options_t *self, const option_row_t *row, void *field,
                             const char *value)
{
    uint64_t number;
    bool parsed = row->kind == OPTION_SECONDS ? parse_seconds(value, &number)
                                              : parse_number(value, strlen(value), &number);
    if (!parsed || number < row->minimum || (row->maximum && number > row->maximum))
        return refuse_number(self, row, value);
    *(uint64_t *)field = number;
    return STATUS_OK;
}

/* `value` is NULL for a flag. */
static status_t store(options_t *self, const option_set_t *set, const option_row_t *row,
                      const char *value)
{
    void *field = (char *)set->values + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return STATUS_OK;
    case OPTION_NUMBER:
    case OPTION_SECONDS:
        return store_number(self, row, field, value);
    case OPTION_CHOICE:
        if (!is_choice(row->argument, value)) {
            text_buffer_add_format(&self->error, "--%s %s: one of %s expected", row->name, value,
                                   row->argument);
            return STATUS_USAGE;
        }
        break;
    case OPTION_TEXT:
        break;
    }
    if (!*value) {
        text_buffer_add_format(&self->error, "--%s: %s must not be empty", row->name,
                               row->argument);
        return STATUS_USAGE;
    }
    *(const char **)field = value;
    return STATUS_OK;
}

/* The row of a long name of `size` bytes, or of a letter (name NULL). */
static const option_row_t *find(const options_t *self, const char *name, size_t size, char letter,
                                const option_set_t **set)
{
    for (size_t s = 0; s < self->set_count; s++) {
        *set = &self->sets[s];
        for (size_t i = 0; i < (*set)->count; i++) {
            const option_row_t *row = &(*set)->rows[i];
            if (name ? strlen(row->name) == size && memcmp(row->name, name, size) == 0
                     : row->letter && row->letter == letter)
                return row;
        }
    }
    return NULL;
}

/* `argument` starts with a dash and is longer than that. */
static status_t take_option(options_t *self, const char *argument)
{
    bool is_long = argument[1] == '-';
    const char *name = argument + 2;
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    const char *value = equals ? equals + 1 : NULL;
    const option_set_t *set = NULL;
    const option_row_t *row = NULL;
    if (is_long)
        row = find(self, name, size, 0, &set);
    else if (!argument[2])
        row = find(self, NULL, 0, argument[1], &set);
    if (!row) {
        char *bare = is_long ? mem_dup(name, size + 1) : NULL;
        if (bare)
            bare[size] = '\0';
        status_t status = refuse_unknown(self, argument, bare);
        free(bare);
        return status;
    }
    if (row->kind == OPTION_FLAG && value) {
        text_buffer_add_format(&self->error, "--%s takes no value", row->name);
        return STATUS_USAGE;
    }
    if (row->kind != OPTION_FLAG && !value) {
        if (self->next >= self->argc) {
            text_buffer_add_format(&self->error, "--%s needs a value: %s", row->name,
                                   row->argument);
            return STATUS_USAGE;
        }
        value = self->argv[self->next++];
    }
    return store(self, set, row, value);
}

status_t options_next(options_t *self, const char **word)
{
    *word = NULL;
    text_buffer_wipe(&self->error);
    while (self->next < self->argc) {
        const char *argument = self->argv[self->next++];
        if (self->only_words || argument[0] != '-' || !argument[1]) {
            *word = argument;
            return STATUS_OK;
        }
        if (strcmp(argument, "--") == 0) {
            self->only_words = true;
            continue;
        }
        status_t status = take_option(self, argument);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

char *options_synopsis(const option_row_t *rows, size_t count)
{
    text_buffer_t out = {0};
    for (size_t i = 0; i < count; i++) {
        text_buffer_add_format(&out, "%s[--%s", i ? " " : "", rows[i].name);
        if (rows[i].argument)
            text_buffer_add_format(&out, " %s", rows[i].argument);
        text_buffer_add_text(&out, "]");
    }
    return text_buffer_take(&out);
}

static size_t usage_width(const option_row_t *row)
{
    return strlen("-x, --") + strlen(row->name) + (row->argument ? 1 + strlen(row->argument) : 0);
}

char *options_help(const option_row_t *rows, size_t count)
{
    text_buffer_t out = {0};
    size_t widest = 0;
    for (size_t i = 0; i < count; i++)
        if (usage_width(&rows[i]) > widest)
            widest = usage_width(&rows[i]);
    for (size_t i = 0; i < count; i++) {
        char letter[] = "-x, ";
        letter[1] = rows[i].letter;
        text_buffer_add_format(&out, "  %s--%s%s%s", rows[i].letter ? letter : "    ", rows[i].name,
                               rows[i].argument ? " " : "",
                               rows[i].argument ? rows[i].argument : "");
        text_buffer_add_repeated(&out, ' ', widest - usage_width(&rows[i]) + 2);
        text_buffer_add_format(&out, "%s\n", rows[i].help);
    }
    return text_buffer_take(&out);
}
