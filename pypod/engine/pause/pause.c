/*
 * The program inside pypod's pause image. One static binary, four roles:
 *
 *   pause [--lease]
 *       The first process of a pod. It keeps the pod's namespaces and volumes alive, reaps orphans, and
 *       copies its stdin to its stdout: that copy, which the engine keeps as the log, is the pod's journal.
 *       With --lease, end-of-file on stdin means that the pod's owner is gone: leave with exit code 97.
 *
 *   pause relay [--check] [--wait MILLISECONDS] [--limit MILLISECONDS] HOST PORT
 *       Run through exec: joins stdin and stdout to a TCP port as seen from inside the pod.
 *       --check: connect only, and leave with 0. A server may take a connection and say nothing, so a reader
 *       of stdout cannot tell.
 *       --limit: be gone after so long, whatever goes on. An engine cannot end an exec, and a server that hangs
 *       would keep a relay for every try of a probe.
 *
 *   pause own [--on-mismatch] GROUP DIRECTORY
 *       Run by a helper container, as root: gives all that is in a volume to a group, as a kubelet does for fsGroup
 *       (pkg/volume/volume_linux.go). --on-mismatch: not where the volume's root belongs to it already.
 *
 *   pause publish DIRECTORY
 *       Run through exec, as the owner of the files: of the files of a volume, the version that was written beside the one
 *       that is in use is put in its place, in one step, and what is of no version any more is removed.
 *
 * Rules that hold throughout:
 *   - In the pause role nothing but journal bytes is ever written, to either stream: the log is the journal.
 *   - No heap and no stdio: the binary is the whole image, and every pod keeps one running.
 *   - Only POSIX and a few long-standing Linux flags, so that one source builds for every architecture.
 *
 * Built by scripts/build-pause; the binaries in bin/ are checked in and reproducible byte for byte.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h> /* renameat, and nothing else of it */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_LEASE_LOST = 97, /* LEASE_LOST_EXIT_CODE in __init__.py */
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,

    CONNECT_TIMEOUT_MS = 10000, /* one try, without --wait */
    RETRY_MS = 20,              /* between two tries, with --wait */
    BUFFER_SIZE = 65536,        /* a Linux pipe's own capacity; pages never touched cost no memory */
    LIST_SIZE = 2048,           /* of a directory's entries, read at a time; one such a level of directories */
    DEEPEST = 1000,             /* levels of directories: each holds a descriptor and a list on the stack */
    NAME_SIZE = 256,            /* of a file, and its end */
};

static const char USAGE[] = "usage: pause [--lease] | pause relay [--check] [--wait MILLISECONDS] "
                            "[--limit MILLISECONDS] HOST PORT (HOST is an IPv4 or IPv6 address)"
                            " | pause own [--on-mismatch] GROUP DIRECTORY | pause publish DIRECTORY\n";

/* ---- small tools --------------------------------------------------------------------------------------- */

/* Wait until one descriptor is ready. Errors are left to the read or write that follows. */
static void await(int fd, short events) {
    struct pollfd entry = {.fd = fd, .events = events};
    (void)poll(&entry, 1, -1);
}

/* Write everything, whatever the descriptor's mode. False: the rest was not written and never will be. */
static bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written >= 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            await(fd, POLLOUT);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A decimal number up to `most`, or -1. */
static long parse_number(const char *text, long most) {
    long value = 0;
    if (*text == '\0') return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return -1;
        value = value * 10 + (*text - '0');
        if (value > most) return -1;
    }
    return value;
}

static int usage(void) {
    (void)write_all(STDERR_FILENO, USAGE, sizeof USAGE - 1);
    return EXIT_USAGE;
}

/* ---- pause --------------------------------------------------------------------------------------------- */

static void leave(int signal_number) {
    (void)signal_number;
    _exit(0);
}

/* Copy stdin to stdout until stdin ends or fails. */
static void keep_journal(void) {
    static char buffer[BUFFER_SIZE];
    for (;;) {
        ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
        if (got > 0) {
            /* A journal that cannot be written must not end the pod: this is lost, and reading goes on. */
            (void)write_all(STDOUT_FILENO, buffer, (size_t)got);
        } else if (got == 0) {
            return;
        } else if (errno == EAGAIN) {
            await(STDIN_FILENO, POLLIN);
        } else if (errno != EINTR) {
            return;
        }
    }
}

static int be_pause(bool lease) {
    /* The kernel keeps from PID 1 every signal it has no handler for, so without these a stop would take its
       whole grace period. The handler leaves by itself: it also works while a write to stdout is blocked. */
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    signal(SIGPIPE, SIG_IGN);
    /* Reaping without a loop: POSIX says that children of a process which ignores SIGCHLD leave no zombie,
       and Linux keeps to it also for processes that PID 1 inherits, even if they were zombies when it did.
       Nothing can be forgotten, merged or missed, as it can with a handler that calls waitpid(). */
    signal(SIGCHLD, SIG_IGN);

    keep_journal();
    if (lease) return EXIT_LEASE_LOST;
    for (;;) pause();
}

/* ---- relay: connect ------------------------------------------------------------------------------------ */

struct target {
    const char *host; /* as given */
    const char *port;
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

static bool parse_target(struct target *target, const char *host, const char *port) {
    long number = parse_number(port, 65535);
    if (number < 1) return false;
    memset(target, 0, sizeof *target);
    target->host = host;
    target->port = port;
    if (inet_pton(AF_INET, host, &target->address.v4.sin_addr) == 1) {
        target->address.v4.sin_family = AF_INET;
        target->address.v4.sin_port = htons((uint16_t)number);
        target->size = sizeof target->address.v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &target->address.v6.sin6_addr) == 1) {
        target->address.v6.sin6_family = AF_INET6;
        target->address.v6.sin6_port = htons((uint16_t)number);
        target->size = sizeof target->address.v6;
        return true;
    }
    return false;
}

/* The words for an errno; NULL if it is none of the common ones. (strerror() would double the binary.) */
static const char *words(int reason) {
    switch (reason) {
    case ECONNREFUSED: return "connection refused";
    case ECONNRESET: return "connection reset by peer";
    case EHOSTUNREACH: return "no route to host";
    case ENETUNREACH: return "network unreachable";
    case ETIMEDOUT: return "timed out";
    case EADDRNOTAVAIL: return "cannot assign requested address";
    case EAFNOSUPPORT: return "address family not supported";
    case EACCES:
    case EPERM: return "not permitted";
    case EMFILE:
    case ENFILE: return "too many open files";
    case ENOENT: return "no such file or directory";
    case EROFS: return "read-only file system";
    case ELOOP: return "too many levels of directories";
    default: return NULL;
    }
}

struct line {
    char text[320]; /* the longest: a file's name, a literal, the words above */
    size_t size;
};

static void append(struct line *line, const char *text) {
    while (*text != '\0' && line->size < sizeof line->text) line->text[line->size++] = *text++;
}

static void append_reason(struct line *line, int reason) {
    const char *known = words(reason);
    if (known != NULL) {
        append(line, known);
        return;
    }
    char digits[12];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do *--first = (char)('0' + reason % 10);
    while ((reason /= 10) > 0);
    append(line, "error ");
    append(line, first);
}

/* One line on stderr: "<what> HOST:PORT: <reason>". */
static int fail(const char *what, const struct target *target, int reason) {
    struct line line = {.size = 0};
    bool bracketed = target->address.any.sa_family == AF_INET6;
    append(&line, what);
    append(&line, bracketed ? " [" : " ");
    append(&line, target->host);
    append(&line, bracketed ? "]:" : ":");
    append(&line, target->port);
    append(&line, ": ");
    append_reason(&line, reason);
    append(&line, "\n");
    (void)write_all(STDERR_FILENO, line.text, line.size);
    return EXIT_FAILED;
}

/* Did this socket meet itself? When a local port in the ephemeral range is tried again and again, sooner or
   later the kernel picks that very port as the source, and a simultaneous open joins the socket to itself. */
static bool is_own_peer(int sock, const struct target *target) {
    struct target own;
    socklen_t size = sizeof own.address;
    memset(&own, 0, sizeof own);
    if (getsockname(sock, &own.address.any, &size) != 0) return false;
    if (target->address.any.sa_family == AF_INET) {
        return own.address.v4.sin_port == target->address.v4.sin_port &&
               own.address.v4.sin_addr.s_addr == target->address.v4.sin_addr.s_addr;
    }
    const struct sockaddr_in6 *one = &own.address.v6, *other = &target->address.v6;
    return one->sin6_port == other->sin6_port &&
           memcmp(&one->sin6_addr, &other->sin6_addr, sizeof one->sin6_addr) == 0;
}

/* Wait for a connect that is under way. Answers 0 or an errno. */
static int finish_connect(int sock, int64_t deadline) {
    for (;;) {
        struct pollfd entry = {.fd = sock, .events = POLLOUT};
        int64_t left = deadline - now_ms();
        int ready = poll(&entry, 1, left > 0 ? (int)left : 0);
        if (ready == 0) return ETIMEDOUT;
        if (ready > 0) break;
        if (errno != EINTR) return errno;
    }
    int reason = 0;
    socklen_t size = sizeof reason;
    if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &reason, &size) != 0) return errno;
    return reason;
}

/* One try. Answers 0 and the connected, non-blocking socket, or an errno. */
static int try_connect(const struct target *target, int64_t deadline, int *connected) {
    int sock = socket(target->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sock < 0) return errno;
    int reason = connect(sock, &target->address.any, target->size) == 0 ? 0 : errno;
    if (reason == EINPROGRESS || reason == EINTR) reason = finish_connect(sock, deadline);
    if (reason == 0 && is_own_peer(sock, target)) reason = ECONNREFUSED;
    if (reason == 0) {
        *connected = sock;
        return 0;
    }
    close(sock);
    return reason;
}

/* Connect; with wait_ms >= 0 try again until so many milliseconds have passed. Answers 0 or an errno. */
static int connect_to(const struct target *target, long wait_ms, int *connected) {
    int64_t deadline = now_ms() + (wait_ms >= 0 ? wait_ms : CONNECT_TIMEOUT_MS);
    for (;;) {
        int64_t soonest = now_ms() + RETRY_MS; /* --wait 0 is a try too */
        int reason = try_connect(target, deadline > soonest ? deadline : soonest, connected);
        int64_t left = deadline - now_ms();
        if (reason == 0 || wait_ms < 0 || left <= 0) return reason;
        (void)poll(NULL, 0, left < RETRY_MS ? (int)left : RETRY_MS);
    }
}

/* ---- relay: join --------------------------------------------------------------------------------------- */

/* One direction. It is filled only when empty, so what it holds is bounded, and a reader that is slow stops
   its writer and nobody else. */
struct flow {
    char data[BUFFER_SIZE];
    size_t begin, end; /* what was read and is not yet written */
    bool ended;        /* nothing more will be read */
};

static bool is_empty(const struct flow *flow) { return flow->begin == flow->end; }
static bool wants_more(const struct flow *flow) { return is_empty(flow) && !flow->ended; }

/* Read once. Answers 0, or the errno of a source that failed (which also ends the flow). */
static int fill(struct flow *flow, int from) {
    ssize_t got = read(from, flow->data, sizeof flow->data);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    flow->begin = 0;
    flow->end = got > 0 ? (size_t)got : 0;
    flow->ended = got <= 0;
    return got < 0 ? errno : 0;
}

/* Write once what there is. False: the other side takes nothing any more. */
static bool drain(struct flow *flow, int to) {
    if (is_empty(flow)) return true;
    ssize_t written = write(to, flow->data + flow->begin, flow->end - flow->begin);
    if (written < 0) return errno == EAGAIN || errno == EINTR;
    flow->begin += (size_t)written;
    return true;
}

static void make_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* An entry without events is left out: poll() reports a hangup whether asked or not, and one that is of no
   interest yet would make the loop spin. */
static struct pollfd watch(int fd, int events) {
    return (struct pollfd){.fd = events != 0 ? fd : -1, .events = (short)events};
}

/*
 * Join stdin and stdout to the socket until the socket ends.
 *
 * The end of stdin is passed on as a half close, and the answer still read. The end of the socket is the end
 * of all: the engine shows its client an end-of-file only when the exec process exits, so waiting for stdin
 * would hang both.
 */
static int join(int sock, const struct target *target) {
    static struct flow up, down;
    bool half_closed = false;
    int reason = 0;
    for (;;) {
        if (up.ended && is_empty(&up) && !half_closed) {
            shutdown(sock, SHUT_WR);
            half_closed = true;
        }
        if (down.ended && is_empty(&down)) {
            return reason == 0 ? 0 : fail("lost the connection to", target, reason);
        }

        struct pollfd entries[] = {
            watch(STDIN_FILENO, wants_more(&up) ? POLLIN : 0),
            watch(sock, (wants_more(&down) ? POLLIN : 0) | (is_empty(&up) ? 0 : POLLOUT)),
            /* Always watched: that the reader is gone is reported without being asked for. */
            {.fd = STDOUT_FILENO, .events = is_empty(&down) ? 0 : POLLOUT},
        };
        if (poll(entries, 3, -1) < 0 && errno != EINTR) return EXIT_FAILED;
        if (entries[2].revents & (POLLERR | POLLHUP | POLLNVAL)) return EXIT_FAILED;

        if (entries[0].revents != 0) (void)fill(&up, STDIN_FILENO);
        if (entries[1].revents != 0 && wants_more(&down)) reason = fill(&down, sock);
        if (!drain(&up, sock)) { /* the socket takes nothing any more, but may still have an answer to read */
            up.begin = up.end;
            up.ended = true;
        }
        if (!drain(&down, STDOUT_FILENO)) return EXIT_FAILED;
    }
}

/* What SIGALRM does by default is what is wanted: the exec ends, with an exit code that says so (142). */
static void leave_in(long milliseconds) {
    struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000},
    };
    signal(SIGALRM, SIG_DFL); /* an ignored signal stays ignored across an exec */
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

struct options {
    bool check;
    long wait_ms, limit_ms; /* -1: not given */
};

/* Read the options. Answers how many words they took, or -1. */
static int parse_options(struct options *options, int count, char **words) {
    const long most = 100000000; /* a day and more */
    int at = 0;
    while (at < count && words[at][0] == '-') {
        const char *word = words[at++];
        if (strcmp(word, "--check") == 0) {
            options->check = true;
            continue;
        }
        long *number = strcmp(word, "--wait") == 0    ? &options->wait_ms
                       : strcmp(word, "--limit") == 0 ? &options->limit_ms
                                                      : NULL;
        if (number == NULL || at == count) return -1;
        *number = parse_number(words[at++], most);
        if (*number < 0) return -1;
    }
    return at;
}

static int be_relay(int count, char **arguments) {
    struct options options = {.check = false, .wait_ms = -1, .limit_ms = -1};
    struct target target;
    int taken = parse_options(&options, count, arguments);
    if (taken < 0 || count - taken != 2 || !parse_target(&target, arguments[taken], arguments[taken + 1])) {
        return usage();
    }

    signal(SIGPIPE, SIG_IGN);
    if (options.limit_ms > 0) leave_in(options.limit_ms);
    int sock = -1;
    int reason = connect_to(&target, options.wait_ms, &sock);
    if (reason != 0) return fail("cannot connect to", &target, reason);
    if (options.check) return 0;
    int on = 1;
    (void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* pass on, do not collect */
    make_nonblocking(STDIN_FILENO);
    make_nonblocking(STDOUT_FILENO);
    return join(sock, &target);
}

/* ---- the files of volumes ------------------------------------------------------------------------------ */

/*
 * Others may change a volume meanwhile, and want to lead this program astray. So nothing is named by more than one
 * word, links are never followed, and what was looked at is what is changed: by its descriptor (O_PATH), or by the
 * name of that in /proc.
 */

/* One line on stderr: "<what> NAME: <reason>". */
static int complain(const char *what, const char *name, int reason) {
    struct line line = {.size = 0};
    append(&line, what);
    append(&line, " ");
    append(&line, name);
    append(&line, ": ");
    append_reason(&line, reason);
    append(&line, "\n");
    (void)write_all(STDERR_FILENO, line.text, line.size);
    return EXIT_FAILED;
}

/* Something to be done with each entry of a directory. Answers 0 or an exit code. */
typedef int visit(int directory, const char *name, int depth, void *context);

static int visit_all(int directory, int depth, visit *each, void *context) {
    char list[LIST_SIZE] __attribute__((aligned(8)));
    int got;
    while ((got = getdents(directory, (struct dirent *)list, sizeof list)) > 0) {
        for (int at = 0; at < got;) {
            struct dirent *entry = (struct dirent *)(list + at);
            at += entry->d_reclen;
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
            int code = each(directory, entry->d_name, depth, context);
            if (code != 0) return code;
        }
    }
    return got == 0 ? 0 : complain("cannot list", "a directory", errno);
}

/* Open the directory behind an O_PATH descriptor, to be listed. */
static int open_list(int fd) { return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

struct ownership {
    gid_t group;
};

static mode_t wanted_bits(mode_t mode) { return S_ISDIR(mode) ? 02770 : 0660; }

/* /proc/self/fd/N, whose target chmod() changes: there is no call for a descriptor that is O_PATH. */
static int change_mode(int fd, mode_t mode) {
    struct line path = {.size = 0};
    char digits[12], *first = digits + sizeof digits - 1;
    *first = '\0';
    do *--first = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    append(&path, "/proc/self/fd/");
    append(&path, first);
    path.text[path.size] = '\0';
    return chmod(path.text, mode);
}

static int own_entry(int directory, const char *name, int depth, void *context) {
    const struct ownership *wanted = context;
    int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : complain("cannot open", name, errno);
    struct stat found;
    int code = 0, list = -1;
    if (fstat(fd, &found) != 0 || fchownat(fd, "", (uid_t)-1, wanted->group, AT_EMPTY_PATH) != 0) {
        code = complain("cannot give to the group", name, errno);
    } else if (!S_ISLNK(found.st_mode) &&
               change_mode(fd, (found.st_mode & 07777) | wanted_bits(found.st_mode)) != 0) {
        code = complain("cannot change the mode of", name, errno);
    } else if (S_ISDIR(found.st_mode)) {
        list = depth < DEEPEST ? open_list(fd) : (errno = ELOOP, -1);
        if (list < 0) code = complain("cannot open", name, errno);
    }
    close(fd);
    if (list >= 0) {
        code = visit_all(list, depth + 1, own_entry, context);
        close(list);
    }
    return code;
}

static int be_owner(int count, char **arguments) {
    bool on_mismatch = count == 3 && strcmp(arguments[0], "--on-mismatch") == 0;
    if (on_mismatch) arguments++;
    long group = count == 2 || on_mismatch ? parse_number(arguments[0], 2147483647) : -1;
    if (group < 0) return usage();
    struct ownership wanted = {.group = (gid_t)group};
    struct stat root;
    if (stat(arguments[1], &root) != 0) return complain("cannot look at", arguments[1], errno);
    mode_t bits = wanted_bits(root.st_mode);
    if (on_mismatch && root.st_gid == wanted.group && (root.st_mode & bits) == bits) return 0;
    return own_entry(AT_FDCWD, arguments[1], 0, &wanted);
}

static const char DATA[] = "..data", NEW_DATA[] = "..data_tmp";

static int remove_entry(int directory, const char *name, int depth, void *context) {
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
    int list = depth < DEEPEST ? openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (list < 0) return complain("cannot remove", name, errno);
    int code = visit_all(list, depth + 1, remove_entry, context);
    close(list);
    if (code == 0 && unlinkat(directory, name, AT_REMOVEDIR) != 0) code = complain("cannot remove", name, errno);
    return code;
}

struct version {
    char name[NAME_SIZE]; /* of the directory that ..data leads to */
};

/* Another version, or a name that leads nowhere in this one. A list may show an entry twice when others go, and that is all. */
static int sweep_entry(int directory, const char *name, int depth, void *context) {
    const struct version *kept = context;
    if (strcmp(name, DATA) == 0 || strcmp(name, kept->name) == 0) return 0;
    bool is_version = name[0] == '.' && name[1] == '.';
    struct stat found;
    if (!is_version && fstatat(directory, name, &found, 0) == 0) return 0;
    return remove_entry(directory, name, depth, context);
}

/* The name under which a file of this version is seen: a link through ..data. */
static int link_entry(int list, const char *name, int depth, void *context) {
    (void)list, (void)depth;
    struct line target = {.size = 0};
    append(&target, DATA);
    append(&target, "/");
    append(&target, name);
    target.text[target.size] = '\0';
    if (symlinkat(target.text, *(int *)context, name) == 0 || errno == EEXIST) return 0;
    return complain("cannot make", name, errno);
}

static int be_publisher(int count, char **arguments) {
    if (count != 1) return usage();
    int directory = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return complain("cannot open", arguments[0], errno);
    if (renameat(directory, NEW_DATA, directory, DATA) != 0) return complain("cannot rename", NEW_DATA, errno);
    struct version kept;
    ssize_t size = readlinkat(directory, DATA, kept.name, sizeof kept.name - 1);
    if (size < 0) return complain("cannot read", DATA, errno);
    kept.name[size] = '\0';
    int list = openat(directory, kept.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (list < 0) return complain("cannot open", kept.name, errno);
    int code = visit_all(list, 0, link_entry, &directory);
    if (code != 0) return code;
    return visit_all(directory, 0, sweep_entry, &kept);
}

int main(int count, char **arguments) {
    if (count <= 1) return be_pause(false);
    if (strcmp(arguments[1], "relay") == 0) return be_relay(count - 2, arguments + 2);
    if (strcmp(arguments[1], "own") == 0) return be_owner(count - 2, arguments + 2);
    if (strcmp(arguments[1], "publish") == 0) return be_publisher(count - 2, arguments + 2);
    if (count == 2 && strcmp(arguments[1], "--lease") == 0) return be_pause(true);
    return usage();
}
