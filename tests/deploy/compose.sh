# shellcheck shell=bash
# deploy/compose.yaml on the engine of one host.

compose() { docker-compose --project-name gl --file deploy/compose.yaml "$@"; }
container() { compose ps -q "$1" | head -1; }

compose_up() {
    timeout 300 docker-compose --project-name gl --file deploy/compose.yaml up -d --no-build && within 60 all_healthy
}

all_healthy() {
    local states
    states=$(docker ps --all --filter label=com.docker.compose.project=gl --format '{{.Names}} {{.Status}}')
    ! grep -vE '\(healthy\)|(keys|pool)_1 Exited \(0\)' <<<"$states"
}

has_all_nodes() {
    local said
    said=$(docker run --rm --network host ganglion node list)
    equal "$(grep -cE '^storage-host-[012] .* up ' <<<"$said")" 3 && equal "$(grep -cE '^compute-.* up ' <<<"$said")" 2
}

# A worker that listens on every address of its host is told to others as the one from which Redis is reached.
told_by_its_address() {
    local address
    docker run -d --name gl-everywhere --network gl_cluster -v gl_conf:/conf:ro -v gl_keys-client:/keys:ro \
        -e GANGLION_REDIS_URL=redis://redis:6379 -e GANGLION_CEPH_CONF=/conf/ceph.conf -e GANGLION_NODE_NAME=everywhere \
        -e GANGLION_CEPH_KEYRING=/keys/client.ganglion.keyring -e GANGLION_COMPUTE_LISTEN=0.0.0.0:7462 ganglion serve --role compute >/dev/null
    address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' gl-everywhere)
    within 20 node_is_up compute-everywhere "$address:7462" || { docker logs gl-everywhere; return 1; }
    docker rm --force --volumes gl-everywhere >/dev/null
}
node_is_up() { docker run --rm --network host ganglion node list | grep -E "^$1 +compute +$2 +up "; }

# A process that hangs has its port open still.
health_is_the_process_s_own_word() {
    local id pid
    id=$(container compute)
    pid=$(docker inspect --format '{{.State.Pid}}' "$id")
    docker exec "$id" ganglion health || return 1
    kill -STOP "$pid"
    if docker exec "$id" ganglion health; then
        kill -CONT "$pid"
        return 1
    fi
    kill -CONT "$pid"
    within 10 docker exec "$id" ganglion health --ready
}

# Of every container: its user, its capabilities, and which keys it can see.
least_privilege() {
    local service id
    for service in storage-0 storage-1 storage-2 compute gateway; do
        id=$(container "$service")
        equal "$(docker inspect --format '{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}}' "$id")" \
            'false [] [ALL] true' || return 1
        equal "$(docker exec "$id" id -u)" 7460 || return 1
        equal "$(docker exec "$id" sh -c 'ls /keys; grep -h "^\[" /keys/*' | tr '\n' ' ')" 'client.ganglion.keyring [client.ganglion] ' || return 1
        equal "$(docker exec "$id" sed -n 's/^CapEff:\t//p' /proc/1/status)" 0000000000000000 || return 1
    done
}

# What client.ganglion may do, tried from the monitor's host with the worker's key.
minimal_caps() {
    local run=(docker run --rm --network gl_cluster -v gl_conf:/conf:ro -v gl_keys-client:/keys:ro --user 7460 ganglion-ceph)
    "${run[@]}" rados -c /conf/ceph.conf --name client.ganglion -p ganglion ls --all >/dev/null || return 1
    ! "${run[@]}" ceph -c /conf/ceph.conf --name client.ganglion auth ls >/dev/null 2>&1 || { echo "it sees the keys"; return 1; }
    ! "${run[@]}" ceph -c /conf/ceph.conf --name client.ganglion osd pool create another 1 >/dev/null 2>&1 || { echo "it makes pools"; return 1; }
    ! "${run[@]}" timeout 20 rados -c /conf/ceph.conf --name client.ganglion -p device_health_metrics create it >/dev/null 2>&1 ||
        { echo "it writes to another pool"; return 1; }
}

osds_up() { contains "$(compose exec -T mon ceph -c /conf/ceph.conf osd stat)" '3 osds: 3 up'; }

survives_crash_of() {
    calls_begin http://127.0.0.1:8080
    sleep 2
    crash "$(container "$1")"
    sleep 6
    calls_end && within 60 all_healthy
}

keeps_objects() {
    compose down && compose_up || return 1
    equal "$(wordcount http://127.0.0.1:8080 text-3)" $'a\t2\nb\t1'
}

leaves_nothing() {
    compose down --volumes || return 1
    equal "$(docker ps --all --quiet --filter label=com.docker.compose.project=gl)" ''
    equal "$(docker volume ls --quiet --filter label=com.docker.compose.project=gl)" ''
}

test_compose() {
    local began=$SECONDS
    need_host
    engine_use h0
    # The API is published on the host's loopback.
    user_at=gl-h0
    check "one command gives a whole cluster, healthy" compose_up
    echo "        in $((SECONDS - began)) s"
    check "three storage workers beside their OSDs and two compute workers are there" within 20 has_all_nodes
    check "a worker on every address is told by that on the cluster's network" told_by_its_address
    check "the quick start's curl lines work" quick_start http://127.0.0.1:8080 http://127.0.0.1:8002
    check "a function and twelve objects" load_texts http://127.0.0.1:8002
    check "both sites give the same bytes" both_sites http://127.0.0.1:8080
    check "workers and gateway have no root, no capability, and one key" least_privilege
    check "that key opens one pool and no more" minimal_caps
    check "a worker that hangs is unhealthy" health_is_the_process_s_own_word
    check "a storage worker crashes: every call ends right, and it is back" survives_crash_of storage-1
    check "a compute worker crashes: every call ends right, and it is back" survives_crash_of compute
    check "an OSD crashes: every call ends right, and it is back" survives_crash_of osd-2
    check "all OSDs are up again" within 60 osds_up
    check "objects outlive down and up" keeps_objects
    check "down --volumes leaves nothing" leaves_nothing
    user_at=gl-client
}
