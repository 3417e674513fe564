"""Runs every example of the documents, so that none of them lies.

In docs/*.scd, section EXAMPLES, and in README.md, the fenced block after <!-- run -->: a line that
starts with "$ " is a command, the lines after it up to the next command or the end of the block
are what it prints. "..." as a line stands for any lines, inside a line for any text. A command
that prints what it should may exit as it likes; one without expected output must exit with 0. One
document is one shell session, in an empty folder, with a daemon of its own.

A fenced block after <!-- build --> (in .scd: a line "; build") is a C program that must compile and
link; with <!-- build run --> it must also exit with 0; <!-- build module --> makes a module of it.

A fenced block after <!-- config --> has the pools that the document speaks of: its daemon serves these
and no others, instead of those that the other tests have.
"""

import glob
import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATH, PATIENCE, POOLS, SRC, Folder, Poold  # noqa: E402

FENCE = re.compile(r"^\s*```")
MARK = re.compile(r"^(?:<!-- (run|config|build[a-z ]*) -->|; (run|config|build[a-z ]*))\s*$")


class Command:
    def __init__(self, line, text):
        self.line, self.text, self.expected = line, text, []

    def pattern(self):
        lines = self.expected
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        out = []
        for line in lines:
            if line.strip() == "...":
                out.append(r"(?:.*\n)*?")
            else:
                text = ".*".join(re.escape(part) for part in line.rstrip().split("..."))
                out.append(text + r"[ \t]*\n")
        return re.compile("".join(out))


def blocks(path):
    """Yields (mark, line number, lines) of each fenced block; mark is "" without one."""
    mark, block, section = "", None, ""
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        if block is not None:
            if FENCE.match(line):
                yield mark, start, block
                mark, block = "", None
            else:
                block.append(line)
        elif FENCE.match(line):
            block, start = [], number + 1
            if not mark and section == "EXAMPLES" and path.endswith(".scd"):
                mark = "run"
        elif MARK.match(line):
            mark = next(filter(None, MARK.match(line).groups()))
        elif line.strip():
            if line.startswith("# "):
                section = line[2:].strip()
            mark = ""


def commands(start, lines):
    """The commands of one block. One goes on after a backslash, and up to the end of <<WORD."""
    found, goes_on = [], None
    for number, line in enumerate(lines, start):
        line = line[1:] if line.startswith("\t") else line
        if goes_on:
            found[-1].text += "\n" + line
            goes_on = goes_on(line)
        elif line.startswith("$ "):
            found.append(Command(number, line[2:]))
            goes_on = continuation(line)
        elif found:
            found[-1].expected.append(line)
    return found


def continuation(line):
    """Says of each further line whether the command goes on; None: it ends here."""
    here = re.search(r"<<-?'?(\w+)", line)
    if here:
        def until_word(line):
            return None if line == here.group(1) else until_word
        return until_word
    return continuation if line.endswith("\\") else None


def run_session(name, session, folder, env):
    """All commands in one shell; marker lines tell where the output of each begins and ends."""
    script = ["exec 2>&1"]
    for i, command in enumerate(session):
        script += [command.text, f"printf '\\n--%s %s--\\n' {i} $?"]
    here = folder.at(name)
    os.mkdir(here)
    got = subprocess.run(["sh", "-c", "\n".join(script)], cwd=here, env=env, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, errors="replace",
                         timeout=PATIENCE).stdout
    bad = 0
    for i, command in enumerate(session):
        at = re.search(rf"\n--{i} (\d+)--\n", got)
        if not at:
            print(f"{name}:{command.line}: the shell ended in: {command.text}\n{got}")
            return bad + 1
        said, status, got = got[:at.start()], int(at.group(1)), got[at.end():]
        if said and not said.endswith("\n"):
            said += "\n"
        pattern = command.pattern()
        if pattern.pattern:
            ok = pattern.fullmatch(said)
        else:
            ok = status == 0 and not said
        if not ok:
            bad += 1
            print(f"{name}:{command.line}: $ {command.text}\n  exit {status}, it says:")
            print("".join(f"  | {line}\n" for line in said.splitlines()), end="")
            print("  expected:")
            print("".join(f"  | {line}\n" for line in command.expected), end="")
    return bad


def compile_block(name, start, mark, lines, folder, env):
    include = folder.at("include")
    if not os.path.isdir(include):
        os.mkdir(include)
        for header in (*sorted(glob.glob("client/poold*.h", root_dir=SRC)), "daemon/worker/poold-module.h"):
            os.symlink(os.path.join(SRC, header), os.path.join(include, os.path.basename(header)))
    base = folder.at(f"{name}.{start}")
    with open(base + ".c", "w") as f:
        f.write(f'#line {start} "{name}"\n' + "\n".join(lines) + "\n")
    words = shlex.split(os.environ["POOLD_TEST_CC"])
    flags = [w for w in shlex.split(os.environ.get("POOLD_TEST_CFLAGS", ""))
             if w.startswith("-fsanitize") or w == "--coverage"]
    command = [*words, *flags, "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
               "-D_GNU_SOURCE", "-I", include, base + ".c", "-o", base]
    if "module" in mark:
        command += ["-shared", "-fPIC"]
    else:
        libs = os.path.join(BUILD, "client", ".libs")
        if not os.path.isdir(libs):
            libs = os.path.join(BUILD, ".libs")
        command += ["-L", libs, f"-Wl,-rpath,{libs}", "-lpoold"]
    if "msgpack" in "\n".join(lines):
        command += shlex.split(os.environ.get("POOLD_TEST_MSGPACK_LIBS", "-lmsgpackc"))
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        print(f"{name}:{start}: does not compile:\n{made.stdout}")
        return 1
    if "run" in mark:
        ran = subprocess.run([base], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                             text=True, timeout=PATIENCE, cwd=folder.path)
        if ran.returncode:
            print(f"{name}:{start}: exits with {ran.returncode}:\n{ran.stdout}")
            return 1
    return 0


def main():
    docs = os.path.join(SRC, "docs")
    paths = [os.path.join(SRC, "README.md")]
    paths += sorted(os.path.join(docs, n) for n in os.listdir(docs) if n.endswith(".scd"))
    n_commands = n_programs = bad = 0
    for path in paths:
        name = os.path.basename(path)
        session, programs, pools = [], [], POOLS
        for mark, start, lines in blocks(path):
            if mark == "run":
                session += commands(start, lines)
            elif mark == "config":
                pools = "\n".join(lines) + "\n"
            elif mark.startswith("build"):
                programs.append((start, mark, lines))
        if not session and not programs:
            print(f"{name}: no example that can be run")
            bad += 1
            continue
        with Folder(pools) as folder, Poold(folder):
            env = dict(os.environ, POOLD_SOCKET=folder.socket, LC_ALL="C.UTF-8",
                       HOME=folder.path, XDG_RUNTIME_DIR=folder.path,
                       XDG_CONFIG_HOME=folder.path, XDG_STATE_HOME=folder.path,
                       PATH=PATH)
            if session:
                bad += run_session(name, session, folder, env)
            for start, mark, lines in programs:
                bad += compile_block(name, start, mark, lines, folder, env)
        print(f"{name}: {len(session)} commands, {len(programs)} programs")
        n_commands += len(session)
        n_programs += len(programs)
    print(f"{n_commands} commands, {n_programs} programs, {bad} wrong")
    return 1 if bad else 0


sys.exit(main())
