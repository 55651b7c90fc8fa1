#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts: shellcheck reads every shell script, bats file and bats helper; Python files compile."""
import ast
import os
import re
import subprocess

import tree


def shell_scripts():
    for path in tree.files():
        if path.endswith((".sh", ".bash", ".bats")):
            yield path
        elif not os.path.splitext(path)[1] and not tree.is_binary(path):
            if re.match(r"#!.*\b(ba|da)?sh\b", tree.text(path)):
                yield path


def python_scripts():
    for path in tree.files():
        if path.endswith(".py"):
            yield path
        elif not os.path.splitext(path)[1] and not tree.is_binary(path):
            if re.match(r"#!.*\bpython3\b", tree.text(path)):
                yield path


def complaints():
    scripts = list(shell_scripts())
    if scripts:
        # run's variables are bats' (2154), and every case is a subshell on purpose (2030, 2031); helpers have defaults (2119, 2120).
        said = subprocess.run(["shellcheck", "--format=gcc", "--external-sources",
                               "--exclude=SC2154,SC2030,SC2031,SC2119,SC2120", *scripts],
                              capture_output=True, text=True, check=False)
        yield from (said.stdout + said.stderr).splitlines()
    for path in python_scripts():
        try:
            ast.parse(tree.text(path))
        except SyntaxError as wrong:
            yield f"{path}:{wrong.lineno}: {wrong.msg}"


if __name__ == "__main__":
    os.chdir(tree.ROOT)
    tree.finish(list(complaints()))
