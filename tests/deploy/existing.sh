# shellcheck shell=bash
# Workers beside a Ceph that is there already: one that the swarm knows nothing of, with OSDs on h0 and h1, and the commands of
# docs/deploy.md for its operator.

# Runs the operator's `ceph`.
operator() { DOCKER_HOST=unix://$lab/h0/socket docker exec -i own-mon "$@"; }

own_ceph() {
    local host
    engine_use h0
    docker run --rm --network none -e MON_ADDRESS=10.79.46.10 -e COPIES=2 --entrypoint bash ganglion-ceph \
        -c 'ceph-entrypoint keys /tmp/keys && tar -C /tmp/keys -c .' >"$lab/keys.tar" || return 1
    for host in h0 h1; do
        mkdir -p "$lab/own-$host"
        tar -C "$lab/own-$host" -xf "$lab/keys.tar"
        chmod -R a+rX "$lab/own-$host"
    done
    docker run -d --name own-mon --network host --hostname gl-h0 -v "$lab/own-h0/conf:/conf:ro" -v "$lab/own-h0/mon:/keys:ro" \
        ganglion-ceph mon >/dev/null || return 1
    for host in h0 h1; do
        DOCKER_HOST=unix://$lab/$host/socket docker run -d --name own-osd --network host --hostname "gl-$host" \
            -e OSD_BYTES=5G -e OSD_SPARSE=1 -e OSD_MEMORY=1G -v "$lab/own-$host/conf:/conf:ro" -v "$lab/own-$host/osd:/keys:ro" \
            ganglion-ceph osd >/dev/null || return 1
    done
    within 90 both_osds_up
    # The keys of the operator's own; whoever joins gets a user of its own.
    operator ceph -c /conf/ceph.conf auth rm client.ganglion
}
both_osds_up() { contains "$(operator ceph -c /conf/ceph.conf osd stat 2>&1)" '2 osds: 2 up'; }

# As docs/deploy.md tells.
operator_makes_pool_and_user() {
    operator ceph -c /conf/ceph.conf osd pool create ganglion || return 1
    operator ceph -c /conf/ceph.conf osd pool application enable ganglion ganglion || return 1
    operator ceph -c /conf/ceph.conf auth get-or-create client.ganglion mon 'allow r' osd 'allow rw pool=ganglion' >"$lab/own.keyring" || return 1
    operator cat /conf/ceph.conf >"$lab/own.conf"
}

# For such a worker it is no matter where the OSDs come from.
only_workers_are_deployed() {
    equal "$(docker stack services --format '{{.Name}}' ganglion | sort | tr '\n' ' ')" \
        'ganglion_compute ganglion_gateway ganglion_redis ganglion_storage '
}

own_ceph_is_left_alone() {
    swarm/down --forget || return 1
    equal "$(docker ps --format '{{.Names}}' | sort | tr '\n' ' ')" 'own-mon own-osd ' || return 1
    contains "$(operator rados -c /conf/ceph.conf -p ganglion -N ndp get text-3 -)" 'a a b'
}

test_existing() {
    need_swarm
    check "a Ceph that is there" own_ceph
    check "its operator makes a pool and a user, as docs/deploy.md tells" operator_makes_pool_and_user
    check "labels" swarm_labels
    check "swarm/up --ceph brings workers beside its OSDs" swarm_up --ceph "$lab/own.conf" --keyring "$lab/own.keyring"
    check "it deploys no Ceph of its own" only_workers_are_deployed
    check "a function and twelve objects" within 30 load_texts "${swarm_gateways[0]}"
    check "both sites give the same bytes" both_sites "${swarm_gateways[0]}"
    check "swarm/down leaves the Ceph and its objects alone" own_ceph_is_left_alone
    own_ceph_end
}

own_ceph_end() {
    local host
    for host in h0 h1; do
        DOCKER_HOST=unix://$lab/$host/socket docker rm --force --volumes own-mon own-osd >/dev/null 2>&1 || true
    done
}
