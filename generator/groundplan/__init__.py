"""groundplan: a GitOps platform repository that a team owns, proves and keeps true."""

__version__ = "0.1.0"
