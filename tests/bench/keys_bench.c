/* SPDX-License-Identifier: MPL-2.0 */
/* What the pure key code costs: messages, and joins and leaves beside the plain scheme (a sealed
 * box to each member). CPU time, without disk. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/keys/commit_build.h"
#include "client/keys/group_state.h"
#include "proto/memory.h"

#define MESSAGE_BYTES 256
#define SAMPLES       401
#define COMMITS       51
#define PLAIN_SAMPLE  2000 /* sealed boxes made in the plain scheme; larger groups are scaled up */

static FILE *json;
static bool json_has_rows;

static void must(status_t status)
{
    if (status) {
        fprintf(stderr, "keys_bench: %s\n", status_text(status));
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

typedef struct {
    double values[SAMPLES];
    size_t count;
} series_t;

static void series_add(series_t *self, double value)
{
    if (self->count < SAMPLES)
        self->values[self->count++] = value;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(series_t *self, double q)
{
    qsort(self->values, self->count, sizeof *self->values, ascending);
    return self->values[(size_t)((double)(self->count - 1) * q)];
}

static void row_json(const char *name, uint32_t members, const char *unit, double median,
                     double low, double high)
{
    if (!json)
        return;
    fprintf(json,
            "%s{\"name\":\"%s\",\"members\":%" PRIu32
            ",\"unit\":\"%s\",\"median\":%.3f,\"p10\":%.3f,\"p90\":%.3f}",
            json_has_rows ? ",\n" : "", name, members, unit, median, low, high);
    json_has_rows = true;
}

/* Prints one line: median, and the spread from the 10th to the 90th percentile. */
static double report(const char *name, uint32_t members, series_t *series)
{
    double median = quantile(series, 0.5), low = quantile(series, 0.1),
           high = quantile(series, 0.9);
    printf("  %-28s %10.1f us   (%.1f - %.1f)\n", name, median, low, high);
    row_json(name, members, "us", median, low, high);
    series->count = 0;
    return median;
}

static void report_bytes(const char *name, uint32_t members, size_t bytes)
{
    printf("  %-28s %10zu bytes\n", name, bytes);
    row_json(name, members, "bytes", (double)bytes, (double)bytes, (double)bytes);
}

/* The group: a creator, one member who follows everything, and as many others as wanted, who share
 * a key pair and never read. */
typedef struct {
    identity_t *creator, *follower;
    holder_t *holder;
    group_state_t *creator_state, *follower_state;
    served_request_t filler;
    unsigned names;
} group_t;

static name_t name_of(const char *prefix, unsigned number)
{
    char text[NAME_MAX_BYTES];
    snprintf(text, sizeof text, "%s%u", prefix, number);
    name_t name;
    must(name_parse(&name, text));
    return name;
}

static void commit(group_t *self, const commit_plan_t *plan, group_state_t **newcomer,
                   const identity_t *identity, const buffer_t *request, const secret_t *prekey)
{
    prepared_commit_t *prepared;
    must(commit_build(self->holder, self->creator, plan, &prepared));
    commit_outcome_t outcome;
    bytes_t bytes = buffer_view(&prepared->commit);
    if (self->creator_state)
        must(group_state_apply_commit(self->creator_state, bytes, &outcome));
    if (self->follower_state)
        must(group_state_apply_commit(self->follower_state, bytes, &outcome));
    if (newcomer)
        must(group_state_from_welcome(newcomer, identity,
                                      buffer_view(&prepared->welcomes[0].sealed), bytes,
                                      buffer_view(request), prekey));
    must(holder_adopt(self->holder, &prepared));
}

static void enter(group_t *self, const identity_t *identity, const commit_role_t *role,
                  group_state_t **state)
{
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(identity, holder_group(self->holder),
                               holder_transcript(self->holder), &request, &prekey);
    served_request_t add;
    must(holder_check_request(self->holder, buffer_view(&request), &add));
    commit_plan_t plan = {.adds = &add, .add_count = 1, .roles = role, .role_count = role ? 1 : 0};
    commit(self, &plan, state, identity, &request, &prekey);
    self->filler = add;
    buffer_free(&request);
}

static void group_start(group_t *self)
{
    *self = (group_t){0};
    name_t creator = name_of("creator", 0), follower = name_of("follower", 0),
           name = name_of("bench", 0);
    self->creator = identity_new(&creator);
    self->follower = identity_new(&follower);
    uint8_t group[GROUP_ID_BYTES];
    randombytes_buf(group, sizeof group);
    self->holder = holder_new(group, &name, self->creator);
    commit_role_t role = {0, ROLE_ADMIN};
    enter(self, self->creator, &role, &self->creator_state);
    enter(self, self->follower, NULL, &self->follower_state);
}

static void group_fill(group_t *self, size_t wanted)
{
    served_request_t *adds = mem_alloc(COMMIT_ADDS_MAX * sizeof *adds);
    while (roster_table_count(holder_roster(self->holder)) < wanted) {
        size_t missing = wanted - roster_table_count(holder_roster(self->holder));
        commit_plan_t plan = {.adds = adds};
        for (; plan.add_count < missing && plan.add_count < COMMIT_ADDS_MAX; plan.add_count++) {
            adds[plan.add_count] = self->filler;
            adds[plan.add_count].request.name = name_of("m", self->names++);
        }
        commit(self, &plan, NULL, NULL, NULL, NULL);
    }
    free(adds);
}

static void bench_messages(group_t *self)
{
    static series_t sign, verify, seal, open;
    uint8_t text[MESSAGE_BYTES], signature[SIGNATURE_BYTES];
    randombytes_buf(text, sizeof text);
    size_t overhead = 0;
    for (unsigned i = 0; i < SAMPLES; i++) {
        bytes_t content = {text, sizeof text};
        message_body_t body = {.type = MESSAGE_TYPE_TEXT, .number = i + 1, .content = content};
        double start = now_us();
        identity_sign(self->creator, content, signature);
        series_add(&sign, now_us() - start);
        start = now_us();
        if (crypto_sign_verify_detached(signature, text, sizeof text, identity_key(self->creator)))
            exit(1);
        series_add(&verify, now_us() - start);

        buffer_t sealed = {0};
        start = now_us();
        must(group_state_seal(self->creator_state, self->creator, &body, &sealed, NULL));
        series_add(&seal, now_us() - start);
        opened_message_t opened;
        start = now_us();
        must(group_state_open(self->follower_state, buffer_view(&sealed),
                              identity_key(self->creator), &opened));
        series_add(&open, now_us() - start);
        if (!i)
            overhead = opened.header_size + 16 + SIGNATURE_BYTES + 1 + 1 + 2;
        opened_message_wipe(&opened);
        buffer_free(&sealed);
    }
    printf("messages of %d bytes\n", MESSAGE_BYTES);
    double sign_us = report("sign", 0, &sign), verify_us = report("verify", 0, &verify);
    double seal_us = report("seal", 0, &seal), open_us = report("open", 0, &open);
    printf("  seal %.2f x sign, open %.2f x verify\n", seal_us / sign_us, open_us / verify_us);
    row_json("seal_per_sign", 0, "ratio", seal_us / sign_us, 0, 0);
    row_json("open_per_verify", 0, "ratio", open_us / verify_us, 0, 0);
    report_bytes("overhead before padding", 0, overhead);
}

typedef struct {
    series_t admin, member, newcomer;
    size_t commit_bytes, welcome_bytes;
} change_t;

/* The admin's part is timed as build and adopt together; *prepared_bytes keeps the commit for the
 * members. */
static void timed_commit(group_t *self, const commit_plan_t *plan, double before, change_t *out,
                         buffer_t *bytes, buffer_t *welcome)
{
    double start = now_us();
    prepared_commit_t *prepared;
    must(commit_build(self->holder, self->creator, plan, &prepared));
    double built = now_us();
    buffer_append(bytes, prepared->commit.data, prepared->commit.size);
    out->commit_bytes = bytes->size;
    if (prepared->welcome_count) {
        buffer_append(welcome, prepared->welcomes[0].sealed.data,
                      prepared->welcomes[0].sealed.size);
        out->welcome_bytes = welcome->size;
    }
    double resumed = now_us();
    must(holder_adopt(self->holder, &prepared));
    series_add(&out->admin, before + (built - start) + (now_us() - resumed));

    commit_outcome_t outcome;
    must(group_state_apply_commit(self->creator_state, buffer_view(bytes), &outcome));
    start = now_us();
    must(group_state_apply_commit(self->follower_state, buffer_view(bytes), &outcome));
    series_add(&out->member, now_us() - start);
}

static void one_join(group_t *self, const identity_t *identity, change_t *out)
{
    buffer_t request = {0}, bytes = {0}, welcome = {0};
    secret_t prekey;
    identity_make_join_request(identity, holder_group(self->holder),
                               holder_transcript(self->holder), &request, &prekey);
    served_request_t add;
    double start = now_us();
    must(holder_check_request(self->holder, buffer_view(&request), &add));
    double checked = now_us() - start;
    commit_plan_t plan = {.adds = &add, .add_count = 1};
    timed_commit(self, &plan, checked, out, &bytes, &welcome);
    group_state_t *state;
    start = now_us();
    must(group_state_from_welcome(&state, identity, buffer_view(&welcome), buffer_view(&bytes),
                                  buffer_view(&request), &prekey));
    series_add(&out->newcomer, now_us() - start);
    group_state_destroy(&state);
    buffer_free(&request);
    buffer_free(&bytes);
    buffer_free(&welcome);
}

static void one_leave(group_t *self, const identity_t *identity, change_t *out)
{
    buffer_t bytes = {0};
    leaf_index_t leaf = {
        roster_table_find(holder_roster(self->holder), identity_name(identity))->leaf};
    commit_plan_t plan = {.removals = &leaf, .removal_count = 1};
    timed_commit(self, &plan, 0, out, &bytes, NULL);
    buffer_free(&bytes);
}

/* A fresh group key in a sealed box for each member, as after every join and leave in the plain
 * scheme. */
static void bench_plain(uint32_t members)
{
    uint32_t sample = members < PLAIN_SAMPLE ? members : PLAIN_SAMPLE;
    uint8_t public_key[KEY_BYTES], secret[KEY_BYTES], key[KEY_BYTES] = {1};
    uint8_t sealed[KEY_BYTES + crypto_box_SEALBYTES];
    crypto_box_keypair(public_key, secret);
    double start = now_us();
    for (uint32_t i = 0; i < sample; i++)
        if (crypto_box_seal(sealed, key, sizeof key, public_key))
            exit(1);
    double admin = (now_us() - start) * members / sample;
    printf("  %-28s %10.1f us%s\n", "plain scheme: admin", admin,
           sample < members ? "   (scaled)" : "");
    row_json("plain_admin", members, "us", admin, admin, admin);
    static series_t open;
    for (unsigned i = 0; i < COMMITS; i++) {
        start = now_us();
        if (crypto_box_seal_open(key, sealed, sizeof sealed, public_key, secret))
            exit(1);
        series_add(&open, now_us() - start);
    }
    report("plain scheme: member", members, &open);
    report_bytes("plain scheme: bytes", members, sizeof sealed * members);
}

/* Frees a leaf in the middle, so that the guest's way to the root has members on all sides. */
static void free_middle_leaf(group_t *self, uint32_t members)
{
    leaf_index_t leaf = {members / 3};
    commit_plan_t plan = {.removals = &leaf, .removal_count = 1};
    commit(self, &plan, NULL, NULL, NULL, NULL);
}

static void bench_changes(group_t *self, uint32_t members)
{
    static change_t join, leave;
    name_t name = name_of("guest", 0);
    identity_t *guest = identity_new(&name);
    free_middle_leaf(self, members);
    for (unsigned i = 0; i < COMMITS; i++) {
        one_join(self, guest, &join);
        one_leave(self, guest, &leave);
    }
    identity_destroy(&guest);
    printf("group of %" PRIu32 "\n", members);
    report("join: admin", members, &join.admin);
    report("join: member", members, &join.member);
    report("join: newcomer", members, &join.newcomer);
    report_bytes("join: commit", members, join.commit_bytes);
    report_bytes("join: welcome", members, join.welcome_bytes);
    report("leave: admin", members, &leave.admin);
    report("leave: member", members, &leave.member);
    report_bytes("leave: commit", members, leave.commit_bytes);
    bench_plain(members);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return 1;
    uint32_t largest = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    const char *path = getenv("BENCH_JSON");
    json = path ? fopen(path, "w") : NULL;
    if (json)
        fprintf(json, "[");
    group_t group;
    group_start(&group);
    bench_messages(&group);
    for (uint32_t members = 10; members <= largest; members *= 10) {
        group_fill(&group, members);
        bench_changes(&group, members);
        fflush(stdout);
    }
    group_state_destroy(&group.creator_state);
    group_state_destroy(&group.follower_state);
    holder_destroy(&group.holder);
    identity_destroy(&group.creator);
    identity_destroy(&group.follower);
    if (json) {
        fprintf(json, "]\n");
        fclose(json);
    }
    return 0;
}
