# shellcheck shell=bash
# The images: built from the Dockerfiles, small, without root.

images_ready=''

# The base image and those of the Dockerfiles, made by an engine that has this machine's own network, and touches nothing of it.
need_images() {
    [[ -z $images_ready ]] || return 0
    local program=${PROGRAM_UNDER_TEST:-${CARGO_TARGET_DIR:-target}/release/ganglion}
    if ! ldd "$program" 2>/dev/null | grep -q librados; then
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
    build ganglion deploy/Dockerfile --target prebuilt &
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

test_images() {
    engine_use here
    check "the Dockerfiles name only public bases" names_only_public_bases
    check "the image compiles with the Rust of the workspace" rust_is_the_workspaces
    check "ganglion is under 150 MB beyond its base" ganglion_is_small
    check "each image has a user, a check and a title" no_image_has_root
    check "ganglion runs without capabilities on a read-only root" runs_by_itself
    docker image ls --format '        {{.Repository}} {{.Size}}' | sort
}
