"""Attacks by what Python offers; see tell.h for arguments and output."""
import ctypes
import glob
import http.client
import io
import mmap
import multiprocessing.shared_memory
import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
import zipfile

victim, folder, work, abstract, tcp, udp = int(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5]), int(sys.argv[6])
secret, data = folder + "/secret.txt", folder + "/data.txt"
INHERITED = []
for number in range(3, 256):
    try:
        INHERITED.append((number, os.fstat(number)))
    except OSError:
        pass


def tries(attack):
    """The attack succeeded when it raised nothing and gave anything but False or None."""
    try:
        leaked = attack() not in (False, None)
    except BaseException:
        leaked = False
    print(attack.__name__.replace("_", "-"), "LEAK" if leaked else "held", flush=True)


def attempt(function):
    ATTACKS.append(function)
    return function


ATTACKS = []


@attempt
def open_secret():
    return open(secret).read()


@attempt
def open_by_low_level():
    return os.read(os.open(secret, os.O_RDONLY), 10)


@attempt
def open_relative():
    up = "/".join([".."] * 30)
    return open(up + secret).read()


@attempt
def open_by_folder():
    return os.open("secret.txt", os.O_RDONLY, dir_fd=os.open(folder, os.O_RDONLY))


@attempt
def open_by_place_only():
    # A folder may be named without a right to it; what is below may not be opened through it.
    place = os.open(folder, os.O_PATH)
    return os.open("secret.txt", os.O_RDONLY, dir_fd=place)


@attempt
def change_folder():
    os.chdir(folder)
    return open("secret.txt").read()


@attempt
def list_folder():
    return os.listdir(folder)


@attempt
def find_by_pattern():
    return glob.glob(folder + "/*.txt") or None


@attempt
def walk_homes():
    return [name for place in ("/home", "/root", "/var/lib", "/opt") for name in os.walk(place)] or None


@attempt
def inherit_environment():
    return set(os.environ) - {"HOME", "TMPDIR", "LC_CTYPE", "LISTEN_FDS", "LISTEN_PID"} or None


@attempt
def inherit_descriptors():
    return INHERITED or None


@attempt
def environment_of_keeper():
    return open("/proc/%d/environ" % os.getppid(), "rb").read()


@attempt
def environment_of_every_process():
    return [pid for pid in range(1, 70000) if pid != os.getpid() and os.access("/proc/%d/environ" % pid, os.R_OK) and open("/proc/%d/environ" % pid, "rb").read()] or None


@attempt
def memory_of_keeper():
    return open("/proc/%d/mem" % os.getppid(), "r+b")


@attempt
def copy_file():
    return shutil.copyfile(secret, work + "/copy")


@attempt
def copy_tree():
    return shutil.copytree(folder, work + "/tree", ignore=shutil.ignore_patterns("door", "mail"))


@attempt
def move_file():
    return shutil.move(secret, work + "/moved")


@attempt
def remove_tree():
    shutil.rmtree(folder)
    return True


@attempt
def write_data():
    return open(data, "w").write("x")


@attempt
def update_data():
    return open(data, "r+").write("x")


@attempt
def truncate_data():
    os.truncate(data, 0)
    return True


@attempt
def truncate_by_reading():
    return os.open(data, os.O_RDONLY | os.O_TRUNC)


@attempt
def replace_data():
    pathlib.Path(work, "new").write_text("x")
    os.replace(work + "/new", data)
    return True


@attempt
def link_data():
    os.link(data, work + "/linked")
    return True


@attempt
def write_by_symbolic_link():
    os.symlink(data, work + "/pointer")
    return open(work + "/pointer", "a").write("x")


@attempt
def change_mode():
    os.chmod(secret, 0o777)
    return True


@attempt
def change_times():
    os.utime(secret, (1, 1))
    return True


@attempt
def map_file():
    with open(secret, "rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


@attempt
def send_file():
    reader, writer = os.pipe()
    return os.sendfile(writer, os.open(secret, os.O_RDONLY), 0, 10)


@attempt
def attach_database():
    base = sqlite3.connect(":memory:")
    base.execute("attach ? as other", (folder + "/base.db",))
    base.execute("create table other.t (a)")
    return True


@attempt
def pack_secret():
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.write(secret)
    return True


@attempt
def import_foreign():
    import runpy
    return runpy.run_path(folder + "/module.py")["VALUE"]


@attempt
def change_own_code():
    return open(os.getcwd() + "/attacks.py", "a").write("#")


@attempt
def add_to_own_code():
    return open(os.getcwd() + "/sitecustomize.py", "w").write("#")


@attempt
def read_by_program():
    return subprocess.run(["/bin/cat", secret], capture_output=True, check=True).stdout


@attempt
def read_by_shell():
    return os.system("cat %s >/dev/null 2>&1" % secret) == 0


@attempt
def read_by_spawn():
    pid = os.posix_spawn("/bin/cat", ["cat", secret], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@attempt
def read_by_c_library():
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    return library.fopen(secret.encode(), b"r") or None


@attempt
def be_somebody_by_program():
    return subprocess.run(["/bin/su", "-c", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode == 0


@attempt
def mount_by_program():
    return subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode == 0


@attempt
def stop_victim():
    os.kill(victim, signal.SIGSTOP)
    return True


@attempt
def kill_victim():
    os.kill(victim, signal.SIGKILL)
    return True


@attempt
def kill_victims_group():
    os.killpg(os.getpgid(victim), signal.SIGKILL)
    return True


@attempt
def kill_keeper():
    os.kill(os.getppid(), signal.SIGKILL)
    return True


@attempt
def stop_keepers_group():
    group = os.getpgid(os.getppid())  # inside namespaces its own, which has no number there
    return group > 0 and os.killpg(group, signal.SIGSTOP) is None


@attempt
def kill_by_program():
    return subprocess.run(["/bin/sh", "-c", "kill -9 %d" % victim], capture_output=True).returncode == 0


@attempt
def pin_victim():
    os.sched_setaffinity(victim, {0})
    return True


@attempt
def idle_victim():
    os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0))
    return True


@attempt
def nice_victim():
    os.setpriority(os.PRIO_PROCESS, victim, 19)
    return True


@attempt
def nicer_oneself():
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return True


@attempt
def limit_victim():
    return resource.prlimit(victim, resource.RLIMIT_NOFILE, (0, 0))


@attempt
def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY:
        return None
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


@attempt
def connect_tcp():
    return socket.create_connection(("127.0.0.1", tcp), 2)


@attempt
def connect_tcp_by_name():
    return socket.create_connection(("localhost", tcp), 2)


@attempt
def connect_tcp_of_six():
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    return made.connect(("::ffff:127.0.0.1", tcp)) is None


@attempt
def connect_multipath():
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    return made.connect(("127.0.0.1", tcp)) is None


@attempt
def fetch():
    try:
        return urllib.request.urlopen("http://127.0.0.1:%d/" % tcp, timeout=0.5).status
    except TimeoutError:  # it was let in, and nobody answers
        return True


@attempt
def request():
    connection = http.client.HTTPConnection("127.0.0.1", tcp, timeout=2)
    connection.request("GET", "/")
    return True


@attempt
def send_udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", udp))


@attempt
def connect_door():
    made = socket.socket(socket.AF_UNIX)
    return made.connect(folder + "/door") is None


@attempt
def connect_hidden_door():
    made = socket.socket(socket.AF_UNIX)
    return made.connect("\0" + abstract) is None


@attempt
def send_mail_from_a_pair():
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"x", folder + "/mail")


@attempt
def send_mail_from_a_stream():
    one, _ = socket.socketpair()
    return one.sendto(b"x", folder + "/mail")


@attempt
def make_door():
    made = socket.socket(socket.AF_UNIX)
    made.bind(work + "/own")
    return True


@attempt
def name_a_pair():
    one, _ = socket.socketpair()
    one.bind("\0nexus-attack")
    return True


@attempt
def ask_names():
    return socket.getaddrinfo("example.org", 80)


@attempt
def share_memory():
    return mmap.mmap(-1, 1 << 20)


@attempt
def share_memory_by_name():
    return multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)


@attempt
def file_in_memory():
    return os.memfd_create("x")


@attempt
def terminal():
    return os.openpty()


@attempt
def semaphore():
    import multiprocessing
    return multiprocessing.Lock()


@attempt
def signal_by_descriptor():
    signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGKILL)
    return True


@attempt
def change_root():
    os.chroot(work)
    return True


@attempt
def make_device():
    os.mknod(work + "/device", 0o600 | 0o020000, os.makedev(1, 1))
    return True


@attempt
def write_from_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(open(data, "a")))
    thread.start()
    thread.join()
    return done or None


@attempt
def write_to_kernel():
    return open("/proc/sys/kernel/core_pattern", "w")


@attempt
def be_chosen_last():
    return open("/proc/self/oom_score_adj", "w").write("-500")


threading.excepthook = lambda *_: None
wanted = sys.argv[8] if len(sys.argv) > 8 else None
for one in ATTACKS:
    name = one.__name__.replace("_", "-")
    if wanted == "?":
        print(name, "held")
    elif wanted in (None, name):
        tries(one)
print("done held")
