#!/bin/sh
# Runs what it is given (test binaries, fuzzers and .test.mjs files), three at a time since most of them
# mostly wait, each in a temporary folder of its own. A passing test is one line; a failing one shows its
# output. The last line counts single tests: "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
O=${O:-build}
LIMIT=${LIMIT:-400} # seconds a test file may take
FUZZ_SECONDS=${FUZZ_SECONDS:-15}
results=$(mktemp -d "${TMPDIR:-/tmp}/relay-tests.XXXXXX")
trap 'rm -rf "$results"' EXIT
trap 'rm -rf "$results"; exit 130' INT TERM

run_one() { # file
	name=$(basename "$1")
	TMPDIR=$results/$name.tmp
	export TMPDIR
	mkdir "$TMPDIR"
	start=$(date +%s)
	case $1 in
	*.mjs) timeout "$LIMIT" node --test --test-reporter=tap "$1" ;;
	*/fuzz_*)
		timeout $((FUZZ_SECONDS + 60)) "$1" -max_total_time="$FUZZ_SECONDS" -rss_limit_mb=1024 -timeout=5 \
			-artifact_prefix=build/fuzz/ && echo "[  PASSED  ] 1 test."
		;;
	*) timeout "$LIMIT" "$1" ;;
	esac >"$results/$name.log" 2>&1
	status=$?
	rm -rf "$TMPDIR"
	passed=$(sed -nE 's/^# pass ([0-9]+)$/\1/p; s/^\[  PASSED  \] ([0-9]+) test.*/\1/p' "$results/$name.log" |
		awk '{ n += $1 } END { print n + 0 }')
	failed=$(sed -nE 's/^# (fail|cancelled) ([0-9]+)$/\2/p; s/^\[  FAILED  \] .*: ([0-9]+) test.*/\1/p' "$results/$name.log" |
		awk '{ n += $1 } END { print n + 0 }')
	# A file that ends badly without saying which test failed is one failed test.
	[ $status != 0 ] && [ "${failed:-0}" = 0 ] && failed=1
	[ $status = 0 ] && [ "${passed:-0}" = 0 ] && failed=1
	echo "${passed:-0} ${failed:-0}" >"$results/$name.count"
	took=$(($(date +%s) - start))
	if [ "${failed:-0}" = 0 ]; then
		printf 'ok      %-34s %4d tests %4d s\n' "$name" "$passed" "$took"
		# What a test says of itself: a seed, a count.
		sed -nE 's/^ *# ([a-zA-Z_]+=.*)/        | \1/p' "$results/$name.log"
	else
		printf 'FAILED  %-34s %4d failed, exit %d, %d s\n' "$name" "$failed" $status "$took"
		tail -n 80 "$results/$name.log" | sed 's/^/        | /'
	fi
}

if [ "${1:-}" = --one ]; then
	results=$2
	trap - EXIT
	run_one "$3"
	exit 0
fi
cd "$root" || exit 1
export O RELAY="${RELAY:-$root/$O/relay}" INVENT_SIM="${INVENT_SIM:-$root/$O/invent-sim}"
[ $# -gt 0 ] || { echo "run.sh: no test of that name"; exit 1; }
printf '%s\n' "$@" | xargs -n 1 -P "${JOBS:-3}" "$0" --one "$results"
cat "$results"/*.count | awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
