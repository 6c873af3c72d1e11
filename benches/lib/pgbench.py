"""One run of pgbench against one peer, and what its output and its log say."""

import pathlib
import re
import subprocess

from .measure import cpu_seconds, percentile

THREADS = 2
# Of the transactions; logging all of them would slow the client down.
SAMPLED = 0.1


class Failure(Exception):
    pass


def pgbench(peer, arguments, mode, clients, threads, seconds, folder):
    """Transactions a second, latencies in ms, the proxy's CPU in µs a transaction."""
    prefix = pathlib.Path(folder) / "pgbench"
    command = ["pgbench", "-n", "-M", mode, "-c", str(clients), "-j", str(min(clients, threads)),
               "-T", str(seconds), "-l", f"--log-prefix={prefix}", f"--sampling-rate={SAMPLED}",
               *arguments, peer.url("bench")]
    before = cpu_seconds(peer.pid) if peer.pid else None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    except subprocess.TimeoutExpired:
        raise Failure("pgbench did not end") from None
    finally:
        latencies = read_log(prefix)
    after = cpu_seconds(peer.pid) if peer.pid else None
    if done.returncode != 0:
        raise Failure(first_error(done.stderr))
    found = {name: float(re.search(pattern, done.stdout)[1]) for name, pattern in {
        "tps": r"tps = ([\d.]+)", "average": r"latency average = ([\d.]+)",
        "transactions": r"actually processed: (\d+)"}.items()}
    if not found["transactions"] or not latencies:
        raise Failure("no transaction was processed")
    return {
        "tps": found["tps"], "average_ms": found["average"],
        "p50_ms": percentile(latencies, 50), "p99_ms": percentile(latencies, 99),
        "cpu_us": (after - before) / found["transactions"] * 1e6 if peer.pid else None,
    }


def first_error(text):
    lines = [line.strip() for line in text.splitlines() if "error" in line.lower()]
    return (lines or text.strip().splitlines() or ["pgbench failed"])[0]


def read_log(prefix):
    """Latencies in ms, sorted; the files are removed."""
    latencies = []
    for path in prefix.parent.glob(prefix.name + ".*"):
        for line in path.read_text().splitlines():
            elapsed = line.split()[2]
            if elapsed.isdigit():
                latencies.append(int(elapsed) / 1000)
        path.unlink()
    return sorted(latencies)
