"""Peers from the package registries, kept in the user's cache folder."""

import os
import pathlib
import shutil
import subprocess
import sys

from .servers import readable_copy

# Named prepared statements in transaction mode came with 1.21; the stable
# releases before this one have 1.18.
SUITE = "trixie"
# With the libraries of the same suite down to libc, so that it runs elsewhere.
PACKAGES = ["pgbouncer", "libc6", "libevent-2.1-7t64", "libcares2", "libssl3t64", "libpam0g",
            "libsystemd0", "libaudit1", "libcap-ng0", "libcap2", "libgcc-s1", "zlib1g", "libzstd1"]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LOADERS = ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"]


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "narrows/bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pgbouncer(named, folder):
    """The command that starts it, and its version. `folder` must be reachable
    for the user that it is run by."""
    if named:
        command = [str(pathlib.Path(named).resolve())]
    elif has_apt():
        command = unpacked(readable_copy(download(), folder))
    elif shutil.which("pgbouncer"):
        command = [shutil.which("pgbouncer")]
    else:
        sys.exit("pgbouncer is missing, and there is no Debian apt-get to fetch it: "
                 "--pgbouncer BINARY, or --peers direct,narrows")
    answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    return command, answer.stdout.split("\n")[0].strip()


def has_apt():
    return bool(shutil.which("apt-get")) and pathlib.Path(KEYRING).exists()


def download():
    """Debian's packages, unpacked and not installed."""
    target = cache() / f"pgbouncer-{SUITE}"
    if target.exists():
        return target
    print(f"fetching pgbouncer of Debian {SUITE} into {target}", file=sys.stderr)
    work, apt = private_apt(SUITE, "deb")
    for folder in ["debs", "root"]:
        (work / folder).mkdir()
    subprocess.run([*apt, "download", *PACKAGES], check=True, cwd=work / "debs",
                   stdout=subprocess.DEVNULL)
    for package in sorted((work / "debs").glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, work / "root"], check=True)
    (work / "root").rename(target)
    shutil.rmtree(work)
    return target


def private_apt(suite, kind):
    """A work folder, and an apt-get that knows one suite (`deb` or `deb-src`) and
    leaves the system's lists alone."""
    work = cache() / "apt"
    shutil.rmtree(work, ignore_errors=True)
    for folder in ["lists/partial", "cache/archives/partial"]:
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(
        f"{kind} [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": work / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": work, "Dir::State::status": work / "status", "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True, stdout=subprocess.DEVNULL)
    return work, apt


def unpacked(root):
    """Through the loader that came along, because the libc did."""
    loaders = [path for name in LOADERS for path in root.glob(f"usr/lib*/{name}")]
    libraries = [str(path) for path in root.glob("usr/lib/*-linux-gnu")]
    return [str(loaders[0]), "--library-path", ":".join(libraries),
            str(root / "usr/sbin/pgbouncer")]
