# ConfigCommand.

configs_topic() {
    configs --alter --entity-type topics --entity-name made --add-config 'retention.ms=7200000,cleanup.policy=[compact,delete]'
    says '^Completed updating config for topic made\.$'
    configs --describe --entity-type topics --entity-name made
    says '^Dynamic configs for topic made are:$'
    says '^  retention\.ms=7200000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=7200000\}$'
    says '^  cleanup\.policy=compact,delete sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:cleanup\.policy=compact,delete, DEFAULT_CONFIG:log\.cleanup\.policy=delete\}$'
    topics --describe --topic made
    says 'Configs: .*retention\.ms=7200000'
    configs --alter --entity-type topics --entity-name made --delete-config retention.ms,cleanup.policy
    configs --describe --entity-type topics --entity-name made
    says_not 'retention\.ms|cleanup\.policy'
    says 'min\.insync\.replicas=2'
}
check "ConfigCommand: topics" configs_topic

configs_refused() {
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name made --add-config retention.ms=soon
    says 'Invalid value soon for configuration retention\.ms: Not a number of type LONG'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name made --add-config no.such.key=1
    says 'Unknown topic config name: no\.such\.key'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name absent --add-config retention.ms=1
    says "does not exist|UnknownTopicOrPartition"
}
check "ConfigCommand: what is refused, and how" configs_refused

configs_broker() {
    configs --alter --entity-type brokers --entity-name 1 --add-config log.cleaner.backoff.ms=20000
    says '^Completed updating config for broker 1\.$'
    configs --describe --entity-type brokers --entity-name 1
    says '^  log\.cleaner\.backoff\.ms=20000 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log\.cleaner\.backoff\.ms=20000, DEFAULT_CONFIG:log\.cleaner\.backoff\.ms=15000\}$'
    configs --describe --entity-type brokers --entity-name 2
    says_not '20000'
    configs --alter --entity-type brokers --entity-name 1 --delete-config log.cleaner.backoff.ms
    configs --describe --entity-type brokers --entity-name 1
    says_not '20000'
}
check "ConfigCommand: one broker" configs_broker

configs_default() {
    configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=3600000
    says '^Completed updating default config for brokers in the cluster\.$'
    configs --describe --entity-type brokers --entity-default
    says '^  log\.retention\.ms=3600000 sensitive=false synonyms=\{DYNAMIC_DEFAULT_BROKER_CONFIG:log\.retention\.ms=3600000\}$'
    configs --describe --entity-type topics --entity-name made --all
    says '^  retention\.ms=3600000 sensitive=false synonyms=\{DYNAMIC_DEFAULT_BROKER_CONFIG:log\.retention\.ms=3600000'
    configs --alter --entity-type brokers --entity-default --delete-config log.retention.ms
    configs --describe --entity-type topics --entity-name made --all
    says '^  retention\.ms=604800000 '
}
check "ConfigCommand: the brokers' defaults, seen by topics" configs_default

configs_all() {
    configs --describe --entity-type brokers --entity-name 1 --all
    says '^All configs for broker 1 are:$'
    says '^  log\.segment\.bytes=1073741824 sensitive=false synonyms=\{DEFAULT_CONFIG:log\.segment\.bytes=1073741824\}$'
    says '^  broker\.id=1 |^  node\.id=1 '
}
check "ConfigCommand --describe --all" configs_all

configs_effect() {
    create small --partitions 1 --replication-factor 3
    head -c 3000 /dev/zero | tr '\0' x >"$work/large"
    produce small "$work/large"
    configs --alter --entity-type topics --entity-name small --add-config max.message.bytes=1000
    is "a record that is too large" "$(produce small "$work/large" && echo taken || echo refused)" refused
    says 'RecordTooLargeException'
    configs --alter --entity-type topics --entity-name small --delete-config max.message.bytes
    produce small "$work/large"
    offsets --topic small
    says '^small:0:2$'
}
check "ConfigCommand: max.message.bytes takes effect at once" configs_effect

configs_documentation() {
    create documented --partitions 1 --replication-factor 3
    configs --alter --entity-type brokers --entity-name 1 --add-config leader.replication.throttled.rate=1000000000
    kafka 'Tools$Documentation' "$bootstrap" documented any any
    says_not ' has documentation$| has none$'
    says '^BROKER: 3[0-9][0-9] texts$'
    says '^TOPIC: 33 texts$'
    says '^GROUP: 17 texts$'
    says '^CLIENT_METRICS: 3 texts$'
    is "texts that nobody asked for" "$(grep -c 'unasked: 0 texts$' "$said")" 4
    configs --alter --entity-type brokers --entity-name 1 --delete-config leader.replication.throttled.rate
}
check "Admin.describeConfigs with documentation" configs_documentation
