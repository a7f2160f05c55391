"""The programs that the start page shows, taken from GET /api/snippets and run as they are: each must write and read a record.

    snippets.py HTTP CACHE NAME…     what each needs is in CACHE (run fetches it)
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

http, cache, names = sys.argv[1], sys.argv[2], sys.argv[3:]
here = os.path.dirname(os.path.abspath(__file__))
snippets = {snippet["name"]: snippet for snippet in json.load(urllib.request.urlopen(f"{http}/api/snippets"))}

CARGO = """[package]
name = "hello"
version = "0.1.0"
edition = "2024"
[dependencies]
rdkafka = "0.39"
[workspace]
"""
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>4.0.0</version></parent>
<groupId>hello</groupId><artifactId>hello</artifactId><version>1</version>
<dependencies><dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-kafka</artifactId></dependency></dependencies>
<build><plugins><plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>
</project>
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def properties(code):
    """What the Spring program says of application.properties in its comment."""
    lines = [line.strip("/ ") for line in code.splitlines() if line.startswith("//   ")]
    return "\n".join(lines) + "\n"


def command(name, folder, path, code):
    if name == "kcat":
        return ["sh", path]
    if name == "Java":
        return ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{cache}/jars-4.3.0/*", path]
    if name == "Python":
        return [f"{cache}/venv/bin/python", path]
    if name == "Node":
        os.environ["NODE_PATH"] = f"{cache}/node/node_modules"
        return ["node", path]
    if name == "Go":
        for part in ("go.mod", "go.sum"):
            shutil.copy(f"{here}/go/{part}", folder)
        return [shutil.which("go") or "/usr/local/go/bin/go", "run", "-mod=mod", path]
    if name == "Rust":
        write(folder, "Cargo.toml", CARGO)
        write(folder, "src/main.rs", code)
        os.environ.setdefault("CARGO_TARGET_DIR", f"{cache}/rust-target")
        return ["cargo", "run", "--quiet", "--manifest-path", f"{folder}/Cargo.toml"]
    if name == "Spring":
        write(folder, "pom.xml", POM)
        write(folder, "src/main/resources/application.properties", properties(code))
        return ["mvn", "-q", "-B", "-f", f"{folder}/pom.xml", "spring-boot:run"]
    raise SystemExit(f"no snippet {name}")


def run(name):
    snippet = snippets[name]
    expected = "hello" if name == "kcat" else f"hello from {name}"
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, snippet["file"], snippet["code"])
        process = subprocess.Popen(command(name, folder, path, snippet["code"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, cwd=folder)
        if name != "Spring":
            said, errors = process.communicate(timeout=600)
            return process.returncode == 0 and "hello" in said, said + errors
        # A server: it goes on until it is ended.
        said = ""
        for line in process.stdout:
            said += line
            if line.strip() == expected:
                process.terminate()
                return True, said
        return False, said + process.stderr.read()


for name in names:
    try:
        passed, said = run(name)
    except Exception as error:
        passed, said = False, repr(error)
    print(f"{'PASSED' if passed else 'FAILED'}  snippets: {name}", flush=True)
    if not passed:
        print("\n".join("        | " + line for line in said.splitlines()[-12:]), file=sys.stderr)
