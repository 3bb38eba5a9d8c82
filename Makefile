# SPDX-License-Identifier: MPL-2.0
# Conclave. `make demo` shows a conversation, `make test` proves it; both install what they need.
PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma := ,
VERSION := 0.1.0

CC ?= cc
PKG_CONFIG ?= pkg-config
OPT ?= -O2
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wwrite-strings \
        $(if $(WERROR),-Werror)
HARDEN := -fstack-protector-strong -fPIE $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPPFLAGS_ALL = -I. -D_GNU_SOURCE -DCONCLAVE_VERSION='"$(VERSION)"' $(CPPFLAGS)
CFLAGS_ALL = -std=c17 -g $(OPT) -pthread $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pthread -pie -Wl,-z,relro,-z,now $(SANFLAGS) $(LDFLAGS)

libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
PROTO_LIBS = $(call libs,libsodium msgpack)
BROKER_LIBS = $(call libs,libczmq libzmq rocksdb)
CLIENT_LIBS = $(call libs,libczmq libzmq sqlite3 libedit libutf8proc)

PROTO_SRC := $(sort $(wildcard proto/*.c))
BROKER_SRC := $(filter-out broker/main.c,$(sort $(wildcard broker/*.c broker/*/*.c)))
CLIENT_SRC := $(filter-out client/main.c,$(sort $(wildcard client/*.c client/*/*.c)))
UNIT_SRC := $(sort $(wildcard tests/unit/*/*_test.c))
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(BUILD)/conclaved $(BUILD)/conclave

$(BUILD)/conclaved: $(BUILD)/broker/main.o $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(BROKER_LIBS) $(PROTO_LIBS)

$(BUILD)/conclave: $(BUILD)/client/main.o $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLIENT_LIBS) $(PROTO_LIBS)

$(BUILD)/libproto.a: $(call obj,$(PROTO_SRC))
$(BUILD)/libbroker.a: $(call obj,$(BROKER_SRC))
$(BUILD)/libclient.a: $(call obj,$(CLIENT_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# A unit test links the layers it may use, and no other.
$(BUILD)/tests/unit/proto/%: $(BUILD)/tests/unit/proto/%.o $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PROTO_LIBS) -lcmocka
$(BUILD)/tests/unit/broker/%: $(BUILD)/tests/unit/broker/%.o $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(BROKER_LIBS) $(PROTO_LIBS) -lcmocka
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

$(BUILD)/simulate: $(call obj,$(SIMULATION_SRC)) $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BENCH_PARTS) $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK) -lm
$(BUILD)/tests/demo/%: $(BUILD)/tests/demo/%.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK)
$(BUILD)/tests/fuzz/%_replay: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay_main.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORLD_LINK)
$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(WORLD_LIBS)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(WORLD_LINK)

.PHONY: unit tools
unit: $(UNIT)
tools: $(BENCH) $(BUILD)/simulate $(REPLAY) $(BUILD)/tests/demo/try_open

# --- What people call -------------------------------------------------------------------------

.PHONY: demo chat
demo:
	@.ci/setup demo
	@echo 'Building…' && $(MAKE) --no-print-directory -s -j2 all $(BUILD)/tests/demo/try_open
	@tests/demo/conversation $(BUILD)
chat:
	@.ci/setup build && .ci/setup chat
	@echo 'Building…' && $(MAKE) --no-print-directory -s -j2 all
	@tests/demo/three_people $(BUILD)

SEEDS ?= 200
E2E := $(sort $(wildcard tests/e2e/*_test.py)) $(sort $(wildcard tests/interop/*_test.py))

.PHONY: test test-quick test-san test-tsan layering simulate
test:
	@.ci/setup test
	@$(MAKE) --no-print-directory -s -j2 all unit tools
	@tests/run --jobs 2 $(UNIT) 'tests/layering $(BUILD)' '$(BUILD)/simulate --tap $(SEEDS)' \
		$(REPLAY:%='% --tap tests/fuzz/corpus') $(E2E:%='/usr/bin/python3 % $(BUILD)')
# The same without the end-to-end part, for every change.
test-quick:
	@$(MAKE) --no-print-directory -s -j2 all unit tools
	@tests/run --jobs 2 $(UNIT) 'tests/layering $(BUILD)' '$(BUILD)/simulate --tap 50' $(REPLAY:%='% --tap tests/fuzz/corpus')
# Under sanitizers: units, a short simulation, the fuzzers' corpora, and real processes.
test-san:
	@$(MAKE) --no-print-directory -s -j2 all unit tools
	@TEST_TIMEOUT=900 tests/run --jobs 2 $(UNIT) '$(BUILD)/simulate --tap 20' $(REPLAY:%='% --tap tests/fuzz/corpus') \
		'/usr/bin/python3 tests/e2e/conversation_test.py $(BUILD)'
test-tsan:
	@$(MAKE) --no-print-directory -s -j2 all unit
	@# libzmq and RocksDB are not instrumented: what happens inside them is not ours to judge.
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1 TEST_TIMEOUT=900 tests/run --jobs 1 $(filter %/mailbox_pair_test %/actor_loop_test %/engine_screens_test %/link_socket_test %/home_socket_test %/router_test,$(UNIT)) \
		'/usr/bin/python3 tests/e2e/conversation_test.py $(BUILD)'
layering: all
	@tests/run 'tests/layering $(BUILD)'
simulate: $(BUILD)/simulate
	$(BUILD)/simulate $(SEEDS)

.PHONY: bench
bench:
	@.ci/setup build
	@$(MAKE) --no-print-directory -s -j2 all $(BENCH)
	@tests/bench/run $(BUILD)

FUZZ_S ?= 60
.PHONY: fuzz fuzzers
fuzzers: $(FUZZ_SRC:%.c=$(BUILD)/%)
fuzz:
	@.ci/setup check
	@$(MAKE) --no-print-directory -s -j2 BUILD=build/fuzz CC=clang SAN=address,undefined CFLAGS=-fsanitize=fuzzer-no-link fuzzers
	@for target in $(patsubst tests/fuzz/%_fuzz.c,%,$(FUZZ_SRC)); do \
		echo "== $$target, $(FUZZ_S) s"; mkdir -p build/fuzz/found/$$target; \
		build/fuzz/tests/fuzz/$${target}_fuzz -max_total_time=$(FUZZ_S) -print_final_stats=1 \
			-artifact_prefix=build/fuzz/found/$$target- build/fuzz/found/$$target tests/fuzz/corpus/$$target \
			>build/fuzz/found/$$target.log 2>&1 || { tail -n 40 build/fuzz/found/$$target.log; exit 1; }; \
		grep -E 'number_of_executed|peak_rss' build/fuzz/found/$$target.log; \
	done

# The README's commands in an empty Debian root.
.PHONY: fresh-test
fresh-test:
	@.ci/setup fresh
	@tests/fresh/run

.PHONY: install man
MAN := $(patsubst %.scd,$(BUILD)/%,$(wildcard broker/*.scd client/*.scd))
man: $(MAN)
$(BUILD)/%.8: %.8.scd
	@mkdir -p $(@D)
	scdoc <$< >$@
$(BUILD)/%.1: %.1.scd
	@mkdir -p $(@D)
	scdoc <$< >$@
# Manual pages need scdoc; without it they are left out.
install: all $(if $(shell command -v scdoc),man)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/doc/conclave
	install -m 755 $(BUILD)/conclaved $(BUILD)/conclave $(DESTDIR)$(PREFIX)/bin
	for page in $(wildcard $(MAN)); do \
		install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; done
	install -m 644 README.md LICENSE proto/PROTOCOL.md $(DESTDIR)$(PREFIX)/share/doc/conclave

.PHONY: format clean
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')
clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
