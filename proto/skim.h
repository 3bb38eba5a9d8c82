/* SPDX-License-Identifier: MPL-2.0 */
/* A first pass over MessagePack bytes that allocates nothing, so that a library may then unpack
 * them without being asked for more than they hold. */
#ifndef CONCLAVE_PROTO_SKIM_H
#define CONCLAVE_PROTO_SKIM_H

#include "proto/bytes.h"

/*
 * Checks the object that bytes begin with, and gives its extent: every length and count fits in the
 * bytes left, at most NESTING_MAX arrays inside each other and FRAME_MAX_ITEMS objects in all, and
 * nothing but integers, strings, binaries and arrays. STATUS_MALFORMED, STATUS_BAD_TYPE (another
 * type), STATUS_TOO_LARGE (too many items).
 */
MUST_CHECK status_t skim(bytes_t bytes, size_t *extent);

#endif
