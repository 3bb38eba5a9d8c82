# SPDX-License-Identifier: MPL-2.0
# Conclave. `make demo` shows a conversation, `make test` proves it; both install what they need.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
SAN ?=
# TRACE=0: a broker that makes no trace records at all, to see what they cost.
TRACE ?=
BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))$(if $(filter 0,$(TRACE)),/trace-0)
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
CPPFLAGS_ALL = -I. -D_GNU_SOURCE -DCONCLAVE_VERSION='"$(VERSION)"' $(if $(filter 0,$(TRACE)),-DCONCLAVE_TRACE=0) $(CPPFLAGS)
CFLAGS_ALL = -std=c17 -g $(OPT) -pthread $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pthread -pie -Wl,-z,relro,-z,now $(SANFLAGS) $(LDFLAGS)

libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
PROTO_LIBS = $(call libs,libsodium msgpack)
BROKER_LIBS = $(call libs,libczmq libzmq rocksdb libmicrohttpd)
TRACER_LIBS = $(call libs,libzmq libcurl jansson)
CLIENT_LIBS = $(call libs,libczmq libzmq sqlite3 libedit libutf8proc)

PROTO_SRC := $(sort $(wildcard proto/*.c))
TRACER_SRC := $(filter-out broker/tracer/main.c,$(sort $(wildcard broker/tracer/*.c)))
BROKER_SRC := $(filter-out broker/main.c broker/tracer/%,$(sort $(wildcard broker/*.c broker/*/*.c)))
CLIENT_SRC := $(filter-out client/main.c,$(sort $(wildcard client/*.c client/*/*.c)))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(BUILD)/conclaved $(BUILD)/conclave-trace $(BUILD)/conclave

$(BUILD)/conclaved: $(BUILD)/broker/main.o $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(BROKER_LIBS) $(PROTO_LIBS)

# Of the broker's archive it takes what it names: no store, no rules.
$(BUILD)/conclave-trace: $(BUILD)/broker/tracer/main.o $(BUILD)/libtracer.a $(BUILD)/libbroker.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(TRACER_LIBS) $(PROTO_LIBS)

$(BUILD)/conclave: $(BUILD)/client/main.o $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLIENT_LIBS) $(PROTO_LIBS)

$(BUILD)/libproto.a: $(call obj,$(PROTO_SRC))
$(BUILD)/libbroker.a: $(call obj,$(BROKER_SRC))
$(BUILD)/libtracer.a: $(call obj,$(TRACER_SRC))
$(BUILD)/libclient.a: $(call obj,$(CLIENT_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The assembler takes the page in.
$(BUILD)/broker/http/page.o: broker/http/page.html

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

.PHONY: docker-demo
docker-demo:
	@docker/demo

include tests/tests.mk

.PHONY: install man
MAN := $(patsubst %.scd,$(BUILD)/%,$(wildcard broker/*.scd client/*.scd))
man: $(MAN)
$(BUILD)/%.8: %.8.scd
	@mkdir -p $(@D)
	scdoc <$< >$@
$(BUILD)/%.5: %.5.scd
	@mkdir -p $(@D)
	scdoc <$< >$@
$(BUILD)/%.1: %.1.scd
	@mkdir -p $(@D)
	scdoc <$< >$@
# Manual pages need scdoc; without it they are left out. A config file that is there stays.
install: all $(if $(shell command -v scdoc),man)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/man/man5 share/man/man8 share/doc/conclave \
		lib/systemd/system lib/sysusers.d) $(DESTDIR)$(SYSCONFDIR)/conclave
	install -m 755 $(BUILD)/conclaved $(BUILD)/conclave-trace $(BUILD)/conclave $(DESTDIR)$(PREFIX)/bin
	for page in $(wildcard $(MAN)); do \
		install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; done
	install -m 644 README.md LICENSE proto/PROTOCOL.md proto/SECURITY.md $(DESTDIR)$(PREFIX)/share/doc/conclave
	sed 's|/usr/local/|$(PREFIX)/|; s|/etc/conclave|$(SYSCONFDIR)/conclave|' broker/conclaved.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/conclaved.service
	install -m 644 broker/conclaved.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/conclaved.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/conclave/conclaved.conf ] || \
		install -m 644 broker/conclaved.conf $(DESTDIR)$(SYSCONFDIR)/conclave

.PHONY: format clean
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')
clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
