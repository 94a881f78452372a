"""Serve saved agents over HTTP: recommendations, and conversations.

    python examples/serve.py slates.pt [--conversations conversation.pt] [--port 8000]

The files are those of `recsim.save_agent`. It needs ``pip install 'slaterec[serve]'``. FastAPI
calls the functions below in several threads: `recommend` lets them wait for each other, and every
conversation has a lock and a copy of the agent of its own.
"""

from __future__ import annotations

import argparse
import copy
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import recsim
from recsim.chat.conversations import Conversation, Question

MOST_CONVERSATIONS = 1000


class Wanted(BaseModel):
    """What a recommendation is asked for; see `recsim`'s ``agent.recommend``."""

    history: list[str | int] = []
    k: int | None = Field(default=None, ge=1)
    exclude: list[str | int] = []
    user_features: list[float] | None = None


class Answer(BaseModel):
    """To a question ``yes``, ``no`` or ``?``; to items the one that is accepted, or none."""

    answer: str | None = None


@dataclass
class Open:
    """A conversation that goes on, with an agent that is in no other."""

    conversation: Conversation
    lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self) -> dict[str, Any]:
        """Return the agent's turn, or how the conversation ended."""
        if self.conversation.over:
            return {"over": True, "accepted": self.conversation.accepted}
        turn = self.conversation.next_turn()
        if isinstance(turn, Question):
            return {"over": False, "ask": turn.attribute, "reason": turn.reason}
        return {"over": False, "show": list(turn.items), "reason": turn.reason}


def app(slates: Any = None, conversations: Any = None) -> FastAPI:
    """Return the application.

    Args:
        slates: An agent of slates, such as `recsim.load_agent` returns.
        conversations: An agent of conversations.
    """
    torch.set_num_threads(1)
    served = FastAPI(title="SlateRec")
    going: OrderedDict[str, Open] = OrderedDict()  # those used last are at the end
    guard = threading.Lock()

    @served.exception_handler(recsim.UserError)
    def refuse(request: Any, error: recsim.UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    if slates is not None:

        @served.post("/recommend")
        def recommend(wanted: Wanted) -> dict[str, Any]:
            items = slates.recommend(
                wanted.history,
                wanted.k,
                exclude=wanted.exclude,
                user_features=wanted.user_features,
            )
            return {"items": [item if isinstance(item, str) else int(item) for item in items]}

    if conversations is not None:

        @served.post("/conversations")
        def begin() -> dict[str, Any]:
            with guard:  # no conversation uses the loaded agent itself, only copies of it
                own = copy.deepcopy(conversations)
            begun, key = Open(Conversation(own)), uuid.uuid4().hex
            with guard:
                going[key] = begun
                if len(going) > MOST_CONVERSATIONS:  # the one that was left longest
                    going.popitem(last=False)
            with begun.lock:
                return {"id": key, **begun.state()}

        @served.post("/conversations/{key}")
        def answer(key: str, given: Answer) -> dict[str, Any]:
            with guard:
                if key not in going:
                    raise HTTPException(404, f"There is no conversation {key!r}, or it has ended.")
                going.move_to_end(key)
                found = going[key]
            with found.lock:
                found.conversation.reply(given.answer)
                state = found.state()
            if state["over"]:
                with guard:
                    going.pop(key, None)
            return state

    return served


def main() -> None:
    """Load the agents and serve them."""
    import uvicorn

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("slates", help="file of an agent of slates")
    parser.add_argument("--conversations", help="file of an agent of conversations")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    talking = None if given.conversations is None else recsim.load_agent(given.conversations)
    uvicorn.run(app(recsim.load_agent(given.slates), talking), port=given.port)


if __name__ == "__main__":
    main()
