# Producers, consumers, offsets.

seq -f 'value-%g' 1 400 >"$work/values"

data_codecs() {
    create codecs --partitions 3 --replication-factor 3
    for codec in none gzip snappy lz4 zstd; do
        sed "s/.*/$codec-key:$codec-&/" "$work/values" >"$work/$codec.in"
        produce codecs "$work/$codec.in" --compression-codec "$codec" --reader-property parse.key=true --reader-property key.separator=:
    done
    cat "$work"/{none,gzip,snappy,lz4,zstd}.in | sort >"$work/codecs.in"
    consume codecs 2000 --formatter-property print.key=true --formatter-property key.separator=:
    grep value- "$said" | sort >"$work/codecs.out"
    same "what was consumed" "$work/codecs.in" "$work/codecs.out"
}
check "ConsoleProducer and ConsoleConsumer, every codec" data_codecs

data_headers() {
    create headers --partitions 1 --replication-factor 3
    printf 'a:1,b:two\tkey\tvalue\n' >"$work/headers.in"
    produce headers "$work/headers.in" --reader-property parse.key=true --reader-property parse.headers=true
    consume headers 1 --formatter-property print.headers=true --formatter-property print.key=true \
        --formatter-property print.partition=true --formatter-property print.offset=true --formatter-property print.timestamp=true
    says '^CreateTime:[0-9]{13}	Partition:0	Offset:0	a:1,b:two	key	value$'
}
check "ConsoleConsumer: headers, keys, offsets, timestamps" data_headers

data_perf() {
    create bulk --partitions 1 --replication-factor 3 --config segment.bytes=1048576 --config compression.type=producer
    kafka ProducerPerformance --topic bulk --num-records 20000 --record-size 300 --throughput -1 \
        --command-property bootstrap.servers="$bootstrap" acks=all batch.size=32768 linger.ms=5
    says '^20000 records sent, [0-9.]+ records/sec \([0-9.]+ MB/sec\), .* ms 99th, '
    kafka ConsumerPerformance --bootstrap-server "$bootstrap" --topic bulk --num-records 20000 --group measures --timeout 20000
    # start, end, MB, MB/s, records, …
    is "the number of records read" "$(tail -n 1 "$said" | awk -F', ' '{ print ($5 >= 20000) ? "all" : $5 }')" all
}
check "ProducerPerformance and ConsumerPerformance" data_perf

data_offsets() {
    create times --partitions 2 --replication-factor 3
    offsets --topic times
    lines 2 '^times:[01]:0$'
    seq 1 10 >"$work/ten"
    produce times "$work/ten" --reader-property parse.key=false --sync
    offsets --topic times --time latest
    is "the sum of the latest offsets" "$(awk -F: '{ sum += $3 } END { print sum }' "$said")" 10
    offsets --topic times --time earliest
    lines 2 '^times:[01]:0$'
    offsets --topic times --time earliest-local
    lines 2 '^times:[01]:0$'
    offsets --topic times --time 0
    lines "$(consume times 10 --formatter-property print.partition=true >/dev/null; grep -o '^Partition:[01]' "$said" | sort -u | wc -l)" '^times:[01]:0$' || :
    offsets --topic bulk --time max-timestamp
    says '^bulk:0:[0-9]+$'
    offsets --topic bulk --time 9999999999999
    says_not Exception
    offsets --topic-partitions times:0,bulk:0
    is "the number of partitions" "$(grep -c : "$said")" 2
    offsets --topic bulk
    says '^bulk:0:20000$'
    for unknown in latest-tiered earliest-pending-upload; do
        offsets --topic bulk --time "$unknown"
        says_not Exception
    done
}
check "GetOffsetShell, every kind of time" data_offsets

data_delete_records() {
    create trimmed --partitions 1 --replication-factor 3
    produce trimmed "$work/values"
    echo '{"partitions":[{"topic":"trimmed","partition":0,"offset":150}],"version":1}' >"$work/trim.json"
    kafka DeleteRecordsCommand --bootstrap-server "$bootstrap" --offset-json-file "$work/trim.json"
    says '^partition: trimmed-0	low_watermark: 150$'
    offsets --topic trimmed --time earliest
    says '^trimmed:0:150$'
    consume trimmed 250
    lines 1 '^value-151$'
    lines 0 '^value-150$'
    sed -i 's/150/401/' "$work/trim.json"
    kafka DeleteRecordsCommand --bootstrap-server "$bootstrap" --offset-json-file "$work/trim.json" || :
    says 'OffsetOutOfRangeException'
}
check "DeleteRecordsCommand" data_delete_records

data_idempotent() {
    create once --partitions 1 --replication-factor 3
    produce once "$work/values" --command-property enable.idempotence=true --command-property max.in.flight.requests.per.connection=5
    consume once 400
    grep value- "$said" >"$work/once.out"
    same "what was consumed, in its order" "$work/values" "$work/once.out"
}
check "ConsoleProducer, idempotent" data_idempotent
