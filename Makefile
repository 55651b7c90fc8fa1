# SPDX-License-Identifier: GPL-3.0-or-later
#
# pgctl: build, test, install. `make help` lists the targets.
#
#	VARIANT=release|clang|asan|tsan|fuzz|analyzer|cover	the flags; objects go to build/<variant>/
#	CC=clang	the same as VARIANT=clang; with another variant its own folder as well
#	BUILD=DIR	another place than build/
#	JOBS=N		how many side by side, else one per processor
#	ONLY=WORD	unit, sim: only the programs whose name contains WORD; bats: only such titles

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS) --no-builtin-rules --no-print-directory
endif
# Several goals run one after the other: two makes would write the same objects.
ifneq ($(word 2,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
SHELL := /bin/bash
.DELETE_ON_ERROR:

VARIANT ?= $(if $(findstring clang,$(CC)),clang,release)
ifeq ($(origin CC),default)
CC := $(if $(filter clang fuzz,$(VARIANT)),clang,gcc)
endif
is_clang := $(findstring clang,$(CC))
BUILD ?= build
B := $(BUILD)/$(VARIANT)$(if $(is_clang),$(if $(filter clang fuzz,$(VARIANT)),,-clang))
VERSION := 0.1.0

# ---- what is built from what: folders may be empty or absent

core_c := $(wildcard core/*/*.c)
formats_c := $(wildcard formats/*.c)
cli_c := $(wildcard cli/*.c)
unit_c := $(wildcard tests/unit/test_*.c)
sim_c := $(wildcard tests/sim/test_*.c)
bench_c := $(wildcard bench/*.c)
# What several tests share: any other C file beside them.
support_c := $(filter-out $(unit_c) $(sim_c),$(wildcard tests/unit/*.c tests/sim/*.c))
product_c := $(core_c) $(formats_c) $(cli_c)
all_ch := $(foreach d,core/* formats cli tests/* bench,$(wildcard $(d)/*.[ch]))

objects = $(patsubst %.c,$(B)/%.o,$(1))
libs := $(B)/libpgcli.a $(B)/libpgformats.a $(B)/libpgcore.a
chosen = $(foreach t,$(1),$(if $(ONLY),$(if $(findstring $(ONLY),$(notdir $(t))),$(t)),$(t)))
unit_bin := $(patsubst %.c,$(B)/%,$(call chosen,$(filter-out $(UNIT_NOT:%=tests/unit/test_%.c),$(unit_c))))
sim_bin := $(patsubst %.c,$(B)/%,$(call chosen,$(sim_c)))
bench_bin := $(patsubst %.c,$(B)/%,$(bench_c))

CLANG_TIDY := $(firstword $(wildcard /usr/bin/clang-tidy-14) clang-tidy)

# ---- flags

pkgs := libisal liburing blkid libarchive readline smartcols jansson
# Only -I of what pkg-config says: readline's file also sets feature macros.
pkg_cflags := $(shell pkg-config --cflags-only-I $(pkgs) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(pkgs) 2>/dev/null || \
	echo -lisal -luring -lblkid -larchive -lreadline -lsmartcols -ljansson) -lm
test_libs := -lcmocka -lz

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings -Wpointer-arith \
	-Wcast-qual -Wundef -Wnull-dereference -Wdouble-promotion -Wformat=2 \
	-Wimplicit-fallthrough -Wswitch-enum -Wredundant-decls -Wno-missing-field-initializers \
	$(if $(is_clang),-Wcast-align,-Wcast-align=strict -Wlogical-op -Wduplicated-cond) \
	-Werror $(if $(is_clang),,-fmax-errors=20)

hardening := -fstack-protector-strong -fstack-clash-protection \
	$(if $(filter x86_64,$(shell uname -m)),-fcf-protection) \
	$(if $(is_clang),,-ftrivial-auto-var-init=zero) -fno-delete-null-pointer-checks \
	-fno-strict-aliasing -fno-strict-overflow -fno-common -fPIE

# Asserts stay on in every variant. _FORTIFY_SOURCE would hide from the sanitizers what they look for,
# and their instrumentation makes gcc guess wrongly about NULL and uninitialised values.
fortify := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
sanitize := -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-null-dereference \
	$(if $(is_clang),,-Wno-maybe-uninitialized)
flags_release := -O2 $(fortify)
flags_clang := $(flags_release)
flags_asan := $(sanitize) -fsanitize=address,undefined
flags_tsan := $(sanitize) -fsanitize=thread
# Ten million executions a target: what is not counted costs a third of the time.
flags_fuzz := $(sanitize) -O2 -fsanitize=fuzzer-no-link,address,undefined \
	-fsanitize-coverage-ignorelist=tests/fuzz/uncounted
flags_analyzer := -O2 -fanalyzer
flags_cover := -O0 --coverage
variant_flags := $(or $(flags_$(VARIANT)),$(error unknown VARIANT $(VARIANT)))

defines := -D_GNU_SOURCE -DPGCTL_VERSION='"$(VERSION)"' -I. $(pkg_cflags)
# Lines for a backtrace; CFLAGS=-g adds what a debugger wants, and takes a quarter longer.
all_cflags = -std=c17 -g1 -pthread $(hardening) $(variant_flags) $(quicker) $(warnings) $(CFLAGS)
all_ldflags = -pthread $(variant_flags) -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	-Wl,--as-needed $(LDFLAGS)

# What the two analyzers are told of functions that they cannot see into; the file with these functions is not told.
hint := -include tests/lint/analyzer.h
unhinted := core/base/err.c

# ---- build

# ./pgctl is a copy of what `make` or `make CC=clang` built, never of a sanitizer's build.
is_plain := $(and $(filter release clang,$(VARIANT)),$(filter build,$(BUILD)))
all: $(libs) $(if $(wildcard cli/main.c),$(B)/pgctl $(if $(is_plain),pgctl))

pgctl: $(B)/pgctl always
	@cmp -s $< $@ || { cp $< $@.new && mv -f $@.new $@; }

# V=1 shows the commands.
say = $(if $(V),,@echo '$(1)' &&)

$(B)/pgctl: $(B)/cli/main.o $(libs)
	$(call say,ld $@) $(CC) $(all_ldflags) -o $@ $^ $(LDLIBS)

$(B)/libpgcore.a: $(call objects,$(core_c))
$(B)/libpgformats.a: $(call objects,$(formats_c))
$(B)/libpgcli.a: $(filter-out %/main.o,$(call objects,$(cli_c)))
$(B)/libpgtest.a: $(call objects,$(support_c))
$(B)/%.a:
	@mkdir -p $(@D) && rm -f $@
	@$(AR) rcs $@ $^

# Compiled for a few unit tests, or run once: under a sanitizer that takes longer than they run.
$(B)/cli/%.o $(B)/tests/unit/%.o: quicker = $(if $(filter asan tsan,$(VARIANT)),-O0)
$(B)/tests/unit/%.o: quicker += $(if $(filter release clang,$(VARIANT)),-Og)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,cc $<) $(CC) $(all_cflags) $(defines) \
		$(if $(filter analyzer,$(VARIANT)),$(if $(filter-out $(unhinted),$<),$(hint))) -MMD -MP -c -o $@ $<

$(unit_bin) $(sim_bin) $(bench_bin): $(B)/%: $(B)/%.o $(B)/libpgtest.a $(libs)
	$(call say,ld $@) $(CC) $(all_ldflags) -o $@ $^ $(test_libs) $(LDLIBS)

# cmocka.h wants these before it; so a test may sort its includes.
$(B)/tests/%.o: defines += $(addprefix -include ,stdarg.h stddef.h stdint.h setjmp.h)

-include $(patsubst %.c,$(B)/%.d,$(product_c) $(unit_c) $(sim_c) $(support_c) $(bench_c))

# ---- test: every target ends with the line "N passed, N failed"

unit: $(unit_bin)
	@tests/unit/run --jobs $(JOBS) $(RUN_FLAGS) $(unit_bin)

# How many states there were and how fast, then the line of all targets. Those that take longest begin first.
sim_order := $(sort $(filter %/test_crash_small %/test_nested,$(sim_bin))) \
	$(filter-out %/test_crash_small %/test_nested,$(sim_bin))
sim: $(sim_bin)
	@RUN_FLAGS='$(RUN_FLAGS)' tests/sim/run $(B) $(JOBS) 0 $(sim_order)

# SECONDS=N in all, with other seeds again and again.
sim-long: $(sim_bin)
	@RUN_FLAGS='$(RUN_FLAGS)' tests/sim/run $(B) $(JOBS) $(or $(SECONDS),3600) $(sim_order)

mutants:
	@tests/sim/mutants/run.py

bats bats-slow: all
	@PGCTL=$(abspath $(B))/pgctl tests/bats/run --jobs $(JOBS) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(filter bats-slow,$@),--slow) $(RUN_FLAGS) tests/bats

lint:
	@MAKE='$(MAKE)' CORE_OBJECTS=$(B)/core PGCTL=$(B)/pgctl tests/lint/run --jobs $(JOBS)

format:
	@$(if $(all_ch),tests/lint/format.py --write $(all_ch))

# `check` runs these without the sanitizer alone, check-slow with it: they repeat one thing with very many crashes, failures or
# operands, and what they call is called by quicker programs as well. Of states, crashes and losses that a
# program tries one by one (test_thinned()) it takes every fifth.
asan_slow := array_write code commit degrade fault_inject intent_log_model rebuild_hostile recover_write reshape_meanwhile
asan-unit:
	@PGCTL_TEST_THIN=5 $(MAKE) VARIANT=asan UNIT_NOT='$(asan_slow)' unit

clang:
	@$(MAKE) VARIANT=clang all

purity: all
	@CORE_OBJECTS=$(B)/core tests/lint/purity.py

asan tsan:
	@MAKE='$(MAKE) VARIANT=$@' tests/check unit bats

check: deps
	@MAKE='$(MAKE)' tests/check all --beside asan-unit unit bats lint

check-slow: deps
	@MAKE='$(MAKE)' tests/check bats-slow asan analyzed sim

# Arrays of Linux MD held against a real kernel, which apt-get downloads the first time. Needs neither root nor KVM.
check-vm: all
	@for script in md containers reshape; do PGCTL=$(abspath $(B))/pgctl tests/vm/$$script.py $(if $(ONLY),'$(ONLY)') || exit; done

claims: all
	@MAKE='$(MAKE)' tests/claims

# Readers that take as long to begin as for a file: what was compiled anew of a folder is read in one go, then stamped.
folders := $(patsubst %/,%,$(sort $(dir $(product_c))))
tidy_rules := .clang-tidy cli/.clang-tidy tests/lint/analyzer.h
define folder_stamps
$(BUILD)/tidy/$(1).ok $(BUILD)/cppcheck/$(1).ok: $(call objects,$(wildcard $(1)/*.c))
endef
$(foreach folder,$(folders),$(eval $(call folder_stamps,$(folder))))
read_anew = $(patsubst $(B)/%.o,%.c,$(filter %.o,$(if $(filter-out %.o,$?),$^,$?)))

# tidy_run(OPTIONS, FILES, HINT)
tidy_run = $(if $(2),$(CLANG_TIDY) --quiet $(1) $(2) -- -std=c17 $(defines) $(3) 2>&1 | \
	grep -v 'warnings\? generated' >&2; test $${PIPESTATUS[0]} = 0)
tidy_hinted = $(call tidy_run,$(1),$(filter-out $(unhinted),$(2)),$(hint))
tidy_unhinted = $(call tidy_run,$(1),$(filter $(unhinted),$(2)))

tidy: $(folders:%=$(BUILD)/tidy/%.ok)
$(BUILD)/tidy/%.ok: $(tidy_rules)
	@mkdir -p $(@D)
	@$(call tidy_hinted,--checks=-clang-analyzer-*,$(read_anew))
	@$(call tidy_unhinted,--checks=-clang-analyzer-*,$(read_anew))
	@touch $@

cppcheck: $(folders:%=$(BUILD)/cppcheck/%.ok)
$(BUILD)/cppcheck/%.ok: tests/lint/cppcheck.suppress
	@mkdir -p $(@D)
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/lint/cppcheck.suppress --error-exitcode=1 $(defines) $(read_anew)
	@touch $@

# The path-sensitive checks take ten times as long as all others: they are `make analyze`'s, in check-slow.
analyzed: $(product_c:%.c=$(BUILD)/analyzed/%.ok)
$(BUILD)/analyzed/%.ok: %.c $(B)/%.o $(tidy_rules)
	@mkdir -p $(@D)
	@$(call tidy_hinted,,$<)
	@$(call tidy_unhinted,,$<)
	@touch $@

analyze: analyzed cppcheck
	@$(MAKE) VARIANT=analyzer all

cover:
	@MAKE='$(MAKE) VARIANT=cover' tests/check unit bats
	@gcovr --root . --object-directory $(BUILD)/cover --branches --exclude tests --exclude bench

# libFuzzer for a minute on tests/fuzz/fuzz_NAME.c, starting from tests/fuzz/corpus/NAME/.
fuzz-%:
	@$(MAKE) VARIANT=fuzz $(BUILD)/fuzz/tests/fuzz/fuzz_$*
	@mkdir -p $(BUILD)/fuzz/found/$*
	$(BUILD)/fuzz/tests/fuzz/fuzz_$* -max_total_time=$(or $(SECONDS_MAX),60) \
		-artifact_prefix=$(BUILD)/fuzz/found/ $(BUILD)/fuzz/found/$* \
		$(wildcard tests/fuzz/corpus/$*)

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libpgtest.a $(libs)
	$(call say,ld $@) $(CC) $(all_ldflags) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

bench: all $(bench_bin)
	@BENCH_BIN=$(B)/bench PGCTL=./pgctl bench/run.sh $(BENCH_FLAGS)

demo: deps
	@$(MAKE) all
	@PGCTL=$(CURDIR)/pgctl tests/demo/demo.sh

# ---- the rest

deps:
	@.ci/deps

PREFIX ?= /usr/local
share := $(DESTDIR)$(PREFIX)/share
install: all
	install -D -m 755 pgctl $(DESTDIR)$(PREFIX)/bin/pgctl
	@put() { if [ -e "$$1" ]; then echo "install $$2"; install -D -m 644 "$$1" "$$2"; fi; }; \
	for page in man/*.[1-9]; do put $$page $(share)/man/man$${page##*.}/$${page##*/}; done; \
	put completions/pgctl.bash $(share)/bash-completion/completions/pgctl; \
	put completions/_pgctl $(share)/zsh/site-functions/_pgctl; \
	put completions/pgctl.fish $(share)/fish/vendor_completions.d/pgctl.fish

completions: all
	tests/lint/completions.py --write

hooks:
	install -m 755 tests/lint/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"

clean:
	rm -rf $(BUILD) pgctl

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile; echo 'targets: $(targets)'

targets := all analyzed check check-slow check-vm unit sim sim-long mutants bats bats-slow lint format tidy cppcheck analyze asan \
	asan-unit clang purity tsan cover claims bench demo deps install completions hooks clean help fuzz-NAME
.PHONY: $(targets) always
.SECONDARY:
