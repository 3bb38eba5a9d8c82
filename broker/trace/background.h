/* SPDX-License-Identifier: MPL-2.0 */
/* Work that must not take time from the messages. */
#ifndef CONCLAVE_BROKER_TRACE_BACKGROUND_H
#define CONCLAVE_BROKER_TRACE_BACKGROUND_H

/* From now on the calling thread, and threads that it starts, get little of a processor that
 * others want, and all of one that nobody wants. */
void background_thread(void);

#endif
