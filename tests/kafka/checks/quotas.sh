# Client quotas: ConfigCommand, and clients that are made to wait.

quotas() { configs --alter "$@"; }

quotas_set() {
    needs DescribeClientQuotas AlterClientQuotas
    quotas --entity-type clients --entity-name a-client --add-config 'producer_byte_rate=1048576,consumer_byte_rate=2097152'
    says '^Completed updating config for client a-client\.$'
    quotas --entity-type clients --entity-default --add-config request_percentage=250.5
    says '^Completed updating default config for clients in the cluster\.$'
    quotas --entity-type users --entity-name a-user --entity-type clients --entity-default --add-config controller_mutation_rate=10
    quotas --entity-type ips --entity-name 127.0.0.9 --add-config connection_creation_rate=1000
    until_so quotas_told
    configs --describe --entity-type users --entity-name a-user --entity-type clients
    says "^Quota configs for user-principal 'a-user', the default client-id are controller_mutation_rate=10\.0\$"
    configs --describe --entity-type ips
    says "^Quota configs for ip '127\.0\.0\.9' are connection_creation_rate=1000\.0\$"
}
quotas_told() {
    configs --describe --entity-type clients &&
        says "^Quota configs for client-id 'a-client' are .*consumer_byte_rate=2097152\.0" &&
        says "^Quota configs for client-id 'a-client' are .*producer_byte_rate=1048576\.0" &&
        says '^Quota configs for the default client-id are request_percentage=250\.5$'
}
check "ConfigCommand: quotas of clients, users and addresses" quotas_set

quotas_refused() {
    needs AlterClientQuotas
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type clients --entity-name a-client --add-config producer_byte_rate=0
    says 'Quota producer_byte_rate must be greater than 0'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type clients --entity-name a-client --add-config producer_byte_rate=1.5
    says 'producer_byte_rate cannot be a fractional value'
}
check "ConfigCommand: quotas that are refused, and how" quotas_refused

quotas_removed() {
    needs AlterClientQuotas
    quotas --entity-type clients --entity-name a-client --delete-config producer_byte_rate,consumer_byte_rate
    quotas --entity-type clients --entity-default --delete-config request_percentage
    quotas --entity-type users --entity-name a-user --entity-type clients --entity-default --delete-config controller_mutation_rate
    quotas --entity-type ips --entity-name 127.0.0.9 --delete-config connection_creation_rate
    until_so quotas_gone
}
quotas_gone() { configs --describe --entity-type clients && says_not 'Quota configs'; }
check "ConfigCommand: quotas are removed" quotas_removed

# 30 MB at 1 MB/s, of which the first ten windows are free: 20 s.
quotas_producer() {
    needs AlterClientQuotas
    create throttled --partitions 1 --replication-factor 1
    quotas --entity-type clients --entity-name slow-producer --add-config producer_byte_rate=1000000
    until_so quotas_of slow-producer
    kafka ProducerPerformance --topic throttled --num-records 30000 --record-size 1000 --throughput -1 --print-metrics \
        --command-property "bootstrap.servers=$bootstrap" client.id=slow-producer acks=1 linger.ms=0 batch.size=16384
    local seconds throttled
    seconds=$(sed -n 's/^30000 records sent, \([0-9.]*\) records\/sec.*/\1/p' "$said" | awk '{ printf "%d", 30000 / $1 }')
    throttled=$(sed -n 's/^producer-metrics:produce-throttle-time-max:.*: *\([0-9.]*\)$/\1/p' "$said")
    [ "$seconds" -ge 10 ] && [ "$seconds" -le 60 ] || { echo "30 MB took $seconds s" >"$why"; return 1; }
    [ "${throttled%.*}" -gt 0 ] || { echo "the producer was told to wait for '$throttled' ms" >"$why"; return 1; }
    quotas --entity-type clients --entity-name slow-producer --delete-config producer_byte_rate
}
quotas_of() { configs --describe --entity-type clients --entity-name "$1" && says 'byte_rate'; }
check "a producer over its quota is made to wait" quotas_producer

quotas_consumer() {
    needs AlterClientQuotas
    quotas --entity-type clients --entity-name slow-consumer --add-config consumer_byte_rate=1000000
    until_so quotas_of slow-consumer
    printf 'client.id=slow-consumer\nfetch.max.bytes=1000000\nmax.partition.fetch.bytes=500000\n' >"$work/slow.properties"
    local begin=$SECONDS seconds throttled
    kafka ConsumerPerformance --bootstrap-server "$bootstrap" --topic throttled --num-records 30000 --timeout 60000 \
        --command-config "$work/slow.properties" --print-metrics
    seconds=$((SECONDS - begin))
    throttled=$(sed -n 's/^consumer-fetch-manager-metrics:fetch-throttle-time-max:.*: *\([0-9.]*\)$/\1/p' "$said" | head -n 1)
    [ "$seconds" -ge 10 ] && [ "$seconds" -le 60 ] || { echo "30 MB took $seconds s" >"$why"; return 1; }
    [ "${throttled%.*}" -gt 0 ] || { echo "the consumer was told to wait for '$throttled' ms" >"$why"; return 1; }
    quotas --entity-type clients --entity-name slow-consumer --delete-config consumer_byte_rate
}
check "a consumer over its quota is made to wait" quotas_consumer

# Eleven partitions at once, and one a second.
quotas_mutations() {
    needs AlterClientQuotas
    quotas --entity-type clients --entity-name maker --add-config controller_mutation_rate=1
    until_so quotas_of_maker
    printf 'client.id=maker\n' >"$work/maker.properties"
    create made-quickly --partitions 30 --replication-factor 1 --command-config "$work/maker.properties"
    fails TopicCommand --bootstrap-server "$bootstrap" --command-config "$work/maker.properties" --create --topic made-slowly --partitions 1
    says 'The throttling quota has been exceeded'
    create made-by-another --partitions 1 --replication-factor 1
    quotas --entity-type clients --entity-name maker --delete-config controller_mutation_rate
}
quotas_of_maker() { configs --describe --entity-type clients --entity-name maker && says 'controller_mutation_rate=1\.0'; }
check "who makes topics faster than the quota allows is refused" quotas_mutations

# Twenty at once, and two a second: of forty connections that are opened one after the other about half are closed, a second later at most.
quotas_connections() {
    needs AlterClientQuotas
    local address=${bootstrap%%,*} opened=() taken=0 fd code
    quotas --entity-type ips --entity-name 127.0.0.1 --add-config connection_creation_rate=2
    until_so quotas_of_connections
    for _ in $(seq 40); do
        exec {fd}<>"/dev/tcp/${address%:*}/${address##*:}" || { echo "a connection was refused" >"$why"; return 1; }
        opened+=("$fd")
    done
    # Who is taken is not spoken to; who is not sees the end.
    pause 1.5
    for fd in "${opened[@]}"; do
        code=0
        read -r -t 0.05 -u "$fd" || code=$?
        if [ "$code" -gt 128 ]; then taken=$((taken + 1)); fi
        exec {fd}>&-
    done
    [ "$taken" -ge 5 ] && [ "$taken" -le 25 ] || { echo "$taken of 40 connections were taken" >"$why"; return 1; }
    quotas --entity-type ips --entity-name 127.0.0.1 --delete-config connection_creation_rate
}
quotas_of_connections() { configs --describe --entity-type ips --entity-name 127.0.0.1 && says 'connection_creation_rate=2\.0'; }
check "connections over an address's quota are closed" quotas_connections
