"""Sessions in memory: bounded in number (least recently used goes first) and in length."""
from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from runtime.question import Call

MAX_SESSIONS = 512
MAX_TURNS = 40
MAX_REMEMBERED_ARGUMENT = 64 * 1024


class Session:
    """What one conversation has said and called so far. Hold `lock` while answering in it."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.lock = threading.Lock()
        self.messages: Deque[Dict[str, str]] = deque(maxlen=MAX_TURNS * 2)
        self.calls: Deque[Call] = deque(maxlen=MAX_TURNS)
        self.recent_text: Optional[str] = None  # the last text that was pasted, for "and how many words?"
        self.engine_state: Any = None

    def add_message(self, role: str, content: str) -> None:
        """Keep one message of the conversation; the oldest falls out when there are too many."""
        self.messages.append({"role": role, "content": content})

    def add_call(self, call: Call) -> None:
        """Keep a tool call for follow-up questions, unless its arguments are too large to keep."""
        size = sum(len(value) for value in call.arguments.values() if isinstance(value, str))
        if size <= MAX_REMEMBERED_ARGUMENT:
            self.calls.append(call)

    def keep_text(self, text: Optional[str]) -> None:
        """Keep a pasted text for follow-up questions, unless it is too large."""
        if text and len(text) <= MAX_REMEMBERED_ARGUMENT:
            self.recent_text = text

    def recent_calls(self) -> List[Call]:
        """The calls so far, newest last."""
        return list(self.calls)


class SessionStore:
    """All sessions of this process."""

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._sessions: "OrderedDict[str, Session]" = OrderedDict()

    def get(self, session_id: str) -> Tuple[Session, bool]:
        """The session with this id, made when unknown; True when it is new here."""
        session_id = session_id or str(uuid.uuid4())
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None:
                self._sessions.move_to_end(session_id)
                return session, False
            session = Session(session_id)
            self._sessions[session_id] = session
            while len(self._sessions) > self._limit:
                self._sessions.popitem(last=False)
            return session, True

    def __len__(self) -> int:
        return len(self._sessions)
