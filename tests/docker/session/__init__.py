"""The container's session, for real: each scenario builds on a Docker engine what people run, and watches what it does.

Standard library only: `make docker-test` needs Docker and a Python, and nothing of the project's environment.
"""
