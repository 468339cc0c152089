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
    busybox: bool = False
    """Add busybox' applets as commands, where no package brings the command."""
    directories: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    users: tuple[tuple[str, int], ...] = ()
    ports: tuple[int, ...] = ()
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

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (BUSYBOX, NGINX, REDIS, TOOLS)}
