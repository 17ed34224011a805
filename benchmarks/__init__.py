"""What `make bench` runs: each figure as a ratio or against its bar, from one run on one machine."""
