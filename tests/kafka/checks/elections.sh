# LeaderElectionCommand.

elect() { kafka LeaderElectionCommand --bootstrap-server "$bootstrap" "$@"; }

elections_preferred() {
    create preferred --replica-assignment 2:1:3
    until_so in_sync preferred 3
    fault '{"kind":"stop","broker":2}'
    until_so led_by preferred 0 '1|3'
    heal
    until_so in_sync preferred 3
    elect --election-type preferred --topic preferred --partition 0
    says '^Successfully completed leader election \(PREFERRED\) for partitions preferred-0$'
    until_so led_by preferred 0 2
    elect --election-type preferred --topic preferred --partition 0
    says '^Valid replica already elected for partitions preferred-0$'
}
check "LeaderElectionCommand --election-type preferred" elections_preferred
heal || :

elections_unclean() {
    create unclean --replica-assignment 2:3 --config min.insync.replicas=1
    until_so in_sync unclean 2
    produce unclean "$work/values"
    fault '{"kind":"kill","broker":3}'
    until_so in_sync unclean 1
    fault '{"kind":"kill","broker":2}'
    until_so led_by unclean 0 none
    curl --silent --fail -X POST -H 'content-type: application/json' -d '{}' "$http/api/brokers/3/start" >/dev/null
    until_so registered 3
    led_by unclean 0 none
    fails LeaderElectionCommand --bootstrap-server "$bootstrap" --election-type preferred --topic unclean --partition 0
    says 'PreferredLeaderNotAvailableException|preferred leader was not available'
    elect --election-type unclean --topic unclean --partition 0
    says '^Successfully completed leader election \(UNCLEAN\) for partitions unclean-0$'
    until_so led_by unclean 0 3
    heal
    until_so in_sync unclean 2
}
registered() { # BROKER: it takes part
    kafka BrokerApiVersionsCommand --bootstrap-server "$bootstrap"
    says "\(id: $1 rack: [a-z] isFenced: false\)"
}
check "LeaderElectionCommand --election-type unclean" elections_unclean
heal || :
