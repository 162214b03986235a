/* Loaded before libc (LD_PRELOAD) into the processes of a trial: a clock that the trial sets, and a disk that is full
 * for it. Both are ruled by a file of struct state, mapped by every process and written by the trial. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As STATE in shim.py packs it. */
struct state {
    int64_t clock_offset;  /* nanoseconds added to the time of day */
    int64_t first, last;   /* these calls to matching files fail with ENOSPC, counted from 1; first = 0: none do */
    int64_t count;         /* such calls so far, of all processes together */
    char pattern[256];     /* fnmatch() of the whole path */
};

static struct state *state;

__attribute__((constructor)) static void map_state(void) {
    const char *path = getenv("CHAOS_SHIM");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) state = mapped;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- the clock */

static int64_t offset(void) { return state ? __atomic_load_n(&state->clock_offset, __ATOMIC_RELAXED) : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = REAL(clock_gettime);
    int answer = real(clock, now);
    if (!answer && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t moved = now->tv_sec * 1000000000LL + now->tv_nsec + offset();
        now->tv_sec = moved / 1000000000LL;
        now->tv_nsec = moved % 1000000000LL;
    }
    return answer;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *kept) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (kept) *kept = precise.tv_sec;
    return precise.tv_sec;
}

/* --- the disk */

static int is_full_for(const char *path) {
    if (!state || !__atomic_load_n(&state->first, __ATOMIC_ACQUIRE) || fnmatch(state->pattern, path, 0)) return 0;
    int64_t number = __atomic_add_fetch(&state->count, 1, __ATOMIC_ACQ_REL);
    if (number < state->first || number > state->last) return 0;
    errno = ENOSPC;
    return 1;
}

static int is_full(int fd) {
    if (!state || !__atomic_load_n(&state->first, __ATOMIC_ACQUIRE)) return 0;
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return is_full_for(path);
}

#define FAILING(type, name, parameters, arguments)        \
    type name parameters {                                \
        static __typeof__(&name) real;                    \
        if (!real) real = REAL(name);                     \
        if (is_full(fd)) return -1;                       \
        return real arguments;                            \
    }

FAILING(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
FAILING(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
FAILING(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
FAILING(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
FAILING(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
FAILING(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
FAILING(ssize_t, sendfile, (int fd, int from, off_t *at, size_t count), (fd, from, at, count))
FAILING(ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t count), (fd, from, at, count))

/* What is on the disk for good, a line a call: inode and size, appended to the file that CHAOS_SYNCED names. */
static void note_synced(int fd) {
    static int notes = -2;
    if (notes == -2) {
        const char *path = getenv("CHAOS_SYNCED");
        notes = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    }
    struct stat found;
    if (notes < 0 || fstat(fd, &found)) return;
    char line[64];
    int length = snprintf(line, sizeof line, "%llu %lld\n", (unsigned long long)found.st_ino, (long long)found.st_size);
    ssize_t written = REAL(write)(notes, line, length);
    (void)written;
}

#define SYNCING(name)                                     \
    int name(int fd) {                                    \
        static __typeof__(&name) real;                    \
        if (!real) real = REAL(name);                     \
        if (is_full(fd)) return -1;                       \
        int answer = real(fd);                            \
        if (!answer) note_synced(fd);                     \
        return answer;                                    \
    }

SYNCING(fsync)
SYNCING(fdatasync)
FAILING(int, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
FAILING(int, fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))
FAILING(int, ftruncate, (int fd, off_t length), (fd, length))
FAILING(int, ftruncate64, (int fd, off64_t length), (fd, length))

ssize_t copy_file_range(int from, off64_t *at, int fd, off64_t *to, size_t count, unsigned flags) {
    static __typeof__(&copy_file_range) real;
    if (!real) real = REAL(copy_file_range);
    return is_full(fd) ? -1 : real(from, at, fd, to, count, flags);
}

int mkdir(const char *path, mode_t mode) {
    static __typeof__(&mkdir) real;
    if (!real) real = REAL(mkdir);
    return is_full_for(path) ? -1 : real(path, mode);
}

/* A new file takes room too; one that is only read does not. */
#define OPENING(name, parameters, arguments)                            \
    int name parameters {                                               \
        static __typeof__(&name) real;                                  \
        if (!real) real = REAL(name);                                   \
        mode_t mode = 0;                                                \
        if (flags & (O_CREAT | __O_TMPFILE)) {                          \
            va_list rest;                                               \
            va_start(rest, flags);                                      \
            mode = va_arg(rest, mode_t);                                \
            va_end(rest);                                               \
        }                                                               \
        if ((flags & O_CREAT) && access(path, F_OK) && is_full_for(path)) return -1; \
        return real arguments;                                          \
    }

OPENING(open, (const char *path, int flags, ...), (path, flags, mode))
OPENING(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENING(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENING(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
