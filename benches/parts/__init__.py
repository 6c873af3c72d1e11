"""The parts of the benchmark: each has `run(context)`, which gives what goes
into the JSON file, and `report(context, result)`, which gives Markdown of it."""
