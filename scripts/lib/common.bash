# shellcheck shell=bash
# What scripts/quickstart and scripts/test share: an engine, a Python, a virtual environment.
# Sourced with `set -euo pipefail` in force and the checkout's root as working directory.

readonly ENGINE_WAIT=60                         # seconds for an engine to answer after its start
readonly ENGINE_LOG=/var/log/pypod-dockerd.log  # of a dockerd that was started here
readonly SETUP_LOCK=${PYPOD_SETUP_LOCK:-/run/pypod-setup.lock}  # one installer at a time on this machine

PATH=$PATH:/usr/sbin:/sbin  # dockerd is there, and an ordinary user's PATH often ends before it

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$@"; exit 1; }

# Run a step quietly and say how long it took; its output is shown only when it fails.
step() {
    local title=$1 began=$SECONDS output
    shift
    say "$title ..."
    output=$(mktemp)
    if ! "$@" >"$output" 2>&1 </dev/null; then
        tail -n 30 "$output" >&2
        rm -f "$output"
        die "$title: failed: $*"
    fi
    rm -f "$output"
    say "$title: done in $((SECONDS - began)) s"
}

is_root() { [ "$(id -u)" -eq 0 ]; }
have() { command -v "$1" >/dev/null 2>&1; }

apt_install() {
    have apt-get || die "cannot install $*: there is no apt-get here (Debian and Ubuntu are supported)." \
        "Install Docker Engine and Python 3.11 or newer by hand, then run $0 again."
    export DEBIAN_FRONTEND=noninteractive
    step "refreshing the package lists" apt_update
    step "installing $*" apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

# `apt-get update` does not wait for a lock that another apt holds, so it is tried again.
apt_update() {
    local attempt
    for attempt in 1 2 3 4 5; do
        apt-get update -o Acquire::Retries=3 && return
        [ "$attempt" -eq 5 ] || sleep $((attempt * 3))
    done
    return 1
}

# --- Python ----------------------------------------------------------------------------------------------------------

is_new_enough() { have "$1" && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Sets PYTHON to a Python 3.11 or newer.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            PYTHON=$(command -v "$candidate")
            return
        fi
    done
    die "Python 3.11 or newer is needed, and neither python3 nor python3.11 to python3.14 is that." \
        "Name one with PYTHON=/path/to/python $0"
}

# The Debian package that brings `venv` and `ensurepip` to this Python.
venv_package() {
    "$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

can_make_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }

# --- the engine ------------------------------------------------------------------------------------------------------

# 0 an engine answers, 1 there is none, 2 one is named or there but does not answer this user (says why).
engine_url() { "$PYTHON" -B tests/images/engine_http.py; }

# Sets DOCKER_HOST where the engine that answers is not where every client looks.
use_engine() {
    local url code=0
    url=$(engine_url) || code=$?
    case $code in
        0) ;;
        1) return 1 ;;
        *) die "there is a Docker Engine, but it does not answer this user (see above). It is left alone." \
            "Start it, or join its group ('usermod -aG docker $(id -un)', then log in again), or unset DOCKER_HOST." ;;
    esac
    say "Docker Engine at $url"
    case $url in
        unix:///var/run/docker.sock | "${DOCKER_HOST:-}") ;;
        *) export DOCKER_HOST=$url ;;
    esac
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker || say "systemctl start docker failed; see: journalctl -u docker"
    elif ! grep -qsx dockerd /proc/[0-9]*/comm; then
        mount_cgroups
        say "starting dockerd in the background, its log is $ENGINE_LOG"
        # 9 is the set-up lock: the daemon must not keep it.
        setsid dockerd >"$ENGINE_LOG" 2>&1 </dev/null 9>&- &
        DOCKERD=$!
    fi
}

# An init system mounts these; a bare container or micro VM may come without.
mount_cgroups() {
    if ! grep -qsE ' /sys/fs/cgroup(/[^ ]+)? cgroup2? ' /proc/mounts; then
        say "mounting cgroup2 on /sys/fs/cgroup"
        mount -t cgroup2 cgroup2 /sys/fs/cgroup || say "cannot mount the cgroup file system"
    fi
}

wait_for_engine() {
    local deadline=$((SECONDS + ENGINE_WAIT))
    until engine_url >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ] || { [ -n "${DOCKERD:-}" ] && ! kill -0 "$DOCKERD" 2>/dev/null; }; then
            say "the Docker Engine was started and does not answer (waited for at most $ENGINE_WAIT s). Its log ends:"
            if [ -d /run/systemd/system ]; then
                journalctl -u docker --no-pager -n 30 >&2 || true
            else
                tail -n 30 "$ENGINE_LOG" /var/log/docker.log >&2 2>/dev/null || true
            fi
            exit 1
        fi
        sleep 0.2
    done
}

# The packages that are still to be installed, one a line. ENGINE_ANSWERS is 1 where an engine does.
missing_packages() {
    can_make_venv || venv_package
    if [ "$ENGINE_ANSWERS" -eq 0 ] && ! have dockerd; then
        echo docker.io
        # Without its parser, an engine on a kernel with AppArmor cannot start a single container.
        if grep -qs '^Y' /sys/module/apparmor/parameters/enabled && ! have apparmor_parser; then
            echo apparmor
        fi
    fi
    # `pypod demo` makes its image of a static busybox where there is no registry. Not worth asking for root; and where
    # Debian's shared busybox stands, it would have to go for the static one.
    if is_root && have apt-get && ! have busybox; then
        echo busybox-static
    fi
}

# What root has to do once: the engine where none answers, and the packages above.
set_up_machine() {
    local packages
    ENGINE_ANSWERS=1
    use_engine || ENGINE_ANSWERS=0
    mapfile -t packages < <(missing_packages)
    if [ "$ENGINE_ANSWERS" -eq 1 ] && [ ${#packages[@]} -eq 0 ]; then
        return
    fi
    is_root || ask_for_root "${packages[@]}"
    exec 9>"$SETUP_LOCK"
    flock 9
    # Another script may have done it meanwhile, so everything is asked again under the lock.
    if [ "$ENGINE_ANSWERS" -eq 0 ] && use_engine; then
        ENGINE_ANSWERS=1
    fi
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -eq 0 ] || apt_install "${packages[@]}"
    if [ "$ENGINE_ANSWERS" -eq 0 ]; then
        start_engine
        wait_for_engine
        use_engine || die "the Docker Engine was there and is gone"
    fi
    exec 9>&-
}

# Stop with the very commands that root has to run.
ask_for_root() {
    say "something is missing that only root can set up. Run as root:"
    if [ $# -gt 0 ]; then
        echo "    apt-get update && apt-get install -y --no-install-recommends $*" >&2
    fi
    if [ "$ENGINE_ANSWERS" -eq 0 ] && [ -d /run/systemd/system ]; then
        echo "    systemctl start docker" >&2
        echo "    usermod -aG docker $(id -un)    # then log in again" >&2
    elif [ "$ENGINE_ANSWERS" -eq 0 ]; then
        echo "    setsid dockerd >$ENGINE_LOG 2>&1 </dev/null &" >&2
        echo "    usermod -aG docker $(id -un)    # then log in again" >&2
    fi
    die "then run $0 again. (Or run $0 itself as root.)"
}

# --- the virtual environment -----------------------------------------------------------------------------------------

# Which Python this is, the same inside and outside a virtual environment of it.
identify_python() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }

# ensure_venv NAME REQUIREMENT...: .venv has what NAME needs. A stamp makes the next run free: it holds what was asked
# for, by which Python, where, and from which pyproject.toml.
ensure_venv() {
    local name=$1 stamp wanted
    shift
    stamp=.venv/.pypod-$name
    wanted=$(identify_python "$PYTHON"; pwd; echo "$*"; sha256sum pyproject.toml)
    (
        flock 9
        if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
            exit 0
        fi
        if ! [ -x .venv/bin/pip ] || [ "$(identify_python .venv/bin/python)" != "$(identify_python "$PYTHON")" ]; then
            step "making the virtual environment .venv" "$PYTHON" -m venv --clear .venv
        fi
        step "installing $*" .venv/bin/python -m pip install --disable-pip-version-check --quiet "$@"
        printf '%s\n' "$wanted" >"$stamp"
    ) 9>.venv.lock
}
