"""Exceptions from policies: who asked, who agreed, what for and until when."""
