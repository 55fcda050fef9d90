"""Makes clients from a daemon's own document and uses them: generated.py ADDRESS FOLDER

Each generator must take the document without a complaint about it, and what the Python clients read must be what the
daemon answers.
"""
import compileall
import importlib
import json
import pathlib
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


for language in ["rust", "typescript-fetch", "java"]:
    produced = generate(language)
    assert any(produced.rglob("*roject*")), language
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
print("clients work with Python", sysconfig.get_python_version())
