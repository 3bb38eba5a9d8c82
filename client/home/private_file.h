/* SPDX-License-Identifier: MPL-2.0 */
/* Small files of one user in an open folder, written whole or not at all, whatever happens
 * meanwhile. */
#ifndef CONCLAVE_CLIENT_HOME_PRIVATE_FILE_H
#define CONCLAVE_CLIENT_HOME_PRIVATE_FILE_H

#include "proto/bytes.h"

/*
 * Appends the file's bytes. STATUS_NOT_FOUND, STATUS_TOO_LARGE (more than max_size),
 * STATUS_UNSAFE_PERMISSIONS (another user's, or group or others can read it), STATUS_IO_ERROR (also
 * for anything but a regular file; symbolic links aren't followed).
 */
MUST_CHECK status_t private_file_read(int folder, const char *name, size_t max_size, buffer_t *out);
/* Whether there is something of this name. */
bool private_file_exists(int folder, const char *name);
/* Makes a new file (0600), synced with its folder. STATUS_CONFLICT if the name is taken;
 * STATUS_IO_ERROR. */
MUST_CHECK status_t private_file_create(int folder, const char *name, bytes_t content);
/* The same, but what had the name goes. */
MUST_CHECK status_t private_file_replace(int folder, const char *name, bytes_t content);
/* STATUS_OK if it is gone, also if it was not there. */
MUST_CHECK status_t private_file_remove(int folder, const char *name);

#endif
