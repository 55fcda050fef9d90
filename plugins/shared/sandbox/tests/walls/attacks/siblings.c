/* More attacks by bare system calls: the siblings of those in attacks.c, on the owner of the keeper as well as on the
 * victim, and on what a user has only once. See tell.h for the arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tell.h"

static int of(pid_t pid, const char *what, int flags) {
    char name[100];
    snprintf(name, sizeof name, "/proc/%d/%s", pid, what);
    return open(name, flags | O_CLOEXEC);
}

static int read_of(pid_t pid, const char *what) {
    char byte;
    int fd = of(pid, what, O_RDONLY);
    return fd < 0 ? -1 : (int)read(fd, &byte, 1);
}

static int open_by_pidfd(pid_t pid) {
    int fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0);
}

static int owned_group(void) {
    int pipes[2];
    struct f_owner_ex to = {F_OWNER_PGRP, getpgid(victim)};
    if (pipe(pipes) || fcntl(pipes[0], F_SETOWN_EX, &to) || fcntl(pipes[0], F_SETSIG, SIGCONT)) return -1;
    if (fcntl(pipes[0], F_SETFL, O_ASYNC)) return -1;
    return write(pipes[1], "x", 1);
}

static int owned_by_thread(void) {
    int pipes[2];
    struct f_owner_ex to = {F_OWNER_TID, victim};
    if (pipe(pipes) || fcntl(pipes[0], F_SETOWN_EX, &to)) return -1;
    return fcntl(pipes[0], F_SETFL, O_ASYNC);
}

static int owned_by_command(unsigned long command) {
    int pair[2], pid = victim;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : ioctl(pair[0], command, &pid);
}

static int asynchronous(void) {
    int pair[2], on = 1;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : ioctl(pair[0], FIOASYNC, &on);
}

static int notified(void) {
    int fd = open(path[2], O_RDONLY | O_DIRECTORY);
    return fd < 0 ? -1 : fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
}

static int timer_for(pid_t pid) {
    struct sigevent event = {0};
    int id;
    event.sigev_notify = 4; /* SIGEV_THREAD_ID */
    event.sigev_signo = SIGKILL;
#ifdef sigev_notify_thread_id
    event.sigev_notify_thread_id = pid;
#else
    event._sigev_un._tid = pid;
#endif
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);
}

/* What a user has once: more than a thousand of them leak. */
static int many_timers(void) {
    int made = 0, id;
    for (; made < 5000; made++)
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id)) break;
    return made > 1000 ? 0 : -1;
}

static int many_signals(void) {
    siginfo_t info = {0};
    sigset_t all;
    int sent = 0;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    info.si_signo = SIGRTMIN;
    info.si_code = SI_QUEUE;
    for (; sent < 5000; sent++)
        if (syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info)) break;
    return sent > 1000 ? 0 : -1;
}

static int many_watches(void) {
    int made = 0;
    for (; made < 100; made++)
        if (syscall(SYS_inotify_init1, 0) < 0) break;
    return made > 0 ? 0 : -1;
}

static int many_files(void) {
    int made = 0;
    while (made < 900 && dup(0) >= 0) made++;
    for (int fd = 3; fd < 1000; fd++) close(fd);
    return made > 500 ? 0 : -1;
}

static int locked(int flags) {
    void *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return -1;
    return flags < 0 ? mlock(at, 1 << 20) : syscall(SYS_mlock2, at, 1 << 20, flags);
}

static int reserved(void) {
    /* Page tables of 128 GiB are 256 MiB, and no limit of data counts them. */
    void *at = mmap(NULL, 128UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? -1 : munmap(at, 128UL << 30);
}

static int of_netlink(int protocol) { return socket(AF_NETLINK, SOCK_RAW, protocol); }

static int filtered(int option) {
    int pair[2];
    struct sock_filter all[] = {{0x06, 0, 0, 0xffff}};
    struct sock_fprog program = {1, all};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return -1;
    return setsockopt(pair[0], SOL_SOCKET, option, &program, sizeof program);
}

static int urgent(int by_message) {
    int pair[2];
    struct iovec bytes = {"x", 1};
    struct msghdr message = {0};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return -1;
    return by_message ? sendmsg(pair[0], &message, MSG_OOB) : send(pair[0], "x", 1, MSG_OOB);
}

static int rights_to(const char *name, size_t length, int type) {
    int pair[2], given = 0;
    char room[CMSG_SPACE(sizeof given)] = {0};
    struct sockaddr_un to = {AF_UNIX, ""};
    struct iovec bytes = {"x", 1};
    struct msghdr message = {&to, offsetof(struct sockaddr_un, sun_path) + length, &bytes, 1, room, sizeof room, 0};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    memcpy(to.sun_path, name, length);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof given);
    memcpy(CMSG_DATA(head), &given, sizeof given);
    int s = socket(AF_UNIX, type, 0);
    if (s < 0) s = socketpair(AF_UNIX, type, 0, pair) ? -1 : pair[0];
    return s < 0 ? -1 : sendmsg(s, &message, 0);
}

static int listens_by_name(const char *name, size_t length) {
    struct sockaddr_un at = {AF_UNIX, ""};
    memcpy(at.sun_path, name, length);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    return s < 0 ? -1 : bind(s, (struct sockaddr *)&at, offsetof(struct sockaddr_un, sun_path) + length);
}

static int runs_from_memory(void) {
    int fd = syscall(SYS_memfd_create, "x", 2 /* MFD_ALLOW_SEALING */), own = open("/proc/self/exe", O_RDONLY);
    char block[4096];
    if (fd < 0) return -1;
    ssize_t n = own < 0 ? -1 : read(own, block, sizeof block);
    if (n < 0 || write(fd, block, n) != n) return -1;
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
}

static int runs_by_descriptor(void) {
    char name[5000];
    snprintf(name, sizeof name, "%s/script", path[2]);
    int fd = open(name, O_RDWR | O_CREAT, 0700);
    if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12) return -1;
    close(fd);
    fd = open(name, O_RDONLY);
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        syscall(SYS_execveat, fd, "", (char *[]){"x", NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
        _exit(99);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 99 ? -1 : 0;
}

/* A thread with descriptors of its own, which /proc shows of no process. */
static int own_table(void) {
    static char stack[65536];
    long flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    /* The new thread would run on with this one's code: it ends at once. */
    void *top = stack + sizeof stack - 16;
    long answer;
#ifdef __x86_64__
    register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0;
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tmov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall\n1:"
                     : "=a"(answer)
                     : "a"(SYS_clone), "D"(flags), "S"(top), "d"(0), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return answer > 0 ? 0 : -1;
#else
    (void)top, (void)answer, (void)flags;
    return -1;
#endif
}

/* Inside namespaces it is in the group of its parent, who is walled in as well. */
static int joins(pid_t group) { return getpgid(group) == getpgid(0) ? -1 : setpgid(0, getpgid(group)); }

static int core_shared(pid_t pid) { return prctl(62, 2, pid, 0, 0); } /* PR_SCHED_CORE, SHARE_TO */

static int dispatched(void) { return prctl(59, 0, 0, 0, 0); } /* PR_SET_SYSCALL_USER_DISPATCH, off */

static int priority_of_user(void) { return setpriority(PRIO_PGRP, getpgid(victim), 19); }

static int grown(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (getrlimit(RLIMIT_SIGPENDING, &limit) || limit.rlim_max == RLIM_INFINITY) return -1;
    return limit.rlim_max > 1000 ? 0 : -1;
}

static int handles_opened(void) {
    struct { struct file_handle head; char bytes[128]; } room = {{0}};
    int mount;
    room.head.handle_bytes = 128;
    /* The first half of it: root alone may do the second. */
    return syscall(SYS_name_to_handle_at, AT_FDCWD, path[2], &room, &mount, 0);
}

static int quota(void) {
    struct dqblk block;
    int fd = open("/", O_PATH);
    long answer = syscall(443, fd, QCMD(Q_GETQUOTA, USRQUOTA), getuid(), &block);
    return answer == 0 || errno == ESRCH || errno == ENOTBLK ? 0 : -1;
}

static int sealed_mapping(void) {
    void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return syscall(462, at, 4096, 0);
}

static int remapped(void) {
    void *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return syscall(SYS_migrate_pages, victim, 0, NULL, NULL) < 0 ? -1 : (at == MAP_FAILED ? -1 : 0);
}

static int given_away(void) {
    int pipes[2];
    struct iovec bytes = {path[0], 1};
    return pipe(pipes) ? -1 : vmsplice(pipes[1], &bytes, 1, 0);
}

static int waits_on_many(void) {
    int word = 1;
    struct { unsigned long long value, address; unsigned flags, reserved; } one = {0, (unsigned long)&word, 2, 0};
    struct timespec soon = {0, 0};
    return syscall(449, &one, 1, 0, &soon, CLOCK_MONOTONIC) >= 0 || errno == EAGAIN ? 0 : -1;
}

static int protected_by_key(void) { return syscall(SYS_pkey_alloc, 0, 0); }

static int tuned(void) {
    char zeroes[256] = {0};
    return syscall(SYS_adjtimex, zeroes); /* only asks: no mode is set */
}

int main(int count, char **values) {
    if (hear(count, values)) return 2;
    pid_t keeper = getppid();

    /* the owner: what a tool test read of the daemon */
    TRY("environment-of-owner", read_of(owner, "environ"));
    TRY("command-of-owner", read_of(owner, "cmdline"));
    TRY("maps-of-owner", read_of(owner, "maps"));
    TRY("memory-of-owner", of(owner, "mem", O_RDONLY));
    TRY("memory-of-owner-to-write", of(owner, "mem", O_RDWR));
    TRY("descriptors-of-owner", of(owner, "fd", O_RDONLY | O_DIRECTORY));
    TRY("root-of-owner", of(owner, "root/etc/passwd", O_RDONLY));
    TRY("status-of-owner", read_of(owner, "status"));
    TRY("limits-of-owner", read_of(owner, "limits"));
    TRY("attach-to-owner", ptrace(PTRACE_SEIZE, owner, 0, 0));
    TRY("probe-owner", kill(owner, 0));
    TRY("descriptor-of-owner", open_by_pidfd(owner));
    TRY("pin-owner", sched_setaffinity(owner, sizeof(cpu_set_t), &(cpu_set_t){{3}}));
    TRY("limit-of-owner", prlimit(owner, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL));
    TRY("environment-of-keeper", read_of(keeper, "environ"));
    TRY("memory-of-keeper", of(keeper, "mem", O_RDWR));
    TRY("descriptors-of-keeper", of(keeper, "fd", O_RDONLY | O_DIRECTORY));
    /* the victim, by its other files in /proc */
    TRY("name-of-victim", of(victim, "comm", O_WRONLY));
    TRY("slack-of-victim", of(victim, "timerslack_ns", O_RDWR));
    TRY("dump-filter-of-victim", of(victim, "coredump_filter", O_RDWR));
    TRY("references-of-victim", of(victim, "clear_refs", O_WRONLY));
    TRY("scheduling-group-of-victim", of(victim, "autogroup", O_RDWR));
    TRY("pages-of-victim", of(victim, "pagemap", O_RDONLY));
    TRY("auxiliary-of-victim", read_of(victim, "auxv"));
    TRY("usage-of-victim", read_of(victim, "io"));
    TRY("threads-of-victim", of(victim, "task", O_RDONLY | O_DIRECTORY));
    TRY("connections-of-machine", read_of(victim, "net/tcp"));
    TRY("sockets-of-machine", read_of(victim, "net/unix"));
    /* signals by other ways */
    TRY("probe-group-of-victim", kill(-getpgid(victim), 0));
    TRY("join-group-of-victim", joins(victim));
    TRY("join-group-of-keeper", joins(keeper));
    TRY("owner-is-a-group", owned_group());
    TRY("owner-is-a-thread", owned_by_thread());
    TRY("owner-by-socket-command", owned_by_command(0x8902)); /* SIOCSPGRP */
    TRY("asynchronous-by-command", asynchronous());
    TRY("told-of-a-folder", notified());
    TRY("timer-of-victim", timer_for(victim));
    /* what a user has only once */
    TRY("all-timers", many_timers());
    TRY("all-queued-signals", many_signals());
    TRY("limit-of-queued-signals", grown());
    TRY("all-watches", many_watches());
    TRY("all-files", many_files());
    /* scheduling and memory */
    TRY("nice-group-of-victim", priority_of_user());
    TRY("share-a-core-with-victim", core_shared(victim));
    TRY("lock-memory", locked(-1));
    TRY("lock-memory-on-fault", locked(1));
    TRY("lock-all-memory", mlockall(MCL_CURRENT));
    TRY("reserve-addresses", reserved());
    TRY("seal-mapping", sealed_mapping());
    TRY("migrate-pages-of-victim", remapped());
    TRY("give-pages-away", given_away());
    TRY("memory-policy", syscall(SYS_set_mempolicy, 0, NULL, 0));
    TRY("wait-on-many", waits_on_many());
    TRY("protection-key", protected_by_key());
    TRY("dispatch-calls", dispatched());
    TRY("keep-capabilities", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    TRY("own-filter-by-prctl", prctl(PR_SET_SECCOMP, 2, 0, 0, 0) >= 0 || errno == EFAULT ? 0 : -1);
    /* sockets */
    TRY("netlink-routes", of_netlink(NETLINK_ROUTE));
    TRY("netlink-sockets", of_netlink(NETLINK_SOCK_DIAG));
    TRY("netlink-devices", of_netlink(NETLINK_KOBJECT_UEVENT));
    TRY("netlink-generic", of_netlink(NETLINK_GENERIC));
    TRY("filter-in-the-kernel", filtered(SO_ATTACH_FILTER));
    TRY("urgent-byte", urgent(0));
    TRY("urgent-byte-by-message", urgent(1));
    char mail[200];
    snprintf(mail, sizeof mail, "%s/mail", values[2]);
    TRY("give-descriptor-to-mail", rights_to(mail, strlen(mail) + 1, SOCK_DGRAM));
    snprintf(mail, sizeof mail, "%s/own-door", values[3]);
    TRY("listen-in-work", listens_by_name(mail, strlen(mail) + 1));
    TRY("listen-hidden", listens_by_name("\0nexus-attack-door", 18));
    /* programs and files */
    TRY("sealed-program-in-memory", runs_from_memory());
    TRY("run-by-descriptor", runs_by_descriptor());
    TRY("own-table-of-descriptors", own_table());
    TRY("handle-of-own-file", handles_opened());
    TRY("ask-for-quota", quota());
    TRY("change-mode-of-own", fchmod(open(path[3], O_CREAT | O_RDWR, 0600), 0777));
    TRY("change-mode-by-newer-call", syscall(452, AT_FDCWD, path[1], 0600, 0));
    TRY("give-file-away", fchown(open(path[3], O_CREAT | O_RDWR, 0600), getuid(), getgid()));
    TRY("attribute-of-own", syscall(SYS_fsetxattr, open(path[3], O_CREAT | O_RDWR, 0600), "user.note", "x", 1, 0));
    TRY("ask-for-clock", tuned());
    tell("done", 0);
    return 0;
}
