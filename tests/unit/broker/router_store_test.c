/* SPDX-License-Identifier: MPL-2.0 */
/* The router when its store fails, is full or is opened again: what is acknowledged then. */
#include "broker/store/store_rocksdb.h"
#include "proto/statement.h"
#include "tests/unit/broker/router_fixture.h"

static void make_registration(register_request_t *out, const char *name)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t seed[crypto_sign_SEEDBYTES] = {7};
    buffer_t statement = {0};
    memset(out, 0, sizeof *out);
    assert_int_equal(name_parse(&out->name, name), STATUS_OK);
    crypto_sign_seed_keypair(out->identity_key, secret, seed);
    statement_register(&statement, broker.key.public_key, name, out->identity_key);
    crypto_sign_detached(out->signature, NULL, statement.data, statement.size, secret);
    buffer_free(&statement);
}

static void test_failed_write_acks_nothing(void **state)
{
    client_t client;
    register_request_t registration;
    (void)state;
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    for (int applied = 0; applied < 2; applied++) {
        make_registration(&registration, applied ? "alice" : "bob");
        /* The router is idle: it waits for this test's next frame. */
        usleep(50000);
        store_memory_fail_next_write(broker.store, applied);
        store_memory_fail_reopens(broker.store, 1);
        client_send(&client, VERB_register, &registration);
        assert_false(client_receive(&client, 60));
        /* What follows is refused or answered, and in the end the same request is acknowledged. */
        status_t status = STATUS_STORE_FAILED;
        for (int i = 0; i < 600 && status != STATUS_OK; i++) {
            status = client_call(&client, VERB_register, &registration);
            assert_true(status == STATUS_OK || status == STATUS_STORE_FAILED ||
                        status == STATUS_RATE_LIMITED);
            usleep(50000);
        }
        assert_int_equal(status, STATUS_OK);
    }
    assert_int_equal(counter_get(&broker.counters.writes_failed), 2);
    client_close(&client);
}

static void test_full_store_refuses(void **state)
{
    client_t client;
    register_request_t registration;
    status_t status;
    (void)state;
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    usleep(50000);
    store_memory_set_full(broker.store, true);
    make_registration(&registration, "alice");
    assert_int_equal(client_call(&client, VERB_register, &registration), STATUS_STORE_FULL);
    assert_int_equal(client_call(&client, VERB_register, &registration), STATUS_STORE_FULL);
    assert_true(counter_get(&broker.counters.writes_refused) >= 1);
    usleep(50000);
    store_memory_set_full(broker.store, false);
    for (int i = 0; i < 600; i++) {
        status = client_call(&client, VERB_register, &registration);
        if (status == STATUS_OK) {
            break;
        }
        usleep(50000);
    }
    assert_int_equal(status, STATUS_OK);
    client_close(&client);
}

static store_t *open_rocksdb(const char *dir)
{
    store_t *store = NULL;
    assert_int_equal(store_rocksdb_open(dir, NULL, &store), STATUS_OK);
    return store;
}

static void test_restart(void **state)
{
    client_t client;
    register_request_t registration;
    char root[] = "/tmp/conclave-router-XXXXXX";
    char dir[64];
    char command[64];
    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/store", root);
    broker_stop();
    broker_start(open_rocksdb(dir), 1000);
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    make_registration(&registration, "alice");
    assert_int_equal(client_call(&client, VERB_register, &registration), STATUS_OK);
    client_close(&client);
    broker_stop();
    broker_start(open_rocksdb(dir), 1000);
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    const whois_request_t whois = {.name = {"alice"}};
    client_send(&client, VERB_whois, &whois);
    assert_true(client_receive(&client, REPLY_MS));
    assert_int_equal(client.message.status, STATUS_OK);
    assert_memory_equal(client.message.body.whois_reply.identity_key, registration.identity_key,
                        KEY_BYTES);
    message_done(&client);
    client_close(&client);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failed_write_acks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_store_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
    };
    if (!fixture_open()) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_close();
    return failed;
}
