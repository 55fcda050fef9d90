"""Why a model gave no whole answer, in the user's language: never the name of a class, an address or a key."""
from __future__ import annotations

from typing import Any, Dict, Iterator, Optional, Tuple

# What is said, by what happened: English and Chinese.
_WORDS: Dict[str, Tuple[str, str]] = {
    "budget": (
        "I cannot answer now: what this agent may spend on language models is used up. Whoever runs it can raise its budget; a budget of a day begins anew at midnight (UTC).",
        "现在无法回答：这个智能体的语言模型预算已用完。请联系管理员提高预算；按天计算的预算会在零点（UTC）重新开始。",
    ),
    "busy": (
        "The language model has too many requests at the moment. Please ask again in a minute.",
        "语言模型当前请求过多，请过一分钟再问。",
    ),
    "overloaded": (
        "The language model is overloaded or has failed just now. Please ask again in a minute.",
        "语言模型暂时过载或出错，请过一分钟再问。",
    ),
    "away": (
        "The language model cannot be reached at the moment. Please try again later; if it stays so, tell whoever runs this agent.",
        "目前无法连接到语言模型，请稍后再试；如果一直这样，请告诉管理员。",
    ),
    "slow": (
        "The language model took too long to answer. Please ask again, perhaps with a shorter question.",
        "语言模型回答超时。请再问一次，或把问题缩短一些。",
    ),
    "long": (
        "This conversation has become too long for the language model. Please begin a new session, or send a shorter text.",
        "这段对话对语言模型来说太长了。请开始新的会话，或发送更短的内容。",
    ),
    "refused": (
        "The language model does not let this agent in. Whoever runs it has to look at its access; deploying it anew makes a new one.",
        "语言模型拒绝了这个智能体的访问。请管理员检查访问权限，重新部署会更新它。",
    ),
    "unknown": (
        "There is no language model under the name that this agent is set up with. Whoever runs it has to choose another.",
        "没有这个智能体所配置的语言模型，请管理员换一个。",
    ),
    "wrong": (
        "The language model cannot work with this request. Please put the question another way.",
        "语言模型无法处理这个请求，请换个说法再问。",
    ),
    "cut": (
        "(The answer was cut off: it reached its greatest length. Ask me to go on.)",
        "（回答达到长度上限，被截断。可以让我继续。）",
    ),
    "broken": (
        "(The answer broke off: the connection to the language model was lost. Please ask again.)",
        "（回答中断：与语言模型的连接断开。请再问一次。）",
    ),
    "filtered": (
        "The language model's provider has held this answer back because of its content rules.",
        "语言模型的服务方因内容规则拦截了这个回答。",
    ),
    "circles": (
        "I have used my tools many times without coming to an end, and stop here. Please ask for one thing at a time.",
        "我多次使用工具仍未得出结果，先停在这里。请一次只问一件事。",
    ),
    "failed": (
        "The answer failed, for a reason that only the agent's log tells. Please try again.",
        "回答失败，原因见智能体的日志。请再试一次。",
    ),
}

_STOPS = {"max_tokens": "cut", "content_filtered": "filtered", "guardrail_intervened": "filtered",
          "limit_turns": "circles", "limit_output_tokens": "cut", "limit_total_tokens": "cut"}
_CODES = {"budget_exhausted": "budget", "rate_limited": "busy", "rate_limit_exceeded": "busy", "overloaded": "overloaded",
          "context_length_exceeded": "long", "exceed_context_size_error": "long", "timeout": "slow",
          "invalid_api_key": "refused", "unknown_model": "unknown", "model_not_found": "unknown", "content_filtered": "filtered"}
_STATUSES = {400: "wrong", 401: "refused", 402: "budget", 403: "refused", 404: "unknown", 408: "slow", 413: "long", 422: "wrong", 429: "busy",
             504: "slow", 529: "overloaded"}
# Parts of the names of exceptions, of whatever library.
_NAMES = (("contextwindow", "long"), ("maxtokens", "cut"), ("throttl", "busy"), ("ratelimit", "busy"), ("timeout", "slow"),
          ("incompleteread", "broken"), ("protocolerror", "broken"), ("readerror", "broken"), ("connect", "away"))


def why(error: Optional[BaseException], stop_reason: str, language: str) -> str:
    """What to say of a turn that failed or stopped early; nothing of one that ended well."""
    kind = kind_of(error) if error is not None else _STOPS.get(stop_reason, "")
    return _WORDS[kind][1 if language == "zh" else 0] if kind else ""


def kind_of(error: BaseException) -> str:
    """What happened, by the most telling part of a chain of exceptions: a code, then a status, then a name."""
    chain = list(_chain(error))
    for told in (_by_code, _by_status, _by_name):
        for link in chain:
            kind = told(link)
            if kind:
                return kind
    return "failed"


def _chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "original_exception", None) or error.__cause__ or error.__context__


def _by_code(error: BaseException) -> str:
    body: Any = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    codes = [getattr(error, "code", None)]
    if isinstance(body, dict):
        codes += [body.get("code"), body.get("type")]
    return next((_CODES[code] for code in codes if isinstance(code, str) and code in _CODES), "")


def _by_status(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return ""
    return _STATUSES.get(status, "overloaded" if status >= 500 else "")


def _by_name(error: BaseException) -> str:
    name = type(error).__name__.lower()
    return next((kind for part, kind in _NAMES if part in name), "")
