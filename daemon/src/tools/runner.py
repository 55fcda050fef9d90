"""Calls one tool and tells what came of it. The daemon starts this behind walls that hold whatever the tool does
(nexus-sandbox), and ends it. Here an audit hook refuses the same things first, so that the tool's author reads why.
The hook alone would be no wall, since Python code can get around Python code.

argv: the folder, with request.json, code/ and work/. The answer is one JSON object on standard output.
"""
import importlib
import importlib.util
import inspect
import io
import json
import os
import sys
import time

DEVICES = (os.devnull, "/dev/urandom")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache")


class Refused(PermissionError):
    """The tool tried what is not allowed here."""


def audit(readable, writable, writes):
    """Refuses network, processes and foreign files by their audit events."""
    realpath, fspath, fsdecode, separator = os.path.realpath, os.fspath, os.fsdecode, os.sep
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    processes = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "pty.",
                 "signal.pthread_kill", "os.startfile")
    native = ("ctypes.", "gc.get_", "sys.addaudithook", "cpython.PyInterpreterState_Clear", "resource.", "syslog.")
    paths = {"os.listdir": False, "os.scandir": False, "os.chdir": False, "os.remove": True, "os.mkdir": True,
             "os.rmdir": True, "os.rename": True, "os.link": True, "os.symlink": True, "os.truncate": True,
             "os.chmod": True, "os.chown": True, "os.utime": True, "os.setxattr": True, "os.removexattr": True}
    left = [writes]

    def check(path, change):
        if path is None or isinstance(path, int):
            return  # the working folder, or a file that is open already
        real = realpath(fsdecode(fspath(path)))
        roots = writable if change else readable + writable
        if not any(real == root or real.startswith(root.rstrip(separator) + separator) for root in roots):
            raise Refused("only files of the tool itself can be read, and only its working folder be written")
        if change:
            left[0] -= 1
            if left[0] < 0:
                raise Refused("the tool wrote too many files")

    def hook(event, args):
        if event.startswith("socket."):
            raise Refused("the network is not allowed when a tool is tried out")
        if event.startswith(processes):
            raise Refused("other processes are not allowed when a tool is tried out")
        if event.startswith(native):
            raise Refused("%s is not allowed when a tool is tried out" % event)
        if event == "open":
            check(args[0], bool(isinstance(args[2], int) and args[2] & changing))
        elif event in paths:
            for path in args[: 2 if event in ("os.rename", "os.link") else 1]:
                check(path, paths[event])

    sys.addaudithook(hook)


class Printed(io.TextIOBase):
    """What the tool prints, as far as it is kept."""

    def __init__(self, most):
        self.parts, self.left = [], most

    def writable(self):
        return True

    def write(self, text):
        kept = str(text)[: self.left]
        self.left -= len(kept)
        if kept:
            self.parts.append(kept)
        return len(text)


def load(code, path, entry):
    """The function; modules are found as in the agent's own folder."""
    sys.path.insert(0, code)
    parts = path[:-3].split("/") if path.endswith(".py") else path.split("/")
    if all(part.isidentifier() for part in parts):
        module = importlib.import_module(".".join(parts))
    else:
        spec = importlib.util.spec_from_file_location("tool", os.path.join(code, path))
        if spec is None or spec.loader is None:
            raise ImportError("the tool's file is no Python module")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    function = getattr(module, entry, None)
    if not callable(function):
        raise ImportError("the tool's file has no function %r" % entry)
    return function


def call(function, parameters):
    """Calls it; a coroutine is run as far as it goes without waiting for anything outside."""
    try:
        inspect.signature(function).bind(**parameters)
    except TypeError as error:
        raise TypeError("the parameters do not fit: %s" % error) from None
    except ValueError:
        pass  # it has no signature that could be read
    result = function(**parameters)
    if not inspect.iscoroutine(result):
        return result
    try:
        result.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the tool waits for something that is not there when it is tried out")


def written(value):
    """JSON of whatever a tool may give back."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(str(value), ensure_ascii=False)


def main():
    folder = os.path.realpath(sys.argv[1])
    code, work, asked = (os.path.join(folder, name) for name in ("code", "work", "request.json"))
    with open(asked, encoding="utf-8") as file:
        request = json.load(file)
    out, devnull = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(devnull, stream)
    os.close(devnull)
    printed = Printed(request["limits"]["printed_characters"])
    sys.stdout = sys.stderr = printed
    os.environ.clear()
    os.chdir(work)
    sys.argv[1:] = []
    most = request["limits"]["output_bytes"]
    libraries = tuple(os.path.realpath(path) for path in {os.path.dirname(os.__file__), *sys.path, *LIBRARIES} if path)
    readable, writable = libraries + (code,) + DEVICES, (work, os.devnull)

    def tell(ok, output, error):
        lines = {"ok": ok, "error": error, "printed": "".join(printed.parts),
                 "milliseconds": (time.perf_counter() - begun) * 1000}
        text = '{"output": %s, %s' % (output, json.dumps(lines, ensure_ascii=False)[1:])
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[os.write(out, data):]

    audit(readable + LIBRARIES, writable, request["limits"]["written_files"])
    begun = time.perf_counter()
    try:
        output = written(call(load(code, request["code_path"], request["entry"]), request["parameters"]))
        if len(output.encode("utf-8", "replace")) > most:
            tell(False, "null", "the result has more than %d bytes" % most)
        else:
            tell(True, output, None)
    except SystemExit as end:
        tell(False, "null", "the tool ended its process with %r" % (end.code,))
    except MemoryError:
        tell(False, "null", "the tool wanted more than %d MiB of memory" % (request["limits"]["memory_bytes"] >> 20))
    except BaseException as error:  # whatever it is, it is the tool's
        name = "PermissionError" if isinstance(error, Refused) else type(error).__name__
        text = str(error).replace(folder + os.sep, "")[:4000]
        tell(False, "null", "%s: %s" % (name, text) if text else name)


main()
# No clean-up of the tool's may run after its answer.
os._exit(0)
