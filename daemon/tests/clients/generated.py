"""Makes clients from a daemon's own document and uses them: generated.py ADDRESS FOLDER

Each generator must take the document without a complaint about it. What the clients in Python and TypeScript read must be
what the daemon answers; those in Rust and Java are held against rules.
"""
import compileall
import importlib
import json
import pathlib
import re
import subprocess
import sys
import sysconfig
import urllib.request

address, folder = sys.argv[1], pathlib.Path(sys.argv[2])
programs = pathlib.Path(sys.executable).parent
document = folder / "openapi.json"
document.write_bytes(urllib.request.urlopen(address + "/openapi.json").read())


def run(*command):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}: {told[-3000:]}"
    return told


def generate(language, *more):
    told = run(programs / "openapi-generator-cli", "generate", "-i", document, "-g", language, "-o", folder / language, *more)
    # A schema that it could not read is left out with a word.
    bad = [line for line in told.splitlines() if " ERROR " in line or "is not defined" in line or "has already been" in line]
    assert not bad, bad
    return folder / language


def texts(produced, pattern):
    found = {path: path.read_text() for path in produced.rglob(pattern)}
    assert any("roject" in path.name for path in found) or any("project" in path.name for path in found), pattern
    return found


def java(produced):
    """What javac would stumble over, without a JDK: a class that is named and not there, or a member that is there twice."""
    sources = texts(produced / "src/main", "*.java")
    classes = {path.stem for path in sources}
    for path, text in sources.items():
        named = set(re.findall(r"import org\.openapitools\.client\.(?:model|api)\.(\w+);", text))
        assert named <= classes, (path, named - classes)
        members = re.findall(r"^  (?:private|protected) (?:static )?[\w<>., ]+? (\w+)(?: =.*)?;$", text, re.M)
        assert len(members) == len(set(members)), (path, sorted(members))


def rust(produced):
    """What rustc would stumble over. Its libraries take minutes to build, so they are not: every file parses, and every
    model that is named is there once, with each member once."""
    sources = texts(produced / "src", "*.rs")
    defined = [name for text in sources.values() for name in re.findall(r"^pub (?:struct|enum) (\w+)", text, re.M)]
    for path, text in sources.items():
        named = set(re.findall(r"\bmodels::(?:\w+::)?([A-Z]\w*)", text))
        assert named <= set(defined), (path, named - set(defined))
        for body in re.findall(r"^pub struct \w+ \{\n(.*?)^\}", text, re.M | re.S):
            members = re.findall(r"^    pub (?:r#)?(\w+):", body, re.M)
            assert len(members) == len(set(members)), (path, members)
    models = [path.stem for path in sources if path.parent.name == "models"]
    assert len(models) == len(set(models))
    parsed = subprocess.run(["rustfmt", "--edition", "2021", produced / "src/lib.rs"], capture_output=True, text=True)
    assert parsed.returncode == 0, parsed.stderr[-3000:]


def typescript(produced):
    """The compiler checks the client, and then it asks the daemon."""
    # npm and node come from the package index, as the generators do.
    run(programs / "npm", "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, "typescript@5.9.3")
    (produced / "ask.ts").write_text("""
import { Configuration, ProjectsApi, ToolsApi, ResponseError } from "./index";

declare const process: { argv: string[] };
const configuration = new Configuration({ basePath: process.argv[2] });

async function ask() {
    const projects = new ProjectsApi(configuration);
    const listed = await projects.listProjects();
    const first = listed.data[0];
    const build = await projects.getBuild({ id: first.projectId });
    const tools = await new ToolsApi(configuration).listTools({ limit: 5 });
    let status = 0;
    try { await projects.getProject({ id: "proj_none" }); } catch (error) { status = (error as ResponseError).response.status; }
    console.log(JSON.stringify([listed.success, first.status.length > 0, build.data.totalStages, tools.data.length > 0, status]));
}
ask();
""")
    compiled = folder / "compiled"
    run(programs / "node", folder / "node_modules/typescript/bin/tsc", "--strict", "--target", "es2022", "--lib", "es2022,dom",
        "--module", "commonjs", "--skipLibCheck", "--outDir", compiled, produced / "ask.ts", produced / "index.ts")
    assert json.loads(run(programs / "node", compiled / "ask.js", address)) == [True, True, 9, True, 404]


java(generate("java"))
rust(generate("rust"))
python = generate("python", "--package-name", "nexus_generated")
assert compileall.compile_dir(python / "nexus_generated", quiet=1)
sys.path.insert(0, str(python))
client = importlib.import_module("nexus_generated")
with client.ApiClient(client.Configuration(host=address)) as api:
    projects = client.ProjectsApi(api)
    requirement = "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR."
    created = projects.create_project(client.NewProjectBody(requirement=requirement))
    assert created.success is True and created.data.status == "queued", created
    listed = projects.list_projects()
    assert [project.project_id for project in listed.data] == [created.data.project_id], listed
    assert projects.get_build(created.data.project_id).data.total_stages == 9
    assert client.ToolsApi(api).list_tools(limit=5).data
    try:
        projects.get_project("proj_none")
        raise AssertionError("an error is an error")
    except client.ApiException as error:
        assert error.status == 404 and json.loads(error.body)["error"]["code"] == "PROJECT_NOT_FOUND"
    event = client.ChatEvent.from_json('{"event": "message", "type": "text", "data": "hello"}')
    assert event.actual_instance is not None

run(programs / "openapi-python-client", "generate", "--path", document, "--output-path", folder / "second", "--overwrite", "--meta", "none")
sys.path.insert(0, str(folder))
second = importlib.import_module("second")
listing = importlib.import_module("second.api.projects.list_projects")
answer = listing.sync(client=second.Client(base_url=address))
assert answer.success is True and len(answer.data) == 1, answer
typescript(generate("typescript-fetch"))
print("clients work with Python", sysconfig.get_python_version())
