"""What a change allows: comparing two revisions of a cluster's objects by meaning."""
