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

# Controllers meet over links in memory, so one of Kafka's own cannot join them; ours come and go by Kafka's tool all the same.

voters_are() { # ID…: these vote, under a directory and an endpoint each
    quorum describe --status
    local voters id
    voters=$(sed -n 's/^CurrentVoters: *//p' "$said")
    is "the number of voters" "$(grep -o '"id"' <<<"$voters" | wc -l)" $#
    for id in "$@"; do
        grep -qE "\"id\": $id, \"directoryId\": \"[A-Za-z0-9_-]{22}\", \"endpoints\": \[\"CONTROLLER://controller-$id:[0-9]+\"\]" <<<"$voters" ||
            { echo "controller $id does not vote: $voters" >"$why"; return 1; }
    done
}

directory_of() { # ID: of a controller of ours, by its meta.properties
    sed -n 's/^directory.id=//p' "$work/data/controller-$1/meta.properties"
}

quorum_changes() {
    curl --silent --fail -H 'content-type: application/json' -d '{"controller":3003}' "$http/api/controllers" >"$said"
    is "the answer of HTTP" "$(cat "$said")" '{"id":3003}'
    voters_are 3000 3001 3002 3003
    kafka FeatureCommand --bootstrap-server "$bootstrap" describe
    says '^Feature: kraft\.version[[:space:]]+SupportedMinVersion: 0[[:space:]]+SupportedMaxVersion: 1[[:space:]]+FinalizedVersionLevel: 1'

    local directory
    directory=$(directory_of 3003)
    fails MetadataQuorumCommand --bootstrap-server "$bootstrap" remove-controller -i 3003 -d "$(directory_of 3000)"
    says 'Cannot remove voter ReplicaKey\(id=3003, directoryId='
    quorum remove-controller --controller-id 3003 --controller-directory-id "$directory"
    says "^Removed +KRaft controller 3003 with directory id $directory"
    voters_are 3000 3001 3002
    # It fetches on, as an observer.
    quorum describe --replication
    lines 1 "^3003[[:space:]]+${directory//-/\\-}[[:space:]].*Observer[[:space:]]*$"

    cat >"$work/controller.properties" <<END
process.roles=controller
node.id=3003
controller.listener.names=CONTROLLER
listeners=CONTROLLER://controller-3003:9093
log.dirs=$work/data/controller-3003
END
    until_so quorum --command-config "$work/controller.properties" add-controller
    says "^Added controller 3003 with directory id $directory and endpoints: CONTROLLER://controller-3003:9093"
    voters_are 3000 3001 3002 3003
    fails MetadataQuorumCommand --bootstrap-server "$bootstrap" --command-config "$work/controller.properties" add-controller
    says 'The voter id for ReplicaKey\(id=3003, directoryId='

    curl --silent --fail -X DELETE "$http/api/controllers/3003" >/dev/null
    voters_are 3000 3001 3002
    [ ! -e "$work/data/controller-3003" ] || { echo "the directory of controller 3003 is still there" >"$why"; return 1; }
}
check "MetadataQuorumCommand add-controller, remove-controller" quorum_changes

# Whoever begins with a snapshot must learn from it who votes.
newest_snapshot_says() { # REGEX
    local files=("$work"/data/controller-3000/__cluster_metadata-0/*.checkpoint)
    [ -e "${files[0]}" ] || { echo "there is no snapshot" >"$why"; return 1; }
    dump --cluster-metadata-decoder --files "${files[-1]}"
    says_not 'Exception|isvalid: false|could not be decoded|Failed to decode'
    says "$1"
}

quorum_snapshot() {
    create in-a-snapshot --partitions 40 --replication-factor 3
    until_so newest_snapshot_says 'KRaftVoters.*"voterId":3000,.*"voterId":3001,.*"voterId":3002,'
    newest_snapshot_says '"kRaftVersion":1'
    local id
    for id in 3000 3001 3002; do says "\"voterId\":$id,\"voterDirectoryId\":\"$(directory_of $id)\""; done
    says_not '"voterId":3003'
}
check "DumpLogSegments on a snapshot with voters" quorum_snapshot

features_describe() {
    kafka FeatureCommand --bootstrap-server "$bootstrap" describe
    says '^Feature: metadata\.version[[:space:]]+SupportedMinVersion: 3\.3-IV3[[:space:]]+SupportedMaxVersion: 4\.3-IV0[[:space:]]+FinalizedVersionLevel: 4\.3-IV0[[:space:]]+Epoch: [0-9]+$'
}
check "FeatureCommand describe" features_describe

features_update() {
    kafka FeatureCommand --bootstrap-server "$bootstrap" upgrade --feature eligible.leader.replicas.version=1 --dry-run
    says 'can be upgraded to 1|can be (set|updated)|was already|already'
    fails FeatureCommand --bootstrap-server "$bootstrap" upgrade --feature no.such.feature=1
    says 'no\.such\.feature|Unsupported feature|Unknown feature'
}
check "FeatureCommand upgrade" features_update
