/* SPDX-License-Identifier: MPL-2.0 */
/* Mail between two threads: nothing lost, nothing out of order, nobody waits, limits hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/actors/mailbox.h"

enum { MANY = 20000 };

static parcel_t *numbered(uint64_t number)
{
    buffer_t bytes = {0};
    buffer_u64(&bytes, number);
    parcel_t *parcel = parcel_new(PARCEL_SCREEN, &bytes);
    assert_null(bytes.data);
    parcel->screen = number;
    return parcel;
}

/* Sends everything back. Ends with $TERM. */
static void echo(zsock_t *pipe, void *argument)
{
    mailbox_t *box = argument;
    zsock_signal(pipe, 0);
    zpoller_t *poller = zpoller_new(pipe, mailbox_socket(box), NULL);
    bool is_ending = false;
    while (!is_ending) {
        zpoller_wait(poller, mailbox_flush(box) ? 1 : 1000);
        char *command = zstr_recv_nowait(pipe);
        is_ending = command != NULL;
        zstr_free(&command);
        parcel_t *parcel;
        while ((parcel = mailbox_receive(box)) != NULL) {
            parcel->bytes.data[0] = (uint8_t)~parcel->bytes.data[0]; /* seen by ThreadSanitizer */
            if (mailbox_send(box, &parcel) != STATUS_OK)
                abort();
        }
    }
    zpoller_destroy(&poller);
    pointer_hand_over(box);
}

static void mail_crosses_threads_in_order(void **state)
{
    (void)state;
    mailbox_t *mine, *other;
    mailbox_pair_new(&mine, &other);
    zactor_t *thread = zactor_new(echo, other);
    for (uint64_t i = 0; i < MANY; i++) {
        parcel_t *parcel = numbered(i);
        assert_int_equal(mailbox_send(mine, &parcel), STATUS_OK);
        assert_null(parcel);
    }
    uint64_t next = 0;
    for (int turn = 0; turn < 30000 && next < MANY; turn++) {
        mailbox_flush(mine);
        parcel_t *parcel;
        while ((parcel = mailbox_receive(mine)) != NULL) {
            assert_int_equal(parcel->screen, next);
            parcel->bytes.data[0] = (uint8_t)~parcel->bytes.data[0];
            assert_int_equal(get_u64(parcel->bytes.data), next);
            next++;
            parcel_destroy(&parcel);
        }
        usleep(1000);
    }
    assert_int_equal(next, MANY);
    zactor_destroy(&thread);
    pointer_take_over(other);
    mailbox_destroy(&mine);
    mailbox_destroy(&other);
    assert_null(mine);
}

static void a_reader_that_never_reads_holds_nobody_up(void **state)
{
    (void)state;
    mailbox_t *mine, *other;
    mailbox_pair_new(&mine, &other);
    uint64_t sent = 0;
    for (;; sent++) {
        parcel_t *parcel = numbered(sent);
        if (mailbox_send(mine, &parcel) != STATUS_OK)
            break;
    }
    assert_true(sent >= MAILBOX_WAITING_MESSAGES_MAX);
    assert_true(sent <= MAILBOX_WAITING_MESSAGES_MAX + 1024);
    assert_true(mailbox_flush(mine));
    uint64_t got = 0;
    for (int turn = 0; turn < 20000 && got < sent; turn++) {
        parcel_t *parcel;
        while ((parcel = mailbox_receive(other)) != NULL) {
            assert_int_equal(parcel->screen, got);
            got++;
            parcel_destroy(&parcel);
        }
        mailbox_flush(mine);
        usleep(1000);
    }
    assert_int_equal(got, sent);
    assert_false(mailbox_flush(mine));
    mailbox_destroy(&mine);
    mailbox_destroy(&other);
}

static void bytes_are_limited_too(void **state)
{
    (void)state;
    mailbox_t *mine, *other;
    mailbox_pair_new(&mine, &other);
    size_t refused = 0, sent = 0;
    while (refused == 0 && sent < 2000) {
        buffer_t bytes = {0};
        buffer_extend(&bytes, 1024 * 1024);
        parcel_t *parcel = parcel_new(PARCEL_CORE, &bytes);
        if (mailbox_send(mine, &parcel) == STATUS_OK)
            sent++;
        else
            refused++;
    }
    assert_int_equal(refused, 1);
    assert_true(sent < 2 * 256 + 64 + 16); /* both pipes' worth and the list's */
    mailbox_destroy(&other);               /* with mail in the pipe and in the list */
    mailbox_destroy(&mine);
}

static void mail_that_nobody_takes_closes_its_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    mailbox_t *mine, *other;
    mailbox_pair_new(&mine, &other);
    parcel_t *parcel = parcel_new(PARCEL_SOCKET, NULL);
    assert_int_equal(parcel->socket, -1);
    parcel->socket = ends[1];
    assert_int_equal(mailbox_send(mine, &parcel), STATUS_OK);
    mailbox_destroy(&mine);
    mailbox_destroy(&other);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the other end is closed */
    close(ends[0]);
}

int main(void)
{
    zsys_handler_set(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_crosses_threads_in_order),
        cmocka_unit_test(a_reader_that_never_reads_holds_nobody_up),
        cmocka_unit_test(bytes_are_limited_too),
        cmocka_unit_test(mail_that_nobody_takes_closes_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
