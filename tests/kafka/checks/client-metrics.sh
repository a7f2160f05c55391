# ClientMetricsCommand and ConfigCommand (KIP-714, KIP-1000): who is asked for which metrics; and that a producer of Kafka's pushes them.

client_metrics() {
    kafka ClientMetricsCommand --bootstrap-server "$bootstrap" "$@"
}

client_metrics_subscriptions() {
    needs GetTelemetrySubscriptions PushTelemetry
    client_metrics --alter --name watched --metrics org.apache.kafka.producer.,org.apache.kafka.consumer. --interval 1000 --match client_id=watched.*
    client_metrics --list
    says '^watched$'
    client_metrics --describe --name watched
    says '^Client metrics configs for watched are:$'
    says '^  interval\.ms=1000$'
    says '^  match=client_id=watched\.\*$'
    says '^  metrics=org\.apache\.kafka\.producer\.,org\.apache\.kafka\.consumer\.$'
    configs --describe --entity-type client-metrics --entity-name watched
    says '^  interval\.ms=1000 sensitive=false synonyms=\{DYNAMIC_CLIENT_METRICS_CONFIG:interval\.ms=1000\}$'
}
check "ClientMetricsCommand: subscriptions" client_metrics_subscriptions

client_metrics_refused() {
    needs GetTelemetrySubscriptions PushTelemetry
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type client-metrics --entity-name watched --add-config interval.ms=99
    says 'Invalid value 99 for interval\.ms, interval must be between 100 and 3600000 \(1 hour\)'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type client-metrics --entity-name watched --add-config 'match=[client_id=(]'
    says 'Illegal client matching pattern: client_id=\('
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type client-metrics --entity-name watched --add-config "match=[color=red]"
    says 'Illegal client matching pattern: color=red'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type client-metrics --entity-name watched --add-config no.such.key=1
    says 'Unknown client metrics configuration: no\.such\.key'
}
check "ClientMetricsCommand: what is refused, and how" client_metrics_refused

client_metrics_pushed() {
    needs GetTelemetrySubscriptions PushTelemetry
    topics --create --topic pushing --partitions 1
    kafka ProducerPerformance --topic pushing --num-records 3000 --record-size 10 --throughput 1000 \
        --producer-props "bootstrap.servers=$bootstrap" client.id=watched-1
    kafka ProducerPerformance --topic pushing --num-records 10 --record-size 10 --throughput -1 \
        --producer-props "bootstrap.servers=$bootstrap" client.id=other
    curl --silent --fail "$http/metrics" >"$said"
    says '^kafka_client_producer_[a-z_]+\{client_id="watched-1",client_instance_id="[A-Za-z0-9_-]{22}"'
    says_not '^kafka_client_.*client_id="other"'
    curl --silent --fail "$http/api/client-metrics" >"$said"
    says '"client_id":"watched-1".*"name":"org\.apache\.kafka\.producer\..*"software_name":"apache-kafka-java"'
    client_metrics --delete --name watched
    client_metrics --list
    says_not '^watched$'
}
check "ClientMetricsCommand: a producer pushes what is asked for" client_metrics_pushed
