"""Flux or Argo CD on a cluster, bringing up a repository that is served from this machine."""
