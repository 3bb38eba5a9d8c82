/* SPDX-License-Identifier: MPL-2.0 */
/* What no value says by itself: options that need each other, and a file that must be there. */
#ifndef CONCLAVE_BROKER_SETTINGS_OPTIONS_CHECK_H
#define CONCLAVE_BROKER_SETTINGS_OPTIONS_CHECK_H

#include "broker/settings/options.h"

/* The option's name, and why a broker would not start with it. Texts live for the call. */
typedef void options_fault_t(void *context, const char *name, const char *why);

/* Tells each fault of options whose values are all allowed. No file is opened and no name resolved,
   so a start may still find one: a host that others can reach, a token that is none. */
void options_check(const options_t *options, options_fault_t *fault, void *context);

#endif
