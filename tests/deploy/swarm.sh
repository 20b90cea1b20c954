# shellcheck shell=bash
# swarm/ on four engines, each the Docker of a host of its own.

swarm_gateways=(http://10.79.46.12:8080 http://10.79.46.13:8080)
swarm_ready=''

# Four engines that have joined, with the images that each needs.
need_swarm() {
    local number token
    [[ -z $swarm_ready ]] || return 0
    need_host
    for number in 1 2 3; do
        engine_begin "h$number" "gl-h$number"
    done
    local pids=() pid images
    for number in 1 2 3; do
        images=compute
        ((number > 1)) || images=storage
        DOCKER_HOST=unix://$lab/h$number/socket docker load --quiet <"$lab/$images.tar" >/dev/null &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    engine_use h0
    docker swarm init --advertise-addr 10.79.46.10 >/dev/null
    token=$(docker swarm join-token -q worker)
    for number in 1 2 3; do
        engine_use "h$number"
        docker swarm join --token "$token" "10.79.46.10:2377" >/dev/null
    done
    engine_use h0
    # No host here can ask a registry for the digests of images; small disks; two cores for all.
    export OSD_BYTES=5G OSD_SPARSE=1 OSD_MEMORY=1G STORAGE_CPUS=1
    swarm_ready=1
}

swarm_labels() {
    # A node cannot be both.
    ! swarm/label --storage gl-h0,gl-h1 --compute gl-h1,gl-h2 >/dev/null 2>&1 || { echo "a node got two types"; return 1; }
    swarm/label --storage gl-h0,gl-h1 --compute gl-h2,gl-h3 || return 1
    equal "$(docker node inspect --format '{{.Spec.Labels.rank}} {{.Spec.Labels.type}} {{.Spec.Labels.name}}' gl-h0)" 'leader storage storage0' || return 1
    equal "$(docker node inspect --format '{{.Spec.Labels.type}} {{.Spec.Labels.name}}' gl-h3)" 'compute compute1'
}

# What a run left that ended between two keys is no part of the next one's.
up_after_half_a_run() {
    echo 'of another making' | docker secret create ganglion_ceph_mon - >/dev/null
    swarm_up
}

# Another Ceph's keys are not taken in silence for those that the swarm has, nor the other way round.
keeps_its_own_keys() {
    echo '[global]' >"$lab/other.conf"
    contains "$(swarm_up --ceph "$lab/other.conf" --keyring "$lab/other.conf" 2>&1)" 'swarm/down --forget'
}

# A gateway that hangs holds nobody up.
status_beside_a_hung_gateway() {
    local id said
    id=$(task h2 gateway)
    DOCKER_HOST=unix://$lab/h2/socket docker pause "$id" >/dev/null
    said=$(timeout 30 nsenter --net=/var/run/netns/gl-h0 swarm/status) || { echo "$said"; return 1; }
    DOCKER_HOST=unix://$lab/h2/socket docker unpause "$id" >/dev/null
    contains "$said" 'no answer'
}

roots_are_read_only() {
    local service
    for service in $(docker stack services --format '{{.Name}}' ganglion); do
        equal "$service $(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.ReadOnly}}' "$service")" "$service true" || return 1
    done
}

# From the host's namespace, where the swarm's manager is reached by its socket and gateways by the bridge.
swarm_up() { nsenter --net=/var/run/netns/gl-h0 swarm/up "$@"; }
swarm_status() { nsenter --net=/var/run/netns/gl-h0 swarm/status; }

# The id of a service's container on a host: HOST SERVICE.
task() { DOCKER_HOST=unix://$lab/$1/socket docker ps -q --filter "label=com.docker.swarm.service.name=ganglion_$2" | head -1; }

nodes() { http -f "${swarm_gateways[0]}/v1/nodes" | jq -r '.nodes[] | select(.load != null) | .id' | grep -c "^$1" || true; }
has_nodes() { equal "$(nodes "$1")" "$2"; }

both_gateways() {
    local gateway
    for gateway in "${swarm_gateways[@]}"; do
        quick_start "$gateway" "${gateway/8080/8002}" || return 1
    done
}

# OSDs and the workers beside them are on storage nodes, the others on compute nodes, and all in the host's own network.
all_in_their_places() {
    local host service
    for host in h0 h1; do
        for service in osd storage; do [[ -n $(task $host $service) ]] || { echo "no $service on $host"; return 1; }; done
    done
    for service in compute gateway; do
        [[ -z $(task h0 $service)$(task h1 $service) ]] || { echo "$service on a storage node"; return 1; }
    done
    for service in mon mgr redis; do [[ -n $(task h0 $service) ]] || { echo "no $service on the leader"; return 1; }; done
    for host in h2 h3; do [[ -n $(task $host gateway) ]] || { echo "no gateway on $host"; return 1; }; done
}

workers_have_one_key() {
    local host id
    for host in h0:storage h1:storage h2:compute h2:gateway h3:gateway; do
        id=$(task "${host%:*}" "${host#*:}")
        [[ -n $id ]] || continue
        export DOCKER_HOST=unix://$lab/${host%:*}/socket
        equal "$(docker exec "$id" sh -c 'id -u; ls /keys; ls /run/secrets; grep -h "^\[" /keys/*' | tr '\n' ' ')" \
            '7460 client.ganglion.keyring redis [client.ganglion] ' || return 1
        equal "$(docker exec "$id" sed -n 's/^CapEff:\t//p' /proc/1/status)" 0000000000000000 || return 1
    done
    engine_use h0
    equal "$(docker exec "$(task h0 mon)" ceph -c /conf/ceph.conf auth get client.ganglion -f json 2>/dev/null | jq -c '.[0].caps')" \
        '{"mon":"allow r","osd":"allow rw pool=ganglion"}'
}

redis_asks_for_a_password() {
    contains "$(docker exec "$(task h0 redis)" redis-cli -h 10.79.46.10 ping 2>&1)" NOAUTH
}

scales() {
    docker service scale --detach ganglion_compute=5 >/dev/null || return 1
    within 60 has_nodes compute 5
}

updates_while_calls_run() {
    calls_begin "${swarm_gateways[@]}"
    sleep 1
    timeout 150 docker service update --quiet --force "ganglion_$1" || { calls_end; return 1; }
    sleep 2
    calls_end
}

crashes_while_calls_run() {
    calls_begin "${swarm_gateways[@]}"
    sleep 1
    DOCKER_HOST=unix://$lab/$1/socket crash "$(task "$1" "$2")"
    sleep 7
    calls_end
}

osds_up_again() { contains "$(docker exec "$(task h0 mon)" ceph -c /conf/ceph.conf osd stat 2>&1)" '2 osds: 2 up'; }

no_container_runs() {
    local host
    for host in h0 h1 h2 h3; do
        equal "$(DOCKER_HOST=unix://$lab/$host/socket docker ps -q)" '' || return 1
    done
}

ends_and_goes_on() {
    swarm/down && within 30 no_container_runs && swarm_up || return 1
    equal "$(wordcount "${swarm_gateways[1]}" text-3)" $'a\t2\nb\t1'
}

forgets() {
    swarm/down --forget && within 30 no_container_runs || return 1
    equal "$(docker secret ls -q)$(docker config ls -q)" ''
}

test_swarm() {
    local began
    need_swarm
    check "swarm/label says which node does what" swarm_labels
    began=$SECONDS
    check "swarm/up deploys the stack, and gateways take calls" up_after_half_a_run
    echo "        in $((SECONDS - began)) s"
    check "swarm/status says that it is ready" swarm_status
    check "every service is where the labels say" within 20 all_in_their_places
    check "two storage workers and two compute workers are there" within 20 has_nodes '' 4
    check "the quick start's curl lines work at each gateway" within 20 both_gateways
    check "a function and twelve objects" load_texts "${swarm_gateways[0]}"
    check "both sites give the same bytes" both_sites "${swarm_gateways[0]}"
    check "workers have no root, no capability, and one key of minimal caps" workers_have_one_key
    check "Redis asks for its password" redis_asks_for_a_password
    check "every container's root is read-only" roots_are_read_only
    check "swarm/up does not take another Ceph's keys for its own" keeps_its_own_keys
    check "swarm/status ends though a gateway hangs" status_beside_a_hung_gateway
    check "docker service scale ganglion_compute=5" scales
    check "an update of the compute workers loses no call" updates_while_calls_run compute
    check "an update of the storage workers loses no call" updates_while_calls_run storage
    check "an update of the gateways loses no call of callers that know both" updates_while_calls_run gateway
    check "a compute worker crashes: every call ends right" crashes_while_calls_run h2 compute
    check "a storage worker crashes: every call ends right" crashes_while_calls_run h1 storage
    check "an OSD crashes: every call ends right" crashes_while_calls_run h1 osd
    check "all OSDs are up again" within 60 osds_up_again
    check "all workers are there again" within 60 has_nodes '' 7
    check "swarm/down ends it, and swarm/up goes on with the same objects" ends_and_goes_on
    check "swarm/down --forget leaves no container and no key" forgets
}
