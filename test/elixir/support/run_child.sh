#!/bin/sh
# usage: run_child.sh COMMAND ARG...
# Runs COMMAND with an empty standard input, says its pid first, and kills it when our own
# standard input closes: so nothing outlives the test node, however that ends.
exec 3<&0
"$@" </dev/null &
child=$!
echo "run_child: pid $child"
(
    while read -r _line; do :; done
    kill -KILL "$child"
) <&3 >/dev/null 2>&1 &
watcher=$!
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
