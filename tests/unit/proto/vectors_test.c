/* SPDX-License-Identifier: MPL-2.0 */
/* What proto/ derives, against golden bytes that another program made from PROTOCOL.md
 * (tests/vectors/generate_proto.py). Run at the repository's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <sodium.h>

#include "proto/commit.h"
#include "proto/endpoint.h"
#include "proto/message.h"
#include "proto/requests.h"
#include "proto/roster.h"
#include "proto/sealed_message.h"
#include "proto/statement.h"

typedef struct {
    char key[64];
    uint8_t *data;
    size_t size;
} vector_t;

static vector_t vectors[256];
static size_t vector_count;

static void read_vector(char *line)
{
    char *sign = strstr(line, " = ");
    if (line[0] == '#' || !sign)
        return;
    assert_true(vector_count < sizeof vectors / sizeof vectors[0]);
    vector_t *vector = &vectors[vector_count++];
    assert_true((size_t)(sign - line) < sizeof vector->key);
    memcpy(vector->key, line, (size_t)(sign - line));
    const char *hex = sign + 3;
    size_t hex_size = strcspn(hex, "\n");
    vector->data = malloc(hex_size / 2 + 1);
    assert_non_null(vector->data);
    assert_int_equal(
        sodium_hex2bin(vector->data, hex_size / 2, hex, hex_size, NULL, &vector->size, NULL), 0);
    assert_int_equal(vector->size, hex_size / 2);
}

static int load(void **state)
{
    (void)state;
    FILE *file = fopen("tests/vectors/proto.txt", "re");
    assert_non_null(file);
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0)
        read_vector(line);
    free(line);
    fclose(file);
    assert_true(vector_count > 50);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++)
        free(vectors[i].data);
    return 0;
}

static bytes_t get(const char *key)
{
    for (size_t i = 0; i < vector_count; i++)
        if (strcmp(vectors[i].key, key) == 0)
            return (bytes_t){vectors[i].data, vectors[i].size};
    fail_msg("no vector %s", key);
    return (bytes_t){0};
}

static const uint8_t *get_sized(const char *key, size_t size)
{
    bytes_t bytes = get(key);
    assert_int_equal(bytes.size, size);
    return bytes.data;
}

static name_t get_name(const char *key)
{
    name_t name;
    bytes_t bytes = get(key);
    assert_int_equal(name_set(&name, (const char *)bytes.data, bytes.size), STATUS_OK);
    return name;
}

static void expect(const char *key, const void *data, size_t size)
{
    bytes_t bytes = get(key);
    assert_int_equal(size, bytes.size);
    assert_memory_equal(data, bytes.data, size);
}

static void expect_buffer(const char *key, buffer_t *buffer)
{
    expect(key, buffer->data, buffer->size);
    buffer_free(buffer);
}

static void test_statements(void **state)
{
    (void)state;
    const uint8_t *broker = get_sized("in.broker_key", 32), *alice = get_sized("in.alice_key", 32);
    buffer_t out = {0};
    statement_register(&out, broker, "alice", alice);
    assert_int_equal(
        signature_verify(get_sized("signature.register", 64), alice, buffer_view(&out)), STATUS_OK);
    expect_buffer("statement.register", &out);
    statement_login(&out, broker, "alice", get_sized("in.challenge", 32),
                    get_sized("in.client_key", 32), PURPOSE_DUTIES);
    assert_int_equal(signature_verify(get_sized("signature.login", 64), alice, buffer_view(&out)),
                     STATUS_OK);
    expect_buffer("statement.login", &out);
    statement_unregister(&out, broker, "alice");
    assert_int_equal(
        signature_verify(get_sized("signature.unregister", 64), alice, buffer_view(&out)),
        STATUS_OK);
    expect_buffer("statement.unregister", &out);
}

static void test_hashes(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES];
    statement_hash(hash, "empty", NULL, 0);
    expect("hash.empty", hash, sizeof hash);
    const bytes_t fields[] = {{NULL, 0}, {(const uint8_t *)"a", 1}, get("in.hash.long")};
    statement_hash(hash, "fields", fields, 3);
    expect("hash.fields", hash, sizeof hash);
}

static void test_varints(void **state)
{
    (void)state;
    size_t seen = 0;
    for (size_t i = 0; i < vector_count; i++) {
        if (strncmp(vectors[i].key, "varint.", 7) != 0)
            continue;
        uint64_t value = strtoull(vectors[i].key + 7, NULL, 10);
        reader_t in = reader_of(vectors[i].data, vectors[i].size);
        assert_true(reader_varint(&in) == value);
        assert_true(reader_done(&in));
        buffer_t out = {0};
        buffer_varint(&out, value);
        expect_buffer(vectors[i].key, &out);
        seen++;
    }
    assert_int_equal(seen, 11);
}

static void test_join_request(void **state)
{
    (void)state;
    join_t request;
    assert_int_equal(join_request_parse(&request, get("join.bytes")), STATUS_OK);
    assert_string_equal(request.name.text, "bob.b-2_x");
    expect("in.group", request.group, sizeof request.group);
    expect("in.bob_key", request.identity_key, sizeof request.identity_key);
    expect("in.join.prekey", request.prekey, sizeof request.prekey);
    expect("in.join.transcript", request.transcript, sizeof request.transcript);
    buffer_t out = {0};
    join_request_statement(&request, &out);
    expect_buffer("join.statement", &out);
    join_request_write_signed_part(&request, &out);
    buffer_append(&out, request.signature, sizeof request.signature);
    expect_buffer("join.bytes", &out);
    uint8_t hash[HASH_BYTES];
    join_request_hash(hash, get("join.bytes"));
    expect("join.hash", hash, sizeof hash);
}

static void test_leave(void **state)
{
    (void)state;
    leave_t leave;
    assert_int_equal(leave_parse(&leave, get("leave.bytes")), STATUS_OK);
    assert_int_equal(leave.leaf, 70000);
    assert_true(leave.epoch_added == (UINT64_C(1) << 40) + 5);
    assert_int_equal(leave_verify(&leave, get_sized("in.bob_key", 32)), STATUS_OK);
    assert_int_equal(leave_verify(&leave, get_sized("in.alice_key", 32)), STATUS_BAD_SIGNATURE);
    buffer_t out = {0};
    leave_statement(&leave, &out);
    expect_buffer("leave.statement", &out);
    leave_write(&leave, &out);
    expect_buffer("leave.bytes", &out);
}

/* Checks what all commits have, and moves the transcript on. */
static commit_t check_commit(const char *name, uint8_t transcript[static HASH_BYTES])
{
    char bytes_key[64], next_key[64], statement_key[64];
    snprintf(bytes_key, sizeof bytes_key, "commit.%s.bytes", name);
    snprintf(next_key, sizeof next_key, "commit.%s.next", name);
    snprintf(statement_key, sizeof statement_key, "commit.%s.statement", name);
    commit_t commit;
    bytes_t bytes = get(bytes_key);
    assert_int_equal(commit_parse(&commit, bytes), STATUS_OK);
    assert_memory_equal(commit.transcript, transcript, HASH_BYTES);
    expect("in.commit.random", commit.random, sizeof commit.random);
    expect("in.commit.root", commit.roster_root, sizeof commit.roster_root);
    expect("in.commit.tag", commit.tag, sizeof commit.tag);
    expect("in.commit.mac", commit.mac, sizeof commit.mac);
    transcript_extend(transcript, transcript, commit_body(bytes));
    expect(next_key, transcript, HASH_BYTES);
    buffer_t out = {0};
    statement_commit(&out, commit.group, transcript, commit.tag);
    assert_int_equal(
        signature_verify(commit.signature, get_sized("in.alice_key", 32), buffer_view(&out)),
        STATUS_OK);
    expect_buffer(statement_key, &out);
    commit_write_body(&commit, &out);
    assert_int_equal(out.size, commit_body(bytes).size);
    commit_write_trailer(&commit, &out);
    expect_buffer(bytes_key, &out);
    return commit;
}

static void test_commits(void **state)
{
    (void)state;
    uint8_t transcript[HASH_BYTES];
    name_t group_name = get_name("in.group_name");
    transcript_start(transcript, get_sized("in.group", 16), get_sized("in.alice_key", 32),
                     group_name.text);
    expect("transcript.0", transcript, sizeof transcript);

    commit_t commit = check_commit("first", transcript);
    assert_int_equal(commit.depth, 0);
    assert_int_equal(commit.add_count, 1);
    assert_int_equal(commit.role_count, 1);
    assert_int_equal(commit.roles[0].role, ROLE_ADMIN);
    commit_wipe(&commit);

    commit = check_commit("second", transcript);
    assert_int_equal(commit.epoch, 1);
    assert_int_equal(commit.depth, 3);
    assert_int_equal(commit.add_count, 2);
    assert_int_equal(commit.adds[0].leaf, 3);
    assert_string_equal(commit.adds[0].name.text, "bob.b-2_x");
    expect("in.bob_key", commit.adds[0].identity_key, KEY_BYTES);
    expect("join.hash", commit.adds[0].request_hash, HASH_BYTES);
    assert_int_equal(commit.removal_count, 1);
    assert_string_equal(commit.removals[0].name.text, "dave");
    assert_int_equal(commit.refresh_count, 2);
    assert_int_equal(commit.refreshes[1].leaf, 6);
    assert_int_equal(commit.role_count, 3);
    assert_int_equal(commit.wrap_count, 3);
    assert_int_equal(commit.wraps[2].child, 11);
    commit_wipe(&commit);

    commit = check_commit("empty", transcript);
    assert_int_equal(commit.add_count + commit.removal_count + commit.refresh_count +
                         commit.role_count + commit.wrap_count,
                     0);
    commit_wipe(&commit);
}

static void test_headers(void **state)
{
    (void)state;
    static const message_header_t headers[] = {
        {.epoch = 0},
        {.epoch = 1, .leaf = 127, .generation = 128},
        {.epoch = UINT64_MAX, .leaf = 131071, .generation = UINT32_MAX}};
    for (size_t i = 0; i < 3; i++) {
        message_header_t header = headers[i], read;
        memcpy(header.salt, get_sized("in.header.salt", 8), 8);
        char key[64];
        snprintf(key, sizeof key, "header.%llu.%u.%u", (unsigned long long)header.epoch,
                 header.leaf, header.generation);
        buffer_t out = {0};
        message_header_write(&header, &out);
        expect(key, out.data, out.size);
        memset(buffer_extend(&out, 16), 9, 16);
        bytes_t head, sealed;
        assert_int_equal(message_header_parse(&read, buffer_view(&out), &head, &sealed), STATUS_OK);
        expect(key, head.data, head.size);
        assert_int_equal(sealed.size, 16);
        assert_true(read.epoch == header.epoch && read.leaf == header.leaf &&
                    read.generation == header.generation);
        buffer_free(&out);
    }
}

static uint8_t tree[6][32][HASH_BYTES];

static void load_node(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    (void)context;
    memcpy(out, tree[level][index], HASH_BYTES);
}

static void store_node(void *context, unsigned level, uint32_t index,
                       const uint8_t hash[HASH_BYTES])
{
    (void)context;
    memcpy(tree[level][index], hash, HASH_BYTES);
}

static void test_roster(void **state)
{
    (void)state;
    static const uint32_t leaves[] = {0, 1, 3, 6};
    const roster_nodes_t nodes = {NULL, load_node, store_node};
    roster_member_t members[4] = {0};
    char key[64];
    uint8_t hash[HASH_BYTES], proof[3 * HASH_BYTES];
    for (size_t i = 0; i < 4; i++) {
        members[i] = (roster_member_t){
            .leaf = leaves[i], .epoch_added = 7 * leaves[i] + 1, .role = leaves[i] % 2};
        snprintf(members[i].name.text, sizeof members[i].name.text, "member%u", leaves[i]);
        snprintf(key, sizeof key, "in.roster.%u.key", leaves[i]);
        memcpy(members[i].identity_key, get_sized(key, 32), 32);
        roster_leaf_hash(hash, &members[i]);
        snprintf(key, sizeof key, "roster.%u.hash", leaves[i]);
        expect(key, hash, sizeof hash);
        roster_set(&nodes, 3, leaves[i], &members[i]);
    }
    roster_root(&nodes, 3, hash);
    expect("roster.root.3", hash, sizeof hash);
    for (size_t i = 0; i < 4; i++) {
        roster_prove(&nodes, 3, leaves[i], proof);
        snprintf(key, sizeof key, "roster.%u.proof", leaves[i]);
        expect(key, proof, sizeof proof);
        assert_int_equal(roster_proof_verify(&members[i], proof, 3, hash), STATUS_OK);
    }
    roster_grow(&nodes, 3);
    roster_root(&nodes, 4, hash);
    expect("roster.root.4", hash, sizeof hash);
    roster_grow(&nodes, 4);
    roster_root(&nodes, 5, hash);
    expect("roster.root.5", hash, sizeof hash);
}

static void check_endpoint(const char *key, const char *host, unsigned port, bool is_ipv6)
{
    bytes_t bytes = get(key);
    char text[512] = {0}, again[512];
    memcpy(text, bytes.data, bytes.size);
    endpoint_t endpoint;
    assert_int_equal(endpoint_parse(&endpoint, text), STATUS_OK);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
    assert_int_equal(endpoint.is_ipv6, is_ipv6);
    expect("in.endpoint.key", endpoint.key, KEY_BYTES);
    assert_int_equal(endpoint_format(&endpoint, again, sizeof again), STATUS_OK);
    assert_string_equal(again, text);
}

static void test_endpoints(void **state)
{
    (void)state;
    char text[KEY_TEXT_BYTES];
    key_to_text(text, get_sized("in.endpoint.key", 32));
    expect("endpoint.key_text", text, strlen(text));
    check_endpoint("endpoint.name", "broker.example.org", 5555, false);
    check_endpoint("endpoint.ipv4", "192.0.2.7", 1, false);
    check_endpoint("endpoint.ipv6", "2001:db8::1", 65535, true);
}

static message_t read_message(const char *key, message_kind_t kind, verb_t verb, uint64_t id)
{
    message_t message;
    bytes_t frame = get(key);
    assert_int_equal(message_read(&message, &frame, 1u << kind), STATUS_OK);
    assert_int_equal(frame.size, 0);
    assert_int_equal(message.kind, kind);
    assert_int_equal(message.verb, verb);
    assert_true(message.id == id);
    return message;
}

static void test_requests(void **state)
{
    (void)state;
    buffer_t out = {0};
    const text_t no_trace = {0};
    message_t message = read_message("message.hello", MESSAGE_REQUEST, VERB_hello, 1);
    assert_int_equal(message.body.hello_request.software.size, 14);
    message_write_request(&out, VERB_hello, 1, (bytes_t){0}, no_trace, &message.body);
    expect_buffer("message.hello", &out);
    message_wipe(&message);

    message = read_message("message.send", MESSAGE_REQUEST, VERB_send, 70000);
    expect("in.message.token", message.token.data, message.token.size);
    expect("in.message.trace", message.traceparent.data, message.traceparent.size);
    expect("in.group", message.body.send_request.group, GROUP_ID_BYTES);
    expect("in.message.sealed", message.body.send_request.sealed.data,
           message.body.send_request.sealed.size);
    buffer_t body = {0};
    message_write_request_body(&body, VERB_send, &message.body.send_request);
    message_write_request_around(&out, VERB_send, 70000, message.token, message.traceparent,
                                 buffer_view(&body));
    buffer_free(&body);
    expect_buffer("message.send", &out);
    message_wipe(&message);

    message = read_message("message.poll_messages", MESSAGE_REQUEST, VERB_poll_messages, 3);
    assert_int_equal(message.body.poll_messages_request.cursors.count, 1);
    assert_int_equal(message.body.poll_messages_request.budget_bytes, 65536);
    message_write_request(&out, VERB_poll_messages, 3, message.token, no_trace, &message.body);
    expect_buffer("message.poll_messages", &out);
    message_wipe(&message);
}

static void test_replies(void **state)
{
    (void)state;
    buffer_t out = {0};
    const send_reply_t sent = {.sequence = UINT64_C(1) << 33, .time_ms = UINT64_C(1700000000000)};
    message_write_reply(&out, VERB_send, 70000, STATUS_OK, &sent);
    expect_buffer("message.send_reply", &out);
    const commit_reply_t refused = {.winner = get("in.message.sealed")};
    message_write_reply(&out, VERB_commit, UINT64_MAX, STATUS_STALE_EPOCH, &refused);
    expect_buffer("message.refused_commit", &out);
    message_write_reply(&out, VERB_lookup, 9, STATUS_UNKNOWN_GROUP, NULL);
    expect_buffer("message.refused_lookup", &out);
    message_write_reply(&out, VERB_none, 0, STATUS_MALFORMED, NULL);
    expect_buffer("message.malformed", &out);
    message_write_reply(&out, (verb_t)40, 5, STATUS_UNKNOWN_VERB, NULL);
    expect_buffer("message.unknown_verb", &out);

    message_t message = read_message("message.malformed", MESSAGE_REPLY, VERB_none, 0);
    assert_int_equal(message.status, STATUS_MALFORMED);
    message_wipe(&message);
    message = read_message("message.poll_messages_reply", MESSAGE_REPLY, VERB_poll_messages, 3);
    const poll_messages_reply_t *reply = &message.body.poll_messages_reply;
    assert_int_equal(reply->events.count, 2);
    assert_string_equal(reply->events.items[1].sender.text, "bob.b-2_x");
    assert_int_equal(reply->events.items[1].kind, EVENT_MESSAGE);
    assert_int_equal(reply->states.count, 2);
    assert_int_equal(reply->states.items[1].status, STATUS_NOT_MEMBER);
    message_write_reply(&out, VERB_poll_messages, 3, STATUS_OK, reply);
    expect_buffer("message.poll_messages_reply", &out);
    message_wipe(&message);
}

static void test_pushes(void **state)
{
    (void)state;
    buffer_t out = {0};
    message_t message = read_message("message.events", MESSAGE_PUSH, VERB_events, 17);
    message_write_push(&out, VERB_events, 17, &message.body.events_push);
    expect_buffer("message.events", &out);
    message_wipe(&message);
    message = read_message("message.nudge", MESSAGE_PUSH, VERB_nudge, 18);
    assert_int_equal(message.body.nudge_push.task, TASK_JOINS);
    message_write_push(&out, VERB_nudge, 18, &message.body.nudge_push);
    expect_buffer("message.nudge", &out);
    message_wipe(&message);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_varints),    cmocka_unit_test(test_join_request),
        cmocka_unit_test(test_leave),      cmocka_unit_test(test_commits),
        cmocka_unit_test(test_headers),    cmocka_unit_test(test_roster),
        cmocka_unit_test(test_endpoints),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_replies),    cmocka_unit_test(test_pushes),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
