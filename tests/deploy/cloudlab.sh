# shellcheck shell=bash
# cloudlab/: the profile by geni-lib, and the set-up on four hosts as at an experiment's first boot. What is left out of the set-up
# is what a host here has already: Docker, and images at the leader.

profile_combinations() {
    local venv=$cache/geni-lib site
    if [[ ! -e $venv/ready ]]; then
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet geni-lib==0.9.9.4 six setuptools || return 1
        site=$(echo "$venv"/lib/python3*/site-packages/geni)
        # It is written for Python 2.
        "$venv/bin/python" -W ignore -m lib2to3 --write --nobackups --no-diffs "$site" >/dev/null 2>&1 || return 1
        touch "$venv/ready"
    fi
    "$venv/bin/python" tests/deploy/profile.py cloudlab/profile.py | tee "$lab/profile-said"
}

# A swarm of the tests before ends; every host is as after its first boot.
fresh_hosts() {
    local host
    for host in h3 h2 h1 h0; do
        engine_use $host
        docker swarm leave --force >/dev/null 2>&1 || true
        docker ps -aq | xargs -r docker rm --force --volumes >/dev/null
        docker volume ls -q | xargs -r docker volume rm >/dev/null
    done
    engine_use h3
    # At least one host has to fetch what it has not.
    docker image rm --force ganglion >/dev/null
}

set_up_host() {
    local number=$1
    DOCKER_HOST=unix://$lab/h$number/socket SETUP_FOLDER=$lab/setup-$number SETUP_WAIT=200 \
        nsenter "--net=/var/run/netns/gl-h$number" cloudlab/setup --first 10.79.46.10 --address "10.79.46.1$number" \
        --storage 2 --compute 1 --clients 1 --osd-bytes 5G
}

# As the startup service runs it: at the same time on every host, unattended.
set_up_all() {
    local number pids=() pid bad=0
    for number in 3 2 1 0; do
        set_up_host $number >"$lab/setup-$number.said" 2>&1 </dev/null &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
    ((bad == 0)) || { tail -n 8 "$lab"/setup-*.said; return 1; }
}

status_is_ok() {
    local number said
    for number in 0 3; do
        said=$(SETUP_FOLDER=$lab/setup-$number nsenter "--net=/var/run/netns/gl-h$number" cloudlab/status --first 10.79.46.10) || return 1
        contains "$said" 'ok: 4 nodes' || return 1
    done
}

# Another boot of the leader: its server ended with it.
set_up_again() {
    end_setup_server
    set_up_host 0 && within 10 status_is_ok
}

clients_have_no_task() { equal "$(DOCKER_HOST=unix://$lab/h3/socket docker ps -q)" ''; }

# What cannot be done is told, by the leader's verdict as well: here, no storage node is left for the labels.
failure_is_told() {
    local folder=$lab/setup-bad
    mkdir "$folder"
    ! DOCKER_HOST=unix://$lab/h0/socket SETUP_FOLDER=$folder SETUP_WAIT=3 \
        nsenter --net=/var/run/netns/gl-h0 cloudlab/setup --first 10.79.46.10 --address 10.79.46.10 --storage 9 --compute 9 || return 1
    contains "$(<"$folder/offered/verdict")" 'failed: wait for 18 nodes'
}

end_setup_server() {
    local pid
    for pid in "$lab"/setup-*/server.pid; do
        [[ -e $pid ]] || continue
        kill "$(<"$pid")" 2>/dev/null || true
        rm -f "$pid"
    done
}

test_cloudlab() {
    local began
    check "geni-lib makes a right RSpec of every combination of parameters" profile_combinations
    sed 's/^/        /' "$lab/profile-said"
    need_images
    need_swarm
    fresh_hosts
    engine_use h0
    # A volume in place of the folder on the disk that an experiment gives.
    export OSD_STORE=osd
    began=$SECONDS
    check "four hosts set themselves up at first boot, and functions run beside objects" set_up_all
    echo "        in $((SECONDS - began)) s"
    check "cloudlab/status says ok on every host" status_is_ok
    check "a client's host has no container" clients_have_no_task
    check "another boot finds it done" set_up_again
    check "a set-up that fails says where" failure_is_told
    end_setup_server
}
