/* SPDX-License-Identifier: MPL-2.0 */
/* The config file, read again while the broker runs. */
#ifndef CONCLAVE_BROKER_SETTINGS_RELOAD_H
#define CONCLAVE_BROKER_SETTINGS_RELOAD_H

#include "broker/log.h"
#include "broker/settings/options.h"

/* Reads the file that --config names, and takes over what may change while running: one line of the
   log for each change, one for each that needs a restart. With any error in the file nothing
   changes, and each error is logged with its line. False: *options is as it was. */
bool reload_options(options_t *options, log_t *log);

#endif
