/* SPDX-License-Identifier: MPL-2.0 */
/* Strict: what is not understood is told, and nothing is guessed. */
#include "broker/settings/config_text.h"

#include "proto/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts the blanks at both ends of text[0..size), in place. */
static char *trim(char *text, size_t size)
{
    while (size > 0 && is_blank(text[size - 1])) {
        size--;
    }
    text[size] = '\0';
    while (is_blank(*text)) {
        text++;
    }
    return text;
}

static bool has_control_characters(const char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Takes the bytes of one line, without its end. */
static bytes_t take_line(config_text_t *self)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (self->line == 0 && self->left.size >= sizeof mark &&
        memcmp(self->left.data, mark, sizeof mark) == 0) {
        self->left.data += sizeof mark;
        self->left.size -= sizeof mark;
    }
    const uint8_t *end = memchr(self->left.data, '\n', self->left.size);
    bytes_t line = {self->left.data, end ? (size_t)(end - self->left.data) : self->left.size};
    size_t taken = line.size + (end ? 1 : 0);
    self->left.data += taken;
    self->left.size -= taken;
    self->line++;
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    return line;
}

static const char *check_bytes(config_text_t *self, bytes_t line)
{
    if (line.size > CONFIG_LINE_MAX_BYTES) {
        return "the line is too long; at most 8192 bytes";
    }
    if (memchr(line.data, '\0', line.size)) {
        return "there is a NUL byte; a config file is text";
    }
    memcpy(self->bytes, line.data, line.size);
    self->bytes[line.size] = '\0';
    if (!utf8_valid(self->bytes, line.size)) {
        return "the line is not UTF-8";
    }
    if (has_control_characters(self->bytes)) {
        return "there is a control character; only blanks and tabs are allowed";
    }
    return NULL;
}

static void split(char *line, config_line_t *out)
{
    char *equals = strchr(line, '=');
    if (line[0] == '[') {
        out->problem = "there are no sections; each line is 'key = value'";
    } else if (!equals || equals == line) {
        out->problem = "this is not 'key = value'";
    } else {
        out->value = trim(equals + 1, strlen(equals + 1));
        out->key = trim(line, (size_t)(equals - line));
    }
}

bool config_text_next(config_text_t *self, config_line_t *out)
{
    *out = (config_line_t){0};
    while (self->left.size > 0) {
        bytes_t line = take_line(self);
        if (line.size == 0) {
            continue;
        }
        out->problem = check_bytes(self, line);
        if (out->problem) {
            return true;
        }
        char *text = trim(self->bytes, line.size);
        if (*text && *text != '#') {
            split(text, out);
            return true;
        }
    }
    return false;
}

static const char *read_all(int fd, buffer_t *out)
{
    for (;;) {
        uint8_t piece[4096];
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return strerrordesc_np(errno);
        }
        if (got == 0) {
            return NULL;
        }
        buffer_append(out, piece, (size_t)got);
        if (out->size > CONFIG_FILE_MAX_BYTES) {
            return "the file is too large; at most 65536 bytes";
        }
    }
}

const char *config_file_read(const char *path, buffer_t *out)
{
    struct stat about;
    /* Without waiting: opening a FIFO for reading would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return strerrordesc_np(errno);
    }
    const char *problem = NULL;
    if (fstat(fd, &about) != 0) {
        problem = strerrordesc_np(errno);
    } else if (!S_ISREG(about.st_mode)) {
        problem = S_ISDIR(about.st_mode) ? "is a directory; name a file" : "is no regular file";
    } else {
        problem = read_all(fd, out);
    }
    close(fd);
    return problem;
}
