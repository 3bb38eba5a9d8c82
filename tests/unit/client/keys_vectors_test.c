/* SPDX-License-Identifier: MPL-2.0 */
/* client/keys against golden bytes that were made from PROTOCOL.md alone
 * (tests/vectors/generate_keys.py). Runs at the repository's root. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/kdf.h"
#include "client/keys/key_schedule.h"
#include "client/keys/words.h"

#define LINE_MAX_BYTES 65536

typedef struct {
    char *name;
    buffer_t value;
} vector_t;

static vector_t *vectors;
static size_t vector_count;

static void add_vector(char *line)
{
    char *value = strstr(line, " = ");
    if (*line == '#' || !value)
        return;
    *value = '\0';
    value += 3;
    vectors = mem_realloc(vectors, vector_count + 1, sizeof *vectors);
    vector_t *vector = &vectors[vector_count++];
    *vector = (vector_t){.name = mem_strdup(line)};
    size_t size = strcspn(value, "\n") / 2;
    assert_int_equal(sodium_hex2bin(buffer_extend(&vector->value, size), size, value, size * 2,
                                    NULL, NULL, NULL),
                     0);
}

static int load_vectors(void **state)
{
    (void)state;
    FILE *file = fopen("tests/vectors/keys.txt", "re");
    if (!file)
        return -1;
    char *line = mem_alloc(LINE_MAX_BYTES);
    while (fgets(line, LINE_MAX_BYTES, file))
        add_vector(line);
    free(line);
    fclose(file);
    return 0;
}

static int free_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        free(vectors[i].name);
        buffer_free(&vectors[i].value);
    }
    free(vectors);
    return 0;
}

/* The value of prefix, a point, and name. */
static bytes_t get(const char *prefix, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s%s%s", prefix, *prefix && *name ? "." : "", name);
    for (size_t i = 0; i < vector_count; i++)
        if (!strcmp(vectors[i].name, wanted))
            return buffer_view(&vectors[i].value);
    fail_msg("no vector %s", wanted);
    return (bytes_t){NULL, 0};
}

static void check(const void *bytes, size_t size, bytes_t expected)
{
    assert_int_equal(size, expected.size);
    assert_memory_equal(bytes, expected.data, size);
}

static secret_t secret_of(bytes_t bytes)
{
    secret_t secret;
    assert_int_equal(bytes.size, sizeof secret.bytes);
    memcpy(secret.bytes, bytes.data, sizeof secret.bytes);
    return secret;
}

/* Draws as the generator makes them: BLAKE2b over the label and the draw's number. */
static struct {
    const char *label;
    uint32_t count;
} stream;

static const char *stream_name(void)
{
    return "stream";
}

static void stream_draw(void *const out, const size_t size)
{
    uint8_t number[4], input[64];
    put_u32(number, stream.count++);
    size_t label = strlen(stream.label);
    memcpy(input, stream.label, label);
    memcpy(input + label, number, sizeof number);
    crypto_generichash(out, size, input, label + sizeof number, NULL, 0);
}

static uint32_t stream_random(void)
{
    uint32_t value;
    stream_draw(&value, sizeof value);
    return value;
}

static randombytes_implementation stream_implementation = {
    .implementation_name = stream_name, .random = stream_random, .buf = stream_draw};

static void stream_start(const char *label)
{
    stream.label = label;
    stream.count = 0;
    randombytes_set_implementation(&stream_implementation);
}

static void stream_stop(void)
{
    randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

static void test_kdf(void **state)
{
    (void)state;
    secret_t key = secret_of(get("in.kdf.key", "")), out;
    bytes_t x = get("in.kdf.x", "");
    for (kdf_label_t label = KDF_GROW; label <= KDF_SEAL; label++) {
        kdf(&out, &key, label, x.data, x.size);
        check(out.bytes, KEY_BYTES, get("kdf", kdf_label_text(label)));
    }
    secret_t in_place = key;
    kdf(&in_place, &in_place, KDF_SEAL, x.data, x.size);
    assert_memory_equal(&in_place, &out, sizeof out);
}

static identity_t *identity_of(const char *text)
{
    char seed_name[32];
    snprintf(seed_name, sizeof seed_name, "in.%s", text);
    secret_t seed = secret_of(get(seed_name, "seed")), vault_key = {0};
    name_t name;
    assert_status(name_parse(&name, text), OK);
    return identity_from_seed(&name, &seed, &vault_key);
}

/* Everybody in the script, by index. */
static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank"};
enum { ALICE, BOB, CAROL, DAVE, ERIN, FRANK, PEOPLE };

typedef struct {
    holder_t *holder;
    identity_t *identities[PEOPLE];
    group_state_t *states[PEOPLE];
} script_t;

static served_request_t serve(const script_t *self, const char *request)
{
    served_request_t served;
    assert_status(holder_check_request(self->holder, get(request, "request"), &served), OK);
    check(served.hash, HASH_BYTES, get(request, "request_hash"));
    return served;
}

/* The welcome's plaintext is the golden one, and the newcomer enters with it. */
static void enter(script_t *self, const char *label, const char *request, int who,
                  const prepared_welcome_t *welcome)
{
    char name[64];
    snprintf(name, sizeof name, "in.%s", request);
    secret_t prekey_secret = secret_of(get(name, "prekey_secret"));
    uint8_t prekey[KEY_BYTES], plain[WELCOME_MAX_BYTES];
    crypto_scalarmult_base(prekey, prekey_secret.bytes);
    assert_int_equal(crypto_box_seal_open(plain, welcome->sealed.data, welcome->sealed.size, prekey,
                                          prekey_secret.bytes),
                     0);
    snprintf(name, sizeof name, "welcome.%s", names[who]);
    check(plain, welcome->sealed.size - crypto_box_SEALBYTES, get(label, name));
    group_state_destroy(&self->states[who]);
    assert_status(group_state_from_welcome(&self->states[who], self->identities[who],
                                           buffer_view(&welcome->sealed), get(label, "commit"),
                                           get(request, "request"), &prekey_secret),
                  OK);
}

static void check_epoch(const script_t *self, const char *label)
{
    check(holder_transcript(self->holder), HASH_BYTES, get(label, "transcript"));
    check(holder_membership(self->holder)->bytes, KEY_BYTES, get(label, "membership"));
    for (int who = 0; who < PEOPLE; who++) {
        const group_state_t *state = self->states[who];
        if (!state)
            continue;
        char name[32];
        snprintf(name, sizeof name, "path.%s", names[who]);
        check(state->path.keys, (state->path.depth + 1) * sizeof(secret_t), get(label, name));
        check(state->membership.bytes, KEY_BYTES, get(label, "membership"));
        check(state->roster_root, HASH_BYTES, get(label, "roster_root"));
        check(group_state_transcript(state), HASH_BYTES, get(label, "transcript"));
        const secret_t *tree =
            index_map_get(&state->secrets.nodes, tree_root(state->path.depth).value);
        assert_non_null(tree);
        check(tree->bytes, KEY_BYTES, get(label, "tree"));
    }
}

/* Builds a commit with the generator's draws: the same bytes. All who are in and stay follow it. */
static void play(script_t *self, const char *label, const commit_plan_t *plan,
                 const char *const *requests, const int *entering)
{
    prepared_commit_t *prepared;
    stream_start(label);
    status_t status = commit_build(self->holder, self->identities[ALICE], plan, &prepared);
    stream_stop();
    assert_status(status, OK);
    check(prepared->commit.data, prepared->commit.size, get(label, "commit"));
    for (int who = 0; who < PEOPLE; who++) {
        commit_outcome_t outcome;
        if (!self->states[who])
            continue;
        assert_status(group_state_apply_commit(self->states[who], get(label, "commit"), &outcome),
                      OK);
        if (outcome != COMMIT_FOLLOWED)
            group_state_destroy(&self->states[who]);
    }
    for (size_t i = 0; i < prepared->welcome_count; i++)
        enter(self, label, requests[i], entering[i], &prepared->welcomes[i]);
    assert_status(holder_adopt(self->holder, &prepared), OK);
    check_epoch(self, label);
}

static void play_adds(script_t *self, const char *label, const char *const *requests,
                      const int *who, size_t count, const commit_role_t *role)
{
    served_request_t adds[2];
    for (size_t i = 0; i < count; i++)
        adds[i] = serve(self, requests[i]);
    commit_plan_t plan = {
        .adds = adds, .add_count = count, .roles = role, .role_count = role ? 1 : 0};
    play(self, label, &plan, requests, who);
}

static void play_all(script_t *self)
{
    name_t name;
    bytes_t group_name = get("in.group_name", "");
    assert_status(name_set(&name, (const char *)group_name.data, group_name.size), OK);
    for (int who = 0; who < PEOPLE; who++)
        self->identities[who] = identity_of(names[who]);
    self->holder = holder_new(get("in.group", "").data, &name, self->identities[ALICE]);
    check(holder_transcript(self->holder), HASH_BYTES, get("transcript_0", ""));

    const commit_role_t founder = {0, ROLE_ADMIN}, promotion = {1, ROLE_ADMIN};
    play_adds(self, "commit_0", (const char *const[]){"alice.1"}, (const int[]){ALICE}, 1,
              &founder);
    play_adds(self, "commit_1", (const char *const[]){"bob.1", "carol.1"},
              (const int[]){BOB, CAROL}, 2, NULL);
    play_adds(self, "commit_2", (const char *const[]){"dave.1", "erin.1"},
              (const int[]){DAVE, ERIN}, 2, NULL);
    served_request_t refresh = serve(self, "erin.2"), add;
    leaf_index_t removal = {2};
    commit_plan_t third = {.removals = &removal,
                           .removal_count = 1,
                           .refreshes = &refresh,
                           .refresh_count = 1,
                           .roles = &promotion,
                           .role_count = 1};
    play(self, "commit_3", &third, (const char *const[]){"erin.2"}, (const int[]){ERIN});
    add = serve(self, "frank.1");
    removal.value = 3;
    commit_plan_t fourth = {.adds = &add, .add_count = 1, .removals = &removal, .removal_count = 1};
    play(self, "commit_4", &fourth, (const char *const[]){"frank.1"}, (const int[]){FRANK});
    commit_plan_t fifth = {0};
    play(self, "commit_5", &fifth, NULL, NULL);
}

static void script_free(script_t *self)
{
    for (int who = 0; who < PEOPLE; who++) {
        group_state_destroy(&self->states[who]);
        identity_destroy(&self->identities[who]);
    }
    holder_destroy(&self->holder);
}

static void test_script(void **state)
{
    (void)state;
    script_t self = {0};
    play_all(&self);
    assert_null(self.states[CAROL]);
    assert_null(self.states[DAVE]);
    assert_non_null(self.states[FRANK]);
    script_free(&self);
}

static void test_key_schedule(void **state)
{
    (void)state;
    static const char *const labels[] = {"commit_0", "commit_1", "commit_2",
                                         "commit_3", "commit_4", "commit_5"};
    secret_t membership = {0};
    for (size_t i = 0; i < 6; i++) {
        secret_t epoch_secret = secret_of(get(labels[i], "epoch_secret"));
        bytes_t transcript = get(labels[i], "transcript");
        epoch_keys_t keys;
        epoch_keys_derive(&keys, &epoch_secret);
        assert_true(sodium_is_zero(epoch_secret.bytes, KEY_BYTES));
        check(keys.confirm.bytes, KEY_BYTES, get(labels[i], "confirm"));
        check(keys.membership.bytes, KEY_BYTES, get(labels[i], "membership"));
        check(keys.tree.bytes, KEY_BYTES, get(labels[i], "tree"));
        uint8_t tag[HASH_BYTES], mac[HASH_BYTES];
        confirmation_tag(tag, &keys.confirm, transcript.data);
        check(tag, sizeof tag, get(labels[i], "tag"));
        membership_code(mac, &membership, transcript.data, tag);
        check(mac, sizeof mac, get(labels[i], "mac"));
        membership = keys.membership;
    }
}

static void test_chain(void **state)
{
    (void)state;
    secret_t tree_secret = secret_of(get("commit_5", "tree"));
    secret_tree_t tree;
    secret_tree_init(&tree, 3, &tree_secret);
    for (uint32_t generation = 0; generation < 3; generation++) {
        char key[32], chain[32];
        snprintf(key, sizeof key, "message_key_%u", generation);
        snprintf(chain, sizeof chain, "chain_%u", generation + 1);
        ratchet_step_t step;
        assert_status(secret_tree_peek(&tree, leaf_index(1), generation, &step), OK);
        check(step.message.bytes, KEY_BYTES, get(key, ""));
        check(step.chain.key.bytes, KEY_BYTES, get(chain, ""));
        secret_tree_keep(&tree, &step);
    }
    secret_tree_wipe(&tree);
}

static void test_messages(void **state)
{
    (void)state;
    script_t self = {0};
    play_all(&self);
    bytes_t content = get("in.content", "");
    for (uint32_t generation = 0; generation < 5; generation++) {
        char label[32], fields[32];
        snprintf(label, sizeof label, "message_%u", generation);
        snprintf(fields, sizeof fields, "in.fields_%u", generation);
        message_body_t body = {
            .type = MESSAGE_TYPE_TEXT, .number = 7 + generation, .content = content};
        if (generation >= 3)
            body.fields = get(fields, "");
        buffer_t sealed = {0};
        stream_start(label);
        status_t status =
            group_state_seal(self.states[BOB], self.identities[BOB], &body, &sealed, NULL);
        stream_stop();
        assert_status(status, OK);
        check(sealed.data, sealed.size, get(label, "sealed"));
        buffer_free(&sealed);
        opened_message_t opened;
        assert_status(group_state_open(self.states[FRANK], get(label, "sealed"),
                                       identity_key(self.identities[BOB]), &opened),
                      OK);
        check(opened.content.data, opened.content.size, content);
        check(opened.fields.data, opened.fields.size, body.fields);
        assert_int_equal(opened.number, 7 + generation);
        uint64_t sent_ms;
        text_t text;
        assert_status(text_content_read(buffer_view(&opened.content), &sent_ms, &text), OK);
        assert_true(sent_ms == UINT64_C(1700000000123));
        check(text.data, text.size, (bytes_t){(const uint8_t *)"h\xc3\xa9llo", 6});
        opened_message_wipe(&opened);
    }
    script_free(&self);
}

static void check_words(const char *text, bytes_t numbers)
{
    char expected[WORDS_TEXT_BYTES] = "";
    for (size_t i = 0; i < numbers.size; i += 2) {
        strcat(expected, i ? " " : "");
        strcat(expected, words_table[numbers.data[i] << 8 | numbers.data[i + 1]]);
    }
    assert_string_equal(text, expected);
}

static void test_words(void **state)
{
    (void)state;
    identity_t *alice = identity_of("alice"), *bob = identity_of("bob");
    char text[WORDS_TEXT_BYTES];
    words_of_pair(text, identity_key(alice), identity_key(bob));
    check_words(text, get("words.pair", ""));
    words_of_pair(text, identity_key(bob), identity_key(alice));
    check_words(text, get("words.pair", ""));
    words_of_key(text, identity_key(alice), WORDS_VERIFY);
    check_words(text, get("words.key", ""));
    words_of_group(text, get("in.group", "").data, get("commit_5", "transcript").data,
                   WORDS_GLANCE);
    check_words(text, get("words.group", ""));
    identity_destroy(&alice);
    identity_destroy(&bob);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kdf),      cmocka_unit_test(test_key_schedule),
        cmocka_unit_test(test_script),   cmocka_unit_test(test_chain),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, load_vectors, free_vectors);
}
