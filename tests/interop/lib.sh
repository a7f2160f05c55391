# What run and transfer share: the server, and what each client's runtime needs, into .cache. Sourced from this folder.

here=$PWD root=$(cd ../.. && pwd) cache=$PWD/.cache
mkdir -p "$cache"

start_server() { # ARGUMENT…
    program=${BROKERSCOPE:-}
    if [ -z "$program" ]; then
        (cd "$root" && cargo build --quiet --bin brokerscope --test layering) || exit 1
        program=${CARGO_TARGET_DIR:-$root/target}/debug/brokerscope
    fi
    ready=$(mktemp -u) log=$(mktemp)
    "$program" serve --ephemeral --kafka-port 0 --http-port 0 --ready-file "$ready" "$@" >"$log" 2>&1 &
    server=$!
    trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -f "$ready" "$log"' EXIT
    trap 'exit 1' INT TERM
    until [ -s "$ready" ]; do
        kill -0 "$server" 2>/dev/null || { echo "brokerscope ended early:"; cat "$log"; exit 1; }
        read -rt 0.05 <> <(:) || :
    done
    http=$(sed -n 's/.*"http" *: *"\([^"]*\)".*/\1/p' "$ready")
    bootstrap=$(sed -n 's/.*"bootstrap_servers" *: *"\([^"]*\)".*/\1/p' "$ready")
    echo "cluster at $bootstrap"
}

python_with() { # a virtual environment with all Python clients
    [ -n "${python:-}" ] && return
    command -v python3 >/dev/null || return 1
    [ -x "$cache/venv/bin/python" ] || python3 -m venv "$cache/venv" || return 1
    "$cache/venv/bin/pip" --quiet --disable-pip-version-check install confluent-kafka==2.16.1 kafka-python==3.0.12 aiokafka==0.14.0 \
        cramjam==2.14.0 python-snappy==0.7.3 lz4==4.4.4 zstandard==0.25.0 boto3==1.44.8 || return 1
    python=$cache/venv/bin/python
}

python_older() { # one with a boto3 that knows no protocol of CloudWatch's but the query
    command -v python3 >/dev/null || return 1
    [ -x "$cache/venv-older/bin/python" ] || python3 -m venv "$cache/venv-older" || return 1
    "$cache/venv-older/bin/pip" --quiet --disable-pip-version-check install confluent-kafka==2.16.1 boto3==1.26.165 || return 1
    python_older=$cache/venv-older/bin/python
}

java_jars() { # VERSION: into .cache/jars-VERSION
    local profile=()
    command -v javac >/dev/null && command -v mvn >/dev/null || return 1
    [ "$1" = 4.3.0 ] && profile=(-Pall)
    ls "$cache/jars-$1/kafka-clients-$1.jar" "$cache/jars-$1"/slf4j-simple-*.jar >/dev/null 2>&1 ||
        mvn -q -B -f pom.xml -Dkafka="$1" "${profile[@]}" dependency:copy-dependencies -DoutputDirectory="$cache/jars-$1" >/dev/null 2>&1
}

node_packages() {
    command -v npm >/dev/null && command -v node >/dev/null || return 1
    npm --prefix "$cache/node" --silent install kafkajs@2.2.4 snappyjs@0.7.0 lz4js@0.2.0 zstd-codec@0.1.5 @platformatic/kafka@1.35.0 >/dev/null 2>&1
}

cloudwatch_program() { # go-cloudwatch, or go-cloudwatch-older: with an SDK that speaks the query protocol
    local go=go modules=go.mod
    command -v go >/dev/null || go=/usr/local/go/bin/go
    [ "$1" = go-cloudwatch-older ] && modules=older.mod
    command -v "$go" >/dev/null && (cd go-cloudwatch && "$go" build -modfile="$modules" -o "$cache/$1" .)
}

go_program() { # .cache/go-client
    local go=go
    command -v go >/dev/null || go=/usr/local/go/bin/go
    command -v "$go" >/dev/null && (cd go && "$go" build -o "$cache/go-client" .)
}
