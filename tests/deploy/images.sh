# shellcheck shell=bash
# The images: built from the Dockerfiles, small, without root.

images_ready=''

# The base image and those of the Dockerfiles, made by an engine that has this machine's own network, and touches nothing of it.
need_images() {
    [[ -z $images_ready ]] || return 0
    local program=${PROGRAM_UNDER_TEST:-${CARGO_TARGET_DIR:-target}/release/ganglion}
    if [[ $(ldd "$program" 2>/dev/null) != *librados* ]]; then
        echo "no program with the feature ceph at $program (PROGRAM_UNDER_TEST): cargo build --release --features ceph" >&2
        exit 1
    fi
    engine_begin here '' --bridge=none --iptables=false --ip-forward=false --ip-masq=false
    engine_use here
    base_image
    mkdir "$lab/context"
    cp -r deploy "$lab/context"
    strip -o "$lab/context/ganglion" "$program"
    # At the same time: each mostly waits for packages.
    local pids=() pid
    build_ganglion &
    pids+=($!)
    build ganglion-redis deploy/redis/Dockerfile &
    pids+=($!)
    build ganglion-ceph deploy/ceph/Dockerfile &
    pids+=($!)
    for pid in "${pids[@]}"; do wait "$pid"; done
    docker save ganglion ganglion-ceph ganglion-redis >"$lab/storage.tar"
    docker save ganglion >"$lab/compute.tar"
    images_ready=1
}

# Of the program that is built already, as the Dockerfile's head tells.
build_ganglion() {
    build ganglion-runtime deploy/Dockerfile --target runtime || return 1
    printf 'FROM ganglion-runtime\nCOPY ganglion /usr/local/bin/\n' >"$lab/context/prebuilt"
    build ganglion "$lab/context/prebuilt"
}

build() {
    local tag=$1 file=$2
    shift 2
    DOCKER_BUILDKIT=1 docker build --quiet --network host --tag "$tag" --file "$file" "$@" "$lab/context" >"$lab/build-$tag" 2>&1 ||
        { tail -20 "$lab/build-$tag"; return 1; }
}

# What Debian's own image is: a minimal system, without documentation, whose apt keeps no caches. Kept for the next run.
base_image() {
    local kept=$cache/debian-bookworm-base.tar root=$lab/root mirror
    if [[ ! -e $kept ]]; then
        # This machine's own source of packages, if it has one.
        # shellcheck disable=SC2016
        mirror=$(apt-get indextargets --format '$(REPO_URI)|$(CODENAME)|$(CREATED_BY)' 2>/dev/null |
            sed -n 's/|bookworm|Packages$//p' | head -1)
        debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$lab/debootstrap" 2>&1 ||
            { tail "$lab/debootstrap"; exit 1; }
        cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'APT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
APT
        tar -C "$root" --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
            --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -cf "$kept.new" .
        mv "$kept.new" "$kept"
        rm -rf --one-file-system "$root"
    fi
    docker import --change 'CMD ["bash"]' "$kept" debian:bookworm-slim >/dev/null
}

image_bytes() { docker image inspect --format '{{.Size}}' "$1"; }

ganglion_is_small() {
    local beyond=$((($(image_bytes ganglion) - $(image_bytes debian:bookworm-slim)) / 1000000))
    ((beyond < 150)) || { echo "$beyond MB beyond its base"; return 1; }
}

no_image_has_root() {
    local image
    for image in ganglion ganglion-ceph ganglion-redis; do
        [[ -n $(docker image inspect --format '{{.Config.User}}' "$image") ]] || { echo "$image runs as root"; return 1; }
        [[ $(docker image inspect --format '{{.Config.Healthcheck}}' "$image") != '<nil>' ]] || { echo "$image has no check"; return 1; }
        [[ -n $(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.title"}}' "$image") ]] ||
            { echo "$image has no title"; return 1; }
    done
}

# Invariant: the page that a user reads says how to build them without this test's base.
names_only_public_bases() {
    local base
    while read -r base; do
        [[ $base =~ ^(debian:bookworm-slim|rust:1\.[0-9]+-slim-bookworm|runtime|toolchain|dependencies)$ ]] || { echo "$base"; return 1; }
    done < <(sed -n 's/^FROM \([^ ]*\).*/\1/p' deploy/Dockerfile deploy/*/Dockerfile)
}

rust_is_the_workspaces() {
    local workspace
    workspace=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    grep -q "^FROM rust:$workspace-slim-bookworm " deploy/Dockerfile
}

runs_by_itself() {
    contains "$(docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges ganglion --version)" ganglion
}

# Whatever the password is: Redis reads its settings word by word.
redis_takes_any_password() {
    local id
    printf '%s\n' 'two words, "quotes" and a \' >"$lab/password"
    chmod 0444 "$lab/password"
    id=$(docker run -d --network none --read-only --tmpfs /tmp --cap-drop ALL -e REDIS_PASSWORD_FILE=/password \
        -v "$lab/password:/password:ro" ganglion-redis) || return 1
    within 10 docker exec "$id" redis-entrypoint --health || { docker logs "$id"; return 1; }
    contains "$(docker exec "$id" redis-cli ping)" NOAUTH || return 1
    docker rm --force "$id" >/dev/null
}

container_says() { contains "$(docker logs "$1" 2>&1)" "$2"; }

# A start that waits ends when it is told to, though it is the first process of its container.
waiting_start_ends() {
    local id began
    id=$(docker run -d --network none -e GANGLION_REDIS_URL=redis://nobody:6379 -e GANGLION_COMPUTE_LISTEN=cluster:0 ganglion serve --role compute)
    within 10 container_says "$id" 'waits for the way to Redis' || return 1
    contains "$(docker exec "$id" ganglion health 2>&1)" 'waits for the way to Redis' || return 1
    began=$SECONDS
    docker stop --time 30 "$id" >/dev/null
    ((SECONDS - began < 15)) || { echo "it took $((SECONDS - began)) s"; return 1; }
    equal "$(docker inspect --format '{{.State.ExitCode}}' "$id")" 0 || return 1
    docker rm "$id" >/dev/null
}

test_images() {
    engine_use here
    check "the Dockerfiles name only public bases" names_only_public_bases
    check "the image compiles with the Rust of the workspace" rust_is_the_workspaces
    check "ganglion is under 150 MB beyond its base" ganglion_is_small
    check "each image has a user, a check and a title" no_image_has_root
    check "ganglion runs without capabilities on a read-only root" runs_by_itself
    check "a start that waits says what for, and ends when it is told to" waiting_start_ends
    check "Redis takes any password" redis_takes_any_password
    docker image ls --format '        {{.Repository}} {{.Size}}' | sort
}
