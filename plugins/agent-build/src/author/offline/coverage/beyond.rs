//! What no tool of the catalogue can do, recognised by what a clause says.
//!
//! A pattern names verb and object, so that "extract e-mail addresses" is not taken for sending mail.

use std::sync::LazyLock;

use regex::Regex;

use crate::spec::{Language, Limit};

/// Something that people ask for and that an offline agent cannot do.
struct Ability {
    id: &'static str,
    /// `model`, `connection` or `memory`.
    needs: &'static str,
    /// Why not, in English and in Chinese.
    reason: [&'static str; 2],
    pattern: &'static str,
}

const ABILITIES: &[Ability] = &[
    Ability {
        id: "web_search",
        needs: "connection",
        reason: [
            "it cannot search the web; that needs a connection to a search service",
            "无法上网搜索，需要接入搜索服务",
        ],
        pattern: r"\b(?:search(?:es|ing)?|google|googl\w+|brows\w+|surf\w*|look(?:s|ing)? (?:things |it |them |stuff |up |for )+)\b.{0,40}\b(?:web|internet|online|google|bing)\b|\b(?:web|internet|online|google) (?:search|searches|research)\b|\bresearch(?:es)? (?:topics|companies|competitors|the market|markets|anything|people|leads)\b|\bfrom the (?:web|internet)\b|上网|联网|搜(?:索)?(?:一下)?(?:网|互联网|网络|全网|百度)|(?:网上|网络|百度|谷歌)(?:上)?.{0,4}(?:搜|查|找)|网络搜索",
    },
    Ability {
        id: "mail",
        needs: "connection",
        reason: [
            "it cannot send, read or receive e-mail; that needs a connection to a mailbox",
            "无法收发邮件，需要接入邮箱",
        ],
        pattern: r"\b(?:send|sends|sending|reply to|replies to|respond to|forward\w*|read|reads|check|checks|monitor\w*|manage\w*|answer|answers|receive|deliver)\b.{0,30}\b(?:e-?mails?|mails?|inbox|newsletters?|gmail|outlook)\b|\b(?:e-?mail|mail)(?:s|ed|ing)?\s+(?:me|us|them|it|him|her|the|my|our|customers?|clients?|everyone|people|users?|reminders?|reports?|a)\b|\b(?:by|via|per|through) e-?mail\b|\bmy inbox\b|发(?:送|出)?.{0,8}(?:邮件|电邮|邮箱|email)|(?:邮件|email)(?:通知|提醒|群发)|(?:收|读取|查收|回复|处理).{0,6}邮件",
    },
    Ability {
        id: "messages",
        needs: "connection",
        reason: [
            "it cannot send messages or notifications; that needs a connection to a messaging service",
            "无法发送短信、微信或通知，需要接入消息服务",
        ],
        pattern: r"\b(?:send|sends|sending|text|texts|ping|pings|push\w*|post|posts)\b.{0,30}\b(?:sms|text messages?|texts?|whatsapp|slack|telegram|discord|teams|notifications?|alerts?|messages? to|wechat|push)\b|\b(?:notif(?:y|ies)|alerts?|pings?)\s+(?:me|us|them|him|her|the|my|our|customers?|clients?|everyone|people|users?|staff|owners?|members?|parents?|when|if)\b|\b(?:by|via|over|on|through) (?:sms|whatsapp|slack|telegram|discord|wechat)\b|\bcalls? (?:customers|clients|people|me|us|them|patients)\b|\bmake (?:phone )?calls\b|\bphone calls?\b|发(?:送)?.{0,6}(?:短信|微信|消息|通知)|(?:短信|微信|钉钉|电话)(?:通知|提醒)|推送|打电话|群发|通知(?:我|家长|客户|用户|大家|员工)",
    },
    Ability {
        id: "calendar",
        needs: "connection",
        reason: ["it cannot read or write calendars; that needs a connection to one", "无法读写日历，需要接入日历服务"],
        pattern: r"\b(?:add|adds|put|puts|create|creates|sync\w*|manage\w*|check|checks|read|reads|update\w*|enter|enters|save|saves|access\w*|connect\w*|block\w*)\b.{0,30}\b(?:calendars?|agenda)\b|\b(?:my|our|google|outlook|apple|shared) calendar\b|\b(?:schedul\w+|arrang\w+|set up|plan|plans|organi[sz]e\w*)\b.{0,25}\b(?:meetings?|appointments?|calls?|interviews?|events?|shifts?)\b|(?:加到|写入|写进|同步|添加到|加入|读取|管理|接入|谷歌|苹果|手机|我的).{0,6}日历|日历(?:同步|提醒|里)|(?:安排|预定|预约|组织).{0,6}(?:会议|面试|日程|行程)|排班",
    },
    Ability {
        id: "bookings",
        needs: "connection",
        reason: [
            "it cannot take bookings, reservations or orders; that needs a connection to the system that keeps them",
            "无法接受预订、预约或下单，需要接入相应系统",
        ],
        pattern: r"\b(?:book|books|booking|reserv\w+|take|takes|taking|make|makes|making|accept\w*|handle\w*|manage\w*|process\w*|cancel\w*|chang\w+|confirm\w*|place|places|placing|create|creates)\b.{0,30}\b(?:bookings?|reservations?|appointments?|orders|tables?\b.{0,10}\bfor|seats?|flights?|hotels?|tickets? for|rooms?|courts?|slots?|an order|my order|their order|deliver(?:y|ies))\b|\b(?:books?|reserves?)\s+(?:a|an|the|me|my|us|our|tables?|rooms?|flights?|hotels?|appointments?|tickets|lessons?|classes|courts?|trips?|them|it)\b|\border(?:s|ing)?\s+(?:food|groceries|a pizza|pizza|supplies|things|for me|online)\b|\bsign(?:s|ing)? (?:people|members|students|them|users) up\b|\b(?:online )?(?:booking|reservation|ordering) (?:system|service|bot)\b|(?:帮|替|给|为|接受|支持|在线|自动|可以|能|处理|管理).{0,8}(?:预订|预定|预约|订座|订位|订房|订票|挂号|下单|报名|订机票|订酒店)|(?:帮|替|接受|在线|自动|支持)(?:客人|顾客|用户|我)?(?:点餐|点单)|(?:订|预订|预约)(?:机票|酒店|餐厅|位子|座位|房间|门票|会议室)|(?:接|收|处理|管理|跟踪|追踪)(?:订单|预约)|查(?:询)?(?:物流|快递)|快递查询|物流(?:跟踪|查询)",
    },
    Ability {
        id: "payment",
        needs: "connection",
        reason: [
            "it cannot take or make payments; that needs a connection to a payment service",
            "无法收付款，需要接入支付服务",
        ],
        pattern: r"\b(?:process\w*|tak(?:e|es|ing)|collect\w*|accept\w*|handle\w*|make|makes|receive\w*|initiate)\b.{0,20}\b(?:payments?|card details|credit cards?|deposits?|money)\b|\b(?:charge|charges|bill|bills)\s+(?:the |their |my |his |her )?(?:card|cards|customers?|clients?|account)\b|\bpay(?:s|ing)? (?:my|our|the|their) (?:bills?|invoices?|rent|suppliers?)\b|\b(?:issue|issues|give|make|process\w*)\b.{0,12}\brefunds?\b|\b(?:transfer\w*|send|sends) money\b|\b(?:buy|buys|sell|sells|trade|trades|trading) (?:stocks?|shares?|crypto|bitcoin|coins)\b|收款|代付|转账|扣款|支付功能|在线支付|自动付款|帮.{0,6}(?:付款|缴费|交费|充值)|炒股|买卖股票",
    },
    Ability {
        id: "images",
        needs: "model",
        reason: ["it cannot make or read pictures; that needs a model that can", "无法生成或识别图片，需要图像模型"],
        pattern: r"\b(?:generat\w+|creat\w+|draw\w*|paint\w*|design\w*|make|makes|edit\w*|recogni[sz]\w+|identif\w+|describ\w+|analy[sz]\w+|read|reads|scan\w*|crop\w*|resiz\w+|enhanc\w+|render\w*|produce\w*|look(?:s)? at|understand\w*|upload\w*|detect\w*|show|shows|send|from)\b.{0,40}\b(?:images?|pictures?|photos?|photographs?|logos?|drawings?|posters?|illustrations?|charts?|graphs?|plots?|diagrams?|screenshots?|icons?|banners?|flyers?|artworks?|memes?|avatars?|infographics?|selfies?|scans?|receipts? photos?|wallpapers?|sketch\w*|thumbnails?|qr codes?|barcodes?)\b|\b(?:image|photo|picture|face|object|plant|handwriting|text) recognition\b|\bocr\b|\bqr[- ]codes?\b|画(?:一|个|张|图|画|出|幅)|(?:生成|制作|设计|做|画|编辑|修|p|识别|分析|看|处理|美化)(?:一?(?:张|个|幅|些))?.{0,6}(?:图片|图像|照片|海报|头像|图表|logo|插画|封面|截图|二维码|表情包|壁纸|漫画)|看图|图像识别|拍照|修图|画图|绘画|识图|扫描件",
    },
    Ability {
        id: "audio",
        needs: "model",
        reason: [
            "it cannot hear, speak or make sound or film; that needs models for that",
            "无法处理语音、音频或视频，需要相应的模型",
        ],
        pattern: r"\b(?:speak\w*|talk\w*|answer\w*|respond\w*|reply|replies|read\w*)\b.{0,20}\b(?:out loud|aloud|by voice|with (?:a |his |her )?voice|on the phone|phone calls?)\b|\b(?:voice (?:commands?|messages?|notes?|assistant|control|recognition|mode|input|calls?)|speech[- ](?:to|recognition)|text[- ]to[- ]speech|tts)\b|\b(?:transcrib\w+|transcript\w*|dictat\w+|subtitl\w+|dub|dubs)\b|\b(?:generat\w+|creat\w+|mak\w+|edit\w*|play\w*|record\w*|compos\w+|produc\w+|cut\w*|listen\w*|identif\w+|recommend\w*|write|writes|mix\w*|analy[sz]\w+|summari[sz]\w+|download\w*|convert\w*)\b.{0,30}\b(?:music|songs?|audio|podcasts?|videos?|movies?|films?|clips?|mp3s?|melod\w+|symphon\w+|beats?|playlists?|sounds?|recordings?|youtube|vlogs?|soundtracks?)\b|语音|音频|朗读|听写|转录|录音|配音|作曲|唱歌|播放|放(?:音乐|歌)|视频|听歌|字幕|音乐生成|生成音乐",
    },
    Ability {
        id: "translation",
        needs: "model",
        reason: [
            "it cannot translate or speak other languages than English and Chinese; that needs a language model",
            "无法翻译，也不会中英文以外的语言，需要语言模型",
        ],
        pattern: r"\btranslat\w+|\binterpret(?:er|s|ing)? (?:between|from|for)\b|\b(?:in|into|to|from|speak|speaks|understand\w*|learn|teach\w*|practi[cs]e)\s+(?:simple |good |fluent |basic )?(?:spanish|french|german|italian|portuguese|japanese|korean|russian|arabic|hindi|dutch|polish|turkish|greek|swedish|latin|vietnamese|thai|any language|other languages|many languages|several languages|multiple languages|all languages|both languages)\b|\bmulti-?lingual\b|\b\d+ languages\b|翻译|翻成|传译|译成|译为|口译|互译|多语言|(?:用|说|讲|学|教)(?:日语|法语|德语|韩语|西班牙语|俄语|粤语)",
    },
    Ability {
        id: "writing",
        needs: "model",
        reason: ["it cannot write texts of its own; that needs a language model", "无法自由写作，需要语言模型"],
        pattern: r"\b(?:write|writes|writing|compos\w+|draft\w*|creat\w+|generat\w+|invent\w*|come up with|comes up with|make up|makes up|produce\w*|prepare\w*|suggest\w*|brainstorm\w*|craft\w*|author\w*|tell|tells|give|gives|think of|make|makes)\b.{0,45}\b(?:poems?|poetry|limericks?|haikus?|rhymes?|stor(?:y|ies)|tales?|fiction|novels?|essays?|articles?|chapters?|books?|blog\w*|posts?|tweets?|captions?|speech(?:es)?|letters?|lyrics|scripts?|cop(?:y|ies)|ad copy|slogans?|taglines?|descriptions?|cover letters?|resum[eé]s?|cvs?|songs?|jokes?|emails?|e-mails?|newsletters?|reports?|press releases?|proposals?|content|sonnets?|toasts?|wishes|greetings? cards?|greetings|riddles?|quiz\w*|questions? for|exam questions|exercises|worksheets?|lesson plans?|meal plans?|workout plans?|training plans?|study plans?|recipes?|ideas?|names? for|product names|compliments?|quotes of|horoscopes?|homework|presentations?|slides?|contracts?|minutes|reviews|replies|text|texts|dialogues?|plots?|characters? for|headlines?|hashtags?)\b|\b(?:ghost-?writ\w+|copywriting|creative writing|storytelling|brainstorm\w*|symphon\w+)\b|(?:写|创作|撰写|起草|编写|编一|编个|拟|生成|作|出)(?:一|个|首|篇|封|份|段|些|点|几|出|成|一些)*.{0,12}(?:诗|文章|文案|作文|故事|小说|情书|信|演讲稿|歌词|剧本|报告|周报|日报|总结报告|邮件|简历|标题|广告|笑话|段子|对联|祝福语?|评语|教案|试卷|题目|练习题|谜语|方案|合同|新闻稿|朋友圈|小红书|脚本|口号|食谱|菜谱|计划书|计划|论文|通知|公告|点评|好评|回复)|文案生成|(?:标题|文章|小说|诗歌|作文|剧本)生成|写诗|写作文|写作|写文章|写文案|讲(?:个|一个|点)?(?:笑话|故事|段子)|编故事|起名|取名",
    },
    Ability {
        id: "rewriting",
        needs: "model",
        reason: [
            "it cannot judge or improve the wording of a text; that needs a language model",
            "无法润色或批改文字，需要语言模型",
        ],
        pattern: r"\b(?:proofread\w*|paraphras\w+|rephras\w+|rewrit\w+|reword\w*|polish\w*)\b|\breview(?:s|ing)? (?:my|our|the|their|a|an|essays?|texts?|code|drafts?)\b|\b(?:correct\w*|check(?:s|ing)?|fix\w*|improv\w+|edit\w*)\b.{0,30}\b(?:grammar|spelling|style|writing|wording|tone|essays?|texts?|sentences|homework|drafts?|code|english|punctuation|cvs?|resumes?|contracts?)\b|\b(?:grammar|spell(?:ing)?)[- ]?(?:check|checker|checking|mistakes)\b|润色|校对|改写|纠错|语法(?:检查|纠正|错误)|改错|批改|改(?:作文|文章|病句|错别字)|错别字|扩写|续写|仿写",
    },
    Ability {
        id: "code",
        needs: "model",
        reason: [
            "it cannot write, explain or run programs; that needs a language model",
            "无法编写、解释或运行程序，需要语言模型",
        ],
        pattern: r"\b(?:write|writes|writing|generat\w+|creat\w+|debug\w*|review\w*|explain\w*|fix\w*|refactor\w*|run|runs|execut\w+|deploy\w*|test|build|builds|optimi[sz]\w+|port|develop\w*)\b.{0,30}\b(?:code|programs?|software|functions?|scripts?|sql|apps?|websites?|web ?pages?|unit tests|python|javascript|java|rust|html|css|bugs?|macros?|excel formulas?|queries|commits?|pull requests?|apis?)\b|\b(?:coding|programming) (?:assistant|help|tutor|questions|buddy)\b|(?:写|编写|生成|调试|检查|审查|运行|执行|解释|优化|改)(?:一段|一个|些)?.{0,6}(?:代码|程序|脚本|SQL|sql|网页|网站|软件|函数)|编程|写代码|debug",
    },
    Ability {
        id: "reminders",
        needs: "connection",
        reason: [
            "it answers only when it is asked: it keeps no clock, and reminds or reports nothing by itself",
            "只在被提问时回答，没有定时和提醒功能",
        ],
        pattern: r"\b(?:remind\w*|reminders?|alarms?|timers?|wake (?:me|us) up|wakes? me)\b|\b(?:every|each) (?:day|morning|evening|night|week|month|hour|monday|tuesday|wednesday|thursday|friday|saturday|sunday|\d+ minutes)\b.{0,60}\b(?:send|post|check|tell|email|report|update|remind|run|scan|collect|give|message|summar\w+|notify)\w*|\b(?:send|post|check|tell|email|report|update|run|scan|collect|message|summar\w+|notify|give)\w*\b.{0,60}\b(?:every|each) (?:day|morning|evening|night|week|month|hour|monday|tuesday|wednesday|thursday|friday|saturday|sunday|\d+ minutes)\b|\b(?:daily|weekly|hourly|monthly) (?:digest|summar\w+|reports?|updates?|briefings?|newsletter|reminder)\b|\b(?:monitor|watch|track|keep an eye on)(?:s|ing)?\b.{0,40}\b(?:prices?|websites?|sites?|changes|news|stocks?|competitors?|servers?|mentions|inbox|weather|flights?|deals|auctions?)\b|\bautomatically (?:send|post|update|run|check|back)\w*|\bat \d{1,2}(?::\d{2})? ?(?:am|pm)? every\b|提醒|闹钟|定时|(?:每天|每日|每周|每月|每小时|每晚|每早)(?:早上|晚上|上午|中午|定时|自动|都)?.{0,12}(?:发|推|报|汇总|检查|更新|通知|总结|播报|生成|抓取)|监控|监测|盯着|自动(?:发布|推送|备份|运行|汇报)",
    },
    Ability {
        id: "live_data",
        needs: "connection",
        reason: [
            "it knows nothing that changes from day to day, such as weather, news or market prices; that needs a connection to a service",
            "无法获取天气、新闻、行情等实时信息，需要接入相应服务",
        ],
        pattern: r"\b(?:weather|forecasts?|temperature (?:today|outside|now))\b|\b(?:stock|share|crypto|bitcoin|gold|oil|fuel|petrol|gas|house|market|live|real[- ]?time|current|latest|today's|up[- ]to[- ]date) (?:market )?(?:prices?|quotes?|rates?|exchange rates?|markets?|data|information|info|news|scores?|results|inventory|stock levels?|availability|values?)\b|\b(?:latest|current|today's|breaking|local|tech|sports?|world|recent|daily) (?:news|headlines?|events?|scores?|traffic|offers)\b|\b(?:news|headlines)\b.{0,20}\b(?:about|on|from|of|feed|today)\b|\b(?:get|fetch|read|give|tell|show|bring|collect|find|follow)\w*\b.{0,20}\b(?:the )?news\b|\b(?:traffic|flight status|train times|bus times|departures|sports? scores|football results|exchange rates? (?:of today|today|live)|stock market|delays)\b|\bwhat(?:'s| is) (?:happening|the time|on tv)\b|\bcurrent time\b|\b(?:live|real[- ]?time)\b|天气|气温|股价|股票|股市|行情|实时|路况|最新(?:的)?(?:新闻|消息|汇率|价格|资讯|政策|动态)|(?:最新|今日|今天的|热点|看|查|推送|播报|收集|获取|每天).{0,4}新闻|新闻(?:推送|早报|资讯|播报)|热搜|热点|航班|列车时刻|比分|赛事|油价|金价|币价|今日汇率|当前汇率|空气质量|限行",
    },
    Ability {
        id: "database",
        needs: "connection",
        reason: [
            "it cannot reach databases or other systems; that needs a connection to them",
            "无法访问数据库或其他系统，需要接入",
        ],
        pattern: r"\b(?:connect\w*|access\w*|quer(?:y|ies|ying)|read\w*|write|writes|updat\w+|sync\w*|integrat\w+|log(?:s|ged)? (?:it |them |in )?(?:to|into)|save\w*|stor(?:e|es|ing)|insert\w*|pull\w*|fetch\w*|export\w*|import\w*|look\w* up|add\w*|push\w*|search\w*|check(?:s|ing)?)\b.{0,40}\b(?:databases?|sql|mysql|postgres\w*|mongodb|crm|erp|salesforce|hubspot|shopify|sap|google sheets?|airtable|notion|jira|trello|github|gitlab|sharepoint|google drive|dropbox|onedrive|our (?:system|systems|server|backend|api|shop system|pos)|the (?:backend|api|server)|an api|apis|zapier|webhooks?|quickbooks|xero|zendesk)\b|\bintegrat\w+ with\b|\b(?:via|through|using) (?:an |the |our )?apis?\b|数据库|(?:连接|接入|对接|访问|同步|写入|查询|导入|读取).{0,8}(?:系统|ERP|CRM|erp|crm|接口|API|后台|服务器|飞书|钉钉|企业微信|淘宝|微信|网盘)",
    },
    Ability {
        id: "memory",
        needs: "memory",
        reason: [
            "it keeps nothing beyond a conversation; that needs a memory of its own",
            "对话结束后不保存任何内容，需要持久存储",
        ],
        pattern: r"\b(?:keep|keeps|keeping) (?:a )?(?:track|record|records|log|list|tally|count|notes?|diary|journal) of\b|\b(?:track|tracks|tracking|log|logs|logging|record|records|recording)\s+(?:my|our|their|his|her|the|daily|all|every|what|how|when|who|expenses?|spending|habits?|workouts?|calories|meals?|hours|time|mood|sleep|water|weight|progress|attendance|inventory|sales|books)\b|\b(?:habit|expense|workout|time|mood|calorie|budget|progress|inventory|spending|sleep|period) track\w*|\b(?:remember|remembers|memori[sz]e\w*|save|saves|store|stores|bookmark\w*)\b.{0,25}\b(?:my|our|their|preferences?|birthdays?|everything|what (?:i|we|people|users)|for (?:later|next time)|notes?|conversations?|history|customers?|names)\b|\b(?:to-?do lists?|todo|shopping lists? (?:manager|keeper)|manage\w* (?:my|our) (?:tasks|lists?|stock|inventory|projects?|contacts|members?))\b|\b(?:add|adds|adding) (?:items?|things|tasks|entries|books) to (?:a|the|my|our) (?:list|shopping list|to-?do)\b|\blearn(?:s)? (?:from|my|our|over time)\b|\bupdate(?:s)? (?:the |our |my )?(?:stock|inventory|list|prices|table|records?)\b|记账|记录(?:我|每|下|一下|用户|客户|孩子|开支|花销|体重|饮食|考勤|运动|心情|学习)|记住|备忘|打卡|待办|存(?:下来|起来|档)|保存(?:我|用户|聊天|记录)|持续学习|更新库存|入库|出库",
    },
    Ability {
        id: "login",
        needs: "connection",
        reason: [
            "it cannot sign in anywhere or look into accounts, orders or parcels; that needs a connection with the right to",
            "无法登录，也查不了账户、订单或包裹，需要相应的接入和授权",
        ],
        pattern: r"\b(?:log|logs|logging|sign|signs|signing) (?:in|into|on|onto)\b|\b(?:access|accesses|check|checks|manage|manages|open|opens|reset|resets|unlock\w*|delete|deletes|create|creates)\b.{0,20}\b(?:accounts?|bank account|passwords? for|user profiles?|my bank)\b|\bbank balance\b|\b(?:track|tracks|tracking|trace)\b.{0,20}\b(?:parcels?|packages?|orders?|shipments?|deliver(?:y|ies))\b|登录|登陆|账户余额|查(?:询)?余额|重置密码|开户|注销账号|注册账号",
    },
    Ability {
        id: "files",
        needs: "connection",
        reason: [
            "it cannot open documents such as PDF, Word or Excel, nor files of a computer; it reads text that is pasted",
            "无法打开 PDF、Word、Excel 等文档或电脑上的文件，只能读取粘贴的文字",
        ],
        pattern: r"\b(?:read\w*|open\w*|edit\w*|creat\w+|generat\w+|summari[sz]\w+|convert\w*|extract\w*|upload\w*|process\w*|analy[sz]\w+|merge\w*|split\w*|export\w*|make|makes|fill\w*|scan\w*|search\w*|download\w*|from|parse\w*|save\w*|print\w*|into)\b.{0,40}\b(?:pdfs?|word (?:documents?|files?|docs?)|docx?|excel\w*|xlsx?|powerpoints?|pptx?|epubs?|zip files?|google docs?)\b|\b(?:files?|folders?|documents|desktop)\b.{0,20}\b(?:on|from|of|in) (?:my|the|our|a|their) (?:computer|laptop|pc|hard drive|desktop|phone|drive|disk)\b|\b(?:my|the) (?:computer|laptop|pc|desktop)\b|\b(?:rename|move|delete|organi[sz]e|backup|back up|copy)\w*\b.{0,20}\b(?:files?|folders?|photos)\b|\buploaded (?:files?|documents?)\b|PDF|pdf|Word文档|word文档|Excel|excel|PPT|ppt|(?:电脑|桌面|本地|硬盘|手机)(?:上|里)?的?(?:文件|文档|照片)|上传(?:的)?(?:文件|文档|附件)",
    },
    Ability {
        id: "devices",
        needs: "connection",
        reason: [
            "it cannot control devices or vehicles; that needs a connection to them",
            "无法控制设备，需要接入设备",
        ],
        pattern: r"\b(?:turn|turns|switch|switches|control\w*|open|opens|close|closes|lock|locks|unlock\w*|dim|dims|start|starts|set|sets|adjust\w*)\b.{0,25}\b(?:lights?|lamps?|heating|thermostat|doors?|garage|blinds|alarm system|tv|robot vacuum|devices?|appliances?|machines?|speakers?|sprinklers?|cars?)\b|\bsmart home\b|\brobot arm\b|\bgps\b|智能家居|(?:控制|打开|关闭|开|关)(?:家里的|客厅的|卧室的|所有)?(?:灯|空调|电视|窗帘|设备|热水器|门锁)",
    },
    Ability {
        id: "social",
        needs: "connection",
        reason: ["it cannot publish anything; that needs a connection to the platform", "无法发布内容，需要接入平台"],
        pattern: r"\b(?:post|posts|posting|publish\w*|tweet\w*|upload\w*|share|shares|sharing)\b.{0,35}\b(?:twitter|instagram|facebook|linkedin|tiktok|youtube|x\.com|social media|reddit|wordpress|medium|blog|website)\b|\b(?:social media|instagram|twitter|linkedin|facebook|tiktok) (?:posts?|manager|management|account|presence)\b|发(?:布)?.{0,6}(?:朋友圈|微博|抖音|小红书|公众号|视频号|B站)|运营.{0,4}(?:账号|公众号|微博|抖音)",
    },
    Ability {
        id: "maps",
        needs: "connection",
        reason: [
            "it knows no maps, routes or places; that needs a connection to a map service",
            "无法使用地图和导航，需要接入地图服务",
        ],
        pattern: r"\b(?:directions|routes?|navigat\w+|distances?|travel times?|commute)\b.{0,20}\b(?:to|from|between|for) (?:places|cities|towns|addresses|here|there|my|the|any|two|locations|points|home|work|a|customers)\b|\b(?:find|finds|show|shows|locate\w*|suggest\w*|recommend\w*)\b.{0,25}\b(?:near(?:by|est| me)|restaurants? (?:in|near|nearby)|on (?:a|the) map|closest)\b|\bplans? (?:the )?(?:best |fastest |shortest )?routes?\b|\bgoogle maps\b|\bnavigat(?:e|es|ion)\b|导航|地图|路线(?:规划)?|附近的|怎么走最快|最近的(?:餐|店|医院|地铁|加油)",
    },
    Ability {
        id: "planning",
        needs: "model",
        reason: [
            "it cannot give advice, recommend or plan; that needs a language model",
            "无法给出建议、推荐或规划，需要语言模型",
        ],
        pattern: r"\b(?:give|gives|giving|provide\w*|offer\w*|get|dispense)\b.{0,25}\b(?:advice|recommendations?|tips (?:on|about|for)|suggestions?|opinions?|feedback|guidance|ideas)\b|\b(?:medical|legal|financial|tax|investment|investing|relationship|career|dating|fashion|style|health|nutrition|parenting|travel|gardening|interior|life|mental health) (?:advice|advisor|adviser|tips|guidance|coach|counsel\w*|support)\b|\b(?:advise|advises|diagnos\w+|prescrib\w+|counsel\w*|coach|coaches|mentor\w*)\b|\b(?:recommend|recommends|suggest|suggests|plan|plans|planning)\b.{0,40}\b(?:trips?|itinerar\w+|holidays?|vacations?|meals?|dinners?|recipes?|films?|movies?|books?|music|restaurants?|hotels?|gifts?|presents?|outfits?|workouts?|exercises?|routes?|activities|weddings?|part(?:y|ies)|weekends?|gardens?|menus?|diets?|wines?|products?|games?|dates?|days? out|studies|lessons|careers?|my day|my week|investments?|stocks?|strategies|strategy|things to do|what to (?:do|eat|cook|wear|watch|read|buy|visit|say))\b|\b(?:trip|travel|meal|event|wedding|workout|party|study|menu) planner\b|\bdecide what to (?:cook|wear|eat|watch|say|buy)\b|\brecommend(?:s|ing|ations?)?\b|\bwhat (?:should i|to) (?:wear|cook|eat|watch|read)\b|(?:给|提供|提)(?:我|用户|客户|大家|一些|点|出)*.{0,8}(?:建议|意见|推荐|攻略)|推荐|规划|诊断|开药|看病|问诊|法律咨询|心理咨询|情感咨询|投资建议|理财建议|健身计划|旅游攻略|制定.{0,6}(?:计划|方案|食谱|攻略)|搭配(?:衣服|穿搭)|穿搭|算命|占卜|星座运势",
    },
    Ability {
        id: "conversation",
        needs: "model",
        reason: [
            "it cannot hold a free conversation, teach or explain; that needs a language model",
            "无法自由聊天、讲解或辅导，需要语言模型",
        ],
        pattern: r"\b(?:chat|chats|chatting|talk|talks|talking|converse\w*|have (?:a )?conversations?|hold (?:a )?conversations?)\s+(?:to|with|about)\b|\b(?:small talk|chit[- ]?chat|keep (?:me|people|them|someone) company|companion|role[- ]?play\w*|be my friend|girlfriend|boyfriend|therapist|debat\w+|argue)\b|\b(?:tutor|tutors|tutoring|teach|teaches|teaching|explain|explains)\b.{0,40}\b(?:maths?|physics|chemistry|biology|history|science|english|grammar|programming|anything|concepts?|topics?|homework|kids|children|students|me|lessons?|things|how to play|guitar|piano|chess|subjects?|philosophy|economics|vocabulary|quantum \w+|words)\b|\bhelp\w* (?:me |kids |students |my \w+ |children |with |them )*(?:with )?(?:my |their |the )?homework\b|\b(?:answer|answers|know|knows|talk|explain)\b.{0,20}\b(?:anything|everything|any question|all questions|any topic|general knowledge|trivia|whatever)\b|\b(?:practi[cs]e|mock) (?:conversations?|interviews?|speaking|english)\b|\bplay (?:chess|games|a game|20 questions|hangman|trivia|with me)\b|\b(?:philosophical|deep) (?:questions|conversations)\b|\bunderstand (?:feelings|emotions|sarcasm)\b|聊天|陪聊|陪(?:我|老人|孩子|人)|谈心|闲聊|辅导|讲解|教(?:我|孩子|学生|人|小朋友)|答(?:任何|所有)问题|什么都(?:能|会|懂)|百科|角色扮演|下棋|玩游戏|练(?:口语|英语|对话)|情感陪伴|讲题|解题",
    },
    Ability {
        id: "judgement",
        needs: "model",
        reason: [
            "it cannot judge moods, opinions or qualities of a text; that needs a language model",
            "无法判断情感、观点或质量，需要语言模型",
        ],
        pattern: r"\b(?:sentiment|tone|mood|emotion|sarcasm|intent|plagiarism|spam|fake news|fraud|toxicity|bias|hate speech)\w*\b.{0,20}\b(?:analy[sz]\w+|detect\w*|of|check(?:s|ing)?|classif\w+|score\w*)\b|\b(?:detect|analy[sz]e|judge|rate|score|grade|evaluate|assess|mark|predict|forecast|rank)(?:s|ing)?\b.{0,30}\b(?:sentiments?|tone|moods?|emotions?|feelings?|quality|essays?|candidates?|cvs?|resumes?|answers|applications?|fraud|risk|sales|demand|elections?|winners?|matches|games|the future|stock prices?|lies|leads|people|photos|homework|exams?|reviews|arguments|plagiarism|spam|scams?)\b|情感分析|情绪(?:分析|识别|判断)|舆情|打分|评分|预测|判断.{0,8}(?:真假|好坏|情绪|情感|心情|质量|对错|谁|风险)|筛选简历|评估(?:风险|简历|候选人)|批阅|阅卷|识别(?:垃圾|诈骗|谣言|情绪)",
    },
    Ability {
        id: "people",
        needs: "connection",
        reason: [
            "it cannot hand over to people or act for them; that needs a connection to them",
            "无法转接人工或代人办事，需要接入人工服务",
        ],
        pattern: r"\b(?:hand\w*|transfer\w*|escalat\w+|forward\w*|pass\w*|connect\w*|route\w*)\b.{0,25}\b(?:over to|to) (?:a |an |the |our |real )?(?:human|person|agent|staff|colleague|operator|manager|support team|someone|me|owner)\b|\bescalat\w+\b|\bdeliver (?:food|parcels|pizza)\b|\bclean (?:my|the) (?:house|room|kitchen)\b|\bcook (?:me|us|dinner|a meal)\b|\bmake (?:me )?(?:a )?(?:coffee|sandwich|dinner)\b|转(?:接)?人工|转接|人工客服|升级处理|帮我(?:做饭|打扫|送货)",
    },
];

static COMPILED: LazyLock<Vec<(Option<Regex>, &'static Ability)>> = LazyLock::new(|| {
    ABILITIES.iter().map(|ability| (Regex::new(&format!("(?i){}", ability.pattern)).ok(), ability)).collect()
});

/// Why a clause cannot be served, when it asks for something that no tool does.
pub(super) fn limit(clause: &str, language: Language) -> Option<Limit> {
    // A bot to chat with is one that is asked in a chat.
    let clause = clause.replace("聊天的机器人", "机器人").replace("聊天机器人", "机器人").replace("智能聊天", "");
    let (_, ability) =
        COMPILED.iter().find(|(regex, _)| regex.as_ref().is_some_and(|regex| regex.is_match(&clause)))?;
    let [en, zh] = ability.reason;
    Some(Limit { ability: ability.id.into(), reason: language.pick(en, zh).to_owned(), needs: ability.needs.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(clause: &str) -> String {
        limit(clause, Language::En).map(|limit| limit.ability).unwrap_or_default()
    }

    #[test]
    fn the_patterns_are_sound() {
        for (regex, ability) in COMPILED.iter() {
            assert!(regex.is_some(), "{}", ability.id);
        }
    }

    #[test]
    fn what_cannot_be_done_is_recognised() {
        for (clause, ability) in [
            ("search the web for recipes", "web_search"),
            ("上网搜索资料", "web_search"),
            ("send me an email when it rains", "mail"),
            ("reply to customer emails", "mail"),
            ("发邮件给客户", "mail"),
            ("notify us by SMS", "messages"),
            ("add it to my Google calendar", "calendar"),
            ("take table reservations", "bookings"),
            ("book a flight", "bookings"),
            ("帮客人预订座位", "bookings"),
            ("process payments", "payment"),
            ("generate a logo", "images"),
            ("给我画一张图", "images"),
            ("transcribe interviews", "audio"),
            ("语音播报", "audio"),
            ("translate my menu into French", "translation"),
            ("把文章翻译成英文", "translation"),
            ("write a poem about the sea", "writing"),
            ("写一首诗", "writing"),
            ("Compose symphonies for elephants", "audio"),
            ("proofread my essay", "rewriting"),
            ("write Python code", "code"),
            ("remind me to drink water", "reminders"),
            ("每天早上发一份日报", "reminders"),
            ("tell me the weather in Paris", "live_data"),
            ("查今天的天气", "live_data"),
            ("query our MySQL database", "database"),
            ("keep track of my expenses", "memory"),
            ("记账", "memory"),
            ("log in to my bank", "login"),
            ("read PDFs", "files"),
            ("turn off the lights", "devices"),
            ("post it on Instagram", "social"),
            ("plan a trip to Japan", "planning"),
            ("give medical advice", "planning"),
            ("chat with lonely people", "conversation"),
            ("teach me physics", "conversation"),
            ("analyse the sentiment of tweets", "judgement"),
            ("hand over to a human", "people"),
        ] {
            assert_eq!(id(clause), ability, "{clause}");
        }
    }

    #[test]
    fn what_tools_do_is_not_taken_for_it() {
        for clause in [
            "extract email addresses and links from text",
            "convert kg to lb",
            "calculate the monthly payment of a loan",
            "count words",
            "generate passwords and UUIDs",
            "answer questions about this price list",
            "tell the weekday of a date",
            "calculate days between dates",
            "sort tickets into billing",
            "look up phone numbers",
            "summarise articles",
            "split a bill between friends",
            "compute tips",
            "answer frequently asked questions",
            "convert euros to dollars at these rates",
            "fetch web pages",
            "find the cheapest item",
            "add up orders",
            "pick a random winner",
            "统计字数",
            "把公斤换算成磅",
            "计算月供",
            "提取邮箱和电话",
            "回答顾客的问题",
            "生成密码",
            "query JSON documents",
            "tell customers when we are open",
            "encode text as Base64",
            "make a slug of a title",
            "turn text into upper case",
            "tell opening hours",
            "work out the total of an order",
        ] {
            assert_eq!(id(clause), "", "{clause}");
        }
    }
}
