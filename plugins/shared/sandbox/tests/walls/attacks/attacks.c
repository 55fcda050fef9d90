/* Attacks by bare system calls; what leaves a trace is looked at by the test as well. See tell.h for the arguments. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "tell.h"

static int connects(int family, int type, int protocol, struct sockaddr *address, socklen_t length) {
    int s = socket(family, type, protocol);
    if (s < 0) return -1;
    return connect(s, address, length);
}

static int fast_open(struct sockaddr_in *address) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0) return -1;
    return sendto(s, "x", 1, MSG_FASTOPEN, (struct sockaddr *)address, sizeof *address);
}

static int fast_open_by_message(struct sockaddr_in *address) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct iovec bytes = {"x", 1};
    struct msghdr message = {address, sizeof *address, &bytes, 1, 0, 0, 0};
    if (s < 0) return -1;
    return sendmsg(s, &message, MSG_FASTOPEN);
}

static int datagram(struct sockaddr *address, socklen_t length, int family) {
    int s = socket(family, SOCK_DGRAM, 0), pair[2];
    if (s < 0 && family == AF_UNIX && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) s = pair[0];
    if (s < 0) return -1;
    return sendto(s, "x", 1, 0, address, length);
}

static int open_flags(const char *name, int flags) {
    return open(name, flags | O_CLOEXEC, 0600);
}

static int owner_of(int by_ioctl) {
    int pair[2], pid = victim;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return -1;
    if (by_ioctl ? ioctl(pair[0], FIOSETOWN, &pid) : fcntl(pair[0], F_SETOWN, pid)) return -1;
    if (fcntl(pair[0], F_SETSIG, SIGKILL)) return -1;
    if (fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK)) return -1;
    return write(pair[1], "x", 1);
}

static int owner_by_struct(void) {
    int pipes[2];
    struct f_owner_ex owner = {F_OWNER_PID, victim};
    if (pipe(pipes) || fcntl(pipes[0], F_SETOWN_EX, &owner) || fcntl(pipes[0], F_SETSIG, SIGKILL)) return -1;
    if (fcntl(pipes[0], F_SETFL, O_ASYNC)) return -1;
    return write(pipes[1], "x", 1);
}

static int queued(void) {
    siginfo_t info = {0};
    info.si_signo = SIGKILL;
    info.si_code = SI_QUEUE;
    return syscall(SYS_rt_sigqueueinfo, victim, SIGKILL, &info);
}

static int by_pidfd(void) {
    int fd = syscall(SYS_pidfd_open, victim, 0);
    if (fd < 0) return -1;
    return syscall(SYS_pidfd_send_signal, fd, SIGKILL, 0, 0);
}

static int taken_descriptor(void) {
    int fd = syscall(SYS_pidfd_open, victim, 0);
    if (fd < 0) return -1;
    return syscall(SYS_pidfd_getfd, fd, 0, 0);
}

static int reads_memory(void) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
    if (process_vm_readv(victim, &here, 1, &there, 1, 0) >= 0) return 0;
    return errno == EPERM ? -1 : 0; /* EFAULT: it was let in, and found nothing there */
}

static int writes_memory(void) {
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
    if (process_vm_writev(victim, &here, 1, &there, 1, 0) >= 0) return 0;
    return errno == EPERM ? -1 : 0;
}

static int idle(pid_t pid) {
    struct sched_param param = {0};
    return sched_setscheduler(pid, SCHED_IDLE, &param);
}

static int pinned(pid_t pid) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    return sched_setaffinity(pid, sizeof one, &one);
}

static int attributes(pid_t pid) {
    struct { unsigned size, policy; unsigned long long flags; int nice; unsigned priority; unsigned long long a, b, c; } attr = {48, SCHED_IDLE, 0, 0, 0, 0, 0, 0};
    return syscall(SYS_sched_setattr, pid, &attr, 0);
}

static int limit_of(pid_t pid) {
    struct rlimit limit = {0, 0};
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
}

static int raised(int resource) {
    struct rlimit limit;
    if (getrlimit(resource, &limit)) return -1;
    if (limit.rlim_max == RLIM_INFINITY) return -1;
    limit.rlim_max += 1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

static int linked_and_written(void) {
    if (link(path[1], path[3])) return -1;
    int fd = open(path[3], O_WRONLY);
    return fd < 0 ? -1 : write(fd, "x", 1);
}

static int moved_in(void) { return rename(path[1], path[3]); }

static int through_link(int flags) {
    char name[5000];
    snprintf(name, sizeof name, "%s/door-%d", path[2], flags);
    if (symlink(path[1], name)) return -1;
    return open(name, flags);
}

static int of_process(const char *what, int flags) {
    char name[100];
    snprintf(name, sizeof name, "/proc/%d/%s", victim, what);
    return open(name, flags | O_CLOEXEC);
}

static int through_root(void) {
    char name[5000];
    snprintf(name, sizeof name, "/proc/%d/root%s", victim, path[1]);
    return open(name, O_RDONLY);
}

static int through_folder(void) {
    char name[100];
    snprintf(name, sizeof name, "/proc/%d/cwd/secret.txt", victim);
    return open(name, O_RDONLY);
}

static int watched(void) {
    int fd = inotify_init1(IN_CLOEXEC);
    return fd < 0 ? -1 : inotify_add_watch(fd, path[0], IN_ALL_EVENTS);
}

static int attribute(void) { return setxattr(path[1], "user.note", "x", 1, 0); }

static int times(void) {
    struct utimbuf then = {1, 1};
    return utime(path[1], &then);
}

static int handle(void) {
    struct { struct file_handle head; char bytes[128]; } room;
    int mount;
    room.head.handle_bytes = 128;
    return name_to_handle_at(AT_FDCWD, path[1], &room.head, &mount, 0);
}

static int leased(void) {
    char name[5000];
    snprintf(name, sizeof name, "%s/lease", path[2]);
    int fd = open(name, O_RDONLY | O_CREAT, 0600);
    return fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_RDLCK);
}

static int executes_own(void) {
    char name[5000];
    snprintf(name, sizeof name, "%s/program", path[2]);
    int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    char block[65536];
    for (ssize_t n; from >= 0 && (n = read(from, block, sizeof block)) > 0;)
        if (write(to, block, n) != n) return -1;
    if (from < 0) {
        /* Not even its own file can be found by that name: any script will do. */
        if (write(to, "#!/bin/sh\n", 10) != 10) return -1;
    }
    close(to);
    fchmod(to, 0700);
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        execl(name, name, NULL);
        _exit(99);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 99 ? -1 : 0;
}

static int in_memory_program(void) { return syscall(SYS_memfd_create, "x", 0); }

static int clone_flags(unsigned long flags) {
    long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, NULL, __WALL);
    return pid > 0 ? 0 : -1;
}

static int clone_by_struct(void) {
    unsigned long long arguments[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    long pid = syscall(435, arguments, sizeof arguments);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, NULL, 0);
    return pid > 0 ? 0 : -1;
}

/* A way in that has numbers of its own: in a child, since the answer may be its end. */
static int foreign_interface(int way) {
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        long answer = -1;
#ifdef __x86_64__
        if (way == 0) /* i386: getpid is 20 */
            __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
        else /* x32: getpid is 39 */
            answer = syscall(0x40000000 + 39);
#endif
        _exit(answer > 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int mapped(int flags, int fd) {
    void *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, flags, fd, 0);
    return at == MAP_FAILED ? -1 : 0;
}

static int zeroes(void) {
    int fd = open("/dev/zero", O_RDWR);
    return fd < 0 ? -1 : mapped(MAP_SHARED, fd);
}

static int typed(void) {
    int fd = open("/dev/tty", O_RDWR);
    return ioctl(fd < 0 ? 0 : fd, TIOCSTI, "x");
}

static int wide_pipe(void) {
    int pipes[2];
    return pipe(pipes) ? -1 : fcntl(pipes[0], F_SETPIPE_SZ, 1 << 20);
}

static int asked(int option, unsigned long value) { return prctl(option, value, 0, 0, 0); }

int main(int count, char **values) {
    if (hear(count, values)) return 2;

    struct sockaddr_un door = {AF_UNIX, ""}, hidden = {AF_UNIX, ""}, mail = {AF_UNIX, ""};
    snprintf(door.sun_path, sizeof door.sun_path, "%s/door", values[2]);
    snprintf(mail.sun_path, sizeof mail.sun_path, "%s/mail", values[2]);
    snprintf(hidden.sun_path + 1, sizeof hidden.sun_path - 1, "%s", values[4]);
    socklen_t hidden_length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(values[4]);
    struct sockaddr_in tcp = {AF_INET, htons(atoi(values[5])), {htonl(INADDR_LOOPBACK)}, {0}};
    struct sockaddr_in udp = {AF_INET, htons(atoi(values[6])), {htonl(INADDR_LOOPBACK)}, {0}};
    struct sockaddr_in any = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    struct sockaddr *to_tcp = (struct sockaddr *)&tcp;

    /* files: to read */
    TRY("read-secret", open_flags(path[1], O_RDONLY));
    TRY("list-folder", open_flags(path[0], O_RDONLY | O_DIRECTORY));
    TRY("read-through-link", through_link(O_RDONLY));
    TRY("read-through-root-of-process", through_root());
    TRY("read-through-folder-of-process", through_folder());
    TRY("read-accounts", open_flags("/etc/passwd", O_RDONLY));
    TRY("list-root", open_flags("/", O_RDONLY | O_DIRECTORY));
    TRY("list-tmp", open_flags("/tmp", O_RDONLY | O_DIRECTORY));
    TRY("list-processes", open_flags("/proc", O_RDONLY | O_DIRECTORY));
    TRY("read-mounts", open_flags("/proc/self/mounts", O_RDONLY));
    TRY("handle-of-file", handle());
    TRY("watch-folder", watched());
    TRY("watch-all", fanotify_init(FAN_CLASS_NOTIF, O_RDONLY));
    /* files: to change */
    TRY("write-data", open_flags(path[4], O_WRONLY));
    TRY("append-data", open_flags(path[4], O_WRONLY | O_APPEND));
    TRY("empty-by-open", open_flags(path[4], O_RDONLY | O_TRUNC));
    TRY("truncate", truncate(path[4], 0));
    TRY("make-file", open_flags(path[5], O_WRONLY | O_CREAT));
    TRY("make-unnamed-file", open_flags(path[0], O_WRONLY | O_TMPFILE));
    TRY("make-folder", mkdir(path[5], 0700));
    TRY("make-pipe", mkfifo(path[5], 0600));
    TRY("make-socket-file", mknod(path[5], S_IFSOCK | 0600, 0));
    TRY("make-pipe-in-work", mkfifo(path[3], 0600));
    TRY("make-link", symlink("x", path[5]));
    TRY("link-and-write", linked_and_written());
    TRY("move-in", moved_in());
    TRY("remove", unlink(path[4]));
    TRY("change-mode", chmod(path[1], 0777));
    TRY("change-mode-by-place", fchmodat(AT_FDCWD, path[1], 0777, 0));
    TRY("change-owner", chown(path[1], getuid(), getgid()));
    TRY("change-times", times());
    TRY("set-attribute", attribute());
    TRY("write-through-link", through_link(O_WRONLY));
    TRY("lease", leased());
    TRY("run-what-was-written", executes_own());
    TRY("write-kernel-setting", open_flags("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("make-in-shared-memory", open_flags("/dev/shm/nexus-attack", O_RDWR | O_CREAT));
    /* other processes */
    TRY("read-environment", of_process("environ", O_RDONLY));
    TRY("read-command", of_process("cmdline", O_RDONLY));
    TRY("read-maps", of_process("maps", O_RDONLY));
    TRY("open-memory", of_process("mem", O_RDWR));
    TRY("open-descriptor", of_process("fd/0", O_RDONLY));
    TRY("set-badness", of_process("oom_score_adj", O_WRONLY));
    TRY("read-memory", reads_memory());
    TRY("write-memory", writes_memory());
    TRY("attach", ptrace(PTRACE_ATTACH, victim, 0, 0));
    TRY("seize", ptrace(PTRACE_SEIZE, victim, 0, 0));
    TRY("take-descriptor", taken_descriptor());
    TRY("compare", syscall(SYS_kcmp, getpid(), victim, 0, 0, 0));
    TRY("advise-memory", syscall(440, -1, 0, 0, 0, 0) >= 0 || errno == EBADF ? 0 : -1);
    TRY("robust-list", syscall(SYS_get_robust_list, victim, &path[3], &path[3]));
    /* signals */
    TRY("probe", kill(victim, 0));
    TRY("kill-keeper", kill(getppid(), 0));
    TRY("stop-by-thread", syscall(SYS_tkill, victim, SIGSTOP));
    TRY("stop-by-group-and-thread", syscall(SYS_tgkill, victim, victim, SIGSTOP));
    TRY("queue-signal", queued());
    TRY("signal-by-descriptor", by_pidfd());
    TRY("owner-of-socket", owner_of(0));
    TRY("owner-by-ioctl", owner_of(1));
    TRY("owner-by-struct", owner_by_struct());
    /* scheduling and limits */
    TRY("idle-victim", idle(victim));
    TRY("pin-victim", pinned(victim));
    TRY("attributes-of-victim", attributes(victim));
    TRY("nice-victim", setpriority(PRIO_PROCESS, victim, 19));
    TRY("nice-user", setpriority(PRIO_USER, 0, getpriority(PRIO_USER, 0)));
    TRY("io-priority-of-victim", syscall(SYS_ioprio_set, 1, victim, 3 << 13));
    TRY("limit-of-victim", limit_of(victim));
    TRY("real-time", sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}));
    TRY("raise-files", raised(RLIMIT_NOFILE));
    TRY("raise-data", raised(RLIMIT_DATA));
    TRY("raise-file-size", raised(RLIMIT_FSIZE));
    TRY("raise-cores", raised(RLIMIT_CORE));
    TRY("move-pages", syscall(SYS_move_pages, victim, 0, 0, 0, 0, 0));
    /* network */
    TRY("connect-tcp", connects(AF_INET, SOCK_STREAM, 0, to_tcp, sizeof tcp));
    TRY("connect-multipath", connects(AF_INET, SOCK_STREAM, 262, to_tcp, sizeof tcp));
    TRY("connect-sctp", connects(AF_INET, SOCK_STREAM, 132, to_tcp, sizeof tcp));
    TRY("fast-open", fast_open(&tcp));
    TRY("fast-open-by-message", fast_open_by_message(&tcp));
    TRY("send-udp", datagram((struct sockaddr *)&udp, sizeof udp, AF_INET));
    TRY("ping-socket", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    TRY("raw-socket", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
    TRY("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    TRY("packets", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("kernel-crypto", socket(AF_ALG, SOCK_SEQPACKET, 0));
    TRY("to-the-host", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("bluetooth", socket(31, SOCK_RAW, 0));
    TRY("connect-door", connects(AF_UNIX, SOCK_STREAM, 0, (struct sockaddr *)&door, sizeof door));
    TRY("connect-hidden-door", connects(AF_UNIX, SOCK_STREAM, 0, (struct sockaddr *)&hidden, hidden_length));
    TRY("send-mail", datagram((struct sockaddr *)&mail, sizeof mail, AF_UNIX));
    TRY("listen-on-tcp", bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&any, sizeof any));
    TRY("listen-unbound", listen(socket(AF_INET, SOCK_STREAM, 0), 1));
    /* memory that nobody counts */
    TRY("shared-memory", mapped(MAP_SHARED | MAP_ANONYMOUS, -1));
    TRY("shared-memory-validated", mapped(MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1));
    TRY("shared-zeroes", zeroes());
    TRY("memory-as-stack", mapped(MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1));
    TRY("huge-pages", mapped(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1));
    TRY("memory-file", in_memory_program());
    TRY("secret-memory", syscall(447, 0));
    TRY("segment", syscall(SYS_shmget, 0, 4096, 01600));
    TRY("semaphores", syscall(SYS_semget, 0, 1, 01600));
    TRY("messages", syscall(SYS_msgget, 0, 01600));
    TRY("message-queue", syscall(SYS_mq_open, "nexus-attack", O_CREAT | O_RDWR, 0600, 0));
    TRY("wide-pipe", wide_pipe());
    TRY("keyring", syscall(SYS_add_key, "user", "nexus-attack", "x", 1, -2));
    TRY("key-control", syscall(SYS_keyctl, 0, -3, 1));
    /* the kernel */
    TRY("io-uring", syscall(425, 8, (char[120]){0}));
    TRY("aio", syscall(SYS_io_setup, 1, &(aio_context_t){0}));
    TRY("programs-in-the-kernel", syscall(SYS_bpf, 0, path[3], 48));
    TRY("performance-counters", syscall(SYS_perf_event_open, path[3], 0, -1, -1, 0));
    TRY("page-faults", syscall(SYS_userfaultfd, 1));
    TRY("personality", syscall(SYS_personality, 0x0040000));
    TRY("kernel-log", syscall(SYS_syslog, 10, 0, 0));
    TRY("own-filter", syscall(SYS_seccomp, 1, 0, path[3]) >= 0 || errno == EFAULT || errno == EINVAL ? 0 : -1);
    TRY("dumpable", asked(PR_SET_DUMPABLE, 0));
    TRY("forget-the-keeper", asked(PR_SET_PDEATHSIG, 0));
    TRY("be-a-reaper", asked(PR_SET_CHILD_SUBREAPER, 1));
    TRY("be-traced", asked(PR_SET_PTRACER, -1));
    TRY("type-for-others", typed());
#ifdef __x86_64__
    TRY("local-descriptor-table", syscall(SYS_modify_ldt, 0, path[3], 16));
    TRY("ports", syscall(SYS_iopl, 0));
#endif
    TRY("interface-of-i386", foreign_interface(0));
    TRY("interface-of-x32", foreign_interface(1));
    /* namespaces and privileges */
    TRY("user-namespace", clone_flags(CLONE_NEWUSER));
    TRY("user-namespace-by-struct", clone_by_struct());
    TRY("pid-namespace", clone_flags(CLONE_NEWUSER | CLONE_NEWPID));
    TRY("sibling", clone_flags(CLONE_PARENT));
    TRY("unshare", unshare(CLONE_NEWUSER));
    TRY("unshare-files", unshare(CLONE_FILES));
    TRY("mount", mount("none", path[2], "tmpfs", 0, 0));
    TRY("open-file-system", syscall(430, "tmpfs", 0));
    TRY("copy-tree-of-mounts", syscall(428, AT_FDCWD, "/", 1));
    TRY("change-root", chroot(path[2]));
    TRY("be-root", setuid(0));
    TRY("be-oneself", setresuid(getuid(), getuid(), getuid()));
    TRY("file-system-user", syscall(SYS_setfsuid, getuid()) >= 0 ? 0 : -1);
    TRY("set-clock", settimeofday(&(struct timeval){0, 0}, 0));
    TRY("name-machine", sethostname("x", 1));
    TRY("sync-disks", syscall(SYS_syncfs, 1));
    TRY("another-landlock", syscall(444, 0, 0, 1));
    tell("done", 0);
    return 0;
}
