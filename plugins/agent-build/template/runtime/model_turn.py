"""One turn of a conversation with a model: its events as the server sends them, its end, and what it took.

Strands is asynchronous and the server is not: a thread of its own holds the event loop of a turn. Ending the turn
cancels what runs in it, which closes the connection to the model.
"""
from __future__ import annotations

import asyncio
import json
import queue
import threading
from typing import Any, Dict, Iterator, Optional

Event = Dict[str, Any]

# Calls of the model within one turn; one that needs more runs in circles.
MOST_CALLS = 24
# Events that nobody has taken yet; the model waits then.
MOST_WAITING = 256
_LOOK_SECONDS = 0.2
_END = object()


class Turn:
    """Begins with its first event. `error` and `stop_reason` tell how it ended."""

    def __init__(self, strands_agent: Any, text: str) -> None:
        self.error: Optional[BaseException] = None
        self.stop_reason = ""
        self._agent = strands_agent
        self._text = text
        # The SDK counts over the agent's whole life; this turn's share is the difference.
        self._before = dict(strands_agent.event_loop_metrics.accumulated_usage)
        self._events: "queue.Queue[Any]" = queue.Queue()
        self._uses: Dict[str, Dict[str, Any]] = {}
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._task: Optional["asyncio.Task[None]"] = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def events(self) -> Iterator[Optional[Event]]:
        """Every event as it comes; None when none came for a while, so that the caller can look around."""
        self._thread.start()
        while True:
            try:
                event = self._events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if event is _END:
                return
            yield event

    def end(self) -> None:
        """Cancel what still runs, and wait for it. May be called again."""
        if not self._thread.ident:
            return
        self._begun.wait()
        if self._loop is not None and self._task is not None:
            try:
                self._loop.call_soon_threadsafe(self._task.cancel)
            except RuntimeError:
                pass  # the loop has ended by itself
        self._thread.join()

    def usage(self) -> Dict[str, int]:
        """Tokens of this turn, also of one that failed on its way."""
        now = self._agent.event_loop_metrics.accumulated_usage
        taken = {name: now.get(name, 0) - self._before.get(name, 0) for name in ("inputTokens", "outputTokens", "cacheReadInputTokens")}
        usage = {"input_tokens": taken["inputTokens"], "output_tokens": taken["outputTokens"]}
        if taken["cacheReadInputTokens"]:
            usage["cache_read_tokens"] = taken["cacheReadInputTokens"]
        return usage

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # told by whoever waits for the events
            self.error = self.error or error
        finally:
            self._begun.set()
            self._events.put(_END)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._begun.set()
        try:
            await self._stream()
        except asyncio.CancelledError:
            pass  # nobody waits for it any more
        except Exception as error:
            self.error = error

    async def _stream(self) -> None:
        """Translate Strands' events: text deltas, messages with tool uses and tool results, the final result."""
        async for event in self._agent.stream_async(self._text, limits={"turns": MOST_CALLS}):
            if event.get("data"):
                await self._tell({"type": "text", "data": event["data"]})
            for block in (event.get("message") or {}).get("content", []):
                if "toolUse" in block:
                    await self._tool_use(block["toolUse"])
                elif "toolResult" in block:
                    await self._tool_end(block["toolResult"])
            if "result" in event:
                self.stop_reason = str(event["result"].stop_reason)

    async def _tell(self, event: Event) -> None:
        while self._events.qsize() >= MOST_WAITING:
            await asyncio.sleep(0.02)
        self._events.put({"event": "message", **event})

    async def _tool_use(self, use: Dict[str, Any]) -> None:
        self._uses[use["toolUseId"]] = use
        await self._tell({"type": "tool_use", "tool_name": use["name"], "tool_id": use["toolUseId"]})
        shown = json.dumps(use["input"], ensure_ascii=False, default=str)
        await self._tell({"type": "tool_input", "tool_id": use["toolUseId"], "data": shown})

    async def _tool_end(self, result: Dict[str, Any]) -> None:
        use = self._uses.pop(result["toolUseId"], {})
        parts = [part["text"] if "text" in part else json.dumps(part.get("json"), ensure_ascii=False, default=str) for part in result.get("content", [])]
        await self._tell({
            "type": "tool_end",
            "tool_id": result["toolUseId"],
            "tool_name": use.get("name", ""),
            "tool_input": use.get("input", {}),
            "tool_result": "\n".join(parts),
            "status": "success" if result.get("status") == "success" else "error",
        })
