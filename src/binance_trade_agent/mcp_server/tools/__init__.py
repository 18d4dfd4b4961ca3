"""The tools, a module a subject; each module names its own in TOOLS."""
