/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/home_identity.h"

#include <errno.h>
#include <unistd.h>

#include "client/home/private_file.h"
#include "client/keys/identity.h"

static const char current_name[] = "identity";
static const char previous_name[] = "identity.previous";
static const char vaults_name[] = "vaults"; /* its being there is what it says */
static const char *const vault_names[] = {"member.vault", "member.vault-wal", "admin.vault",
                                          "admin.vault-wal"};
enum { FILE_MAX_BYTES = 4096 };

bool home_has_identity(const home_t *self)
{
    return private_file_exists(home_folder(self), current_name);
}

static status_t open_generation(const home_t *self, const char *name, bytes_t password,
                                identity_t **out)
{
    *out = NULL;
    buffer_t image = {0};
    status_t status = private_file_read(home_folder(self), name, FILE_MAX_BYTES, &image);
    if (status == STATUS_OK)
        status = identity_open(out, buffer_view(&image), password);
    else if (status == STATUS_NOT_FOUND)
        status = STATUS_NO_IDENTITY;
    else if (status == STATUS_TOO_LARGE)
        status = STATUS_DAMAGED_FILE;
    buffer_wipe(&image);
    return status;
}

status_t home_identity_open(const home_t *self, const char *password, size_t password_size,
                            struct identity **out)
{
    bytes_t secret = {(const uint8_t *)password, password_size};
    status_t status = open_generation(self, current_name, secret, out);
    if (status == STATUS_OK) {
        /* Kept for one opening only: an old password must not open the home for longer. If it can't
         * go now, it goes next time. */
        status_t ignored = private_file_remove(home_folder(self), previous_name);
        (void)ignored;
    } else if (status == STATUS_DAMAGED_FILE &&
               private_file_exists(home_folder(self), previous_name)) {
        status = open_generation(self, previous_name, secret, out);
    }
    return status;
}

status_t home_identity_create(const home_t *self, bytes_t image)
{
    status_t status = private_file_create(home_folder(self), current_name, image);
    return status == STATUS_CONFLICT ? STATUS_IDENTITY_EXISTS : status;
}

status_t home_identity_replace(const home_t *self, bytes_t image)
{
    int folder = home_folder(self);
    if (!home_has_identity(self))
        return STATUS_NO_IDENTITY;
    /* The current file gets a second name first, so that at no instant there is none under the
     * first. */
    status_t status = private_file_remove(folder, previous_name);
    if (status != STATUS_OK)
        return status;
    if (linkat(folder, current_name, folder, previous_name, 0) < 0)
        return STATUS_IO_ERROR;
    return private_file_replace(folder, current_name, image);
}

bool home_had_vaults(const home_t *self)
{
    return private_file_exists(home_folder(self), vaults_name);
}

status_t home_keep_vaults(const home_t *self)
{
    static const char content[] = "conclave vaults 1\n";
    if (home_had_vaults(self))
        return STATUS_OK;
    return private_file_replace(home_folder(self), vaults_name,
                                (bytes_t){(const uint8_t *)content, sizeof content - 1});
}

status_t home_identity_remove(const home_t *self)
{
    int folder = home_folder(self);
    status_t status = private_file_remove(folder, current_name);
    if (status == STATUS_OK)
        status = private_file_remove(folder, previous_name);
    if (status == STATUS_OK)
        status = private_file_remove(folder, vaults_name);
    for (size_t i = 0; i < sizeof vault_names / sizeof vault_names[0] && status == STATUS_OK; i++)
        status = private_file_remove(folder, vault_names[i]);
    return status;
}
