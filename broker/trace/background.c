/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/background.h"

#include <sys/resource.h>
#include <unistd.h>

/* On Linux niceness is a thread's own. At 15 it weighs a thirtieth of an ordinary thread. */
enum { BACKGROUND_NICE = 15 };

void background_thread(void)
{
    if (getpriority(PRIO_PROCESS, 0) < BACKGROUND_NICE)
        setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
}
