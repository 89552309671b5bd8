#!/bin/sh
# An alerting pipeline on one machine, with real processes:
#
#   invent-sim ──HTTP──► relay run ──HTTP──► Alertmanager ──HTTP──► relay receive (the team)
#
# Messages of a simulated broadcast fail until a rule fires (examples/alerting.yaml); Alertmanager
# calls the team, and again when it is over. Needs Debian's prometheus-alertmanager, which brings
# amtool. Exit status 0: the team was told of both.
set -eu
cd "$(dirname "$0")/.."
BUILD=${1:-build}
command -v prometheus-alertmanager >/dev/null || {
	echo "alerting: apt-get install prometheus-alertmanager" >&2
	exit 1
}

PIPELINE_DIR=$(mktemp -d "${TMPDIR:-/tmp}/relay-alerting.XXXXXX")
PIPELINE_KEY=pipeline-key
export PIPELINE_DIR PIPELINE_KEY
pids=
clean_up() {
	trap - EXIT INT TERM
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for pid in $pids; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$PIPELINE_DIR"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT TERM

wait_for() { # what, seconds, command
	what=$1 tries=$(($2 * 5))
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		if [ $tries = 0 ]; then
			echo "alerting: waited in vain for $what" >&2
			tail -n 5 "$PIPELINE_DIR"/*.log >&2
			exit 1
		fi
		sleep 0.2
	done
}
url_in() { sed -nE 's/.*(http:\/\/[0-9.:]+).*/\1/p' "$1" | head -1; }
sim() { curl -sSf -m 20 -H "Authorization: Bearer $PIPELINE_KEY" "$@"; }

"$BUILD/invent-sim" --listen 127.0.0.1:0 --key "$PIPELINE_KEY" --hold --kind sms --recipients 100 \
	--ramp 1s >"$PIPELINE_DIR/sim.out" 2>"$PIPELINE_DIR/sim.log" &
pids="$pids $!"
"$BUILD/relay" receive --listen 127.0.0.1:0 --json >"$PIPELINE_DIR/team" 2>"$PIPELINE_DIR/team.log" &
pids="$pids $!"
wait_for "the simulator" 5 grep -q listening "$PIPELINE_DIR/sim.out"
wait_for "the team" 5 grep -q http:// "$PIPELINE_DIR/team.log"
PIPELINE_API=$(url_in "$PIPELINE_DIR/sim.out")

# Alertmanager takes no port 0: the first free one of a few.
cat >"$PIPELINE_DIR/alertmanager.yml" <<END
route: { receiver: team, group_wait: 0s, group_interval: 1s, repeat_interval: 1h }
receivers: [{ name: team, webhook_configs: [{ url: "$(url_in "$PIPELINE_DIR/team.log")/" }] }]
END
port=$((20000 + $$ % 20000))
while curl -s -m 1 "http://127.0.0.1:$port/" >/dev/null; do port=$((port + 1)); done
PIPELINE_ALERTMANAGER=http://127.0.0.1:$port
export PIPELINE_API PIPELINE_ALERTMANAGER
prometheus-alertmanager --config.file="$PIPELINE_DIR/alertmanager.yml" --cluster.listen-address= \
	--web.listen-address="127.0.0.1:$port" --storage.path="$PIPELINE_DIR/alertmanager" \
	2>"$PIPELINE_DIR/alertmanager.log" &
pids="$pids $!"
wait_for "Alertmanager" 20 curl -sf -m 1 "$PIPELINE_ALERTMANAGER/-/ready"
"$BUILD/relay" run -c examples/alerting.yaml 2>"$PIPELINE_DIR/relay.log" &
pids="$pids $!"

sim -X POST "$PIPELINE_API/sim/step?ms=3000" >/dev/null # all are sent; then its clock stands still
echo "alerting: most of 100 messages fail"
sim "$PIPELINE_API/orgs/c/broadcasts/bc_1/recipients?take=100" |
	grep -oE '"id":"rcp_[^"]*"' | cut -d'"' -f4 >"$PIPELINE_DIR/ids"
while read -r id; do
	sim -X POST "$PIPELINE_API/sim/change?broadcast=bc_1&recipient=$id&state=failed" >/dev/null 2>&1 || true
done <"$PIPELINE_DIR/ids"

is_open() { amtool --alertmanager.url="$PIPELINE_ALERTMANAGER" alert query | grep -q 'failure storm'; }
told() { grep -c "\"status\":\"$1\"" "$PIPELINE_DIR/team"; }
wait_for "the alert" 30 is_open
amtool --alertmanager.url="$PIPELINE_ALERTMANAGER" alert query
wait_for "the call to the team" 15 told firing
echo "alerting: the team is told; nothing more fails, and it is over in some seconds"
wait_for "the end of it" 40 told resolved
echo "alerting: the team is told that it is over"
