#!/usr/bin/env bash
# kcat BOOTSTRAP: a topic made by metadata (auto.create.topics.enable), every codec, from the beginning, queries, and a group.
set -uo pipefail
bootstrap=$1 failed=0
client="kcat (librdkafka $(kcat -V | sed -n 's/.*librdkafka \([0-9.]*\).*/\1/p'))"
feature() { # NAME FUNCTION
    local said
    if said=$(set -e; $2 2>&1); then echo "PASSED  $client: $1"; else echo "FAILED  $client: $1: $said"; failed=1; fi
}
is() { [ "$2" = "$3" ] || { echo "$1 is '$2' and not '$3'"; exit 1; }; }
lines() { seq 1 500 | sed 's/.*/key-&:value-&/'; }

codec() {
    lines | kcat -b "$bootstrap" -P -t "kcat-$codec" -K: -z "$codec" -X acks=all -X enable.idempotence=true -X allow.auto.create.topics=true
    is "what was read" "$(kcat -b "$bootstrap" -C -t "kcat-$codec" -o beginning -e -q -f '%k:%s\n' | sort -t- -k3n | md5sum)" "$(lines | md5sum)"
}
for codec in none gzip snappy lz4 zstd; do feature "topic made by metadata, idempotent produce and fetch, $codec" codec; done

group() {
    # -G with -e ends at the end of all partitions; the offsets are committed on the way out.
    is "the group's first reading" "$(kcat -b "$bootstrap" -G kcat-group -X auto.offset.reset=earliest -e -q kcat-zstd | wc -l)" 500
    echo "one more" | kcat -b "$bootstrap" -P -t kcat-zstd
    is "the group's second reading" "$(kcat -b "$bootstrap" -G kcat-group -X auto.offset.reset=earliest -e -q kcat-zstd | wc -l)" 1
}
feature "group: commit, resume" group

queries() {
    kcat -b "$bootstrap" -L -t kcat-zstd | grep -q 'topic "kcat-zstd"' || { echo "no such topic in -L"; exit 1; }
    is "the first offset of time 0" "$(kcat -b "$bootstrap" -Q -t kcat-gzip:0:0 2>&1 | sed 's/.*offset //')" 0
    is "the last three" "$(kcat -b "$bootstrap" -C -t kcat-gzip -p 0 -o -3 -e -q | wc -l)" 3
}
feature "metadata, offsets by time, the tail" queries
exit "$failed"
