# shellcheck shell=bash
# What the tests share: checks, waiting, Docker engines, and calls that run meanwhile.

passed=0 failed=0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ganglion
lab=
# Debian's own clients; others on the path may be without BuildKit.
PATH=/usr/bin:$PATH

install_packages() {
    local missing=() package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A promise and the command that keeps it.
check() {
    local promise=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$promise"
        if [[ -e $lab/calls-said ]]; then
            sed 's/^/        /' "$lab/calls-said"
            rm "$lab/calls-said"
        fi
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$promise" "$(tail -40 <<<"$said" | sed 's/^/        /')"
    fi
}

conclude() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

# Runs a command until it succeeds, for so many seconds; says what it said last.
within() {
    local seconds=$1 until said
    shift
    until=$((SECONDS + seconds))
    while ! said=$("$@" 2>&1); do
        ((SECONDS < until)) || { printf 'not within %d s: %s\n%s\n' "$seconds" "$*" "$said"; return 1; }
        sleep 0.5
    done
    printf '%s\n' "$said"
}

equal() { [[ $1 == "$2" ]] || { printf 'expected: %s\nfound:    %s\n' "$2" "$1"; return 1; }; }
contains() { [[ $1 == *"$2"* ]] || { printf 'expected: %s\nin:       %s\n' "$2" "$1"; return 1; }; }

lab_begin() {
    mkdir -p "$cache"
    lab=$(mktemp -d "$cache/deploy-lab.XXXXXX")
    engines=()
    trap lab_end EXIT
    trap 'exit 130' INT TERM
}

# Ends every engine by its process, and takes away what they left.
lab_end() {
    local name
    if [[ -n ${keep:-} ]]; then
        echo "kept in $lab: DOCKER_HOST=unix://$lab/NAME/socket for ${engines[*]}; kill the processes in NAME/pid to end them" >&2
        return
    fi
    calls_end >/dev/null 2>&1 || true
    end_setup_server
    for name in "${engines[@]}"; do engine_end "$name" & done
    wait
    network_end
    rm -rf --one-file-system "$lab" || echo "left behind: $lab" >&2
}

# Whether a process runs; one that nobody has waited for yet does not.
runs() { [[ -r /proc/$1/stat && $(sed 's/.*) //' "/proc/$1/stat" | cut -c 1) != Z ]] 2>/dev/null; }

# A Docker engine, with folder, socket and containerd of its own: NAME [NAMESPACE] [OPTION...]. In a network namespace it has that
# one's name as its host's. Without one it must leave this machine's network alone.
engine_begin() {
    local name=$1 namespace=${2:-} folder=$lab/$1 enter=()
    shift 2
    mkdir -p "$folder"
    [[ -z $namespace ]] || enter=(nsenter "--net=/var/run/netns/$namespace" unshare --uts)
    # shellcheck disable=SC2016
    "${enter[@]}" bash -c '
        [[ -z $2 ]] || hostname "$2"
        exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/socket" \
            --exec-opt native.cgroupdriver=cgroupfs "${@:3}"' _ "$folder" "$namespace" "$@" >"$folder/log" 2>&1 &
    engines+=("$name")
    within 60 docker -H "unix://$folder/socket" info >/dev/null || { tail -5 "$folder/log"; return 1; }
}

engine_use() { export DOCKER_HOST=unix://$lab/$1/socket; }

engine_end() {
    local folder=$lab/$1 pid mount
    [[ -e $folder/pid ]] || return 0
    pid=$(<"$folder/pid")
    # Nothing here needs to end in order.
    export DOCKER_HOST=unix://$folder/socket
    timeout 20 docker swarm leave --force >/dev/null 2>&1 || true
    timeout 60 docker ps --all --quiet | timeout 60 xargs -r docker rm --force >/dev/null 2>&1 || true
    kill "$pid" 2>/dev/null || true
    for _ in {1..80}; do
        runs "$pid" || break
        sleep 0.5
    done
    if runs "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
    rm -f "$folder/pid"
    while read -r mount; do umount -l "$mount" || true; done < <(awk -v folder="$folder/" 'index($5, folder) == 1 {print $5}' /proc/self/mountinfo | sort -r)
}

# Hosts: network namespaces h0, h1, ... at 10.79.46.10, .11, ..., on a bridge that is in a namespace too, out of reach of the firewall
# that an engine sets up for this machine. The namespace `gl-client` is the user's.
#
#   h0  the host of compose; then the swarm's manager and leader, with storage     h1  storage     h2, h3  compute and gateway
network_begin() {
    local number
    network_end
    ip netns add gl-bridge
    ip -n gl-bridge link add bridge type bridge
    ip -n gl-bridge link set bridge up
    for number in 0 1 2 3; do host_add "gl-h$number" "10.79.46.1$number"; done
    host_add gl-client 10.79.46.9
}

host_add() {
    ip netns add "$1"
    ip link add eth0 netns "$1" type veth peer name "$1" netns gl-bridge
    ip -n gl-bridge link set "$1" master bridge up
    ip -n "$1" link set lo up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
}

network_end() {
    local name
    for name in $(ip netns list 2>/dev/null | awk '$1 ~ /^gl-(bridge|client|h[0-9]+)$/ {print $1}'); do ip netns del "$name"; done
}

# The host h0 with its engine and all images.
need_host() {
    [[ -z $host_ready ]] || return 0
    network_begin
    engine_begin h0 gl-h0
    engine_use h0
    docker load --quiet <"$lab/storage.tar" >/dev/null
    host_ready=1
}
host_ready=''

# Runs a command where the cluster's user is.
user_at=gl-client
at_user() { nsenter "--net=/var/run/netns/$user_at" "$@"; }

http() { at_user curl -sS --max-time 60 "$@"; }

# Counts words of an object in the fork's dialect: GATEWAY OBJECT [more of the message].
wordcount() {
    http -f -X POST "$1/f/" -H 'Content-Type: application/json' \
        -d "{\"async\": false, \"user\": \"ndp\", \"function\": \"wordcount\", \"input_data\": \"$2\"${3:-}}"
}

# Calls that go on while things happen: four callers, each with a gateway of its own to begin with. A connection that is refused, or
# a gateway that says that nothing ran (503), sends the caller to the next gateway, as README and docs/deploy.md tell users.
calls_begin() {
    rm -rf "$lab/calls"
    mkdir "$lab/calls"
    callers=()
    local number
    for number in 0 1 2 3; do
        caller "$number" "$@" &
        callers+=($!)
    done
}

caller() {
    local number=$1 turn=0 answer status
    shift
    local gateways=("$@") at=$((number % $#))
    exec >"$lab/calls/$number" 2>&1
    set +e
    until [[ -e $lab/calls/stop ]]; do
        turn=$((turn + 1))
        for _ in {1..40}; do
            answer=$(http -w '|%{http_code}' -X POST "${gateways[at]}/f/" -H 'Content-Type: application/json' \
                -d "{\"user\": \"ndp\", \"function\": \"wordcount\", \"input_data\": \"text-$(((turn + number) % 12))\"}" 2>&1)
            status=$?
            # 7: no connection was made. 503: nothing ran.
            [[ $status == 7 || $answer == *'|503' ]] || break
            at=$(((at + 1) % ${#gateways[@]}))
            echo "again ${answer##*|}" >>"$lab/calls/again"
            sleep 0.25
        done
        echo "$status ${answer//$'\n'/ }"
    done
}

# Ends the callers. Each answer has to be the right one; says how many there were.
calls_end() {
    local pid wrong all calls_said
    [[ -d $lab/calls ]] || return 0
    touch "$lab/calls/stop"
    for pid in "${callers[@]}"; do wait "$pid" || true; done
    wrong=$(cat "$lab"/calls/[0-9] | grep -vxF -e "$right_line" || true)
    all=$(cat "$lab"/calls/[0-9] | wc -l)
    touch "$lab/calls/again"
    calls_said="$all calls, $(wc -l <"$lab/calls/again") refused before and made again"
    rm -rf "$lab/calls"
    echo "$calls_said" | tee "$lab/calls-said"
    if [[ -n $wrong ]] || ((all < 20)); then
        printf 'wrong:\n%s\n' "$wrong"
        return 1
    fi
}
right_line=$'0 a\t2 b\t1 |200'

# Twelve texts and the function that counts their words, at a gateway.
load_texts() {
    local number
    contains "$(http -X PUT --data-binary @funcs/wasm/wordcount.wasm "$1/f/ndp/wordcount")" "Function upload complete" || return 1
    for number in {0..11}; do
        http -f -X PUT --data-binary 'a a b' "$1/v1/objects/ndp/text-$number" >/dev/null || return 1
    done
}

# The lines of the README's quick start, at gateways for calls and for uploads.
quick_start() {
    local calls=$1 uploads=$2 said
    said=$(http -X PUT --data-binary @funcs/wasm/wordcount.wasm "$uploads/f/ndp/wordcount")
    contains "$said" "Function upload complete" || return 1
    said=$(http -X POST "$calls/f/" -H 'Content-Type: application/json' \
        -d '{"async": false, "user": "ndp", "function": "put", "input_data": "hello hello world my world"}')
    equal "$said" OK || return 1
    contains "$(wordcount "$calls" hello)" $'world\t2' || return 1
    contains "$(wordcount "$calls" hello ', "forbid_ndp": true')" $'world\t2'
}

# Every text is counted at its storage node and away from it, and both give the same.
both_sites() {
    local number near far seen=''
    for number in {0..11}; do
        near=$(http -f -D "$lab/head" -X POST "$1/v1/functions/ndp/wordcount/invoke" --data-binary "text-$number") || return 1
        seen+=" $(tr -d '\r' <"$lab/head" | sed -n 's/^ganglion-site: //Ip')"
        far=$(http -f -D "$lab/head" -X POST "$1/v1/functions/ndp/wordcount/invoke?ndp=forbid" --data-binary "text-$number") || return 1
        equal "$near" "$far" || return 1
        equal "$(tr -d '\r' <"$lab/head" | sed -n 's/^ganglion-site: //Ip')" compute || return 1
    done
    contains "$seen" storage
}

# Ends a container as a crash does. (An engine does not start one again that `docker kill` has ended.)
crash() {
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' "$1")
    kill -9 "$pid"
}
