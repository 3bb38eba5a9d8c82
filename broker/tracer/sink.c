/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/sink.h"

#include "broker/clock.h"
#include "broker/tracer/sink_answer.h"
#include "proto/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAITING_MAX = 16384,
    WAITING_MAX_BYTES = 32 << 20,
    BATCH_SPANS = 512,
    BATCH_BYTES = 1 << 20,
    BATCH_DELAY_MS = 1000,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LAST_MS = 30000,
    RETRY_LIMIT_MS = 300000, /* of one batch */
    LOOK_MS = 100,           /* how soon a signal is seen */
    ANSWER_MAX_BYTES = 65536
};

typedef struct {
    char *text;
    size_t size;
} waiting_t;

struct sink {
    const otlp_target_t *target;
    buffer_t head; /* of each request's body */
    bool is_patient;
    CURL *curl;
    pthread_t thread;
    /* The thread's */
    buffer_t answer;
    unsigned failures;      /* in a row */
    int64_t not_before_ms;  /* when it may try again */
    char *trouble;          /* what was said last; NULL: all is well */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    waiting_t waiting[WAITING_MAX];
    size_t first;
    size_t count;
    size_t bytes;
    int64_t oldest_ms; /* when the queue was last empty */
    bool is_ending;
    bool is_hopeless; /* patience has ended */
    int64_t end_ms;   /* when all is over */
    sink_counts_t counts;
};

static void wait_until(sink_t *self, int64_t ms)
{
    const struct timespec at = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    pthread_cond_timedwait(&self->changed, &self->lock, &at);
}

/* --- Trouble --------------------------------------------------------------------------------- */

/* Once for each kind of trouble, until all is well again. */
static void complain(sink_t *self, const char *trouble, const char *detail, const char *outcome)
{
    if (self->trouble && strcmp(self->trouble, trouble) == 0)
        return;
    free(self->trouble);
    self->trouble = mem_strdup(trouble);
    tracer_complain("%s: %s%s%s; %s", self->target->shown, trouble, detail[0] ? ": " : "", detail,
                    outcome);
}

static void be_well(sink_t *self)
{
    if (self->trouble)
        tracer_complain("%s: takes spans again", self->target->shown);
    free(self->trouble);
    self->trouble = NULL;
    self->failures = 0;
}

/* --- One request ----------------------------------------------------------------------------- */

static size_t take_answer(char *data, size_t unit, size_t count, void *context)
{
    sink_t *self = context;
    size_t size = unit * count;
    if (self->answer.size + size > ANSWER_MAX_BYTES)
        return 0; /* ends the request */
    buffer_append(&self->answer, data, size);
    return size;
}

/* Whether the end has come, or a signal while all time was given. */
static bool is_over(sink_t *self)
{
    pthread_mutex_lock(&self->lock);
    bool is = self->is_ending && (monotonic_clock_ms() >= self->end_ms ||
                                  (self->is_patient && connection_is_interrupted()));
    pthread_mutex_unlock(&self->lock);
    return is;
}

static int look_at_clock(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return is_over(context);
}

typedef enum { TAKEN, REFUSED, TRY_AGAIN } verdict_t;

static verdict_t judge_status(sink_t *self, long status, size_t spans)
{
    char trouble[32];
    sink_answer_t answer;
    sink_answer_read(&answer, buffer_view(&self->answer));
    snprintf(trouble, sizeof trouble, "HTTP %ld", status);
    if (status == 429 || (status >= 502 && status <= 504)) {
        complain(self, trouble, answer.message, "trying again");
        return TRY_AGAIN;
    }
    if (status < 200 || status > 299) {
        complain(self, trouble, answer.message, "its spans are dropped");
        return REFUSED;
    }
    if (!answer.is_json) {
        complain(self, "its answer is not OTLP's JSON", "", "is this a collector?");
    } else if (answer.rejected_spans > 0) {
        complain(self, "some spans were rejected", answer.message, "they are dropped");
    } else {
        be_well(self);
        if (answer.message[0])
            tracer_complain("%s: warns: %s", self->target->shown, answer.message);
    }
    self->failures = 0;
    pthread_mutex_lock(&self->lock);
    uint64_t rejected = answer.rejected_spans < spans ? answer.rejected_spans : spans;
    self->counts.rejected += rejected;
    self->counts.sent += spans - rejected;
    pthread_mutex_unlock(&self->lock);
    return TAKEN;
}

static verdict_t post(sink_t *self, const buffer_t *body, size_t spans)
{
    long status = 0;
    buffer_clear(&self->answer);
    curl_easy_setopt(self->curl, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(self->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
    CURLcode code = curl_easy_perform(self->curl);
    curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, &status);
    /* CURLE_WRITE_ERROR: a longer answer than we read; its status says what became of the spans. */
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status != 0))
        return judge_status(self, status, spans);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        complain(self, "it did not answer before the end", "", "its spans are lost");
    else
        complain(self, curl_easy_strerror(code), "", "trying again");
    return TRY_AGAIN;
}

/* --- A batch --------------------------------------------------------------------------------- */

static int64_t backoff_ms(const sink_t *self)
{
    int64_t most = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < self->failures && most < BACKOFF_LAST_MS; i++)
        most *= 2;
    most = most < BACKOFF_LAST_MS ? most : BACKOFF_LAST_MS;
    return most / 2 + randombytes_uniform((uint32_t)(most / 2 + 1));
}

static void plan_next_try(sink_t *self)
{
    curl_off_t asked_s = 0;
    self->failures++;
    int64_t delay_ms = backoff_ms(self);
    if (curl_easy_getinfo(self->curl, CURLINFO_RETRY_AFTER, &asked_s) == CURLE_OK && asked_s > 0)
        delay_ms = asked_s < RETRY_LIMIT_MS / 1000 ? asked_s * 1000 : RETRY_LIMIT_MS + 1;
    self->not_before_ms = monotonic_clock_ms() + delay_ms;
}

/* False: there is no time for another try. */
static bool wait_for_try(sink_t *self, int64_t limit_ms)
{
    bool is_time = false, is_late = false;
    pthread_mutex_lock(&self->lock);
    while (!is_time && !is_late) {
        int64_t now = monotonic_clock_ms();
        bool is_cut = self->is_ending && self->is_patient && connection_is_interrupted();
        int64_t last_ms = self->is_ending && self->end_ms < limit_ms ? self->end_ms : limit_ms;
        is_late = is_cut || self->not_before_ms > last_ms;
        is_time = now >= self->not_before_ms;
        if (!is_time && !is_late)
            wait_until(self,
                       self->not_before_ms < now + LOOK_MS ? self->not_before_ms : now + LOOK_MS);
    }
    pthread_mutex_unlock(&self->lock);
    return is_time && !is_late;
}

static void send_batch(sink_t *self, const buffer_t *body, size_t spans)
{
    const int64_t limit_ms = monotonic_clock_ms() + RETRY_LIMIT_MS;
    verdict_t verdict = TRY_AGAIN;
    uint64_t tries = 0;
    while (verdict == TRY_AGAIN && wait_for_try(self, limit_ms)) {
        tries++;
        verdict = post(self, body, spans);
        if (verdict == TRY_AGAIN)
            plan_next_try(self);
    }
    pthread_mutex_lock(&self->lock);
    self->counts.requests += tries;
    if (verdict == REFUSED)
        self->counts.rejected += spans;
    if (verdict == TRY_AGAIN) {
        self->counts.lost += spans;
        self->is_hopeless = true;
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_batch_due(const sink_t *self)
{
    return self->is_ending || self->count >= BATCH_SPANS ||
           (self->count > 0 && monotonic_clock_ms() >= self->oldest_ms + BATCH_DELAY_MS);
}

static size_t take_batch(sink_t *self, buffer_t *body)
{
    size_t spans = 0;
    buffer_clear(body);
    buffer_append(body, self->head.data, self->head.size);
    while (self->count > 0 && spans < BATCH_SPANS && body->size < BATCH_BYTES) {
        waiting_t *next = &self->waiting[self->first];
        if (spans++ > 0)
            buffer_u8(body, ',');
        buffer_append(body, next->text, next->size);
        self->bytes -= next->size;
        free(next->text);
        self->first = (self->first + 1) % WAITING_MAX;
        self->count--;
    }
    self->oldest_ms = monotonic_clock_ms();
    static const char tail[] = "]}]}]}";
    buffer_append(body, tail, sizeof tail - 1);
    pthread_cond_broadcast(&self->changed);
    return spans;
}

static void *run(void *argument)
{
    sink_t *self = argument;
    buffer_t body = {0};
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (!is_batch_due(self))
            wait_until(self, monotonic_clock_ms() + BATCH_DELAY_MS / 4);
        if (self->count == 0)
            break;
        size_t spans = take_batch(self, &body);
        pthread_mutex_unlock(&self->lock);
        send_batch(self, &body, spans);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    buffer_free(&body);
    return NULL;
}

/* --- Of the other thread --------------------------------------------------------------------- */

static bool has_room(const sink_t *self, size_t size)
{
    return self->count < WAITING_MAX && self->bytes + size <= WAITING_MAX_BYTES;
}

void sink_put(sink_t *self, text_t span)
{
    pthread_mutex_lock(&self->lock);
    while (self->is_patient && !self->is_hopeless && !has_room(self, span.size) &&
           !connection_is_interrupted())
        wait_until(self, monotonic_clock_ms() + LOOK_MS);
    if (has_room(self, span.size)) {
        if (self->count == 0)
            self->oldest_ms = monotonic_clock_ms();
        self->waiting[(self->first + self->count++) % WAITING_MAX] =
            (waiting_t){mem_dup(span.data, span.size), span.size};
        self->bytes += span.size;
        if (self->count == BATCH_SPANS)
            pthread_cond_broadcast(&self->changed);
    } else {
        self->counts.dropped++;
    }
    pthread_mutex_unlock(&self->lock);
}

static void write_head(buffer_t *out, const char *instance)
{
    static const char format[] = "{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}";
    char text[512];
    const char *const attributes[][2] = {{"service.name", "conclaved"},
                                         {"service.version", CONCLAVE_VERSION},
                                         {"service.instance.id", instance}};
    static const char begin[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
    static const char scope[] =
        "]},\"scopeSpans\":[{\"scope\":{\"name\":\"conclave-trace\",\"version\":\"" CONCLAVE_VERSION
        "\"},\"schemaUrl\":\"https://opentelemetry.io/schemas/1.44.0\",\"spans\":[";
    buffer_append(out, begin, sizeof begin - 1);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (attributes[i][1][0] == '\0')
            continue;
        int size = snprintf(text, sizeof text, format, attributes[i][0], attributes[i][1]);
        if (i > 0)
            buffer_u8(out, ',');
        buffer_append(out, text, (size_t)size);
    }
    buffer_append(out, scope, sizeof scope - 1);
}

static void set_options(sink_t *self)
{
    CURL *curl = self->curl;
    curl_easy_setopt(curl, CURLOPT_URL, self->target->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, self->target->headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "conclave-trace/" CONCLAVE_VERSION);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, self->target->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_clock);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, self);
    if (self->target->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, self->target->ca_file);
}

static void sink_free(sink_t *self)
{
    for (; self->count > 0; self->count--)
        free(self->waiting[self->first++ % WAITING_MAX].text);
    curl_easy_cleanup(self->curl);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    buffer_free(&self->head);
    buffer_free(&self->answer);
    free(self->trouble);
    free(self);
}

/* Signals are for the other thread, whose wait they end. */
static bool start_thread(sink_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&self->thread, NULL, run, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

sink_t *sink_start(const otlp_target_t *target, const char *instance, bool is_patient)
{
    pthread_condattr_t attributes;
    sink_t *self = mem_zalloc(1, sizeof *self);
    self->target = target;
    self->is_patient = is_patient;
    write_head(&self->head, instance);
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    self->curl = curl_easy_init();
    if (self->curl)
        set_options(self);
    if (self->curl && start_thread(self))
        return self;
    tracer_complain("no thread, or no memory");
    sink_free(self);
    return NULL;
}

sink_counts_t sink_stop(sink_t **self)
{
    sink_t *dead = *self;
    pthread_mutex_lock(&dead->lock);
    dead->is_ending = true;
    dead->end_ms =
        monotonic_clock_ms() + (dead->is_patient ? RETRY_LIMIT_MS : dead->target->timeout_ms);
    pthread_cond_broadcast(&dead->changed);
    pthread_mutex_unlock(&dead->lock);
    pthread_join(dead->thread, NULL);
    sink_counts_t counts = dead->counts;
    sink_free(dead);
    *self = NULL;
    return counts;
}
