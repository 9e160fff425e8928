#!/usr/bin/env bash
# Prometheus itself judges the metrics: promtool reads them, and a server scrapes them from a node.
#
# usage: test/oracles/metrics/check.sh
# Takes Debian's package of Prometheus apart into ${HAR_ORACLES:-~/.cache/har-oracles} once (20 MB to
# fetch, 200 MB), without installing it. HAR_BIN names the program to ask; without, it is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../../..
oracles=${HAR_ORACLES:-$HOME/.cache/har-oracles}

prometheus=$oracles/prometheus
if [ ! -x "$prometheus/usr/bin/promtool" ]; then
    mkdir -p "$prometheus"
    (cd "$prometheus" && apt-get -q download prometheus && dpkg-deb -x prometheus_*.deb .) \
        || { echo "FAIL: no package of Prometheus: apt-get update?" >&2; exit 1; }
fi
har=${HAR_BIN:-}
if [ -z "$har" ]; then
    (cd "$top" && cargo build --quiet --bin har)
    har=${CARGO_TARGET_DIR:-$top/target}/debug/har
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
work=$(mktemp -d)
started=()
end() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap end EXIT
await() {
    for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "FAIL: in vain: $*" >&2
    exit 1
}

port=$(free_port)
epmd=$(free_port)
env -i HOME="$work" HAR_COOKIE=C "$har" start --epmd-port "$epmd" --ops-port "$port" \
    >"$work/har.log" 2>&1 &
started+=($!)
await curl -fsS "http://127.0.0.1:$port/readyz"
yaml='<<"- hosts: all\n  tasks:\n    - apt: name=nginx\n">>'
env -i HOME="$work" HAR_COOKIE=C "$har" rpc har@127.0.0.1 --epmd-port "$epmd" \
    Elixir.HAR convert "[ansible, $yaml, [{to, salt}]]" >"$work/rpc.log" \
    || { cat "$work/rpc.log" >&2; exit 1; }
curl -fsS "http://127.0.0.1:$port/metrics" >"$work/metrics"
"$prometheus/usr/bin/promtool" check metrics <"$work/metrics" \
    || { echo "FAIL: promtool has something to say of the metrics" >&2; exit 1; }
echo "ok: promtool has nothing to say of $(grep -c '^# TYPE' "$work/metrics") metrics"

server=$(free_port)
cat >"$work/prometheus.yml" <<YAML
scrape_configs:
  - {job_name: har, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:$port"]}]}
YAML
"$prometheus/usr/bin/prometheus" --config.file="$work/prometheus.yml" \
    --storage.tsdb.path="$work/tsdb" --web.listen-address="127.0.0.1:$server" \
    >"$work/prometheus.log" 2>&1 &
started+=($!)
asked='har_convert_seconds_count{from="ansible",to="salt"}'
scraped() {
    "$prometheus/usr/bin/promtool" query instant "http://127.0.0.1:$server" "$asked" | grep -q '=> 1 '
}
await scraped
echo "ok: a Prometheus server has scraped what was converted"
