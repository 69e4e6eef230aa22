"""How fast archdsl is, against peers measured in the same run. `python -m benchmarks --help`; see README.md."""
