# What MSK's metrics say, against the file system's own figures (df, du) and against Kafka's own tool for lags.

signed='AWS4-HMAC-SHA256 Credential=any/20261127/local/monitoring/aws4_request'

# The values that a metric had in each of the last seconds, oldest first.
points() { # SECONDS METRIC [DIMENSION=VALUE]…
    local seconds=$1
    shift
    local now number=0 pair arguments=()
    now=$(date +%s)
    for pair in "Cluster Name=brokerscope" "${@:2}"; do
        number=$((number + 1))
        arguments+=(--data-urlencode "Dimensions.member.$number.Name=${pair%%=*}")
        arguments+=(--data-urlencode "Dimensions.member.$number.Value=${pair#*=}")
    done
    curl --silent --fail -H "authorization: $signed" --data-urlencode Action=GetMetricStatistics \
        --data-urlencode Namespace=AWS/Kafka --data-urlencode "MetricName=$1" "${arguments[@]}" \
        --data-urlencode "StartTime=$((now - seconds))" --data-urlencode "EndTime=$((now + 1))" --data-urlencode Period=1 \
        --data-urlencode Statistics.member.1=Maximum "$http/" | grep -oE '<Maximum>[^<]+' | cut -d'>' -f2
}

# The newest value of a metric.
metric() { points 10 "$@" | tail -n 1; } # METRIC [DIMENSION=VALUE]…

# The greatest value that it had in the last 40 seconds.
most() { points 40 "$@" | sort -g | tail -n 1; }

near() { # WHAT GOT WANTED TOLERANCE
    awk -v got="$2" -v want="$3" -v most="$4" 'BEGIN { off = got - want; if (got == "" || off > most || -off > most) exit 1 }' ||
        { echo "$1 is '$2' and not '$3' (give or take $4)" >"$why"; return 1; }
}

# Bytes of the logs that a shell pattern names, by du.
bytes_of() { du --bytes --total "$@" | tail -n 1 | cut -f1; }

# Bytes of all client topics' logs of broker $1.
bytes_of_broker() {
    local logs=("$work/data/broker-$1"/*-*/*.log) log wanted=()
    for log in "${logs[@]}"; do [[ $log == */__cluster_metadata-0/* ]] || wanted+=("$log"); done
    bytes_of "${wanted[@]}"
}

# Percent that so many bytes are of themselves and what df has left for them.
filled_by() { # BYTES
    df --block-size=1 --output=avail "$work/data" | awk -v bytes="$1" 'NR == 2 { printf "%.6f\n", 100 * bytes / (bytes + $1) }'
}

metrics_disks() {
    local broker all=0 own of_leaders=0 topic partition leader
    for broker in 1 2 3; do
        own=$(bytes_of_broker "$broker")
        all=$((all + own))
        near "KafkaDataLogsDiskUsed of broker $broker" "$(metric KafkaDataLogsDiskUsed "Broker ID=$broker")" "$(filled_by "$own")" 0.0005 || return 1
    done
    near "KafkaDataLogsDiskUsed" "$(metric KafkaDataLogsDiskUsed)" "$(filled_by "$all")" 0.001 || return 1
    near "RootDiskUsed" "$(metric RootDiskUsed "Broker ID=2")" \
        "$(df --block-size=1 --output=used,avail / | awk 'NR == 2 { printf "%.4f\n", 100 * $1 / ($1 + $2) }')" 0.2 || return 1
    topics --describe || return 1
    while read -r topic partition leader; do
        of_leaders=$((of_leaders + $(bytes_of "$work/data/broker-$leader/$topic-$partition"/*.log)))
    done < <(sed -nE 's/^\tTopic: ([^\t]+)\tPartition: ([0-9]+)\tLeader: ([0-9]+)\t.*/\1 \2 \3/p' "$said")
    is "StorageUsed" "$(metric StorageUsed | cut -d. -f1)" "$of_leaders"
}

metrics_sizes() {
    local broker partition size
    for broker in 1 2 3; do
        curl --silent --fail "$http/metrics/brokers/$broker" >"$said" || return 1
        for partition in 0 1 2; do
            size=$(grep '^kafka_log_Log_Value{' "$said" | grep 'name="Size"' | grep 'topic="weighed"' |
                grep "partition=\"$partition\"" | awk '{ printf "%d\n", $NF }')
            is "the size of weighed-$partition on broker $broker" "$size" \
                "$(bytes_of "$work/data/broker-$broker/weighed-$partition"/*.log)" || return 1
        done
    done
}

metrics_lags() {
    local sum most
    consumer_groups --describe --group weigher && lines 3 '^weigher +weighed +[0-2] ' || return 1
    sum=$(awk '$2 == "weighed" { sum += $6 } END { print sum }' "$said")
    most=$(awk '$2 == "weighed" && $6 > most { most = $6 } END { print most + 0 }' "$said")
    [ "$sum" -gt 1000 ] || { echo "the group lags by $sum only" >"$why"; return 1; }
    near "SumOffsetLag" "$(metric SumOffsetLag "Consumer Group=weigher" Topic=weighed)" "$sum" 0 || return 1
    near "MaxOffsetLag" "$(metric MaxOffsetLag "Consumer Group=weigher" Topic=weighed)" "$most" 0
}

metrics_weighed() {
    create weighed --partitions 3 --replication-factor 3
    kafka ProducerPerformance --topic weighed --num-records 20000 --record-size 500 --throughput -1 \
        --producer-props "bootstrap.servers=$bootstrap" acks=all
    until_so in_sync weighed 3
    until_so metrics_disks
    until_so metrics_sizes
}
check "MSK's metrics: sizes and disk use, as du and df have them" metrics_weighed

metrics_lagging() {
    consume weighed 500 --group weigher
    consumer_groups --reset-offsets --group weigher --topic weighed:0,1 --to-offset 100 --execute
    until_so metrics_lags
}
check "MSK's metrics: lags, as ConsumerGroupCommand --describe has them" metrics_lagging

metrics_throttled() {
    needs AlterClientQuotas
    create metered --partitions 1 --replication-factor 1
    local broker
    broker=$(leader metered 0)
    configs --alter --entity-type clients --entity-name metered --add-config producer_byte_rate=200000
    # Of 5 MB at 200 kB/s, the first ten windows are free: 15 s.
    kafka ProducerPerformance --topic metered --num-records 5000 --record-size 1000 --throughput -1 \
        --command-property "bootstrap.servers=$bootstrap" client.id=metered acks=1 linger.ms=0 batch.size=16384
    near "ProduceThrottleByteRate" "$(most ProduceThrottleByteRate "Broker ID=$broker")" 250000 100000
    is "ProduceThrottleQueueSize, of one producer" "$(most ProduceThrottleQueueSize "Broker ID=$broker" | cut -d. -f1)" 1
    is "FetchThrottleQueueSize" "$(most FetchThrottleQueueSize "Broker ID=$broker" | cut -d. -f1)" 0
    configs --alter --entity-type clients --entity-name metered --delete-config producer_byte_rate
}
check "MSK's metrics: what a quota did" metrics_throttled
