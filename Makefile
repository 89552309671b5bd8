# Relay. `make help` lists the targets. Everything made lands in $(O).
O       ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
VERSION := 0.1.0

WARNINGS = -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wno-format-nonliteral
# SANITIZE=address,undefined builds everything with it; fortification wants -O and none of them.
SANITIZE ?=
HARDEN  := -fPIE -fstack-protector-strong $(if $(SANITIZE)$(findstring -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
override CFLAGS  += -std=c11 -D_GNU_SOURCE -I. -I$O/gen $(WARNINGS) $(HARDEN) -fno-common -pthread \
	-DRELAY_VERSION='"$(VERSION)"'
override LDFLAGS += $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pie -Wl,-z,relro,-z,now -pthread

PKGS    = libcurl sqlite3 yaml-0.1 libcjson libssl libcrypto libxxhash
LDLIBS  = $(shell pkg-config --libs $(PKGS)) -lnng -lm

# What may be missing is found by probe; without it X.c gives way to X_none.c, which says so.
HAVE_MICROHTTPD := $(shell pkg-config --exists libmicrohttpd 2>/dev/null && echo yes)
HAVE_PCRE2      := $(shell pkg-config --exists libpcre2-8 2>/dev/null && echo yes)
HAVE_NATS       := $(shell pkg-config --exists libnats 2>/dev/null && echo yes)
LDLIBS += $(if $(HAVE_MICROHTTPD),-lmicrohttpd) $(if $(HAVE_PCRE2),-lpcre2-8) $(if $(HAVE_NATS),-lnats)
LEFT_OUT = relay/main.c relay/admin/server$(if $(HAVE_MICROHTTPD),_none).c \
	rules/pattern_regex$(if $(HAVE_PCRE2),_none).c \
	$(if $(HAVE_NATS),transports/nats_none.c,transports/nats.c $(wildcard transports/nats_courier*.c) transports/nats_link.c)

SRC     ?= $(filter-out $(LEFT_OUT),$(wildcard relay/*/*.c relay/*.c rules/*.c transports/*.c))
SIM_SRC ?= $(filter-out examples/invent-sim/main.c,$(wildcard examples/invent-sim/*.c))
# What tests the transport to NATS asks a real server through libnats.
TEST_C  := $(filter-out $(if $(HAVE_NATS),,tests/suite/nats_% tests/suite/test_nats_% tests/suite/test_transport_nats.c),$(wildcard \
	tests/unit/*.c tests/suite/*.c tests/sim/*.c))
UNIT    := $(foreach c,$(TEST_C),$(if $(filter test_%,$(notdir $c)),$(c:tests/%.c=$O/%)))
SHARED  := $(foreach c,$(TEST_C),$(if $(filter test_%,$(notdir $c)),,$c))
SUPPORT := $(SHARED:%.c=$O/obj/%.o)

# V=1 shows the commands.
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

all: $O/relay $O/invent-sim ## build/relay and build/invent-sim

$O/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$O/librelay.a: $(SRC:%.c=$O/obj/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$O/libsim.a: $(SIM_SRC:%.c=$O/obj/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$O/relay: $O/obj/relay/main.o $O/librelay.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$O/invent-sim: $O/obj/examples/invent-sim/main.o $O/libsim.a $O/librelay.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# A test is one file with a main; what tests share stands beside them under other names.
$(UNIT): $O/%: $O/obj/tests/%.o $(SUPPORT) $O/libsim.a $O/librelay.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# The ready-made templates as C strings: PRESET(name, "text") each. "?" is escaped for trigraphs.
PRESETS := $(wildcard examples/templates/*.json)
$O/gen/transports/presets.inc: $(PRESETS) Makefile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)for f in $(PRESETS); do \
		printf 'PRESET(%s,\n' "$$(basename "$$f" .json)"; \
		sed 's/[\\"?]/\\&/g; s/^/\t"/; s/$$/\\n"/' "$$f"; \
		echo ')'; \
	done >$@.new && mv $@.new $@
$O/obj/transports/http_presets.o: $O/gen/transports/presets.inc

$O/verify: examples/verify.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lcrypto
$O/subscriber: examples/subscriber.c examples/c/relay_bus.c examples/c/relay_bus.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) -lnng -lcjson

-include $(shell find $O -name '*.d' 2>/dev/null)

demo: ## the whole way on this machine: simulated API, relay, subscriber, receiver; checks itself
	@.ci/install build
	@$(MAKE) --no-print-directory -j2 all
	@examples/demo.sh $O

# What `make test` runs: T=name picks unit binaries, end-to-end files and fuzzers whose name contains it.
T   ?=
E2E := $(wildcard tests/e2e/*.test.mjs tests/crash/*.test.mjs)
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
ALL_TESTS := $(UNIT) $(E2E) $(FUZZERS:%=build/fuzz/%)
PICKED = $(if $(T),$(foreach t,$(ALL_TESTS),$(if $(findstring $(T),$(notdir $(t))),$(t))),$(ALL_TESTS))

test: ## unit, contract and end-to-end tests; T=name runs those whose name contains it
	@.ci/install
	@$(MAKE) --no-print-directory -j2 tests
tests: all $O/subscriber $O/verify $(UNIT) $(if $(filter build/fuzz/%,$(PICKED)),fuzzers-of-clang)
	@O=$O tests/run.sh $(PICKED)

lint: $O/gen/transports/presets.inc ## include layers, fenced libraries, sizes, formatting, warnings of gcc and clang
	@FLAGS="-std=c11 -D_GNU_SOURCE -I. -I$O/gen" tests/lint/run.sh
format: ## clang-format over our files
	clang-format -i $$(git ls-files '*.[ch]')

# The alternate signal stack is for overflows of the stack, and gcc 12's own writes beyond it when a
# thread ends are reported as such.
asan: ## unit and contract tests with address and undefined behaviour sanitizers
	@ASAN_OPTIONS=use_sigaltstack=0 $(MAKE) --no-print-directory -j2 tests O=build/asan SANITIZE=address,undefined CFLAGS='-O1 -g' T=test_
tsan: ## the same with the thread sanitizer
	@LIMIT=2400 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp $(MAKE) --no-print-directory -j2 tests O=build/tsan SANITIZE=thread CFLAGS='-O1 -g' T=test_

FUZZ_SECONDS ?= 30
fuzz: ## each fuzzer for FUZZ_SECONDS (30)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(MAKE) --no-print-directory -j2 tests T=fuzz_
fuzzers: $(FUZZERS:%=$O/%)
fuzzers-of-clang:
	@$(MAKE) --no-print-directory fuzzers O=build/fuzz CC=clang CFLAGS='-O1 -g' \
		SANITIZE=address,undefined,fuzzer-no-link
$(FUZZERS:%=$O/%): $O/%: $O/obj/tests/fuzz/%.o $O/librelay.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

crash: ## kill -9 at 200 random moments, against the simulator's ledger
	@KILLS=200 JOB_KILLS=100 JOB_RECIPIENTS=6000 BUS_KILLS=20 SUBSCRIBER_KILLS=40 BUS_STOPS=50 BUS_RECIPIENTS=12000 LIMIT=1200 $(MAKE) --no-print-directory tests T=kill
# Longer: tests with random input try so many, and each fuzzer runs for ten minutes.
check-all: lint asan tsan crash ## all of it and longer: two hours
	@RANDOM_RUNS=100000 $(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600

BENCH_SHARED := $(patsubst %.c,$O/obj/%.o,$(filter-out tests/bench/bench_%,$(wildcard tests/bench/*.c)))
DRIVE   := $O/obj/tests/sim/drive.o $O/obj/tests/sim/drive_store.o
BENCHES := $(patsubst tests/bench/bench_%.c,%,$(wildcard tests/bench/bench_*.c))
$(BENCHES:%=$O/bench_%): $O/bench_%: $O/obj/tests/bench/bench_%.o $(BENCH_SHARED) $O/obj/tests/suite/fixture_folder.o $(DRIVE) $O/libsim.a $O/librelay.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
bench: $(filter-out bench-polling,$(BENCHES:%=bench-%)) ## all benches; writes docs/performance.md
	@tests/bench/report.sh >docs/performance.md
# The source has two: what it costs, and how soon it sees what changed.
ALSO_source = polling
$(BENCHES:%=bench-%): bench-%: $O/bench_% all
	@mkdir -p build/bench
	@missed=0; for b in $* $(ALSO_$*); do O=$O $O/bench_$$b || missed=1; done; exit $$missed
bench-source: $O/bench_polling
# Its peers are Debian packages; no service of theirs is started.
bench-http: peers-of-http
peers-of-http:
	@.ci/install bench

DESTDIR ?=
install: all ## build/relay to $(DESTDIR)$(PREFIX)/bin
	install -D -m 755 $O/relay $(DESTDIR)$(PREFIX)/bin/relay
clean: ## everything made
	rm -rf build
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20
	@printf '  make bench-%s\n' $(BENCHES)

.PHONY: all demo test tests lint format asan tsan fuzz fuzzers fuzzers-of-clang crash check-all bench install clean help peers-of-http $(BENCHES:%=bench-%)
