"""What the test images are made of: Debian (or Ubuntu) packages, a few files, and what the image says of itself.

Data only. `build.py` turns a recipe into an image; a change in either file makes new images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REPOSITORY = "pypod-test"
VERSION = "1"


@dataclass(frozen=True)
class Recipe:
    """One image. Packages are taken with all that they depend on; no maintainer script is run."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    only: tuple[str, ...] = ()
    """When given: take these paths from the packages and nothing else."""
    without: frozenset[str] = frozenset()
    """Packages that are left out although something depends on them."""
    never: frozenset[str] = frozenset()
    """Not even downloaded, nor what only they need: to apt they are installed. A name that no package has is nothing."""
    skip: tuple[str, ...] = ()
    """Paths that are left out, as patterns; in these a star is any text."""
    keep: tuple[str, ...] = ()
    """Paths that are taken although no image has their like."""
    busybox: bool = False
    """Add busybox' applets as commands, where no package brings the command."""
    directories: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    users: tuple[tuple[str, int], ...] = ()
    ports: tuple[int, ...] = ()
    linked: str = ""
    """Programs in directories like this one are commands, by links in /usr/bin."""
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    stop_signal: str | None = None

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}/{self.name}:{VERSION}"


# Needed by the maintainer scripts of the servers, and by nothing that runs in the image.
INSTALL_TIME_ONLY = frozenset(
    {
        "adduser",
        "debconf",
        "dpkg",
        "init-system-helpers",
        "libpam-modules",
        "libpam-modules-bin",
        "passwd",
        "perl-base",
        "sysvinit-utils",
        "tar",
    }
)

NGINX_CONF = """\
user www-data;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    include /etc/nginx/conf.d/*.conf;
}
"""

# The layout of the image on Docker Hub, so that examples run on either: the site is /usr/share/nginx/html.
NGINX_SITE = """\
server {
    listen 80 default_server;
    server_name _;
    location / {
        root /usr/share/nginx/html;
        index index.html;
    }
}
"""

BUSYBOX = Recipe(
    name="busybox",
    packages=("busybox-static",),
    only=("usr/bin/busybox",),
    busybox=True,
    command=("sh",),
)

NGINX = Recipe(
    name="nginx",
    packages=("nginx", "busybox-static", "usr-is-merged"),
    without=INSTALL_TIME_ONLY,
    busybox=True,
    command=("nginx", "-g", "daemon off;"),
    directories={"var/log/nginx": 0o755, "var/lib/nginx": 0o755, "etc/nginx/conf.d": 0o755},
    files={"etc/nginx/nginx.conf": NGINX_CONF, "etc/nginx/conf.d/default.conf": NGINX_SITE},
    links={"var/log/nginx/access.log": "/dev/stdout", "var/log/nginx/error.log": "/dev/stderr"},
    users=(("www-data", 33),),
    ports=(80,),
    stop_signal="SIGQUIT",
)

REDIS = Recipe(
    name="redis",
    packages=("redis-server", "busybox-static", "usr-is-merged"),
    without=INSTALL_TIME_ONLY,
    busybox=True,
    command=("redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"),
    directories={"data": 0o777},
    users=(("redis", 999),),
    ports=(6379,),
    workdir="/data",
)

# A small Debian as people know it (coreutils, dash, glibc's getent, procps' ps) with what IPC tests need:
# util-linux' ipcmk and ipcs, Perl's msgget and semget, Python for the rest.
TOOLS = Recipe(
    name="tools",
    packages=(
        "base-files",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "hostname",
        "iproute2",
        "libc-bin",
        "perl-base",
        "procps",
        "python3",
        "sed",
        "usr-is-merged",
        "util-linux",
    ),
    without=frozenset({"debconf", "dpkg", "init-system-helpers", "tar", "mawk", "libpam-modules"}),
    command=("sh",),
)

# As the official image's: the variables, the directory of scripts, and the order of things. The database is made without a
# server where no script needs one, which takes a second off the first start.
POSTGRES_ENTRYPOINT = """\
#!/bin/sh
set -eu
[ $# -gt 0 ] && [ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
scripts=/docker-entrypoint-initdb.d

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    exec su -s /bin/sh -- postgres -c 'exec "$0" "$@"' "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo "Error: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust" >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:-unused}" >"$secret"
    # Split into words on purpose, as in POSTGRES_INITDB_ARGS=--no-sync
    initdb --username "$user" --pwfile "$secret" --auth-local trust ${POSTGRES_INITDB_ARGS:-}
    rm "$secret"
    echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE \\"$database\\"" | postgres --single -D "$PGDATA" postgres >/dev/null
    fi
    if [ -n "$(find "$scripts" ! -type d | head -n 1)" ]; then
        pg_ctl start --wait --options "-c listen_addresses=''"
        for script in "$scripts"/*; do
            case $script in
                *.sh) sh "$script" ;;
                *.sql) psql -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$script" ;;
            esac
        done
        pg_ctl stop --wait --mode fast
    fi
fi
exec "$@"
"""

POSTGRES = Recipe(
    name="postgres",
    packages=("postgresql", "busybox-static", "libc-bin", "usr-is-merged"),
    without=INSTALL_TIME_ONLY,
    never=frozenset(
        {
            "adduser",
            "debconf",
            "locales",
            "postgresql-client-common",
            "postgresql-common",
            "sensible-utils",
            "ssl-cert",
            # The just-in-time compiler: a server that does not find its module does without.
            *(f"libllvm{version}{suffix}" for version in range(14, 22) for suffix in ("", "t64")),
        }
    ),
    skip=("*/lib/bitcode/*", "*/lib/llvmjit*"),
    keep=("usr/share/zoneinfo/Etc/UTC", "usr/share/zoneinfo/UTC"),
    busybox=True,
    linked="usr/lib/postgresql/*/bin",
    entrypoint=("docker-entrypoint.sh",),
    command=("postgres",),
    directories={
        "docker-entrypoint-initdb.d": 0o755,
        "var/lib/postgresql": 0o777,
        "run/postgresql": 0o1777,
    },
    links={"var/run": "/run"},
    programs={"usr/local/bin/docker-entrypoint.sh": POSTGRES_ENTRYPOINT},
    users=(("postgres", 999),),
    env={"LANG": "C.UTF-8", "PGDATA": "/var/lib/postgresql/data"},
    ports=(5432,),
    stop_signal="SIGINT",
)

PYTHON = Recipe(
    name="python",
    packages=("python3", "python3-psycopg2", "python3-redis", "busybox-static", "usr-is-merged"),
    without=INSTALL_TIME_ONLY,
    busybox=True,
    command=("python3",),
    env={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
)

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe for recipe in (BUSYBOX, NGINX, REDIS, TOOLS, POSTGRES, PYTHON)
}
