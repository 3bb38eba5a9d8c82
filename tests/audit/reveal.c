/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the blindness audit has to look for: opens (a copy of) a home with its password and prints
 * every secret in it, a line each: kind, hex.
 *
 *   reveal HOME PASSWORD_FILE
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/vault_rows.h"
#include "client/home/home_identity.h"
#include "client/keys/group_state_parts.h"
#include "client/keys/holder.h"
#include "client/keys/kdf.h"
#include "client/ui/password.h"
#include "client/vault/vault_sqlite.h"

#define PREKEY_OFFSET (1 + 8 + 8) /* in a join row, after format, index and epoch */

typedef struct {
    vault_t *vault;
    status_t (*load)(void *state, bytes_t key, bytes_t value);
    void *state;
    status_t status;
} reading_t;

static void fail(const char *what, status_t status)
{
    fprintf(stderr, "reveal: %s: %s (%s)\n", what, status_text(status), status_name(status));
    exit(1);
}

/* Keys of no member yet are zero, and no secret. */
static void print_secret(const char *kind, const uint8_t *bytes, size_t size)
{
    char hex[2 * crypto_sign_SECRETKEYBYTES + 1];
    if (sodium_is_zero(bytes, size))
        return;
    sodium_bin2hex(hex, sizeof hex, bytes, size);
    printf("%s %s\n", kind, hex);
}

static void print_key(const char *kind, const secret_t *key)
{
    print_secret(kind, key->bytes, sizeof key->bytes);
}

static void print_identity(const identity_t *identity)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], pair[crypto_sign_SECRETKEYBYTES];
    uint8_t scalar[crypto_scalarmult_curve25519_SCALARBYTES];
    crypto_sign_seed_keypair(public_key, pair, identity_seed(identity));
    if (crypto_sign_ed25519_sk_to_curve25519(scalar, pair))
        fail("identity", STATUS_INVALID);
    print_secret("identity-seed", identity_seed(identity), KEY_BYTES);
    print_secret("identity-scalar", scalar, sizeof scalar);
    print_key("vault-key", identity_vault_key(identity));
}

static void print_secret_tree(const secret_tree_t *tree)
{
    uint32_t *nodes = index_map_keys(&tree->nodes), *leaves = index_map_keys(&tree->chains);
    for (size_t i = 0; i < tree->nodes.count; i++)
        print_key("tree-secret", index_map_get(&tree->nodes, nodes[i]));
    for (size_t i = 0; i < tree->chains.count; i++) {
        const chain_t *chain = index_map_get(&tree->chains, leaves[i]);
        secret_t message;
        kdf_plain(&message, &chain->key, KDF_MESSAGE);
        print_key("chain-key", &chain->key);
        print_key("message-key", &message);
    }
    free(nodes);
    free(leaves);
}

static void print_group_state(const group_state_t *keys)
{
    print_key("membership", &keys->membership);
    for (unsigned level = 0; level <= keys->path.depth; level++)
        print_key("path-key", &keys->path.keys[level]);
    print_secret_tree(&keys->secrets);
}

static void print_holder(const holder_t *holder)
{
    print_key("membership", holder_membership(holder));
    const key_tree_t *tree = holder_tree(holder);
    for (uint32_t node = 0; node < tree_node_count(key_tree_depth(tree)); node++) {
        const secret_t *key = key_tree_get(tree, (node_index_t){node});
        if (key)
            print_key("node-key", key);
    }
}

static bool load_row(void *context, bytes_t key, bytes_t value)
{
    reading_t *reading = context;
    reading->status = reading->load(reading->state, row_key_tail(key), value);
    return !reading->status;
}

static status_t load_member_row(void *state, bytes_t key, bytes_t value)
{
    return group_state_load_row(state, key, value);
}

static status_t load_holder_row(void *state, bytes_t key, bytes_t value)
{
    return holder_load_row(state, key, value);
}

/* All rows of one kind and group; the head row first, as their owners want it. */
static status_t load_rows(reading_t *reading, row_kind_t kind, const uint8_t *group,
                          const char *letters)
{
    for (; *letters && !reading->status; letters++) {
        row_key_t prefix = row_key_of_group(kind, group);
        prefix.bytes[prefix.size++] = (uint8_t)*letters;
        status_t status = vault_range(reading->vault, row_key_view(&prefix), (bytes_t){0}, false,
                                      load_row, reading);
        if (status)
            return status;
    }
    return reading->status;
}

static bool print_member_group(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    group_state_t *keys = group_state_load_new();
    reading_t reading = {.vault = context, .load = load_member_row, .state = keys};
    status_t status = load_rows(&reading, ROW_KEYS, row_key_group(key), "henc");
    if (!status)
        print_group_state(keys);
    else if (status != STATUS_DAMAGED_FILE) /* a group that one isn't in yet, or any more */
        fail("group keys", status);
    group_state_destroy(&keys);
    return true;
}

static bool print_admin_group(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    holder_t *holder = holder_load_new();
    reading_t reading = {.vault = context, .load = load_holder_row, .state = holder};
    status_t status = load_rows(&reading, ROW_HOLDER, row_key_group(key), "hker");
    if (status)
        fail("key tree", status);
    print_holder(holder);
    holder_destroy(&holder);
    return true;
}

static bool print_prekey(void *context, bytes_t key, bytes_t value)
{
    (void)context, (void)key;
    if (value.size < PREKEY_OFFSET + KEY_BYTES)
        fail("join request", STATUS_DAMAGED_FILE);
    print_secret("prekey", value.data + PREKEY_OFFSET, KEY_BYTES);
    return true;
}

static void print_rows(vault_t *vault, row_kind_t kind, vault_visit_fn *print)
{
    row_key_t prefix = row_key(kind);
    status_t status = vault_range(vault, row_key_view(&prefix), (bytes_t){0}, false, print, vault);
    if (status)
        fail("vault", status);
}

static vault_t *open_vault(const home_t *home, const identity_t *identity, const char *name)
{
    secret_t key;
    kdf(&key, identity_vault_key(identity), KDF_VAULT, name, strlen(name));
    print_key("vault-file-key", &key);
    char *path = home_file(home, name);
    vault_t *vault = NULL;
    status_t status = vault_sqlite_open(&vault, path, key.bytes);
    if (status)
        fail(path, status);
    secret_wipe(&key);
    free(path);
    return vault;
}

int main(int argc, char **argv)
{
    if (argc != 3 || sodium_init() < 0) {
        fputs("usage: reveal HOME PASSWORD_FILE\n", stderr);
        return 2;
    }
    home_t *home = NULL;
    identity_t *identity = NULL;
    password_t password = {0};
    bool exposed = false;
    status_t status = home_new(&home, argv[1]);
    if (!status)
        status = password_read_file(&password, argv[2], &exposed);
    if (!status)
        status = home_identity_open(home, password.bytes, password.size, &identity);
    password_wipe(&password);
    if (status)
        fail(argv[1], status);
    print_identity(identity);
    vault_t *member = open_vault(home, identity, "member.vault");
    print_rows(member, ROW_GROUP, print_member_group);
    print_rows(member, ROW_JOIN, print_prekey);
    vault_destroy(&member);
    vault_t *admin = open_vault(home, identity, "admin.vault");
    print_rows(admin, ROW_ADMIN, print_admin_group);
    vault_destroy(&admin);
    identity_destroy(&identity);
    home_destroy(&home);
    return 0;
}
