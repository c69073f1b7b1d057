"""The posture of the cluster that this process runs in, compared with git and kept as a report."""
