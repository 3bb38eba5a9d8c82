/* SPDX-License-Identifier: MPL-2.0 */
/* Names that are almost right. */
#ifndef CONCLAVE_BROKER_SETTINGS_OPTION_NAME_H
#define CONCLAVE_BROKER_SETTINGS_OPTION_NAME_H

#include <stdbool.h>

/* True if at most two characters have to be put in, left out or changed. */
bool option_name_is_near(const char *written, const char *name);

#endif
