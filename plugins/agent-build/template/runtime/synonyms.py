"""Words that ask for the same thing, in English and Chinese, for finding FAQ entries and notes."""
from __future__ import annotations

import re
from typing import Dict, List, Set, Tuple

from runtime.text import has_cjk, stem, unaccented

# One group a line; words of several parts are joined by "_". A star marks the groups of question words, a tilde
# those of verbs that may be missing.
_GROUPS = """
freeze pause suspend hold interrupt 暂停 冻结 停卡
请假 请个假 请病假 请事假 time_off day_off days_off
old oldest ancient 最老 最古老 古老 历史
*when time date 时间 日期 什么时候 几点 何时 哪天
*open opening hours close closed closing weekend business_hours 营业 营业时间 开门 开放 几点 关门 打烊 上班 下班 开放时间
*price cost fee charge expensive rate pay 要钱 收钱 花钱 价格 多少钱 收费 费用 价钱 学费 票价
*address adress addres location located where directions street find place get_there get_to_you 地址 在哪 哪里 位置 地点 哪儿 怎么走
*phone telephone call number contact reach hotline 电话 联系 联系方式 客服 热线 号码 手机
email mail e-mail write contact 邮箱 邮件 电子邮件
refund return money_back back send_back send_it_back send_one_back send_them_back bring_it_back 退款 退货 退钱 退换 退
exchange replace swap 换货 能换 换一 更换 调换 退换
lift elevator 电梯
export download backup save_as csv 导出 下载
lost forget forgot left_behind left_my found property missing misplaced 丢 丢失 遗失 落下 忘拿 遗忘
track tracking whereabouts 查物流 到哪 哪里了 到了没 物流信息
api interface integration rest 接口
taxi cab uber ride 出租车 打车
material cotton fabric made_of 材质 面料 棉 布料
cancel cancellation unsubscribe terminate quit stop_paying reschedule postpone 取消 改期 退订
delivery deliver ship shipping dispatch courier send postage parcel order package get_here gets_here receive arrive 发货 配送 快递 送货 寄 物流 邮寄 包裹
shipping_cost postage shipping_fee delivery_fee 运费 邮费 快递费 配送费
book booking reserve reservation appointment 预订 预约 订位 定位 预定
pay payment card cash credit visa mastercard amex paypal invoice 付款 支付 刷卡 现金 微信 支付宝
park parking car garage 停车 车位 停车场
wifi internet wlan wireless network password 无线 网络 上网 wifi
pet dog cat animal 宠物 狗 猫 动物
child children kid baby toddler family year_old years_old teenager 孩子 小孩 儿童 宝宝 小朋友
discount offer deal coupon sale promotion reduced cheaper 优惠 折扣 打折 活动 促销
member membership join sign_up register enroll subscription 会员 办卡 报名 注册 加入
vegetarian vegan meat-free plant-based animal_products animal_stuff 素食 吃素 纯素
allergy allergic gluten nut lactose dairy 过敏 麸质 坚果 乳糖
breakfast morning_meal 早餐 早饭
lunch midday 午餐 午饭
dinner supper evening_meal 晚餐 晚饭
room accommodation bedroom 房间 客房 住宿 宿舍
check-in checkin check_in arrival arrive get_in getting_in get_there 入住 到店 办理入住
check-out checkout check_out departure leave have_to_leave move_out be_out get_out 退房 离店
toilet restroom bathroom washroom 厕所 洗手间 卫生间
wheelchair accessible disabled accessibility ramp 轮椅 无障碍
smoke smoking cigarette 吸烟 抽烟
warranty guarantee 保修 质保 保固
repair fix broken break defective faulty damaged damage pieces cracked smashed 维修 修理 坏了 故障 损坏 摔 弄坏 破损 碎
password pw passcode login sign_in log_in account 密码 登录 账号 账户
*bring carry pack documents papers 带 携带 材料 证件
wear dress clothes clothing 穿 着装 衣服
gift voucher present certificate 礼品 礼物 礼品卡 赠品
takeaway takeout to-go 外卖 打包 外带
bus train metro subway tram transport station 公交 地铁 火车 车站 交通
holiday vacation leave pto 年假 假期 休假 放假 假日
sick ill illness sick_note unwell absence absent report_sick call_in_sick off_school 病假 生病 缺席 缺勤
salary wage paid payday payroll 工资 薪水 发工资 薪资
expense reimbursement reimburse 报销 费用报销
remote home_office homeoffice work_from_home 远程 在家办公 居家
boss manager supervisor 领导 主管 经理
*start begin beginning 开始
*end finish over 结束
age old minimum_age how_old 年龄 几岁 多大 周岁
*long duration last take length 多久 时长 多长 几天 几个工作日
homework assignment exercise 作业
exam test quiz 考试 测验
teacher tutor instructor coach 老师 教师 教练
doctor physician dentist 医生 大夫
emergency urgent 紧急 急诊 急救 不舒服 难受
photo picture photography camera 拍照 照片 摄影
alcohol beer wine drink 喝酒 酒水 啤酒 白酒 红酒 饮料
rubbish trash garbage waste bin recycling 垃圾 回收
key keys 钥匙
swim pool swimming 游泳 泳池
quiet noise silence loud 安静 噪音
guest visitor visitors friend 客人 访客 来宾 来访 朋友
heating heat warm radiator 暖气 供暖
borrow lend loan 借 借阅 借书
renew extend extension 续借 延长 续
fine late_fee overdue 罚款 逾期 过期
monday mon 周一 星期一 礼拜一
tuesday tue tues 周二 星期二 礼拜二
wednesday wed 周三 星期三 礼拜三
thursday thu thurs 周四 星期四 礼拜四
friday fri 周五 星期五 礼拜五
saturday sat 周六 星期六 礼拜六
sunday sun 周日 星期日 星期天 礼拜天 周天
student students 学生
senior pensioner elderly 老人 老年 长者
ticket admission entry entrance 门票 票 入场
food eat snack meal 食物 吃 零食 餐
luggage baggage suitcase bag 行李 包
bike bicycle cycling 自行车 单车
clean cleaning laundry wash 清洁 打扫 洗衣
insurance insured 保险
tax vat receipt 税 发票 收据
size dimension measure 尺寸 尺码 大小
colour color 颜色
trial free_class sample 试听 试用 体验 试课 试一节 试一次 先试
birthday party celebration 生日 派对 聚会
owner founder runs boss 老板 创始人
founded since established started 成立 创立 创办
language speak english 语言 英语
coffee cafe espresso cappuccino latte tea 咖啡 咖啡厅 咖啡馆
~collect pick_up pick_it_up picking_up pickup fetch collection 取件 自提 领取 取货 取衣 能取 来取 去取 提货
someone_else somebody_else other_person husband wife partner friend neighbour neighbor mother father colleague on_behalf 别人 代取 代领 他人 家人 朋友代
leak leaking burst_pipe flood 漏水 水管 漏了 爆管 渗水
night late_night overnight midnight at_night evening 晚上 半夜 夜里 夜间 深夜 凌晨
hot_water boiler heater no_heat 热水 热水器
electricity power fuse fuse_box breaker power_cut blackout outage no_power 停电 跳闸 断电 没电
disconnect disconnecting drop drops dropping cut_out cuts_out lose_connection 断开 掉线 断线
monitor screen display 显示器 屏幕
emergency maintenance leak leaking burst flood gas_smell 报修 抢修
bread baker bakery rolls 面包
late later delay delayed 晚点 迟到
second another extra additional spare 第二 另外
locker lockers cupboard storage 储物柜 柜子 寄存
shower showers changing_room 淋浴 洗澡 更衣室
volume loud volume_up 音量
sauna steam_room spa 桑拿
ready finished done picked_up 好了 做好
contact_person responsible in_charge who_do_i_call 负责人 找谁
stairs steps floor storey level 几楼 楼层 哪层
chair seat seats seating 座位 座椅
light lights lamp bulb 灯 灯泡
medicine drug pill prescription 药 处方
bring_back give_back hand_back 归还 还书
fruit vegetable vegetables 水果 蔬菜
watch view see look_at 观看
wheel tyre tire flat_tyre puncture 轮胎 爆胎 补胎
"""


# What most questions ask for ("how much", "when", "where") tells less than what they ask about.
GENERIC = {"#%d" % number for number, line in enumerate(_GROUPS.strip().splitlines()) if line.startswith("*")}
# Of these a text need not speak: "what day is the trash picked up".
SOFT = {"#%d" % number for number, line in enumerate(_GROUPS.strip().splitlines()) if line.startswith("~")}
# What is paid for something told beside it: 退货运费 asks for the freight, not for the return.
FEES = {"#%d" % number for number, line in enumerate(_GROUPS.strip().splitlines()) if line.startswith(("shipping_cost", "fine "))}
# "When" and "how long" ask for the same kind of thing: 什么时候发货 is answered by 多久发货.
_TIMES = ("*when", "*open", "*long", "*start", "*end")
FAMILY = {"#%d" % number: "#time" if line.startswith(_TIMES) else "#%d" % number for number, line in enumerate(_GROUPS.strip().splitlines())}
_by_term: Dict[str, Set[int]] = {}
_chinese: List[Tuple[str, int]] = []


def _prepare() -> None:
    """Made when the first question needs it, not at the start of the agent."""
    for number, line in enumerate(_GROUPS.strip().splitlines()):
        for word in line.lstrip("*~").split():
            if word.isascii():
                for part in [word.replace("_", " ")]:
                    _by_term.setdefault(" ".join(stem(piece) for piece in part.split()), set()).add(number)
            else:
                _chinese.append((word, number))


# "I'm 15", "my 4 year old", 15岁: somebody's age.
_AGE = re.compile(r"\b(?:i'?m|i am|he is|she is|he'?s|she'?s|aged?|turn(?:s|ed)?|(?:son|daughter|boy|girl|kid|child|grandson|granddaughter|little one)(?:'?s| is| turned))\s+(?:only\s+|just\s+)?\d{1,2}\b(?!\s*(?:minutes|min|km|miles|euro|%))|\b\d{1,2}[\s-]*(?:years?|yrs?|y/o|yo)\b[\s-]*old|\d{1,2}\s*周?岁"
                  r"|\b(?:child\w*|kids?|infants?|toddlers?|bab(?:y|ies)|aged?|years)\b\D{0,16}\d{1,2}\b")


def says_age(text: str) -> bool:
    """True when a number of the text is somebody's age."""
    return bool(_AGE.search(text.lower()))


def phrase_words(text: str) -> Set[str]:
    """The words of a text that are parts of phrases of the groups ("year old"): the phrase's meaning stands for them."""
    if not _by_term:
        _prepare()
    words = [stem(word) for word in re.findall(r"[a-z]+(?:-[a-z]+)?", unaccented(text))]
    return {word for length in (2, 3) for place in range(len(words) - length + 1)
            if " ".join(words[place : place + length]) in _by_term for word in words[place : place + length]}


def chinese_words(text: str) -> Set[str]:
    """The Chinese words of the groups that a text holds."""
    if not _by_term:
        _prepare()
    return {word for word, _ in _chinese if word in text}


def concepts(text: str) -> Set[str]:
    """What a text is about: a name for each group of which it holds a word."""
    if not _by_term:
        _prepare()
    lower = unaccented(text)
    words = [stem(word) for word in re.findall(r"[a-z]+(?:-[a-z]+)?", lower)]
    found: Set[int] = set()
    joined = phrase_words(text)
    for place, word in enumerate(words):
        found |= _by_term.get(word, set()) if word not in joined else set()
        for length in (2, 3):
            found |= _by_term.get(" ".join(words[place : place + length]), set()) if place + length <= len(words) else set()
    if has_cjk(text):
        found |= {number for word, number in _chinese if word in lower}
    if _AGE.search(lower):
        found |= _by_term.get("age", set())
    return {"#%d" % number for number in found}
