"""Tries out one written tool in the working directory: `task.json` says which, the report is one line of JSON at the end.

    this process: reads the sources as text, looks for what a tool may not do, compares results, makes mutants
      └─ copies of it, each in a process group of its own and for a limited time: they alone run the tool's code

So no code of the tool can write the report, and one that does not end is ended.
"""
import ast
import io
import json
import os
import select
import signal
import sys
import time
import traceback

ALLOWED_MODULES = frozenset("""
    __future__ base64 binascii bisect calendar cmath collections collections.abc colorsys copy csv dataclasses datetime
    decimal difflib enum fractions functools hashlib heapq html io itertools json math numbers operator random re secrets
    statistics string textwrap typing unicodedata uuid zlib zoneinfo runtime.refusal
""".split())
ALLOWED_IN_TESTS = ALLOWED_MODULES | {"unittest"}
FORBIDDEN_NAMES = frozenset("""
    open eval exec compile __import__ input breakpoint globals locals vars exit quit memoryview help __builtins__ __loader__
    __spec__ getattr setattr delattr print
""".split())
# What a module may hold: values that are the same whoever loads it, and whenever.
CONSTANT_CALLS = frozenset("compile Decimal Fraction frozenset set tuple list dict range namedtuple date time timedelta datetime maketrans".split())
MOST_BYTES = 256 * 1024
MOST_MUTANTS = 14
MUTANT_SECONDS = 1.0
root = os.getcwd()


def lint(source, name, modules, own):
    """What a file may not hold, as (line, text)."""
    tree = ast.parse(source, name)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [(node.module or "") if not node.level else "." * node.level]
        else:
            named = []
        for module in named:
            if module not in modules and module not in own:
                yield line, "it imports `%s`: a tool computes from its arguments alone, with math, re, datetime, decimal, statistics and the like" % module
        if isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
            yield line, "it uses `%s`, which a tool may not" % node.id
        if isinstance(node, ast.Attribute) and node.attr.startswith("__"):
            yield line, "it uses `.%s`, which a tool may not" % node.attr
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "io" and node.attr not in ("StringIO", "BytesIO"):
            yield line, "it uses `io.%s`: a tool opens no files" % node.attr
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            yield line, "it keeps state between calls (`%s`)" % type(node).__name__.lower()
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await)):
            yield line, "it is asynchronous: write a plain function"
    imported = {alias.asname or alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)) and isinstance(node.value, ast.Name) and node.value.id in imported:
            yield node.lineno, "it changes `%s`, which is not its own" % ast.unparse(node)
    yield from at_module_level(tree)


def at_module_level(tree):
    """A module is loaded once and shared by all sessions: what it does then, and what it keeps, must be constant."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "?")
                    if called not in CONSTANT_CALLS:
                        yield node.lineno, "it calls `%s` when it is loaded: no ids, seeds, clients or times at module level" % called
            continue
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            continue
        yield node.lineno, "only imports, constants, functions and classes stand at module level, not `%s`" % ast.unparse(node).splitlines()[0][:80]


def signature_faults(source, function, parameters):
    tree = ast.parse(source)
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        return "the module defines no function `%s`" % function
    if parameters is None:
        return None
    given = [argument.arg for argument in found[0].args.posonlyargs + found[0].args.args]
    optional = len(found[0].args.defaults)
    required, rest = given[:len(given) - optional] if optional else given, given[len(parameters):]
    if given[:len(parameters)] != parameters or len(required) > len(parameters) or len(rest) > optional:
        return "the parameters of `%s` are (%s), they must be (%s)" % (function, ", ".join(given), ", ".join(parameters))
    return None


def in_copy(work, seconds):
    """Does `work` in a copy of this process: what it returned, or why it did not."""
    pipe, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            os.close(pipe)
            quiet = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(quiet, number)
            answer = {"value": work()}
        except BaseException as error:
            answer = {"raised": shown(error)}
        try:
            text = json.dumps(answer)
        except (TypeError, ValueError) as error:
            text = json.dumps({"raised": "the result is no value of JSON: %s" % error})
        with os.fdopen(out, "w", encoding="utf-8") as file:
            file.write(text[:MOST_BYTES])
        os._exit(0)
    os.close(out)
    text, end = b"", time.monotonic() + seconds
    while len(text) <= MOST_BYTES:
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        more = os.read(pipe, 65536) if ready else None
        if not more:
            break
        text += more
    else:
        ready, more = [pipe], b""
    late = not ready
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        pass
    try:
        os.kill(child, signal.SIGKILL)
    except OSError:
        pass
    os.close(pipe)
    os.waitpid(child, 0)
    if late:
        return {"raised": "it did not end within %g s" % seconds, "late": True}
    try:
        return json.loads(text.decode("utf-8"))
    except ValueError:
        return {"raised": "it ended without a result"}


def shown(error):
    """A traceback without the frames of this file."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    kept = [line for line in lines if '"<string>"' not in line]
    return "".join(kept)[-3000:]


def load(source, name, path):
    import types

    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    package, _, own = name.rpartition(".")
    if package:
        setattr(__import__(package), own, module)
    return module


def call_all(source, task):
    """The results of the examples' calls, each with why there is none."""
    module = load(source, "tools." + task["id"], "tools/%s.py" % task["id"])
    function = getattr(module, task["id"])
    results = []
    for example in task["examples"]:
        try:
            value = function(**example["arguments"])
            json.dumps(value, allow_nan=False)
            results.append({"value": value})
        except Exception as error:
            results.append({"raised": shown(error)})
    return results


def same(got, expected, tolerance):
    if isinstance(expected, bool) or isinstance(got, bool):
        return got is expected
    if isinstance(expected, (int, float)):
        return isinstance(got, (int, float)) and abs(got - expected) <= tolerance
    if isinstance(expected, str):
        return isinstance(got, str) and got.strip() == expected.strip()
    if isinstance(expected, list):
        return isinstance(got, (list, tuple)) and len(got) == len(expected) and all(same(a, b, tolerance) for a, b in zip(got, expected))
    return got == expected


def run_tests(source, tests, task):
    """How many tests ran, and those that failed with their output."""
    import unittest

    load(source, "tools." + task["id"], "tools/%s.py" % task["id"])
    module = load(tests, "test_tool", "tests/test_%s.py" % task["id"])
    sys.stdout = sys.stderr = io.StringIO()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
    failed = [[test.id().rsplit(".", 2)[-2] + "." + test.id().rsplit(".", 1)[-1], output[-2000:]] for test, output in result.failures + result.errors]
    failed += [[str(test), "it succeeded, though it is marked to fail"] for test in result.unexpectedSuccesses]
    return {"ran": result.testsRun, "failed": failed}


class Mutator(ast.NodeTransformer):
    """Puts the mistake with one number into a module; without a number it counts them."""

    SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
             ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
             ast.And: ast.Or, ast.Or: ast.And}

    def __init__(self, wanted=None):
        self.wanted, self.count, self.told = wanted, 0, ""

    def is_here(self, node, told):
        here = self.count == self.wanted
        self.count += 1
        if here:
            self.told = "line %d: %s" % (node.lineno, told)
        return here

    def swapped(self, node, operator):
        other = self.SWAPS.get(type(operator))
        if other and self.is_here(node, "%s became %s" % (type(operator).__name__, other.__name__)):
            return other()
        return operator

    def visit_BinOp(self, node):
        self.generic_visit(node)
        node.op = self.swapped(node, node.op)
        return node

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        node.op = self.swapped(node, node.op)
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        node.ops[0] = self.swapped(node, node.ops[0])
        return node

    def visit_Constant(self, node):
        if type(node.value) in (int, float) and self.is_here(node, "%r became %r" % (node.value, node.value + 1)):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        if node.value is not None and self.is_here(node, "it returns nothing"):
            node.value = ast.copy_location(ast.Constant(None), node)
        return node

    def visit_Expr(self, node):
        # A docstring computes nothing.
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node):
        return node

    def visit_arguments(self, node):
        return node


def mutants(source):
    counter = Mutator()
    counter.visit(ast.parse(source))
    every = max(1, -(-counter.count // MOST_MUTANTS))
    for number in range(0, counter.count, every):
        mutator = Mutator(number)
        tree = ast.fix_missing_locations(mutator.visit(ast.parse(source)))
        yield mutator.told, ast.unparse(tree)


def check(task):
    report = {"faults": [], "tests": 0, "mutants": 0, "noticed": 0, "survivors": []}

    def fault(check, place, expected, got, output=""):
        report["faults"].append({"check": check, "place": place, "expected": expected, "got": got, "output": output})

    own = "tools." + task["id"]
    sources = {}
    for name, path, modules in (("code", "tools/%s.py" % task["id"], ALLOWED_MODULES), ("tests", "tests/test_%s.py" % task["id"], ALLOWED_IN_TESTS)):
        with open(path, encoding="utf-8") as file:
            sources[name] = file.read()
        try:
            compile(sources[name], path, "exec", dont_inherit=True)
            for line, text in lint(sources[name], path, modules, {own} if name == "tests" else set()):
                fault("lint", "%s, line %d" % (path, line), "code that only computes", text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = (getattr(error, "text", None) or "").rstrip()
            fault("compile", path, "a file that compiles", "%s: %s" % (type(error).__name__, error), line)
    if not report["faults"]:
        text = signature_faults(sources["code"], task["id"], task["parameters"])
        if text:
            fault("lint", "tools/%s.py" % task["id"], task["signature"], text)
    if report["faults"]:
        return report
    answer = in_copy(lambda: call_all(sources["code"], task), task["seconds"])
    if "raised" in answer:
        fault("example", "tools/%s.py" % task["id"], "results of its worked examples", answer["raised"].strip().splitlines()[-1], answer["raised"])
        return report
    for example, result in zip(task["examples"], answer["value"]):
        place = "%s(%s)" % (task["id"], ", ".join("%s=%r" % pair for pair in example["arguments"].items()))
        if "raised" in result:
            fault("example", place, "%r" % (example["result"],), result["raised"].strip().splitlines()[-1], result["raised"])
        elif not same(result["value"], example["result"], example["tolerance"]):
            fault("example", place, "%r" % (example["result"],), "%r" % (result["value"],))
    if report["faults"]:
        return report
    answer = in_copy(lambda: run_tests(sources["code"], sources["tests"], task), task["seconds"])
    if "raised" in answer:
        fault("unit_test", "tests/test_%s.py" % task["id"], "tests that run to their end", answer["raised"].strip().splitlines()[-1], answer["raised"])
        return report
    report["tests"] = answer["value"]["ran"]
    for name, output in answer["value"]["failed"]:
        fault("unit_test", name, "a test that passes", output.strip().splitlines()[-1], output)
    if not report["tests"]:
        fault("unit_test", "tests/test_%s.py" % task["id"], "at least one test", "no tests were found")
    end = time.monotonic() + task["seconds"]
    if not report["faults"] and task["mutate"]:
        for told, source in mutants(sources["code"]):
            if time.monotonic() > end:
                break
            answer = in_copy(lambda: run_tests(source, sources["tests"], task), MUTANT_SECONDS)
            report["mutants"] += 1
            if "raised" in answer or answer["value"]["failed"]:
                report["noticed"] += 1
            else:
                report["survivors"].append(told)
    return report


if sys.version_info < (3, 9):
    print(json.dumps({"unusable": "Python 3.9 or newer is needed, this is %s" % sys.version.split()[0]}))
    sys.exit(1)
sys.path.insert(0, root)
with open("task.json", encoding="utf-8") as file:
    told = check(json.load(file))
sys.stdout.write(json.dumps(told) + "\n")
