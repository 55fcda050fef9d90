"""Runs a program under the SystemCallFilter of a systemd unit, as systemd would. argv: UNIT PROGRAM ARGUMENTS…"""
import ctypes
import os
import re
import subprocess
import sys

REFUSE, ALLOW = 0x00050001, 0x7FFF0000


def known_sets():
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    sets, current = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            current = sets.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            current.append(line.strip())
    return sets


def members(name, sets):
    if not name.startswith("@"):
        return {name}
    return set().union(*(members(one, sets) for one in sets[name]))


def allowed_by(unit):
    sets = known_sets()
    allowed = members("@default", sets)
    for refused, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", open(unit).read(), re.MULTILINE):
        named = set().union(*(members(name, sets) for name in names.split()))
        allowed = allowed - named if refused else allowed | named
    return allowed


library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
library.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.seccomp_init(REFUSE))
for name in allowed_by(sys.argv[1]):
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0 and library.seccomp_rule_add(context, ALLOW, number, 0) != 0:
        sys.exit("the rule for %s is refused" % name)
if library.seccomp_load(context) != 0:
    sys.exit("the filter is refused")
os.execv(sys.argv[2], sys.argv[2:])
