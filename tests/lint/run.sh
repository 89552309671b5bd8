#!/bin/sh
# make lint: what a machine can check of the layers and habits in docs/architecture.md. Prints each finding as
# file:line: text and ends in "N passed, N failed" over the checks.
set -u
cd "$(dirname "$0")/../.."
O=${O:-build}
FLAGS=${FLAGS:-"-std=c11 -D_GNU_SOURCE -I."}
ours() { git ls-files --cached --others --exclude-standard -- "$@"; }
passed=0 failed=0
check() { # name, findings
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		echo "ok      $1"
	else
		failed=$((failed + 1))
		echo "FAILED  $1"
		printf '%s\n' "$2" | head -40
	fi
}

check "include layers" "$(ours 'relay/*.[ch]' 'rules/*.[ch]' 'transports/*.[ch]' 'examples/invent-sim/*.[ch]' |
	xargs awk '
	FNR == NR && FILENAME == "tests/lint/layers.txt" { next }
	{ if (!loaded) { while ((getline line < "tests/lint/layers.txt") > 0) {
		if (line ~ /^#/) continue; n = split(line, w, /[ \t]+/)
		for (i = 2; i <= n; i++) may[w[1], w[i]] = 1; may[w[1], w[1]] = 1 } loaded = 1 } }
	/^#include "/ { split($0, q, "\""); to = q[2]; sub(/\/[^\/]*$/, "", to)
		from = FILENAME; sub(/\/[^\/]*$/, "", from)
		if (from == "relay" && FILENAME == "relay/main.c") next
		if (!((from, to) in may)) print FILENAME ":" FNR ": " from " must not include " q[2] }')"

check "fenced libraries" "$(grep -v '^#' tests/lint/libraries.txt | while read -r header homes; do
	ours 'relay/*.[ch]' 'rules/*.[ch]' 'transports/*.[ch]' 'examples/invent-sim/*.[ch]' |
		xargs grep -nF "#include $header" | while IFS= read -r hit; do
		home=no
		for h in $homes; do case $hit in "$h"*) home=yes ;; esac; done
		[ $home = yes ] || echo "$hit (only in: $homes)"
	done
done)"

check "banned functions" "$(ours '*.c' | xargs grep -nwE "($(tr ' ' '|' <tests/lint/banned.txt))[[:space:]]*\(" |
	grep -vE ':[0-9]+:[[:space:]]*(\*|/\*|//)' || true)"

check "unfinished marks" "$(ours '*.c' '*.h' '*.mjs' '*.sh' Makefile | grep -v '^tests/lint/' |
	xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' || true)"

check "function size (70 lines)" "$(ours 'relay/*.c' 'rules/*.c' 'transports/*.c' 'examples/*.c' | xargs awk '
	/^[a-zA-Z_].*[^;,]$/ && /\(/ && !/^#/ { name = $0; start = FNR }
	/^}/ { if (start && FNR - start > 70) print FILENAME ":" start ": " FNR - start " lines: " name; start = 0 }')"

check "file size (450 lines)" "$(ours 'relay/*.c' 'rules/*.c' 'transports/*.c' 'examples/*.c' |
	xargs wc -l | awk '$2 != "total" && $1 > 450 { print $2 ": " $1 " lines" }')"

check "opening comment" "$(ours '*.c' '*.h' | while read -r f; do
	head -c 2 "$f" | grep -q '/\*' || echo "$f:1: does not say what it is for"
done)"

check "headers compile alone" "$(ours '*.h' | while read -r f; do
	printf '#include "%s"\n' "$f" | gcc $FLAGS -Wall -Wextra -fsyntax-only -x c - 2>&1
done)"

if command -v clang-format >/dev/null; then
	check "clang-format" "$(ours '*.[ch]' | xargs clang-format --dry-run 2>&1 | grep -E 'warning' | sort -u -t: -k1,2 | head -20)"
fi
if command -v clang >/dev/null; then
	check "clang, warnings as errors" "$(ours '*.c' | grep -v '^tests/fuzz/' | xargs -n 8 -P 2 clang $FLAGS \
		-Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
		-Wwrite-strings -Wpointer-arith -Wno-format-nonliteral -DRELAY_VERSION='""' -fsyntax-only 2>&1 | head -40)"
fi
for f in $(ours '*.sh' .ci/install .ci/run); do
	sh -n "$f" || { failed=$((failed + 1)); echo "FAILED  $f: not a shell script"; }
done
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
