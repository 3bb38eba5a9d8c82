/* SPDX-License-Identifier: MPL-2.0 */
/* Entering a group by a welcome: forged, truncated, spliced and unsigned ones let nobody in. */
#include "tests/unit/client/keys_trio.h"

static status_t try_welcome(person_t *person, bytes_t welcome, bytes_t commit)
{
    group_state_t *state;
    status_t status = group_state_from_welcome(&state, person->identity, welcome, commit,
                                               buffer_view(&person->request), &person->prekey);
    if (status)
        assert_null(state);
    group_state_destroy(&state);
    return status;
}

static void test_forged_welcomes(void **unused)
{
    (void)unused;
    group_t one, other;
    group_start(&one);
    group_start(&other);
    person_t *bob = one.people[1];
    buffer_t welcome = {0}, commit = {0};
    buffer_append(&welcome, welcome_for(one.last, bob)->data, welcome_for(one.last, bob)->size);
    buffer_append(&commit, one.last->commit.data, one.last->commit.size);
    assert_true(welcome.size <= 1024);
    assert_status(try_welcome(bob, buffer_view(&welcome), buffer_view(&commit)), OK);
    for (size_t at = 0; at < welcome.size; at += 7) {
        welcome.data[at] ^= 1;
        assert_status(try_welcome(bob, buffer_view(&welcome), buffer_view(&commit)), BAD_SEAL);
        welcome.data[at] ^= 1;
    }
    for (size_t size = 0; size < welcome.size; size += 5)
        assert_status(try_welcome(bob, (bytes_t){welcome.data, size}, buffer_view(&commit)),
                      BAD_SEAL);
    for (size_t at = 0; at < commit.size; at++) {
        commit.data[at] ^= 1;
        bool in_mac =
            at >= commit.size - SIGNATURE_BYTES - HASH_BYTES && at < commit.size - SIGNATURE_BYTES;
        status_t status = try_welcome(bob, buffer_view(&welcome), buffer_view(&commit));
        assert_true((status == STATUS_OK) == in_mac); /* a newcomer has no key for the code */
        commit.data[at] ^= 1;
    }
    /* carol's welcome, another group's commit, an older commit */
    const buffer_t *carols = welcome_for(one.last, one.people[2]);
    assert_status(try_welcome(bob, buffer_view(carols), buffer_view(&commit)), BAD_SEAL);
    assert_status(try_welcome(bob, buffer_view(&welcome), buffer_view(&other.last->commit)),
                  BAD_WELCOME);
    prepared_commit_t *later = empty_commit(&one);
    assert_status(try_welcome(bob, buffer_view(&welcome), buffer_view(&later->commit)),
                  BAD_WELCOME);
    prepared_commit_destroy(&later);
    /* the right welcome, but another request of the same person */
    secret_t prekey = bob->prekey;
    buffer_t request = bob->request;
    bob->request = (buffer_t){0};
    secret_t unused_prekey;
    identity_make_join_request(bob->identity, holder_group(one.holder),
                               holder_transcript(one.holder), &bob->request, &unused_prekey);
    assert_status(try_welcome(bob, buffer_view(&welcome), buffer_view(&commit)), BAD_WELCOME);
    buffer_free(&bob->request);
    bob->request = request;
    bob->prekey = prekey;
    /* somebody else with all that is bob's but his identity; a request that is none */
    person_t thief = *bob;
    thief.identity = one.people[2]->identity;
    assert_status(try_welcome(&thief, buffer_view(&welcome), buffer_view(&commit)), BAD_WELCOME);
    thief.identity = bob->identity;
    thief.request.size--;
    assert_status(try_welcome(&thief, buffer_view(&welcome), buffer_view(&commit)), BAD_JOIN);
    buffer_free(&welcome);
    buffer_free(&commit);
    group_stop(&one);
    group_stop(&other);
}

/* A broker that knows bob's prekey seals a welcome of its own: the signature fails. */
static void test_unsigned_welcome(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    person_t *bob = self.people[1];
    const buffer_t *welcome = welcome_for(self.last, bob);
    uint8_t prekey[KEY_BYTES], plain[WELCOME_MAX_BYTES];
    crypto_scalarmult_base(prekey, bob->prekey.bytes);
    assert_int_equal(
        crypto_box_seal_open(plain, welcome->data, welcome->size, prekey, bob->prekey.bytes), 0);
    size_t size = welcome->size - crypto_box_SEALBYTES;
    for (size_t at = 0; at < size; at++) {
        buffer_t forged = {0};
        plain[at] ^= 1;
        crypto_box_seal(buffer_extend(&forged, welcome->size), plain, size, prekey);
        plain[at] ^= 1;
        status_t status = try_welcome(bob, buffer_view(&forged), buffer_view(&self.last->commit));
        assert_int_not_equal(status, STATUS_OK);
        if (at >= size - SIGNATURE_BYTES)
            assert_int_equal(status, STATUS_BAD_SIGNATURE);
        buffer_free(&forged);
    }
    buffer_t longer = {0};
    plain[size] = 0; /* a byte more than was signed */
    crypto_box_seal(buffer_extend(&longer, welcome->size + 1), plain, size + 1, prekey);
    assert_status(try_welcome(bob, buffer_view(&longer), buffer_view(&self.last->commit)),
                  BAD_WELCOME);
    buffer_free(&longer);
    group_stop(&self);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_welcomes),
        cmocka_unit_test(test_unsigned_welcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
