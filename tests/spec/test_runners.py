"""The runners in the READMEs of vectors and scenarios run, pass what is right, and fail what is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from broken.server import Server
from tester import ROOT, run

SPEC = ROOT / "spec"
FILES = {"js": "run.js", "java": "Run.java", "c": "run.c"}
NEEDS = {"js": ("node",), "java": ("javac", "java"), "c": ("cc",)}

# A cutter in each language: right, and with one mistake put in the place of what is right.
CUTTERS = {
    "js": (
        "cutter.js",
        """
        exports.Cutter = class {
          rest = Buffer.alloc(0);
          push(piece) {
            this.rest = Buffer.concat([this.rest, piece]);
            const found = [];
            let depth = 0, start = 0, quoted = false, at = 0, end = 0;
            for (; at < this.rest.length; at++) {
              const char = this.rest[at];
              if (quoted && char === 92) at++;
              else if (char === 34 && depth) quoted = !quoted;
              else if (quoted) continue;
              else if (char === 123 && !depth++) start = at;
              else if (char === 125 && depth && !--depth) found.push(this.rest.subarray(start, (end = at + 1)));
            }
            this.rest = this.rest.subarray(end);
            return found;
          }
        };
        """,
        ("else if (quoted) continue;", "else if (false) continue;"),
    ),
    "java": (
        "Cutter.java",
        """
        import java.io.*;
        import java.util.*;
        class Cutter {
            private ByteArrayOutputStream frame = new ByteArrayOutputStream();
            private int depth;
            private boolean quoted, escaped;
            List<byte[]> push(byte[] piece) {
                List<byte[]> found = new ArrayList<>();
                for (byte one : piece) {
                    if (depth > 0 || one == '{') frame.write(one);
                    if (escaped) escaped = false;
                    else if (quoted && one == '\\\\') escaped = true;
                    else if (one == '"' && depth > 0) quoted = !quoted;
                    else if (!quoted && one == '{') depth++;
                    else if (!quoted && one == '}' && depth > 0 && --depth == 0) {
                        found.add(frame.toByteArray());
                        frame.reset();
                    }
                }
                return found;
            }
        }
        """,
        ("quoted = !quoted", "quoted = false"),
    ),
    "c": (
        "cutter.c",
        """
        #include <stddef.h>
        static char frame[1 << 19];
        static size_t size;
        static int depth, quoted, escaped;
        void cut(const char *piece, size_t length, void (*found)(const char *, size_t)) {
            if (!piece) size = 0, depth = quoted = escaped = 0;
            for (size_t i = 0; i < length; i++) {
                char one = piece[i];
                if (depth || one == '{') frame[size++] = one;
                if (escaped) escaped = 0;
                else if (quoted && one == '\\\\') escaped = 1;
                else if (one == '"' && depth) quoted = !quoted;
                else if (!quoted && one == '{') depth++;
                else if (!quoted && one == '}' && depth && --depth == 0) found(frame, size), size = 0;
            }
        }
        """,
        ("size = 0, depth", "depth"),
    ),
}


def written(folder: Path, readme: Path, language: str) -> None:
    """Write the runner of this language as it stands in the README."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", readme.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block.count("\n") <= 90
    (folder / FILES[language]).write_text(block, "utf-8")


def built(folder: Path, language: str, *others: str) -> list[str]:
    """Compile what has to be, and return the command."""
    if missing := [tool for tool in NEEDS[language] if shutil.which(tool) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    makers = {
        "java": ["javac", *FILES["java"].split(), *others],
        "c": ["cc", "-Wall", "-Werror", "run.c", *others, "-o", "run"],
    }
    if language in makers:
        done = subprocess.run(makers[language], cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    return {"js": ["node", "run.js"], "java": ["java", "Run"], "c": ["./run"]}[language]


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("language", CUTTERS)
def test_a_runner_of_vectors_runs(language: str, is_right: bool, tmp_path: Path) -> None:
    file, source, (right, wrong) = CUTTERS[language]
    written(tmp_path, SPEC / "vectors" / "README.md", language)
    (tmp_path / file).write_text(source if is_right else source.replace(right, wrong), "utf-8")
    command = built(tmp_path, language, *([file] if language != "js" else []))
    for name in ("framing", "receive"):
        lines = run("lines", name).stdout
        assert lines.count("\n") > 10
        words = ["./cutter.js", str(SPEC / "vectors" / f"{name}.json")] if language == "js" else []
        done = subprocess.run([*command, *words], cwd=tmp_path, input=lines, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == is_right, done.stdout
        assert ("all passed" if is_right else "FAIL ") in done.stdout


@pytest.mark.parametrize("language", FILES)
def test_a_runner_of_scenarios_runs(language: str, tmp_path: Path) -> None:
    written(tmp_path, SPEC / "scenarios" / "README.md", language)
    command = built(tmp_path, language)
    lines = "".join(run("lines", topic).stdout for topic in ("talk", "moderation", "framing/one-byte-writes"))
    for faults, words in ((), "all passed"), (("members-kick", "unban-adds"), "FAIL moderation/kick-by-member"):
        with Server(*faults) as server:
            done = subprocess.run(
                [*command, "127.0.0.1", str(server.port)],
                cwd=tmp_path,
                input=lines,
                capture_output=True,
                text=True,
                timeout=100,
            )
        assert words in done.stdout, done.stdout + done.stderr
        assert done.returncode == (1 if faults else 0)


def test_lines_of_nothing_are_told_in_one_line() -> None:
    done = run("lines", "no-such-name")
    assert (done.returncode, done.stderr) == (2, "conformance: there are no vectors and no cases named no-such-name\n")
