"""What is open and what is closed: users, file system, ports, limits."""

import json
import socket
import urllib.request

from tests.docker.session.engine import AGENT
from tests.docker.session.scenario import Session
from tests.docker.session.stack import BRISK, Stack
from tests.docker.session.visiting import Visitor

_STRANGER = "12345"
_UID = "10001"
_OPEN_PORTS = """
import json, socket
def is_open(port):
    with socket.socket() as tried:
        tried.settimeout(2)
        return tried.connect_ex(("trading-agent", port)) == 0
print(json.dumps([port for port in (22, 8050, 8080, 8090, 8091, 9001, 9464) if is_open(port)]))
"""
_METRICS = """
import urllib.request
print(urllib.request.urlopen("http://trading-agent:9464/metrics", timeout=10).read().decode())
"""


def closed_doors(session: Session) -> None:
    """root, the root file system, Redis from outside, the supervisor's socket: refused."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(60, "healthy", stack.is_healthy)
        _as_nobody_much(session, stack)
        _limits(session, stack)
        _ports(session, stack)


def _as_nobody_much(session: Session, stack: Stack) -> None:
    users = {line.split()[0] for line in session.engine.docker("top", AGENT, "-eo", "uid,pid").out.splitlines()[1:]}
    session.expect(users == {_UID}, f"every process is user {_UID}", users)
    for user in (_UID, "0"):
        for place in ("/app/x", "/usr/local/x", "/etc/x"):
            done = stack.exec("touch", place, user=user)
            session.expect(done.code != 0, f"user {user} writes {place}: {done.output.strip().rpartition(': ')[2]}")
    limits = stack.exec("grep", "-hE", "^(CapEff|CapBnd|NoNewPrivs)", "/proc/1/status").out.split()
    session.expect(limits[1::2] == ["0" * 16, "0" * 16, "1"], f"no capability, no new privileges: {' '.join(limits)}")
    for user in (_STRANGER, "0"):
        done = stack.exec("supervisorctl", "status", user=user)
        session.expect(
            done.code != 0 and "RUNNING" not in done.output, f"user {user} asks supervisord: {done.output.strip()[:90]}"
        )
    done = stack.exec("cat", "/app/data/ledger.db", user=_STRANGER)
    session.expect(done.code != 0, f"user {_STRANGER} reads the ledger: {done.output.strip().rpartition(': ')[2]}")


def _limits(session: Session, stack: Stack) -> None:
    for service in ("trading-agent", "redis"):
        name = stack.container(service)
        memory, processes = stack.inspect("{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", name).split()
        log = json.loads(stack.inspect("{{json .HostConfig.LogConfig.Config}}", name))
        session.expect(int(memory) > 0, f"{service}: at most {int(memory) / 1e6:.0f} MB of memory")
        session.expect(processes not in {"0", "<nil>", "-1"}, f"{service}: at most {processes} processes")
        session.expect(
            log and "max-size" in log, f"{service}: its log takes {log.get('max-size')} x {log.get('max-file')}"
        )


def _ports(session: Session, stack: Stack) -> None:
    published = session.engine.docker("port", stack.container("redis")).out.strip()
    session.expect(not published, "Redis has no port on the host", published)
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    for address in stack.inspect(form, stack.container("redis")).split():
        session.expect(not _answers_as_redis(address), f"this machine does not reach {address}:6379, where it is")
    lines = session.engine.docker("port", AGENT).out.strip().splitlines()
    session.expect(
        lines and all("-> 127.0.0.1:" in line for line in lines),
        f"published on 127.0.0.1 only: {'; '.join(lines)}",
        lines,
    )
    found = json.loads(stack.run_beside("python", "-c", _OPEN_PORTS).out)
    session.expect(found == [8050, 8080, 9464], f"a container beside it reaches {found}, and no control port", found)


def _answers_as_redis(address: str) -> bool:
    """Whether Redis itself answers there: what lies between may accept a connection to any address."""
    try:
        with socket.create_connection((address, 6379), timeout=3) as tried:
            tried.sendall(b"PING\r\n")
            return tried.recv(16).startswith((b"+", b"-"))
    except OSError:
        return False


def metrics(session: Session) -> None:
    """metrics answer to containers beside it, and to nobody else."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        text = stack.run_beside("python", "-c", _METRICS).out
        lines = [line for line in text.splitlines() if line.startswith("trade_agent_")]
        session.expect(len(lines) > 50, f"http://trading-agent:9464/metrics has {len(lines)} lines")
        counted = [line for line in lines if line.startswith("trade_agent_fills_total")]
        session.expect(counted, f"such as {counted[0] if counted else ''}")
        session.expect("9464" not in session.engine.docker("port", AGENT).out, "the port is not published")


def simulated_exchange(session: Session) -> None:
    """profile simulated-exchange: an exchange of its own for other people's bots, on a published port."""
    with session.stack({"SIMULATION_SPEED": "60"}, profile="simulated-exchange") as stack:
        stack.up()
        name = stack.container("simulated-exchange")
        port = session.engine.docker("port", name).out.strip()
        session.expect("-> 127.0.0.1:" in port, f"published on 127.0.0.1 only: {port}", port)
        base = f"http://{port.splitlines()[0].rpartition('-> ')[2]}"
        visitor = Visitor()
        session.within(60, f"{base}/api/v3/time answers", lambda: _asked(visitor, f"{base}/api/v3/time"))
        price = _asked(visitor, f"{base}/api/v3/ticker/price?symbol=BTCUSDT")
        session.expect("price" in price, f"it has prices: {price}")
        session.within(60, "the trader beside it is healthy", stack.is_healthy)


def _asked(visitor: Visitor, address: str) -> str:
    answer = visitor.ask(urllib.request.Request(address))
    return answer.text if answer.status == 200 else ""
