/* SPDX-License-Identifier: MPL-2.0 */
/* Commits: there is one way to write each, so whatever is read is written as the same bytes. */
#include <string.h>

#include "proto/commit.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    commit_t commit;
    bytes_t bytes = {data, size};
    if (commit_parse(&commit, bytes) != STATUS_OK) {
        FUZZ_MUST(!commit.adds && !commit.removals && !commit.refreshes && !commit.roles &&
                  !commit.wraps);
        return 0;
    }
    buffer_t out = {0};
    commit_write_body(&commit, &out);
    FUZZ_MUST(out.size == commit_body(bytes).size);
    commit_write_trailer(&commit, &out);
    FUZZ_MUST(out.size == size && memcmp(out.data, data, size) == 0);
    buffer_free(&out);
    commit_wipe(&commit);
    return 0;
}
