"""Programs that are run to their end: psql, cargo, and where Postgres is."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def find_postgres():
    found = shutil.which("initdb")
    if found:
        return str(pathlib.Path(found).resolve().parent)
    installed = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: int(path.parts[-3]))
    return str(newest[-1].parent) if newest else None


def as_postgres():
    """What a command begins with whose program refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def give_to_postgres(*paths):
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, "postgres", "postgres")


def psql(url, *commands, check=False, timeout=None):
    command = ["psql", "-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1", "-d", url]
    for sql in commands:
        command += ["-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        sys.exit(f"psql failed: {done.stderr.strip()}")
    return done


def scalar(url, sql):
    return psql(url, sql, check=True).stdout.strip()


def narrows_binary(path):
    """The binary that was named, else the one that cargo makes of this tree."""
    if path:
        binary = pathlib.Path(path).resolve()
        if not binary.exists():
            sys.exit(f"{binary} is missing: cargo build --release --features demo")
        return binary
    subprocess.run(["cargo", "build", "--release", "--features", "demo"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    return (ROOT / target / "release/narrows").resolve()
