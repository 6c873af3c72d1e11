"""Numbers: medians with their spread, a process's CPU time and memory, tables."""

import math
import os
import pathlib
import statistics

TICKS = os.sysconf("SC_CLK_TCK")


def spread(values):
    """Median, minimum and maximum, as they are kept in the JSON."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": list(values)}


def percentile(values, percent):
    """The smallest value that so many percent do not exceed; values are sorted."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def cpu_seconds(pid):
    """User and system time of a process with all its threads."""
    # The name in parentheses may hold spaces.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Resident MiB now, and at their highest since `reset_peak`."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines()
                 if line.startswith(("VmRSS", "VmHWM"))}
    return kilobytes["VmRSS"] / 1024, kilobytes["VmHWM"] / 1024


def reset_peak(pid):
    # proc(5): 5 sets the peak to what is resident now.
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def show(spread_of, places=0, unit=1.0):
    """`median (min–max)`, or a dash where nothing could be measured."""
    if not spread_of:
        return "–"
    middle, low, high = (spread_of[name] * unit for name in ("median", "min", "max"))
    return f"{middle:,.{places}f} ({low:,.{places}f}–{high:,.{places}f})"


def ratio(above, below):
    """The median of the rounds' ratios: what slows the machine down for a while
    is in both."""
    pairs = zip(above["values"], below["values"]) if above and below else []
    ratios = [one / other for one, other in pairs if other]
    return statistics.median(ratios) if ratios else None


def number(value, places=2):
    return "–" if value is None else f"{value:,.{places}f}"


def markdown(header, rows):
    """The first column is to the left, the others to the right."""
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(["---", *["---:"] * (len(header) - 1)]) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
