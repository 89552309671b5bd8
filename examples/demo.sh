#!/bin/sh
# make demo: the whole way on one machine, with real processes.
#
#   invent-sim ──HTTP──► relay run ──nng──► relay subscribe
#                                  └─HTTP─► relay receive
#
# A simulated broadcast is sent in about 20 seconds; afterwards the simulator's ledger of every
# state change is compared with what arrived on both sides. Exit status 0: nothing is missing,
# nothing invented, nothing came under two ids.
set -eu
cd "$(dirname "$0")/.."
BUILD=${1:-build}
RECIPIENTS=${DEMO_RECIPIENTS:-2000}
SECONDS_LONG=${DEMO_SECONDS:-20}
SPEED=30 # the simulated campaign runs so much faster than a real one

DEMO_DIR=$(mktemp -d "${TMPDIR:-/tmp}/relay-demo.XXXXXX")
DEMO_KEY=demo-key
DEMO_SECRET=whsec_$(head -c 24 /dev/urandom | base64)
export DEMO_DIR DEMO_KEY DEMO_SECRET
pids=

clean_up() {
	trap - EXIT INT TERM
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for pid in $pids; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$DEMO_DIR"
}
trap clean_up EXIT
trap 'echo; echo "demo: interrupted, cleaned up"; clean_up; exit 130' INT TERM

fail() {
	echo "demo: $*" >&2
	for log in sim relay receive subscribe; do
		[ -s "$DEMO_DIR/$log.log" ] && sed "s/^/  $log: /" "$DEMO_DIR/$log.log" | tail -5 >&2
	done
	exit 1
}
wait_for() { # what, seconds, command
	what=$1 tries=$(($2 * 10))
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "waited in vain for $what"
		sleep 0.1
	done
}
url_in() { sed -nE 's/.*(http:\/\/[0-9.:]+).*/\1/p' "$1" | head -1; }
sim() { curl -sSf -m 20 "$@"; }

# The campaign's own clock starts in the past, so that it ends about now.
epoch=$(date -u -d "@$(($(date +%s) - SECONDS_LONG * SPEED))" +%Y-%m-%dT%H:%M:%SZ)
"$BUILD/invent-sim" --listen 127.0.0.1:0 --key "$DEMO_KEY" --hold --epoch "$epoch" \
	--speed $SPEED --broadcasts 1 --recipients "$RECIPIENTS" --ramp 240s \
	>"$DEMO_DIR/sim.out" 2>"$DEMO_DIR/sim.log" &
pids="$pids $!"
wait_for "the simulator" 5 grep -q listening "$DEMO_DIR/sim.out"
DEMO_API=$(url_in "$DEMO_DIR/sim.out")

"$BUILD/relay" receive --listen 127.0.0.1:0 --secret "$DEMO_SECRET" --json \
	>"$DEMO_DIR/callbacks" 2>"$DEMO_DIR/receive.log" &
pids="$pids $!"
wait_for "the receiver" 5 grep -q http:// "$DEMO_DIR/receive.log"
DEMO_RECEIVER=$(url_in "$DEMO_DIR/receive.log")
export DEMO_API DEMO_RECEIVER

"$BUILD/relay" run -c examples/demo.yaml --log-level warn 2>"$DEMO_DIR/relay.log" &
relay=$!
pids="$pids $relay"
"$BUILD/relay" subscribe "ipc://$DEMO_DIR/bus" recipient. --refill "ipc://$DEMO_DIR/refill" --all \
	>"$DEMO_DIR/events" 2>"$DEMO_DIR/subscribe.log" &
pids="$pids $!"
wait_for "a heartbeat on the bus" 15 grep -q connected "$DEMO_DIR/subscribe.log"
wait_for "the receiver's answer" 5 curl -sf -m 2 "$DEMO_RECEIVER/"

echo "demo: $RECIPIENTS recipients, sent in about $SECONDS_LONG seconds; a sample of the bus, all callbacks"
# mawk would wait for a full block of input otherwise
awk -W version 2>&1 </dev/null | grep -q mawk && live="-W interactive" || live=
show() { # label, file, one line of so many
	# shellcheck disable=SC2086
	tail -n +1 --pid=$$ -f "$2" | awk $live -v label="$1" -v every="$3" '
		function field(name,  s) {
			if (!match($0, "\"" name "\":\"[^\"]*\"")) return "-"
			s = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5); return s
		}
		(NR - 1) % every == 0 {
			printf "%-9s %s  %-22s %-14s %s  %s\n", label, substr(field("time"), 12, 8), field("type"),
				field("integration_id"), field("recipient_id"), field("error_message") == "-" ? "" : field("error_message")
			fflush() }'
}
show bus "$DEMO_DIR/events" $((RECIPIENTS / 20 + 1)) &
viewers=$!
show callback "$DEMO_DIR/callbacks" 1 &
viewers="$viewers $!"
pids="$pids $viewers"

sim -X POST "$DEMO_API/sim/start" >/dev/null
sleep "$SECONDS_LONG"
sim -X POST "$DEMO_API/sim/end" >/dev/null
kill -0 $relay 2>/dev/null || fail "the relay ended"

compare() {
	sim "$DEMO_API/sim/ledger" >"$DEMO_DIR/ledger"
	"$BUILD/invent-sim" verify --ledger "$DEMO_DIR/ledger" --events "$DEMO_DIR/events" \
		--label "bus (everything)" >"$DEMO_DIR/verdict" &&
		"$BUILD/invent-sim" verify --ledger "$DEMO_DIR/ledger" --events "$DEMO_DIR/callbacks" \
			--type recipient.failed,recipient.bounced --label "callbacks (failures)" >>"$DEMO_DIR/verdict"
}
tries=30
until compare || [ $tries = 0 ]; do
	tries=$((tries - 1))
	sleep 1
done
sleep 0.5 # the viewers catch up
for pid in $viewers; do kill "$pid" 2>/dev/null || true; done
echo
compare && good=yes || good=no
cat "$DEMO_DIR/verdict"
[ $good = yes ] || fail "what arrived is not what happened"
echo "demo: every owed state change arrived on both sides, none under a second id"
