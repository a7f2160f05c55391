# DumpLogSegments, and what the replicas of a partition have in common.

joined() { local IFS=,; echo "$*"; }

# The payloads of a dump, one a line.
payloads() { sed -n 's/^| offset: .* payload: //p' "$said"; }

sound_batches() {
    says '^baseOffset: [0-9]+ lastOffset: [0-9]+ count: [0-9]+ .* isvalid: true$'
    says_not 'isvalid: false|Exception|Found [0-9]+ invalid bytes'
    # It calls -1 what comes before a segment that does not start at 0, in Kafka's files too.
    says_not '^ +([0-9]+|-[02-9].*|-1[0-9]+) is followed by'
}

files_deep() {
    local broker files
    for broker in 1 2 3; do
        files=("$work"/data/broker-"$broker"/codecs-*/*.log)
        dump --deep-iteration --print-data-log --files "$(joined "${files[@]}")"
        sound_batches
        for codec in none gzip snappy lz4 zstd; do says "compresscodec: $codec "; done
        payloads | sort >"$work/dumped"
        cut -d: -f2 "$work/codecs.in" | sort >"$work/codecs.values"
        same "broker $broker's copy" "$work/dumped" "$work/codecs.values"
    done
}
check "DumpLogSegments --deep-iteration --print-data-log" files_deep

files_segments() {
    local files=("$work"/data/broker-1/bulk-0/*.log)
    [ ${#files[@]} -ge 5 ] || { echo "there are ${#files[@]} segments" >"$why"; return 1; }
    dump --deep-iteration --files "$(joined "${files[@]}")"
    sound_batches
    is "the sum of the counts" "$(sed -n 's/^baseOffset: .* count: \([0-9]*\) .*/\1/p' "$said" | awk '{ sum += $1 } END { print sum }')" 20000
}
check "DumpLogSegments on several segments" files_segments

files_indexes() {
    local files=("$work"/data/broker-1/bulk-0/*index "$work"/data/broker-1/codecs-*/*index)
    dump --verify-index-only --files "$(joined "${files[@]}")"
    says "^Dumping .*\.timeindex$"
    says_not 'Mismatch|mismatch|not ordered|out of order|Exception'
    dump --files "$(joined "$work"/data/broker-1/bulk-0/*.index)"
    says '^offset: [1-9][0-9]* position: [1-9][0-9]*$'
    says_not 'Mismatch|Exception'
    dump --files "$(joined "$work"/data/broker-1/bulk-0/*.timeindex)"
    says '^timestamp: [0-9]{13} offset: [0-9]+$'
    says_not 'ismatch|out of order|Exception'
}
check "DumpLogSegments --verify-index-only" files_indexes

files_sanity() {
    local files=("$work"/data/broker-[123]/bulk-0/*index)
    dump --index-sanity-check --files "$(joined "${files[@]}")"
    lines ${#files[@]} 'passed sanity check\.$'
}
check "DumpLogSegments --index-sanity-check" files_sanity

files_producers() {
    local files=("$work"/data/broker-1/bulk-0/*.snapshot)
    [ ${#files[@]} -ge 4 ] || { echo "there are ${#files[@]} producer snapshots" >"$why"; return 1; }
    dump --files "$(joined "${files[@]}")"
    says '^producerId: [0-9]+ producerEpoch: 0 lastTimestamp: [0-9]{13}|^producerId: [0-9]+ producerEpoch: 0 '
    says_not Exception
}
check "DumpLogSegments on producer snapshots" files_producers

files_offsets() {
    consume codecs 2000 --group dumped
    local files=("$work"/data/broker-[123]/__consumer_offsets-*/*.log)
    dump --offsets-decoder --files "$(joined "${files[@]}")"
    says_not 'Exception|isvalid: false'
    says '"group":"dumped","topic":"codecs","partition":0'
    is "committed offsets, one for each of 3 partitions on each of 3 replicas" \
        "$(grep -oE '"group":"dumped","topic":"codecs","partition":[0-2]' "$said" | sort | uniq -c | awk '$1 >= 3' | wc -l)" 3
    says 'key: .*"group":"dumped".* payload: .*"protocolType":"consumer"'
}
check "DumpLogSegments --offsets-decoder" files_offsets

files_metadata() {
    local node
    for node in controller-3000 controller-3001 controller-3002 broker-1; do
        dump --cluster-metadata-decoder --files "$(joined "$work/data/$node"/__cluster_metadata-0/*.log)"
        says_not 'Exception|isvalid: false|could not be decoded|Failed to decode'
        says 'payload: \{"type":"REGISTER_BROKER_RECORD","version":[0-9]+,"data":\{"brokerId":1,'
        says 'payload: \{"type":"TOPIC_RECORD","version":0,"data":\{"name":"bulk",'
        says 'payload: \{"type":"PARTITION_RECORD",'
        says 'payload: \{"type":"FEATURE_LEVEL_RECORD","version":0,"data":\{"name":"metadata\.version",'
        says 'payload: \{"type":"CONFIG_RECORD",.*"segment\.bytes"'
    done
}
check "DumpLogSegments --cluster-metadata-decoder" files_metadata

files_snapshots() {
    local files=("$work"/data/controller-3000/__cluster_metadata-0/*.checkpoint)
    [ -e "${files[0]}" ] || { echo "no snapshot of the metadata log has been written yet" >"$why"; exit 77; }
    dump --cluster-metadata-decoder --files "$(joined "${files[@]}")"
    says_not 'Exception|isvalid: false'
    says 'SnapshotHeader|type":"'
}
check "DumpLogSegments on snapshots of the metadata log" files_snapshots

# Segment after segment: a follower that takes several batches at once may roll earlier than its leader, as Kafka's.
files_replicas() {
    local log broker
    for log in bulk-0 codecs-0 codecs-1 codecs-2; do
        for broker in 1 2 3; do cat "$work/data/broker-$broker/$log"/*.log >"$work/replica-$broker"; done
        same "broker 2's copy of $log" "$work/replica-1" "$work/replica-2"
        same "broker 3's copy of $log" "$work/replica-1" "$work/replica-3"
    done
}
check "replicas are the same, byte for byte" files_replicas

# It goes round for ever, so it has a JVM of its own that is ended.
files_verification() {
    timeout 12 java -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" org.apache.kafka.tools.ReplicaVerificationTool \
        --broker-list "$bootstrap" --topics-include 'codecs|bulk|made' --time -2 --report-interval-ms 1000 >"$said" 2>&1 || :
    says 'verification process is started'
    says 'max lag is 0 for partition [a-z]+-[0-9] at offset [0-9]+ among 8 partitions'
    says_not "Exception|checksum|doesn't match"
}
check "ReplicaVerificationTool" files_verification
