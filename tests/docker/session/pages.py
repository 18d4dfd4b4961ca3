"""The published ports: pages with a password, the MCP server with a token, a notice without."""

from tests.docker.session.scenario import Session
from tests.docker.session.stack import BRISK
from tests.docker.session.visiting import PAGES, Assistant, Visitor

_PASSWORD, _TOKEN = "a password of the session", "a-token-of-the-session"


def pages(session: Session) -> None:
    """the dashboard on 8050 and the MCP server on 8080: a notice without password and token, all of it with them."""
    with session.stack(BRISK) as stack:
        stack.up()
        visitor, assistant = Visitor(), Assistant(None)
        notice = session.within(60, "without a password 8050 answers with a notice", lambda: _locked(visitor.get("/")))
        session.expect("DASHBOARD_PASSWORD" in notice, notice.strip().splitlines()[0])
        notice = session.within(30, "without a token 8080 answers with a notice", lambda: _locked(assistant.begin()))
        session.expect("MCP_AUTH_TOKEN" in notice, notice.strip().splitlines()[0])

        stack.up(DASHBOARD_PASSWORD=_PASSWORD, MCP_AUTH_TOKEN=_TOKEN)
        session.within(60, "with a password 8050 asks for it", lambda: "password" in visitor.get("/portfolio").text)
        session.expect(visitor.log_in("another").status == 401, "a wrong password is refused")
        session.expect(visitor.log_in(_PASSWORD).status == 200, "the right one logs in")
        session.within(120, "trading", stack.fills)
        for page in PAGES:
            answer = visitor.get(page)
            session.expect(
                answer.status == 200 and "Log out" in answer.text, f"{page}: {len(answer.text) // 1000} kB", answer
            )
        session.within(30, "/health is 200", lambda: visitor.get("/health").status == 200)

        session.expect(Assistant("another-token-of-nobody").begin().status == 401, "a wrong token is refused")
        assistant = Assistant(_TOKEN)
        session.expect(assistant.begin().status == 200, "MCP: initialize")
        tools = [tool["name"] for tool in assistant.ask("tools/list")["tools"]]
        session.expect("get_trade_history" in tools, f"MCP: {len(tools)} tools")
        trades = assistant.ask("tools/call", name="get_trade_history", arguments={})
        session.expect(not trades.get("isError") and "BUY" in str(trades), "MCP: get_trade_history has a BUY", trades)


def _locked(answer) -> str:
    return answer.text if answer.status == 503 else ""
