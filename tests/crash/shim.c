/* Crash shim: counts and logs the write-side calls on one folder, and makes a chosen one die, tear or fail.
 *
 * Loaded with LD_PRELOAD, inert until arm(). Every wrapper asks the same three questions: is the path under
 * the root, what must this operation do (decide), and what did it do (note). One mutex spans the operation
 * and its record, so the order of the log is the order of execution. The log is written by write(2) and
 * the count lives in a shared mapping made before any fork: both survive the SIGKILL that the shim sends.
 * Forked children of the workload share count and log; only the process that meets the fault dies.
 *
 * Not seen: C stdio, raw system calls, io_uring, static programs, memory-mapped writes, moves into the root.
 * Build: cc -shared -fPIC -O2 -U_FORTIFY_SOURCE shim.c -ldl -lpthread
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { COUNT, BEFORE, AFTER, TORN, SHORT, ONCE, STICKY };
enum { DELETED_SUFFIX = 10, LOG_FD_MIN = 700 };

/* One record: this header, then the first path, the second path, the stored bytes (W and M only). */
struct __attribute__((packed)) head {
    char code;
    uint16_t path_len, path2_len;
    int64_t op, offset, length, stored;
};

static _Atomic int64_t *counter;
static atomic_int armed;
static char root[PATH_MAX];
static size_t root_len;
static int64_t fault_at = -1;
static int fault_mode, fault_errno, log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({                                                                       \
    static __typeof__(&name) real_;                                                         \
    real_ = real_ ? real_ : (__typeof__(&name))dlsym(RTLD_NEXT, #name);                     \
    real_; })

static void unlock_in_child(void) { pthread_mutex_init(&lock, NULL); }

__attribute__((constructor)) static void load(void)
{
    counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_atfork(NULL, NULL, unlock_in_child);
}

/* ---- the log and the decision ------------------------------------------------------------------ */

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* One call for one record: processes that share the log (it is in append mode) cannot mix theirs. */
static void append(struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t got = REAL(writev)(log_fd, parts, count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) { perror("crash shim: the log cannot be written"); abort(); }
        for (; count > 0 && (size_t)got >= parts->iov_len; parts++, count--) got -= parts->iov_len;
        if (count > 0) parts->iov_base = (char *)parts->iov_base + got, parts->iov_len -= (size_t)got;
    }
}

static void note(char code, int64_t op, const char *path, const char *path2, int64_t offset,
                 int64_t length, const void *bytes)
{
    if (log_fd < 0) return;
    int saved = errno;
    struct head head = { code, (uint16_t)strlen(path), (uint16_t)strlen(path2), op, offset, length,
                         bytes ? length : 0 };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)path, head.path_len },
                             { (void *)path2, head.path2_len }, { (void *)bytes, (size_t)head.stored } };
    append(parts, 4);
    errno = saved;
}

/* Takes the next number; the lock is held. The number, or -1: the operation must fail with errno as set. */
static int64_t decide(int needs_space)
{
    int64_t op = atomic_fetch_add(counter, 1);
    if (fault_mode == BEFORE && op == fault_at) die();
    int once = fault_mode == ONCE && op == fault_at;
    int sticky = fault_mode == STICKY && op >= fault_at && (needs_space || fault_errno != ENOSPC);
    if (once || sticky) { errno = fault_errno; return -1; }
    return op;
}

static void leave(int64_t op)
{
    if (fault_mode == AFTER && op == fault_at) die();
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static int is_half(int64_t op) { return (fault_mode == TORN || fault_mode == SHORT) && op == fault_at; }

/* An operation of one call: number, decision, call, record (the arguments after the number). */
#define STEP(needs_space, call, code, ...) ({                                               \
    pthread_mutex_lock(&lock);                                                              \
    int64_t op_ = decide(needs_space);                                                      \
    __typeof__(call) got_ = op_ < 0 ? -1 : (call);                                          \
    if (op_ >= 0 && got_ >= 0) note(code, op_, __VA_ARGS__);                                \
    leave(op_); got_; })

/* ---- which calls concern the root -------------------------------------------------------------- */

static int is_under(const char *path)
{
    return strncmp(path, root, root_len) == 0 && (path[root_len] == '/' || path[root_len] == 0);
}

static int link_of(int fd, char *out)
{
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, out, PATH_MAX - 1);
    out[n < 0 ? 0 : n] = 0;
    return n > 0;
}

/* The descriptor's present path (renames are followed); true if it lies under the root. */
static int sees_fd(int fd, char *out)
{
    if (!atomic_load(&armed)) return 0;
    int saved = errno, seen = link_of(fd, out) && is_under(out);
    errno = saved;
    return seen;
}

/* The absolute name without following its last part, as renames, links and unlinks take it. */
static void resolve(int dirfd, const char *name, char *out)
{
    char full[2 * PATH_MAX + 2], base[PATH_MAX] = "";
    if (name[0] == '/') full[0] = 0;
    else if (dirfd == AT_FDCWD ? !getcwd(full, PATH_MAX) : !link_of(dirfd, full)) full[0] = 0;
    size_t n = strlen(full);
    snprintf(full + n, sizeof full - n, "/%s", name);
    for (n = strlen(full); n > 1 && full[n - 1] == '/';) full[--n] = 0;
    char *cut = strrchr(full, '/');
    if (strcmp(cut, "/.") != 0 && strcmp(cut, "/..") != 0) {
        snprintf(base, sizeof base, "%s", cut);
        *cut = 0;
    }
    if (!realpath(full[0] ? full : "/", out)) snprintf(out, PATH_MAX, "%.4000s", full);
    if (strcmp(out, "/") == 0) out[0] = 0;
    n = strlen(out);
    snprintf(out + n, PATH_MAX - n, "%s", base);
}

static int sees_name(int dirfd, const char *name, char *out)
{
    if (!atomic_load(&armed) || !name || strlen(name) >= PATH_MAX) return 0;
    int saved = errno;
    resolve(dirfd, name, out);
    errno = saved;
    return is_under(out);
}

/* ---- opens ------------------------------------------------------------------------------------- */

static int open_at(int dirfd, const char *name, int flags, mode_t perm)
{
    char path[PATH_MAX];
    struct stat st;
    if (!(flags & (O_CREAT | O_TRUNC)) || !sees_name(dirfd, name, path))
        return REAL(openat)(dirfd, name, flags, perm);
    pthread_mutex_lock(&lock);
    int saved = errno, existed = fstatat(dirfd, name, &st, 0) == 0;
    errno = saved;
    int64_t op = decide(!existed);
    int fd = op < 0 ? -1 : REAL(openat)(dirfd, name, flags, perm);
    if (fd >= 0) {
        link_of(fd, path);
        note(!existed ? 'C' : flags & O_TRUNC ? 'Z' : 'N', op, path, "", 0, 0, NULL);
    }
    leave(op);
    return fd;
}

static int has_perm(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

#define OPEN(fn) int fn(const char *name, int flags, ...)                                   \
    { va_list rest; va_start(rest, flags);                                                  \
      mode_t perm = has_perm(flags) ? va_arg(rest, mode_t) : 0; va_end(rest);               \
      return open_at(AT_FDCWD, name, flags, perm); }
#define OPENAT(fn) int fn(int dirfd, const char *name, int flags, ...)                      \
    { va_list rest; va_start(rest, flags);                                                  \
      mode_t perm = has_perm(flags) ? va_arg(rest, mode_t) : 0; va_end(rest);               \
      return open_at(dirfd, name, flags, perm); }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int __open_2(const char *name, int flags) { return open_at(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return open_at(AT_FDCWD, name, flags, 0); }
int __openat_2(int dirfd, const char *name, int flags) { return open_at(dirfd, name, flags, 0); }
int __openat64_2(int dirfd, const char *name, int flags) { return open_at(dirfd, name, flags, 0); }
int creat(const char *name, mode_t perm) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, perm); }
int creat64(const char *name, mode_t perm) { return creat(name, perm); }

/* ---- writes ------------------------------------------------------------------------------------ */

static off_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* Where a write lands; off < 0 means at the position. Linux appends under O_APPEND whatever the offset. */
static off_t lands_at(int fd, off_t off)
{
    if (fcntl(fd, F_GETFL) & O_APPEND) return size_of(fd);
    return off >= 0 ? off : lseek(fd, 0, SEEK_CUR);
}

static ssize_t put(int fd, const char *path, const void *bytes, size_t n, off_t off, int flags)
{
    pthread_mutex_lock(&lock);
    off_t from = lands_at(fd, off);
    int64_t op = decide(from + (off_t)n > size_of(fd));
    if (op < 0) { leave(op); return -1; }
    int half = is_half(op) && (n > 1 || fault_mode == TORN);
    struct iovec one = { (void *)bytes, half ? n / 2 : n };
    ssize_t got = flags ? REAL(pwritev2)(fd, &one, 1, off, flags)
                  : off < 0 ? REAL(write)(fd, bytes, one.iov_len) : REAL(pwrite)(fd, bytes, one.iov_len, off);
    if (got > 0) note('W', op, path, "", from, got, bytes);
    if (half && fault_mode == TORN) die();
    leave(op);
    return got;
}

/* A vector is written as one piece: the same operation, and half of it is easy to say. */
static ssize_t put_vector(int fd, const char *path, const struct iovec *iov, int parts, off_t off, int flags)
{
    size_t n = 0, filled = 0;
    for (int i = 0; i < parts; i++) n += iov[i].iov_len;
    char *bytes = malloc(n + 1);
    if (!bytes) { errno = ENOMEM; return -1; }
    for (int i = 0; i < parts; filled += iov[i].iov_len, i++)
        memcpy(bytes + filled, iov[i].iov_base, iov[i].iov_len);
    ssize_t got = put(fd, path, bytes, n, off, flags);
    free(bytes);
    return got;
}

#define ONE(fn, params, args, off) ssize_t fn params                                        \
    { char path[PATH_MAX];                                                                  \
      return sees_fd(fd, path) ? put(fd, path, bytes, n, off, 0) : REAL(fn) args; }
#define VECTOR(fn, params, args, off, flags) ssize_t fn params                              \
    { char path[PATH_MAX];                                                                  \
      return sees_fd(fd, path) ? put_vector(fd, path, iov, parts, off, flags) : REAL(fn) args; }
ONE(write, (int fd, const void *bytes, size_t n), (fd, bytes, n), -1)
ONE(pwrite, (int fd, const void *bytes, size_t n, off_t off), (fd, bytes, n, off), off)
ONE(pwrite64, (int fd, const void *bytes, size_t n, off64_t off), (fd, bytes, n, off), off)
VECTOR(writev, (int fd, const struct iovec *iov, int parts), (fd, iov, parts), -1, 0)
VECTOR(pwritev, (int fd, const struct iovec *iov, int parts, off_t off), (fd, iov, parts, off), off, 0)
VECTOR(pwritev64, (int fd, const struct iovec *iov, int parts, off64_t off), (fd, iov, parts, off), off, 0)
VECTOR(pwritev2, (int fd, const struct iovec *iov, int parts, off_t off, int flags),
       (fd, iov, parts, off, flags), off, flags)
VECTOR(pwritev64v2, (int fd, const struct iovec *iov, int parts, off64_t off, int flags),
       (fd, iov, parts, off, flags), off, flags)

struct copy { int from_fd, to_fd; off64_t *from_at, *to_at; size_t n; unsigned flags; int is_sendfile; };

static ssize_t run_copy(const struct copy *c, size_t n)
{
    if (c->is_sendfile) return REAL(sendfile)(c->to_fd, c->from_fd, c->from_at, n);
    return REAL(copy_file_range)(c->from_fd, c->from_at, c->to_fd, c->to_at, n, c->flags);
}

static void note_copy(int64_t op, const char *path, int from_fd, off_t read_at, off_t land_at, ssize_t n)
{
    char *bytes = malloc((size_t)n);
    if (!bytes || pread(from_fd, bytes, (size_t)n, read_at) != n) {
        perror("crash shim: what was copied cannot be read back");
        abort();
    }
    note('W', op, path, "", land_at, n, bytes);
    free(bytes);
}

static ssize_t put_copy(const struct copy *c)
{
    char path[PATH_MAX];
    if (!sees_fd(c->to_fd, path)) return run_copy(c, c->n);
    pthread_mutex_lock(&lock);
    off_t read_at = c->from_at ? *c->from_at : lseek(c->from_fd, 0, SEEK_CUR);
    off_t land_at = lands_at(c->to_fd, c->to_at ? *c->to_at : -1), left = size_of(c->from_fd) - read_at;
    size_t n = (off_t)c->n < left ? c->n : left > 0 ? (size_t)left : 0;
    int64_t op = decide(land_at + (off_t)n > size_of(c->to_fd));
    if (op < 0) { leave(op); return -1; }
    int half = is_half(op) && (n > 1 || fault_mode == TORN);
    ssize_t got = run_copy(c, half ? n / 2 : c->n);
    if (got > 0) note_copy(op, path, c->from_fd, read_at, land_at, got);
    if (half && fault_mode == TORN) die();
    leave(op);
    return got;
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    return put_copy(&(struct copy){ from, to, from_at, to_at, n, flags, 0 });
}

ssize_t sendfile(int to, int from, off_t *from_at, size_t n)
{
    return put_copy(&(struct copy){ from, to, from_at, NULL, n, 0, 1 });
}

ssize_t sendfile64(int to, int from, off64_t *from_at, size_t n) { return sendfile(to, from, from_at, n); }

/* ---- sizes and syncs --------------------------------------------------------------------------- */

#define SIZE(fn, off_type) int fn(int fd, off_type size)                                    \
    { char path[PATH_MAX];                                                                  \
      if (!sees_fd(fd, path)) return REAL(fn)(fd, size);                                    \
      return STEP(0, REAL(fn)(fd, size), 'T', path, "", 0, size, NULL); }
#define SIZE_NAME(fn, off_type) int fn(const char *name, off_type size)                     \
    { char path[PATH_MAX];                                                                  \
      if (!sees_name(AT_FDCWD, name, path)) return REAL(fn)(name, size);                    \
      return STEP(0, REAL(fn)(name, size), 'T', path, "", 0, size, NULL); }
#define ALLOCATE(fn, off_type) int fn(int fd, int how, off_type off, off_type n)            \
    { char path[PATH_MAX];                                                                  \
      if (!sees_fd(fd, path)) return REAL(fn)(fd, how, off, n);                             \
      return STEP(1, REAL(fn)(fd, how, off, n), 'T', path, "", 0, size_of(fd), NULL); }
SIZE(ftruncate, off_t)
SIZE(ftruncate64, off64_t)
SIZE_NAME(truncate, off_t)
SIZE_NAME(truncate64, off64_t)
ALLOCATE(fallocate, off_t)
ALLOCATE(fallocate64, off64_t)

/* Inside libc it is a raw system call, and it returns its error instead of setting errno. */
int posix_fallocate(int fd, off_t off, off_t n)
{
    char path[PATH_MAX];
    if (!sees_fd(fd, path)) return REAL(posix_fallocate)(fd, off, n);
    int saved = errno;
    int got = STEP(1, (errno = REAL(posix_fallocate)(fd, off, n)) ? -1 : 0, 'T', path, "", 0, size_of(fd), NULL);
    int error = got == 0 ? 0 : errno;
    errno = saved;
    return error;
}

int posix_fallocate64(int fd, off64_t off, off64_t n) { return posix_fallocate(fd, off, n); }

/* A sync made to fail is logged with length -1: the kernel may drop the pages it could not write. */
static int sync_fd(int fd, int (*call)(int), int whole)
{
    char path[PATH_MAX];
    if (!sees_fd(fd, path)) return call(fd);
    pthread_mutex_lock(&lock);
    int64_t op = decide(0);
    int got = op < 0 ? -1 : call(fd);
    if (op < 0 || got == 0) note('S', op, path, "", whole, op < 0 ? -1 : 0, NULL);
    leave(op);
    return got;
}

int fsync(int fd) { return sync_fd(fd, REAL(fsync), 0); }
int fdatasync(int fd) { return sync_fd(fd, REAL(fdatasync), 0); }
int syncfs(int fd) { return sync_fd(fd, REAL(syncfs), 1); }

/* ---- names ------------------------------------------------------------------------------------- */

static int rename_at(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char path[PATH_MAX], path2[PATH_MAX];
    int seen = sees_name(from_dir, from, path), seen2 = sees_name(to_dir, to, path2);
    if (!seen && !seen2) return REAL(renameat2)(from_dir, from, to_dir, to, flags);
    return STEP(0, REAL(renameat2)(from_dir, from, to_dir, to, flags), 'R', path, path2, flags, 0, NULL);
}

int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int d, const char *from, int d2, const char *to) { return rename_at(d, from, d2, to, 0); }
int renameat2(int d, const char *from, int d2, const char *to, unsigned f) { return rename_at(d, from, d2, to, f); }

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char path[PATH_MAX], path2[PATH_MAX];
    int seen = sees_name(from_dir, from, path), seen2 = sees_name(to_dir, to, path2);
    if (!seen && !seen2) return REAL(linkat)(from_dir, from, to_dir, to, flags);
    return STEP(1, REAL(linkat)(from_dir, from, to_dir, to, flags), 'L', path, path2, 0, 0, NULL);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* A symbolic link is an L with offset 1, whose first path is the target as given. */
int symlinkat(const char *target, int dirfd, const char *name)
{
    char path[PATH_MAX];
    if (!sees_name(dirfd, name, path)) return REAL(symlinkat)(target, dirfd, name);
    return STEP(1, REAL(symlinkat)(target, dirfd, name), 'L', target, path, 1, 0, NULL);
}

int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

int unlinkat(int dirfd, const char *name, int flags)
{
    char path[PATH_MAX];
    if (!sees_name(dirfd, name, path)) return REAL(unlinkat)(dirfd, name, flags);
    return STEP(0, REAL(unlinkat)(dirfd, name, flags), 'U', path, "", 0, 0, NULL);
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) { return unlink(name) == 0 ? 0 : errno == EISDIR ? rmdir(name) : -1; }

int mkdirat(int dirfd, const char *name, mode_t perm)
{
    char path[PATH_MAX];
    if (!sees_name(dirfd, name, path)) return REAL(mkdirat)(dirfd, name, perm);
    return STEP(1, REAL(mkdirat)(dirfd, name, perm), 'D', path, "", 0, 0, NULL);
}

int mkdir(const char *name, mode_t perm) { return mkdirat(AT_FDCWD, name, perm); }

/* ---- controls ---------------------------------------------------------------------------------- */

void disarm(void)
{
    atomic_store(&armed, 0);
    if (log_fd >= 0) close(log_fd);
    log_fd = -1;
}

/* Starts counting from 0 under `folder`. An empty log name logs nothing; a log is appended to. */
int arm(const char *folder, int64_t at, int mode, int error, const char *log)
{
    disarm();
    if (!realpath(folder, root)) return -1;
    root_len = strlen(root);
    fault_at = at, fault_mode = mode, fault_errno = error;
    if (log && log[0]) {
        int fd = REAL(openat)(AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) return -1;
        log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_MIN);
        close(fd);
        if (log_fd < 0) return -1;
    }
    atomic_store(counter, 0);
    atomic_store(&armed, 1);
    return 0;
}

int64_t count(void) { return atomic_load(counter); }

/* Says what the workload has acknowledged to the outside; not an operation, so never a point of failure. */
void mark(const char *text)
{
    if (!atomic_load(&armed)) return;
    pthread_mutex_lock(&lock);
    note('M', -1, "", "", 0, (int64_t)strlen(text), text);
    pthread_mutex_unlock(&lock);
}
