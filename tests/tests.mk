# SPDX-License-Identifier: MPL-2.0
# How the tests are built and run; the Makefile includes it.

UNIT_SRC := $(sort $(wildcard tests/unit/*/*_test.c))
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)

# A unit test links the layers it may use, and no other.
$(BUILD)/tests/unit/proto/%: $(BUILD)/tests/unit/proto/%.o $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PROTO_LIBS) -lcmocka
$(BUILD)/tests/unit/broker/%: $(BUILD)/tests/unit/broker/%.o $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(BROKER_LIBS) $(PROTO_LIBS) -lcmocka
$(BUILD)/tests/unit/tracer/%: $(BUILD)/tests/unit/tracer/%.o $(BUILD)/libtracer.a $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(TRACER_LIBS) $(PROTO_LIBS) -lcmocka
$(BUILD)/tests/unit/client/%: $(BUILD)/tests/unit/client/%.o $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLIENT_LIBS) $(PROTO_LIBS) -lcmocka

# Programs of the tests that need both sides: simulation, benchmarks, the demo's attempt to open what isn't one's own.
WORLD_LIBS = $(BUILD)/libclient.a $(BUILD)/libbroker.a $(BUILD)/libproto.a
WORLD_LINK = $(BROKER_LIBS) $(CLIENT_LIBS) $(PROTO_LIBS)
SIMULATION_SRC := $(sort $(wildcard tests/simulation/*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*_bench.c tests/bench/broker_load.c))
BENCH := $(BENCH_SRC:%.c=$(BUILD)/%)
BENCH_PARTS := $(call obj,$(filter-out $(BENCH_SRC),$(sort $(wildcard tests/bench/*.c))))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*_fuzz.c))
REPLAY := $(FUZZ_SRC:%_fuzz.c=$(BUILD)/%_replay)

# The simulation listens to what the clients derive, seal and store.
SIMULATION_WRAPS := kdf kdf_plain secret_tree_keep crypto_aead_chacha20poly1305_ietf_encrypt message_seal wrap_seal vault_apply core_destroy group_state_apply_commit
$(BUILD)/simulate: $(call obj,$(SIMULATION_SRC)) $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) $(SIMULATION_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(WORLD_LINK)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BENCH_PARTS) $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK) -lm
$(BUILD)/tests/demo/%: $(BUILD)/tests/demo/%.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK)
AUDIT := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/audit/*.c)))
AUDIT_TESTS := $(sort $(wildcard tests/audit/*_test.py))
$(BUILD)/tests/audit/%: $(BUILD)/tests/audit/%.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK)
$(BUILD)/tests/fuzz/%_replay: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay_main.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK) -lcmocka
$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(WORLD_LINK) -lcmocka

# Where secrets are born and what comes of them is published, for memcheck (tests/constant_time/births.c).
CONSTANT_TIME_WRAPS := secret_random crypto_box_keypair crypto_pwhash crypto_sign_seed_keypair crypto_scalarmult_base crypto_sign_detached \
	crypto_sign_verify_detached sodium_memcmp commit_write_trailer crypto_box_seal crypto_box_seal_open \
	$(foreach cipher,chacha20poly1305_ietf xchacha20poly1305_ietf,crypto_aead_$(cipher)_encrypt crypto_aead_$(cipher)_decrypt)
$(BUILD)/tests/constant_time/token_test: CONSTANT_TIME_WRAPS += session_open table_find
$(BUILD)/tests/constant_time/broker_key_test: CONSTANT_TIME_WRAPS += private_file_read private_file_write zmq_curve_keypair zmq_curve_public zmq_z85_encode zmq_z85_decode
CONSTANT_TIME := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/constant_time/*_test.c)))
$(BUILD)/tests/constant_time/%: $(BUILD)/tests/constant_time/%.o $(call obj,tests/constant_time/taint.c tests/constant_time/births.c) $(BUILD)/libbroker.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) $(call wrapped,$(CONSTANT_TIME_WRAPS)) -o $@ $^ $(WORLD_LINK) -lcmocka

# The programs as they are, with what they make durable and the wall clock caught by the linker.
REHEARSAL := $(BUILD)/rehearsal/conclaved $(BUILD)/rehearsal/conclave
wrapped = $(patsubst %,-Wl$(comma)--wrap=%,$(1))
REHEARSAL_PARTS := $(call obj,tests/rehearsal/durable_write.c tests/rehearsal/wall_clock.c)
$(BUILD)/rehearsal/conclaved: $(call obj,broker/main.c tests/rehearsal/broker_writes.c) $(REHEARSAL_PARTS) $(BUILD)/libbroker.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(call wrapped,rocksdb_write renameat clock_gettime) -o $@ $^ $(BROKER_LIBS) $(PROTO_LIBS)
$(BUILD)/rehearsal/conclave: $(call obj,client/main.c tests/rehearsal/client_writes.c) $(REHEARSAL_PARTS) $(BUILD)/libclient.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(call wrapped,sqlite3_step sqlite3_exec sqlite3_wal_checkpoint_v2 renameat linkat clock_gettime) -o $@ $^ $(CLIENT_LIBS) $(PROTO_LIBS)

.PHONY: unit tools constant-time
unit: $(UNIT)
constant-time: $(CONSTANT_TIME)
tools: $(BENCH) $(BUILD)/simulate $(REPLAY) $(BUILD)/tests/demo/try_open $(AUDIT)

# --- What people call -------------------------------------------------------------------------

SEEDS ?= 1000
# Both cores are used.
SIMULATIONS := '$(BUILD)/simulate --tap 500' '$(BUILD)/simulate --tap 500 501' '$(BUILD)/simulate --self-test'
SLOW_E2E := tests/interop/lying_broker_test.py tests/interop/misbehaving_test.py tests/e2e/tracer_test.py tests/e2e/trace_test.py tests/e2e/http_events_test.py tests/e2e/home_test.py
E2E := $(sort $(wildcard tests/e2e/*_test.py)) $(sort $(wildcard tests/interop/*_test.py))

.PHONY: test test-unit test-quick test-san test-tsan layering simulate soak
test:
	@.ci/setup test
	@$(MAKE) --no-print-directory -s -j2 all unit tools $(REHEARSAL)
	@# What waits most comes first, and three at a time: it leaves the cores to the rest.
	@tests/run --jobs 3 $(SLOW_E2E:%='/usr/bin/python3 % $(BUILD)') \
		'/usr/bin/python3 tests/rehearsal/crash_rehearsal_test.py $(BUILD) --sample 8' '/usr/bin/python3 tests/rehearsal/faults_test.py $(BUILD)' \
		$(patsubst %,'/usr/bin/python3 % $(BUILD)',$(filter-out $(SLOW_E2E),$(E2E))) $(AUDIT_TESTS:%='/usr/bin/python3 % $(BUILD)') \
		$(SIMULATIONS) $(UNIT) 'tests/layering $(BUILD)' $(REPLAY:%='% --tap tests/fuzz/corpus')
# What a build of the images runs: without random groups and groups of 100,000, which take minutes, and without Python.
SHORT_UNIT := $(filter-out $(foreach name,keys_property keys_attack keys_large personal_broker,%/$(name)_test),$(UNIT))
test-unit: $(SHORT_UNIT)
	@tests/run --jobs 2 $(SHORT_UNIT)
# The same without the end-to-end part, for every change.
test-quick:
	@$(MAKE) --no-print-directory -s -j2 all unit tools
	@tests/run --jobs 2 $(UNIT) 'tests/layering $(BUILD)' '$(BUILD)/simulate --tap 50' $(REPLAY:%='% --tap tests/fuzz/corpus')
# Under sanitizers: units, a short simulation, the fuzzers' corpora, and real processes, which take longest, first. Any report
# of any process fails its test (tests/e2e/harness.py). Not here: the audit, which searches a dump of memory that
# would be full of the sanitizer's own copies; and the rehearsal, whose programs end by SIGKILL, before a report.
test-san:
	@$(MAKE) --no-print-directory -s -j2 all unit tools
	@TEST_TIMEOUT=900 tests/run --jobs 2 $(E2E:%='/usr/bin/python3 % $(BUILD)') $(UNIT) '$(BUILD)/simulate --tap 50' \
		$(REPLAY:%='% --tap tests/fuzz/corpus')
# The unit tests with threads of their own.
WITH_THREADS := mailbox_pair actor_loop engine_screens link_socket home_socket router router_store router_calls trace_queue trace_hub backup
# Those of the HTTP server in which many threads meet.
HTTP_EVENTS_TSAN := test_events_tell_what_passes test_streams_are_bounded
test-tsan:
	@$(MAKE) --no-print-directory -s -j2 all unit
	@# libzmq and RocksDB are not instrumented: what happens inside them is not ours to judge.
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1 TEST_TIMEOUT=900 tests/run --jobs 1 $(filter $(foreach name,$(WITH_THREADS),%/$(name)_test),$(UNIT)) \
		'/usr/bin/python3 tests/e2e/conversation_test.py $(BUILD)' '/usr/bin/python3 tests/e2e/trace_test.py $(BUILD)' \
		'/usr/bin/python3 tests/e2e/operator_access_test.py $(BUILD)' '/usr/bin/python3 tests/e2e/trace_kinds_test.py $(BUILD)' \
		'/usr/bin/python3 tests/e2e/http_test.py $(BUILD) test_not_ready_while_draining' '/usr/bin/python3 tests/e2e/http_events_test.py $(BUILD) $(HTTP_EVENTS_TSAN)'
# Under valgrind's memcheck, without sanitizers. What is not, and why:
#   keys_property, keys_attack, keys_large    minutes of random groups and of groups of 100,000, made of what the others do once
#   router, vault_crash    clients' patience and a killed writer go by the wall clock
#   personal_broker        to valgrind vfork is fork, and posix_spawn doesn't see that there is no such program
NOT_UNDER_VALGRIND := keys_property keys_attack keys_large router vault_crash personal_broker
MEMCHECK := -q --fair-sched=try --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
.PHONY: valgrind
valgrind:
	@.ci/setup valgrind
	@$(MAKE) --no-print-directory -s -j2 unit constant-time
	@VALGRIND_OPTS='$(MEMCHECK)' TEST_TIMEOUT=900 tests/run --jobs 2 'tests/constant_time/run $(BUILD)' \
		$(patsubst %,'valgrind %',$(filter-out $(foreach name,$(NOT_UNDER_VALGRIND),%/$(name)_test),$(UNIT)))
# Is a text, password or key anywhere that it must not be?
.PHONY: audit
audit:
	@.ci/setup test
	@$(MAKE) --no-print-directory -s -j2 all $(AUDIT)
	@tests/run --jobs 1 $(AUDIT_TESTS:%='/usr/bin/python3 % $(BUILD)')
layering: all
	@tests/run 'tests/layering $(BUILD)'
simulate: $(BUILD)/simulate
	$(BUILD)/simulate $(SEEDS)
soak: $(BUILD)/simulate
	@TEST_TIMEOUT=86400 tests/run --jobs 2 '$(BUILD)/simulate --tap 50000' '$(BUILD)/simulate --tap 50000 50001'

# Defects planted in the product, one at a time: each must be noticed by the check that its patch names.
.PHONY: mutants
mutants:
	@.ci/setup valgrind
	@$(MAKE) --no-print-directory -s -j2 $(BUILD)/simulate unit constant-time
	@BUILD=$(BUILD) tests/simulation/mutants/run $(MUTANTS)

# Killed at every durable write (some ten minutes), and the other faults; `make test` takes some of the writes.
.PHONY: rehearsal
rehearsal:
	@.ci/setup test
	@$(MAKE) --no-print-directory -s -j2 $(REHEARSAL)
	@/usr/bin/python3 tests/rehearsal/faults_test.py $(BUILD)
	@/usr/bin/python3 tests/rehearsal/crash_rehearsal_test.py $(BUILD)

.PHONY: bench
bench:
	@.ci/setup build
	@$(MAKE) --no-print-directory -s -j2 all $(BENCH)
	@$(MAKE) --no-print-directory -s -j2 BUILD=$(BUILD)/trace-0 TRACE=0 $(BUILD)/trace-0/conclaved
	@tests/bench/run $(BUILD)

# Seconds a target, and which: FUZZ_TARGETS="frame rules". FUZZ_JOBS at a time.
FUZZ_S ?= 60
FUZZ_TARGETS ?= $(patsubst tests/fuzz/%_fuzz.c,%,$(FUZZ_SRC))
.PHONY: fuzz fuzzers
fuzzers: $(FUZZ_SRC:%.c=$(BUILD)/%)
fuzz:
	@.ci/setup check
	@$(MAKE) --no-print-directory -s -j2 BUILD=build/fuzz CC=clang SAN=address,undefined CFLAGS=-fsanitize=fuzzer-no-link fuzzers
	@FUZZ_S=$(FUZZ_S) tests/fuzz/run build/fuzz $(FUZZ_TARGETS)

# The compose stack on a real engine, from up to down.
.PHONY: docker-test
docker-test:
	@docker/build
	@TEST_TIMEOUT=1800 tests/run '/usr/bin/python3 tests/docker/stack_test.py'

# The README's commands in an empty Debian root.
.PHONY: fresh-test
fresh-test:
	@.ci/setup fresh
	@tests/fresh/run

# --- Analysis ---------------------------------------------------------------------------------

# Which lines and branches of the product the tests run. Counts come from processes that end by themselves: crash tests, whose
# processes are killed, would add nothing.
.PHONY: coverage coverage-run
coverage:
	@.ci/setup coverage
	@$(MAKE) --no-print-directory -s -j2 BUILD=build/coverage OPT=-O0 HARDEN=-fPIE \
		CFLAGS='--coverage -fprofile-update=atomic' LDFLAGS=--coverage coverage-run
coverage-run: all unit $(BUILD)/simulate $(REPLAY)
	@find $(BUILD) -name '*.gcda' -delete
	@TEST_TIMEOUT=900 tests/run --jobs 2 $(UNIT) '$(BUILD)/simulate --tap 50' $(REPLAY:%='% --tap tests/fuzz/corpus') \
		$(patsubst %,'/usr/bin/python3 % $(BUILD)',$(filter-out %/crash_test.py,$(E2E)))
	@tests/coverage $(BUILD)

.PHONY: static
static:
	@.ci/setup check
	@tests/static
