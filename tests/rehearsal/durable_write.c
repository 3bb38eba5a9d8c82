/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/rehearsal/durable_write.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local long current;

static void fail(const char *cause)
{
    fprintf(stderr, "rehearsal: %s\n", cause);
    abort();
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static long count_one(void)
{
    const char *path = getenv("CONCLAVE_REHEARSAL_COUNT");
    if (!path)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, ".", 1) != 1)
        fail("the count can't be written");
    long number = (long)lseek(fd, 0, SEEK_CUR); /* appending has moved it behind this byte */
    close(fd);
    return number;
}

/* Which write is meant on that side; 0: none. */
static long planned(const char *side)
{
    const char *plan = getenv("CONCLAVE_REHEARSAL_DIE");
    size_t size = strlen(side);
    if (!plan || strncmp(plan, side, size) != 0 || plan[size] != ':')
        return 0;
    return strtol(plan + size + 1, NULL, 10);
}

bool durable_write_begin(void)
{
    current = count_one();
    if (current == 0)
        return true;
    long lost = planned("lost");
    if (current == planned("before") || (lost > 0 && current == lost + 1))
        die();
    return current != lost;
}

void durable_write_end(void)
{
    if (current > 0 && current == planned("after"))
        die();
}
