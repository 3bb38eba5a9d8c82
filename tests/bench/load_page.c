/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/load_page.h"

#include "tests/bench/load_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *read_all(void *argument)
{
    load_page_t *self = argument;
    char bytes[16384];
    while (recv(self->fd, bytes, sizeof bytes, 0) > 0) {
    }
    return NULL;
}

void load_page_open(load_page_t *self, const load_broker_t *broker)
{
    static const char request[] = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200 ";
    char answer[sizeof expected] = "";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(broker->http_port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        send(self->fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1 ||
        recv(self->fd, answer, sizeof expected - 1, MSG_WAITALL) != sizeof expected - 1 ||
        strcmp(answer, expected) != 0) {
        load_fail("the live page", errno ? strerror(errno) : answer);
    }
    if (pthread_create(&self->thread, NULL, read_all, self) != 0) {
        load_fail("pthread_create", strerror(errno));
    }
}

void load_page_close(load_page_t *self)
{
    shutdown(self->fd, SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->fd);
}
