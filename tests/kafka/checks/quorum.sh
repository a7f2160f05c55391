# MetadataQuorumCommand, FeatureCommand.

quorum() { kafka MetadataQuorumCommand --bootstrap-server "$bootstrap" "$@"; }

quorum_status() {
    quorum describe --status
    says '^ClusterId: +[A-Za-z0-9_-]{22}$'
    says '^LeaderId: +300[0-2]$'
    says '^LeaderEpoch: +[0-9]+$'
    says '^HighWatermark: +[1-9][0-9]*$'
    says '^MaxFollowerLag: +[0-9]+$'
    for voter in 3000 3001 3002; do says "^CurrentVoters: .*\"id\": $voter"; done
    for observer in 1 2 3; do says "^CurrentObservers: .*\"id\": $observer[,}]"; done
}
check "MetadataQuorumCommand describe --status" quorum_status

quorum_replication() {
    quorum describe --replication
    says '^NodeId[[:space:]]+DirectoryId[[:space:]]+LogEndOffset[[:space:]]+Lag[[:space:]]+LastFetchTimestamp[[:space:]]+LastCaughtUpTimestamp[[:space:]]+Status'
    lines 1 '^300[0-2][[:space:]].*Leader[[:space:]]*$'
    lines 2 '^300[0-2][[:space:]].*Follower[[:space:]]*$'
    lines 3 '^[1-3][[:space:]].*Observer[[:space:]]*$'
    # A follower lags by what is on its way, and that is little.
    is "the largest lag is below 20" "$(awk '$1 ~ /^[0-9]+$/ && $4 >= 20' "$said" | wc -l)" 0
}
check "MetadataQuorumCommand describe --replication" quorum_replication

features_describe() {
    kafka FeatureCommand --bootstrap-server "$bootstrap" describe
    says '^Feature: metadata\.version[[:space:]]+SupportedMinVersion: 3\.3-IV3[[:space:]]+SupportedMaxVersion: 4\.3-IV0[[:space:]]+FinalizedVersionLevel: 4\.3-IV0[[:space:]]+Epoch: [0-9]+$'
}
check "FeatureCommand describe" features_describe

features_update() {
    needs UpdateFeatures
    kafka FeatureCommand --bootstrap-server "$bootstrap" upgrade --feature eligible.leader.replicas.version=1 --dry-run
    says 'can be upgraded to 1|can be (set|updated)|was already|already'
    fails FeatureCommand --bootstrap-server "$bootstrap" upgrade --feature no.such.feature=1
    says 'no\.such\.feature|Unsupported feature|Unknown feature'
}
check "FeatureCommand upgrade" features_update
