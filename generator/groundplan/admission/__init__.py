"""What the admission policies of a repository say of the objects beside them, without a server."""
