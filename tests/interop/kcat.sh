#!/usr/bin/env bash
# kcat BOOTSTRAP: a topic made by metadata (auto.create.topics.enable), every codec, from the beginning, and a group.
set -euo pipefail
bootstrap=$1
for codec in none gzip snappy lz4 zstd; do
    topic=kcat-$codec
    seq 1 500 | sed 's/.*/key-&:value-&/' |
        kcat -b "$bootstrap" -P -t "$topic" -K: -z "$codec" -X acks=all -X enable.idempotence=true -X allow.auto.create.topics=true
    read=$(kcat -b "$bootstrap" -C -t "$topic" -o beginning -e -q -f '%k:%s\n' | sort -t- -k3n | md5sum)
    want=$(seq 1 500 | sed 's/.*/key-&:value-&/' | sort -t- -k3n | md5sum)
    [ "$read" = "$want" ] || { echo "kcat: $codec: what was read is not what was written"; exit 1; }
done
# -G with -e ends at the end of all partitions; the offsets are committed on the way out.
first=$(kcat -b "$bootstrap" -G kcat-group -X auto.offset.reset=earliest -e -q kcat-zstd | wc -l)
[ "$first" = 500 ] || { echo "kcat: the group read $first of 500"; exit 1; }
echo "one more" | kcat -b "$bootstrap" -P -t kcat-zstd
second=$(kcat -b "$bootstrap" -G kcat-group -X auto.offset.reset=earliest -e -q kcat-zstd | wc -l)
[ "$second" = 1 ] || { echo "kcat: the group went on with $second records instead of 1"; exit 1; }
kcat -b "$bootstrap" -L -t kcat-zstd | grep -q 'topic "kcat-zstd"'
