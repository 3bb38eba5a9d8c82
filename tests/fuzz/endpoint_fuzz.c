/* SPDX-License-Identifier: MPL-2.0 */
/* Broker addresses: what is read is written canonically, and reads back as the same. */
#include <string.h>

#include "proto/endpoint.h"
#include "proto/memory.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, status_t (*parse)(endpoint_t *, const char *))
{
    endpoint_t endpoint, again;
    char canonical[512], canonical_again[512], zmq[512];
    if (parse(&endpoint, text) != STATUS_OK)
        return;
    FUZZ_MUST(endpoint_format(&endpoint, canonical, sizeof canonical) == STATUS_OK);
    FUZZ_MUST(endpoint_format_zmq(&endpoint, zmq, sizeof zmq) == STATUS_OK);
    FUZZ_MUST(strncmp(canonical, zmq, strlen(zmq)) == 0);
    FUZZ_MUST(parse(&again, canonical) == STATUS_OK);
    FUZZ_MUST(memcmp(&again, &endpoint, sizeof again) == 0);
    FUZZ_MUST(endpoint_format(&again, canonical_again, sizeof canonical_again) == STATUS_OK);
    FUZZ_MUST(strcmp(canonical, canonical_again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_alloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    check(text, endpoint_parse);
    check(text, endpoint_parse_listen);
    free(text);
    return 0;
}
