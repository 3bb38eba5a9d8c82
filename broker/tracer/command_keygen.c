/* SPDX-License-Identifier: MPL-2.0 */
/* An operator's key, for brokers on other machines. */
#include "broker/operator/operator_keys.h"
#include "broker/operator_client/operator_key.h"
#include "broker/tracer/tracer.h"

#include <stdio.h>

int command_keygen(const tracer_options_t *options)
{
    char problem[PATH_MAX + 256];
    char text[KEY_TEXT_BYTES];
    key_pair_t key;
    if (!operator_key_make(&key, options->arguments[0], problem, sizeof problem)) {
        tracer_complain("%s", problem);
        return TRACER_FAILED;
    }
    key_to_text(text, key.public_key);
    key_pair_wipe(&key);
    fprintf(stderr, "Add this line to " OPERATOR_KEYS_NAME " in the broker's data directory:\n");
    puts(text);
    return tracer_flush() ? TRACER_DONE : TRACER_FAILED;
}
