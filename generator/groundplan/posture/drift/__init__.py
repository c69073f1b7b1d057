"""Whether what is allowed now was agreed to: in the repository, and on a cluster that runs."""
