"""What routes of pages are made with."""

from typing import Annotated, Any

from fastapi import Depends, Request

from binance_trade_agent.desk.desk import Desk

REGION = "region"  # the tag of a route that is a piece of a page, or its data, and may be watched by the hub

# Answers that any page may give, for its description.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"text/html": {}, "text/plain": {}}}
    for code, text in {
        303: "It was done: Location says where one sees it.",
        400: "The request is not what a browser sends.",
        401: "There is no session.",
        403: "Not allowed to this session, or without the page's token.",
        404: "There is no such thing.",
        409: "It cannot be done now; the answer says why.",
        413: "More was sent than a form holds.",
        422: "A value is not allowed; the answer says which.",
        503: "The ledger cannot be read.",
    }.items()
}


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(_desk)]
