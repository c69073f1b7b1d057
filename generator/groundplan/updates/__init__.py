"""Updates of a rendered repository that people have changed."""
