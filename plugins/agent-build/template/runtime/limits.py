"""What no agent of this kind can do, recognised in a question: send mail, book, search the web, translate, write freely.

`asked_for` finds such a request in the instruction of a message (never in pasted text)
and gives the reason, so that it is refused and never answered with a row of data.
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from runtime.text import has_cjk, tokens

# Someone asks the agent itself: "please …", "can you …", "I want you to …", or begins with the verb.
_ASK = (
    r"(?:^|[.!?;:,]\s*|\b(?:please|pls|kindly|can you|could you|would you|will you|can u|i want you to|i need you to|i(?:'d| would) like you to|help me(?: to)?|"
    r"i want to|i(?:'d| would) like to|let's|and|then|also|now|just|go and|you should|are you able to|do you)\s+)(?:(?:please|also|just|then|now|quickly|help me|go ahead and)\s+)*"
)
_ZH_ASK = r"(?:^|[，。！？；,!?;\s]|请|帮我|帮忙|替我|给我|麻烦|能不能|可不可以|可以|能|会|想|要|你|再|然后|顺便|并)(?:你|帮我|帮忙|给我|替我|再|先|也|帮|来|去)*"


class Limit(NamedTuple):
    """An ability that is missing: its name, words of which one stands in every request for it, how it is asked for, and why it is refused."""

    ability: str
    words: str
    english: str
    chinese: str
    why: str
    why_zh: str


# The patterns stand behind _ASK or _ZH_ASK, unless they begin with "!": those count anywhere.
_LIMITS: Tuple[Limit, ...] = (
    Limit("prompt", "prompt instruction rule configuration source 提示 指令 规则 设定 要求 代码 配置",
          r"!\b(?:system prompt|your (?:instructions|prompt|rules|configuration|source code)|(?:ignore|disregard|forget) (?:all |any |your |the |my )*(?:previous|prior|above|earlier|instructions|rules))",
          r"!系统提示|提示词|(?:忽略|无视|忘掉|忘记)(?:你|之前|以上|前面|所有|一切|全部|的)*(?:指令|规则|提示|设定|要求)|你的(?:指令|源代码|配置)",
          "I do not show or change how I am set up.", "我不会展示或更改自己的设定。"),
    Limit("mail", "send forward mail text sms message dm whatsapp notify post tweet fax 发 寄 转 回复 通知 抄送",
          r"(?:send|forward|mail|e-?mail|text|sms|message|dm|whatsapp|notify|post|tweet|fax)\b(?! (?:format|address|length|style)).{0,40}?(?:\b(?:mails?|e-?mails?|messages?|sms|him|her|them|me|us|team|boss|everyone|everybody|customers?|clients?|slack|whatsapp|newsletter|reminder|invitations?)\b)",
          r"(?:发|发送|寄|转发|群发|回复?)(?:一?[封条个]|个|一下)?.{0,12}?(?:邮件|电邮|短信|消息|微信|信息|通知|email|邮箱)|通知.{0,6}(?:他|她|大家|客户|老板|团队)|!(?:发|转|寄|抄送)(?:送|发)?(?:给|到)(?!我)",
          "I cannot send mail or messages: I have no connection to a mail server or messenger.", "我不能发送邮件或消息：我没有连接邮箱或通讯工具。"),
    Limit("call", "call phone ring dial 电话 回电",
          r"make (?:an? |the )?(?:phone )?call|(?:call|phone|ring|dial)\s+(?:me|him|her|them|us|the|my|our|back|someone|up|\+?\d)", r"(?:打|拨打?)(?:个|一?通)?电话|致电|回电",
          "I cannot make calls: I have no telephone.", "我不能打电话：我没有电话线路。"),
    Limit("bookings", "book reserv schedul cancel sign enrol register appointment arrange 订 约 定 取消 报名 挂 派",
          r"(?:book|reserve|schedule (?:an?|me|my|the|us|it|this|that|another)|cancel|reschedule|sign me up|enroll?|register me|make (?:me )?an? (?:reservation|booking|appointment)|arrange)\b(?! (?:price|list|club|shop|title|fair|store))(?!s)",
          r"(?:预[订定约]|订(?:一?[个张间份]|购|.{0,4}(?:位|座|房|间|票|餐|桌))|约(?:一?个|个时间|时间|[今明后]天|[今明]晚|下?周|下?个?星期|下?个?礼拜|\d|[一二三四五六七八九十]+[点号]|[上下]午|晚上|.{0,8}(?:考试|[课号位]|场地|师傅|教练|医生|专家|面试))|挂.{0,6}号|派.{0,6}(?:师傅|人|工|车)|取消(?:预[订约]|订单|我)|报名|挂号|改约)",
          "I cannot make, change or cancel bookings: I have no connection to a booking system.", "我不能预订、更改或取消：我没有连接预订系统。"),
    Limit("payments", "order check pay charge refund buy transfer cart basket 下单 买 付 支付 转账 退款 购物车 结账",
          r"(?:place (?:an|my|the) order|order (?:me|it|this|that|for me|one for|some for)|check(?: me| us)? ?out\b(?! (?:time|is|at|from|by|until)|[?]|$)|pay (?:for|with|my|the|by)|charge my|refund (?:me|my)|buy (?:it|this|that|me)|transfer (?:money|\S*\d)|add .{0,30} to (?:my )?(?:cart|basket))",
          r"(?:下单|帮我买|代付|付款|支付|转账|退款给我|加入购物车|结账)",
          "I cannot place orders or move money: I have no connection to a shop or a bank.", "我不能下单或付款：我没有连接商店或银行系统。"),
    Limit("reminders", "remind alarm timer meeting wake calendar alert ping notify track 提醒 闹钟 日程 起床 日历 通知 定时",
          r"(?:remind\b|set (?:up )?(?:an? |the |my )?(?:alarm|reminder|timer|meeting)|wake me|add .{0,40} to (?:my |the |our )?calendar|put .{0,40} (?:in|on|into) (?:my |the |our )?calendar|alert me|ping me|notify me|track\b.{0,30}\b(?:every|daily))",
          r"(?:提醒|设(?:置|个|一个|定)?(?:个|一个)?.{0,6}(?:闹钟|提醒|定时|日程)|叫我起床|加[入到]?.{0,8}日历|添加?.{0,8}日程|到点通知)",
          "I cannot remind or keep a calendar: I answer only when I am asked, and have no clock that wakes me.", "我不能提醒或管理日程：我只在被提问时回答，没有定时功能。"),
    Limit("web_search", "google browse online internet web search 搜 查 网 百度 谷歌",
          r"(?:google|browse|look (?:it |this |that )?up (?:online|on the (?:web|internet))|search (?:the )?(?:web|internet|online|google)|search\b.{0,40}\b(?:online|internet|web|google)|find .{0,40}\b(?:online|on the (?:web|internet))|check (?:the )?(?:web|internet|online))",
          r"(?:上网|网上|百度|谷歌|联网|在线)(?:搜|查|找)|(?:搜索?|查找?)(?:一下)?(?:网上|互联网|网络|全网)",
          "I cannot search the web: I have no connection to the internet.", "我不能上网搜索：我没有联网。"),
    Limit("live_data", "weather forecast temperature rain stock share bitcoin crypto news headline traffic score won current latest flight 天气 雨 股 行情 比特币 新闻 头条 路况 比分 实时 最新 今天的汇率 航班 金价 油价",
          r"!(?:\b(?:weather|forecast|temperature outside|will it rain|is it raining|stock (?:price|market)|share price|bitcoin|crypto|news(?! ?letter)|headlines|traffic|live score|who won|current (?:price of (?:gold|oil|bitcoin)|exchange rate|president)|latest (?:news|score|rate|version)|flight status)\b)",
          r"!天气|下雨吗|会下雨|股价|股票|行情|比特币|新闻|头条|路况|比分|实时(?!间)|最新(?:汇率|消息|版本)|今天的汇率|航班动态|金价|油价",
          "I cannot tell anything live such as weather, news or market prices: I have no connection to such data.", "我查不到天气、新闻、行情等实时信息：我没有连接这类数据。"),
    Limit("translation", "translat say in write put turn french spanish german italian 翻译 译 怎么说 英 法 日 德 韩 西 俄",
          r"(?:translate\b(?!.{0,30}\b(?:morse|binary|hex|base64|rot13)\b)|say .{1,60} in (?:french|spanish|german|italian|chinese|japanese|korean|russian|arabic|portuguese|english|latin)\b|(?:put|write|turn) .{1,60} (?:in|into) (?:french|spanish|german|italian|chinese|japanese|korean|russian|arabic|portuguese|english|latin)\b)|!\bhow do you say\b|!\bwhat is .{1,40} in (?:french|spanish|german|italian|japanese|korean|russian|arabic|portuguese|latin)\b",
          r"(?:翻译|译成|译为|用(?:英语|英文|法语|日语|德语|韩语|西班牙语|俄语)(?:怎么说|说|写))|!(?:英语|英文|法语|日语|德语|韩语|西班牙语|俄语)怎么说|!翻译(?:成|一下|这)",
          "I cannot translate: that needs a language model, and I work without one.", "我不能翻译：这需要语言模型，而我没有使用语言模型。"),
    Limit("free_writing", "write compose draft create make invent come generate give tell sing improvise finish rewrite rephrase paraphrase proofread improve polish brainstorm reply answer 写 作 编 草 讲 说 生成 拟 润色",
          r"(?:(?:write|compose|draft|create|make up|invent|come up with|generate|give me|tell|sing|improvise|finish)\b(?!.{0,20}\b(?:password|uuid|table|csv|json)\b).{0,40}?\b(?:poems?|haiku|stor(?:y|ies)|essays?|songs?|jokes?|lyrics|rap|blog|articles?|posts?|slogans?|captions?|tweets?|speech|cover letters?|letters?|limericks?|novel|scripts?|recipes?|reviews?|(?:an? |the )?(?:e-?mails?|replies|reply)|texts? about|description|ads?|advert|headline|toast)\b|(?:rewrite|rephrase|paraphrase|proofread|improve my|polish|brainstorm)\b|reply to (?:this|the|my)|answer this (?:e-?mail|letter|message))",
          r"(?:写|作|编|创作|起草|讲|说|来|生成|拟)(?:一?[首篇段封个则份条]|点|些|几)?.{0,14}?(?:诗|故事|作文|文章|歌|笑话|小说|文案|情书|邮件|演讲稿?|段子|求职信|信|博客|广告|标语|口号|推文|周报|日报|祝福语?|评论|菜谱|总结报告)|(?:改写|润色|续写|扩写|重写)(?:一下|这)?",
          "I cannot write texts freely: that needs a language model, and I work without one.", "我不能自由写作：这需要语言模型，而我没有使用语言模型。"),
    Limit("images", "draw paint sketch photoshop image picture photo logo drawing illustration poster banner video chart graph 画 图 设计 照片 视频 海报",
          r"(?:draw(?! dates?)|paint|sketch|photoshop|(?:generate|create|make|design|edit|show me|take) (?:me )?(?:an? |the |some )?(?:image|picture|photo|logo|drawing|illustration|poster|banner|video|chart|graph))\b",
          r"(?:画|绘制|设计)(?:一?[张幅个])?.{0,10}?(?:图|画|像|标志|海报|logo|[猫狗花])|生成.{0,6}(?:图片|图像|照片|视频|海报)|(?:修|P)图",
          "I cannot make or read images: I work with text only.", "我不能生成或处理图片：我只处理文字。"),
    Limit("audio", "play record transcribe read sing 播放 放 录音 朗读 转录 语音",
          r"(?:play|record|transcribe|read (?:it|this|that) (?:aloud|out)|sing)\b.{0,30}?(?:\b(?:music|song|video|audio|podcast|voice|aloud|recording|something|playlist|me|out)\b)",
          r"(?:播放|放一?首|放音乐|录音|朗读|转录|语音)", "I cannot play or read sound: I work with text only.", "我不能播放或识别声音：我只处理文字。"),
    Limit("records", "open file submit raise save store remember update change delete remove edit modify set raise lower reduce increase insert log write note add 保存 存储 记 更新 修改 删除 新增 录入 改",
          r"(?:(?:open|create|file|submit|raise|log|make) (?:me )?(?:an? |the |my |another )?(?:\w+ )?(?:tickets?|claims?|cases?|incidents?|complaints?)\b|save|store|remember|update|change|delete|remove|edit|modify|set|raise|lower|insert|log (?:this|that|a|my)|write down|note down|add)\b.{0,40}?\b(?:price (?:of|to)|prices\b|database|records?|entry|entries|customer|inventory|stock|order|menu|list|note|notes|spreadsheet|for (?:later|next time|me)|my (?:name|birthday|order|data))\b|(?:change|set|raise|update|increase|lower|reduce)\s+(?:the |my |our )?[a-z' ]*[a-z]{3,}[a-z' ]*\s+to\s+[$€£]?\d",
          r"(?:保存|存储|记住|记录|记下|更新|修改|删除|新增|录入|改成|改一下)(?:一下)?.{0,12}?(?:价格|数据库|记录|数据|客户|库存|订单|菜单|列表|名单|笔记|资料)|把.{1,12}(?:价格|单价).{0,4}改|记住(?:我|这|一下)",
          "I cannot store or change data: what I know is fixed when I am built.", "我不能保存或修改数据：我的资料在创建时就固定了。"),
    Limit("accounts", "重置 密码 track log access check open where read summar 查 登录 打开 我的",
          r"(?:track (?:my|the|an?) (?:order|parcel|package|shipment)|log ?in (?:to|as|for)|access (?:my|the) (?:account|computer|files|database)|check (?:my|the) (?:order|account|balance|inbox|e-?mails?|calendar|bank)|open (?:my|the) (?:browser|door|app)|(?:read|summari[sz]e|check|open) (?:my|the|our) (?:inbox|e-?mails?|messages|calendar))\b|!\bwhere(?:'s| is) my (?:order|parcel|package|delivery)\b",
          r"(?:查(?:一下|询|看)?(?:我的?)?(?:订单|快递|包裹|余额|账户|物流|邮箱)|登录|打开我的|(?:重置|修改|改)(?:一下)?(?:我的)?密码)|!我的(?:订单|快递|包裹)(?:到|在)哪",
          "I cannot look into accounts, orders or other systems: I have no connection to them.", "我不能查询账户、订单或其他系统：我没有连接它们。"),
)


def _pattern(alternatives: str, ask: str, separator: str) -> "re.Pattern[str]":
    first, *anywhere = alternatives.split(separator)
    asked = [] if first.startswith("!") else [first]
    anywhere += [first[1:]] if first.startswith("!") else []
    bound = [ask + "(?:%s)" % "|".join(asked)] if asked else []
    return re.compile("|".join(bound + anywhere))


# 报名要带什么 asks for the rules of what 帮我报名 asks to be done.
_ASKED_ABOUT = ("bookings", "payments", "accounts", "records", "call", "mail")
_ABOUT_RULES = re.compile("吗|怎么|多少|几|什么|啥|哪|如何|多久|要带|需要|？|\\?")
_FOR_ME = re.compile("帮|请你|给我|替我|麻烦|我要|我想|想要|你能|你可以|能不能|可以不可以|可不可以")


@lru_cache(maxsize=None)
def _patterns(limit: Limit) -> "Tuple[re.Pattern[str], re.Pattern[str]]":
    """Compiled when a question first holds a word of the limit: most starts of an agent are over before."""
    return _pattern(limit.english, _ASK, "|!"), _pattern(limit.chinese, _ZH_ASK, "|!")


def asked_for(instruction: str) -> Optional[Limit]:
    """The missing ability that an instruction asks for, or None."""
    text = instruction.strip().lower()[:600]
    chinese = has_cjk(text)
    for limit in _LIMITS:
        if any(word in text for word in limit.words.split()):
            english, zh = _patterns(limit)
            if english.search(text) or (chinese and zh.search(text) and not (limit.ability in _ASKED_ABOUT and _ABOUT_RULES.search(text) and not _FOR_ME.search(text))):
                return limit
    return None


_DIRECTED = re.compile(r"\b(?:please|pls|can you|could you|would you|will you|can u|i want you to|help me|for me)\b|^\W*(?:book|reserve|order|send|call|remind|translate|write|draw|cancel my)\b|帮我|帮忙|请你|给我|替我|麻烦你")


def is_directed(instruction: str) -> bool:
    """True when an instruction tells the agent to do something, and does not ask how it is done."""
    return bool(_DIRECTED.search(instruction.lower()))


def not_served(manifest: Dict[str, Any]) -> List[Dict[str, str]]:
    """What the build found it could not serve: [{"text", "reason", "ability"}]."""
    entries = manifest.get("not_served") or manifest.get("uncovered") or []
    # What a test of the build missed is for the requester, not for those who ask the agent.
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("text") and entry.get("ability") != "acceptance"]


def of_agent(instruction: str, entries: Iterable[Dict[str, str]]) -> Optional[Dict[str, str]]:
    """The entry of what this agent does not serve that an instruction asks for."""
    asked = set(tokens(instruction))
    best, most = None, 0.6
    for entry in entries:
        wanted = set(tokens(entry["text"]))
        share = len(asked & wanted) / len(asked) if asked else 0.0
        if share >= most and len(asked & wanted) > 1:
            best, most = entry, share
    return best
